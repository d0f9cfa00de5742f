"""The border between procvid and whoever calls it over the page or the API.

Every event handler and endpoint is wrapped by `guarded`: a procvid error becomes its one sentence,
anything unexpected becomes a sentence with an id under which the log keeps the traceback.
"""

from __future__ import annotations

import functools
import inspect
import logging
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar, cast

import gradio as gr

from procvid.errors import (
    BusyError,
    InputError,
    OutputError,
    ProcvidError,
    RecipeError,
    RunError,
    ServiceError,
    StoreError,
    UnavailableError,
)
from procvid.storage.text import printable

log = logging.getLogger(__name__)

Handler = TypeVar("Handler", bound=Callable[..., Any])

FOLDERS = re.compile(r"(?<![\w:/.<])/(?:[^\s/'\"]+/)+(?=[^\s/'\"])")
TITLES: tuple[tuple[type[ProcvidError], str], ...] = (
    (RecipeError, "This recipe cannot be read"),
    (StoreError, "The memory"),
    (RunError, "The run"),
    (OutputError, "The result cannot be written"),
    (InputError, "Please check the input"),
    (BusyError, "Too much to do at the moment"),
    (ServiceError, "The service did not help"),
    (UnavailableError, "Not available on this machine"),
)
"""The first class that fits gives the title of the message box; so a class stands before its bases."""


def as_gradio_error(error: Exception) -> gr.Error:
    """Any exception as the one message that a caller may see; the unexpected is logged by an id."""
    if isinstance(error, gr.Error):
        return error
    if isinstance(error, ProcvidError):
        title = next((title for kind, title in TITLES if isinstance(error, kind)), "procvid")
        return gr.Error(one_line(without_folders(str(error))), title=title, print_exception=False)
    number = secrets.token_hex(4)
    log.error("unexpected error %s", number, exc_info=error)
    return gr.Error(
        f"Something went wrong inside procvid (error {number}); the server's log has the details.",
        title="Unexpected error",
        print_exception=False,
    )


def without_folders(text: str) -> str:
    """The text with the last part alone of each absolute path: where a server keeps things is its own."""
    return FOLDERS.sub("", text)


def one_line(text: str, limit: int = 400) -> str:
    """Printable text on one line of at most `limit` characters, for a message box."""
    shown = printable(text)
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise as_gradio_error(error) from None


def _refuse_halves(values: Any) -> None:
    """Raise for a text with half of a character (a lone surrogate): no answer could repeat it."""
    waiting = [values]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            try:
                value.encode()
            except UnicodeEncodeError:
                raise InputError("A text holds half of a character.", "Copy it again.") from None
        elif isinstance(value, Mapping):
            waiting += [*value, *value.values()]
        elif isinstance(value, list | tuple):
            waiting += value


def guarded(handler: Handler) -> Handler:
    """Wrap a function or a generator function; its signature and annotations stay as they are."""
    if inspect.isgeneratorfunction(handler):

        @functools.wraps(handler)
        def stream(*args: Any, **kwargs: Any) -> Iterator[Any]:
            with _translated():
                _refuse_halves([args, kwargs])
                yield from handler(*args, **kwargs)

        return cast(Handler, stream)

    @functools.wraps(handler)
    def call(*args: Any, **kwargs: Any) -> Any:
        with _translated():
            _refuse_halves([args, kwargs])
            return handler(*args, **kwargs)

    return cast(Handler, call)
