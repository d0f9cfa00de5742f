"""What all tabs and endpoints share: the parts (loaded when first needed) and the runs on disk."""

from __future__ import annotations

import re
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from procvid import wiring, wiring_evaluation
from procvid.errors import InputError, OutputError, RunError
from procvid.evaluate.gather import Looks
from procvid.evaluate.parts import EvaluationParts
from procvid.memory.crops import load_store
from procvid.protocols import Planner
from procvid.settings import Profile, read_environment
from procvid.ui.memories import MEMORY_ID, folder_of
from procvid.ui.pulled_stores import folder_of_pulled
from procvid.wiring import Parts

RUN_ID = re.compile(r"[0-9a-f]{16}")
MEMORIES = ("default", "none")
"""The memories that a caller may name; a path of the server is never one of them."""


MAX_WAITING = 1000
"""Runs that may wait for their turn at once, before the oldest is taken for abandoned."""


def new_run_id() -> str:
    """A random id that nobody can guess: it is also the key to the run's files."""
    return secrets.token_hex(8)


@dataclass
class AppContext:
    """One per running app; safe to use from many threads.

    Attributes:
        profile: The set of models that runs.
        profile_reason: Why this one.
        planner: Makes the plans; needs no weights.
        runs_folder: Absolute; each run has a folder of its own id in it.
        examples_folder: Recipes to try, or a folder that does not exist.
    """

    profile: Profile
    profile_reason: str
    planner: Planner
    runs_folder: Path
    examples_folder: Path
    _parts: Parts | None = field(default=None, repr=False)
    _evaluation: EvaluationParts | None = field(default=None, repr=False)
    _looks: Looks = field(default_factory=Looks, repr=False)
    _loading: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _stops: dict[str, threading.Event] = field(default_factory=dict, repr=False)
    _in_work: set[str] = field(default_factory=set, repr=False)
    _runs: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def parts(self, memory: str) -> Parts:
        """The parts with one of the `MEMORIES`, a person's own by its id, or a pulled store.

        The first call builds the models, for all.

        Raises:
            InputError: There is no such memory.
            StoreError: It is damaged, or of another embedder.
            UnavailableError: Something they need cannot be had here.
        """
        own = None
        if memory not in MEMORIES and MEMORY_ID.fullmatch(memory):
            own = folder_of(self.runs_folder, memory)
        elif memory not in MEMORIES:
            own = folder_of_pulled(memory)
        if memory not in MEMORIES and (own is None or not own.is_dir()):
            raise InputError(
                f"There is no memory {memory[:40]!r}.", f"Choose {' or '.join(MEMORIES)}."
            )
        with self._loading:
            if self._parts is None:
                built = wiring.build(profile=self.profile.name, profile_reason=self.profile_reason)
                self._parts = replace(built, planner=self.planner)
        if own is not None:
            return replace(self._parts, stores=(load_store(own, self._parts.embedder),))
        return self._parts if memory == "default" else replace(self._parts, stores=None)

    def evaluation(self) -> tuple[EvaluationParts, Looks]:
        """The backbones of the metrics, built by the first call, and what is kept of clips seen."""
        with self._loading:
            if self._evaluation is None:
                self._evaluation = wiring_evaluation.build_evaluation(self.profile, standard=True)
        return self._evaluation, self._looks

    def folder_of(self, run_id: str) -> Path:
        """Where a run lives; its id is checked, so it cannot point elsewhere.

        Raises:
            RunError: This is no run id.
        """
        if not isinstance(run_id, str) or not RUN_ID.fullmatch(run_id):
            raise RunError(
                f"{str(run_id)[:40]!r} is not a run id.",
                "Give the run_id that /generate answered, 16 characters of 0-9 and a-f.",
            )
        return self.runs_folder / run_id

    def existing_folder_of(self, run_id: str) -> Path:
        """Like `folder_of`, for a run that is on disk.

        Raises:
            RunError: This is no run id, or there is no such run.
        """
        folder = self.folder_of(run_id)
        if not folder.is_dir():
            raise RunError(f"There is no run {run_id}.", "It may have been cleared away.")
        return folder

    def expect(self, run_id: str) -> None:
        """A run waits for its turn from now on, and can be stopped before it comes."""
        with self._runs:
            waiting = [known for known in self._stops if known not in self._in_work]
            for left in waiting[: max(0, len(waiting) - MAX_WAITING)]:
                # Its page was closed while it waited, so its turn never came.
                del self._stops[left]
            if run_id not in self._in_work:
                self._stops[run_id] = threading.Event()

    @contextmanager
    def working_on(self, run_id: str) -> Iterator[threading.Event]:
        """Hold a run while its clips are made; the event is set when somebody asks to stop it.

        Raises:
            RunError: Somebody else is making this run's clips.
        """
        with self._runs:
            if run_id in self._in_work:
                raise RunError(f"Run {run_id} is in work already.", "Wait for it or stop it first.")
            self._in_work.add(run_id)
            stop = self._stops.setdefault(run_id, threading.Event())
        try:
            yield stop
        finally:
            with self._runs:
                self._in_work.discard(run_id)
                self._stops.pop(run_id, None)

    def stop(self, run_id: str) -> bool:
        """Ask a run to stop; it does so after the denoising step in work, or when its turn comes.

        False if it neither is in work nor waits.
        """
        stop = self._stops.get(run_id)
        if stop is not None:
            stop.set()
        return stop is not None

    def in_work(self, run_id: str) -> bool:
        """Whether somebody makes clips of this run at this moment."""
        return run_id in self._in_work


def open_context(
    examples_folder: Path,
    *,
    profile: str = "auto",
    planner: str = "auto",
    runs_folder: Path | None = None,
) -> AppContext:
    """The context of a new app; loads no model. Runs go where the environment says.

    Raises:
        InputError: A name is unknown.
        UnavailableError: The planner needs something that is not here.
        OutputError: The runs folder cannot be made.
    """
    chosen, reason = wiring.select_profile(profile)
    folder = (runs_folder or read_environment().runs_folder).resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"The runs folder {str(folder)!r} cannot be made ({error.strerror}).",
            "Set PROCVID_RUNS to a folder that can be written.",
        ) from error
    return AppContext(
        chosen, reason, wiring.build_planner(planner, chosen), folder, examples_folder
    )
