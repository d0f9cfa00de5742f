"""All errors that procvid raises on purpose.

ProcvidError               what is wrong (with the value) and what to do
|-- InputError             the user's recipe, option or file is wrong        -> exit code 2
|   |-- RecipeError        the recipe cannot be read
|   |-- StoreError         a crop store is missing, damaged or of another embedder
|   |-- RunError           a run folder does not fit the request
|   `-- OutputError        the output folder cannot be written
`-- UnavailableError       a model, a service or a device is not available   -> exit code 1
    |-- BusyError          the queue is full, or a visitor sends too many requests
    |-- LostCardError      a GPU no longer works
    `-- ServiceError       a model behind an API refused, failed or gave an unusable answer
"""

from __future__ import annotations

import copyreg


class ProcvidError(Exception):
    """An error that the user can understand: one sentence, then what to do.

    Args:
        message: What is wrong, with the offending value.
        hint: What to do about it; may be empty.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()

    def __reduce__(self) -> tuple[object, ...]:
        # Workers send errors. Subclasses may take other arguments, so none is called again.
        return copyreg.__newobj__, (type(self), *self.args), vars(self)  # type: ignore[attr-defined]


class InputError(ProcvidError):
    """The request itself is wrong; trying again unchanged cannot help."""

    exit_code = 2


class RecipeError(InputError):
    """The recipe is empty, too long, not a recipe, or not in English."""


class StoreError(InputError):
    """A crop store is missing, damaged, or made with another embedder."""


class RunError(InputError):
    """A run folder belongs to another request, or lacks what is needed."""


class UnavailableError(ProcvidError):
    """A model, a service or a device is not available; the hint explains how to get it."""


class BusyError(UnavailableError):
    """The server is busy; try again later."""


class LostCardError(UnavailableError):
    """A GPU stopped working during this process, or every one of them did."""


class ServiceError(UnavailableError):
    """A model behind an API is not available, or its answer cannot be used.

    Args:
        message: What is wrong, in our own words: a service's text may repeat the key.
        hint: What to do about it.
        lasting: True if a person has to act first: a wrong key, no quota left.
    """

    def __init__(self, message: str, hint: str = "", *, lasting: bool = False) -> None:
        super().__init__(message, hint)
        self.lasting = lasting


class OutputError(InputError):
    """The output folder cannot be written (read-only, full, not a folder)."""
