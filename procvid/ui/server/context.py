"""What all tabs and endpoints share: the parts (loaded when first needed) and the runs on disk."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Generator
from dataclasses import dataclass, field, replace
from pathlib import Path

from gradio.context import LocalContext

from procvid.errors import InputError, OutputError, RunError, UnavailableError
from procvid.evaluate.gather import EvidenceCache
from procvid.evaluate.parts import EvaluationParts
from procvid.events import Event
from procvid.machine import check_gpu, is_lent
from procvid.memory.store_folder import load_store
from procvid.protocols import ClipGenerator, Planner
from procvid.run.folder import PLAN
from procvid.settings import Profile, read_environment
from procvid.ui.server.clearing import Keeping, clear
from procvid.ui.server.guard import log
from procvid.ui.server.guests import Allowance
from procvid.ui.server.making import events_of
from procvid.ui.server.own_memory import find_folder
from procvid.ui.server.pulled_stores import folder_of_pulled
from procvid.ui.server.queue import RUN_ID, Job, Tickets
from procvid.ui.server.runs import new_view, read_job, read_view
from procvid.ui.server.stream import RunView
from procvid.ui.server.worker import Turns, Worker
from procvid.wiring import evaluation as wiring_evaluation
from procvid.wiring import run as wiring
from procvid.wiring.run import Parts

MEMORIES = ("default", "none")
"""The memories that a caller may name; a path of the server is never one of them."""
QUEUE = "queue"


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
        turns: The device, for one piece of work at a time.
        keeping: How long the runs stay.
        allowance: What each visitor has asked for lately.
        worker: Makes the clips of all runs.
    """

    profile: Profile
    profile_reason: str
    planner: Planner
    runs_folder: Path
    examples_folder: Path
    _parts: Parts | None = field(default=None, repr=False)
    _with_lora: tuple[str, ClipGenerator] | None = field(default=None, repr=False)
    _loaded: ClipGenerator | None = field(default=None, repr=False)
    _evaluation: EvaluationParts | None = field(default=None, repr=False)
    _looks: EvidenceCache = field(default_factory=EvidenceCache, repr=False)
    _loading: threading.Lock = field(default_factory=threading.Lock, repr=False)
    turns: Turns = field(default_factory=Turns, repr=False)
    keeping: Keeping = field(default_factory=Keeping)
    allowance: Allowance = field(default_factory=Allowance, repr=False)

    def __post_init__(self) -> None:
        tickets = Tickets(self.runs_folder / QUEUE)
        self.worker = Worker(tickets, self._make, self._look, self.turns, self._tidy)

    def parts(self, memory: str, lora: str = "") -> Parts:
        """The parts with one of the `MEMORIES`, a person's own by its id or reading name, or a pulled store.

        The first call builds the models, for all. With a pulled LoRA the generator is one of its own.

        Raises:
            InputError: There is no such memory or LoRA, or it belongs to another model.
            StoreError: It is damaged, or of another embedder.
            UnavailableError: Something they need cannot be had here.
        """
        own = None
        if memory not in MEMORIES:
            own = find_folder(self.runs_folder, memory) or folder_of_pulled(memory)
        if memory not in MEMORIES and own is None:
            raise InputError(
                f"There is no memory {memory[:40]!r}.", f"Choose {' or '.join(MEMORIES)}."
            )
        with self._loading:
            if self._parts is None:
                built = wiring.build(
                    profile=self.profile.name, profile_reason=self.profile_reason, previews=True
                )
                self._parts = replace(built, planner=self.planner)
            parts = self._parts
            if lora:
                parts = replace(parts, generator=self._generator_with(lora))
        if own is not None:
            return replace(parts, stores=(load_store(own, parts.embedder),))
        return parts if memory == "default" else replace(parts, stores=None)

    def _generator_with(self, lora: str) -> ClipGenerator:
        """The last one is kept: people make several videos with a LoRA before they choose another."""
        folder = folder_of_pulled(lora, "lora")
        if folder is None:
            raise InputError(
                f"There is no LoRA {lora[:80]!r} here.", "Pull it in the Artifacts tab first."
            )
        if is_lent() and self.profile.needs_gpu:
            raise UnavailableError(
                "On ZeroGPU only what was loaded at the start reaches the GPU, so no LoRA can be taken.",
                "Leave it out, or use a Space with a GPU of its own.",
            )
        if self._with_lora is None or self._with_lora[0] != lora:
            try:
                made = wiring.build_generator(self.profile, (f"{folder}=1",), previews=True)
            except InputError as error:
                # Where it lies on the server is nobody's business.
                told = error.message.replace(str(folder), lora)
                raise InputError(told, error.hint) from error
            self._with_lora = lora, made
        return self._with_lora[1]

    def evaluation(self) -> tuple[EvaluationParts, EvidenceCache]:
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

    def view_of(self, run_id: str) -> RunView:
        """A run as it is now: waiting, in work, or as it lies on disk.

        Raises:
            RunError: This is no run id, there is no such run, or its files are damaged.
        """
        self.folder_of(run_id)
        feed = self.worker.feed(run_id)
        if feed is not None:
            return feed.snapshot()
        ticket = self.worker.tickets.read(run_id)
        if ticket is None:
            return read_view(run_id, self.existing_folder_of(run_id))
        view = self._look(ticket.job)
        view.trouble = ticket.failed
        if view.state in ("stopped", "waiting"):
            view.state = "failed" if ticket.failed else "stopped"
        return view

    def job_of(self, run_id: str) -> Job:
        """A run's job, to go on with it.

        Raises:
            RunError: There is no such run, its files are damaged, or it was never planned.
        """
        self.folder_of(run_id)
        ticket = self.worker.tickets.read(run_id)
        if ticket is not None:
            return replace(ticket.job, again=0)
        return read_job(run_id, self.existing_folder_of(run_id))

    def _look(self, job: Job) -> RunView:
        folder = self.folder_of(job.run_id)
        if (folder / PLAN).exists():
            return read_view(job.run_id, folder)
        return new_view(job, folder, self.profile)

    def _tidy(self) -> None:
        gone = clear(self.runs_folder, self.keeping, self.worker)
        if gone:
            log.info("%d old runs were cleared away", len(gone))

    def _make(self, job: Job) -> Generator[Event, None, None]:
        # A lent GPU is lent to whoever asked (`Worker`), who need not look on any more.
        LocalContext.event_id.set(None)
        parts = self.parts(job.wishes.memory, job.wishes.lora)
        if self._loaded is not None and self._loaded is not parts.generator:
            # With another LoRA, or none: two sets of weights are one too many for a GPU.
            self._loaded.release()
        self._loaded = parts.generator
        return events_of(job, parts, self.folder_of(job.run_id))


def open_context(
    examples_folder: Path,
    *,
    profile: str = "",
    planner: str = "auto",
    runs_folder: Path | None = None,
) -> AppContext:
    """The context of a new app; loads no model. Runs go where the environment says.

    Args:
        examples_folder: Recipes to try.
        profile: "auto" or a profile's name; by default what the environment says.
        planner: "auto", "rules" or "openai".
        runs_folder: By default that of the environment.

    Raises:
        InputError: A name is unknown.
        UnavailableError: The planner or the profile needs something that is not here.
        OutputError: The runs folder cannot be made.
    """
    environment = read_environment()
    chosen, reason = wiring.select_profile(profile or environment.profile)
    check_gpu(chosen)
    folder = (runs_folder or environment.runs_folder).resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"The runs folder {str(folder)!r} cannot be made ({error.strerror}).",
            "Set PROCVID_RUNS to a folder that can be written.",
        ) from error
    return AppContext(
        chosen,
        reason,
        wiring.build_planner(planner, chosen),
        folder,
        examples_folder,
        keeping=Keeping.of(environment),
    )
