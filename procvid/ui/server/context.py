"""State shared by all tabs and endpoints: models, loaded on first use, and the runs on disk."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from gradio.context import LocalContext

from procvid.errors import InputError, OutputError, RunError, UnavailableError
from procvid.evaluate.gather import EvidenceCache
from procvid.evaluate.parts import EvaluationParts
from procvid.events import Event
from procvid.machine import (
    check_gpu,
    device_name,
    gpu_indices,
    is_lent,
    on_card,
    peak_memory_mib,
)
from procvid.memory.store_folder import load_store
from procvid.protocols import ClipGenerator, Planner, TakeJudge
from procvid.run.changes import reference_changes
from procvid.run.folder import PLAN, RUN, RunFolder, read_run
from procvid.run.story import make_video, regenerate_step
from procvid.run.timings import ClipSetting, measured
from procvid.settings import Profile
from procvid.settings.environment import read_environment
from procvid.storage.lock import wait_for_own
from procvid.types import Sampling, StepChanges
from procvid.ui.server.background import Background
from procvid.ui.server.cards import FairLock
from procvid.ui.server.clearing import Retention, clear
from procvid.ui.server.guard import log
from procvid.ui.server.library import refuse_deleted
from procvid.ui.server.own_memory import find_folder
from procvid.ui.server.pulled_stores import folder_of_pulled
from procvid.ui.server.queue import RUN_ID, Job, RunOptions, Tickets
from procvid.ui.server.runs import new_view, read_job, read_view
from procvid.ui.server.stream import RunView
from procvid.ui.server.visitors import Allowance
from procvid.ui.server.worker import Worker
from procvid.wiring import evaluation as wiring_evaluation
from procvid.wiring import run as wiring
from procvid.wiring.run import Parts
from procvid.wiring.takes import build_take_judge

MEMORIES = ("default", "none")
"""Memories that every caller may name; a path of the server is never one of them."""
QUEUE = "queue"


def new_run_id() -> str:
    """Return a random id. It cannot be guessed, so it also protects the run's files."""
    return secrets.token_hex(8)


@dataclass
class AppContext:
    """The state of a running app. Thread-safe.

    Attributes:
        profile: The models that are used.
        profile_reason: Why this profile was chosen.
        planner: Plans recipes; needs no weights.
        runs_folder: Absolute path; each run has a folder named by its id.
        examples_folder: Recipes to try; may not exist.
        cards: CUDA devices to use, each with its own models; (0,) stands for the CPU too.
        device: The cards; one is held while its generator or its metrics run.
        evaluating: Held during an evaluation, so that only one runs.
        background: Background work, such as the measurement of two runs.
        retention: How long runs are kept.
        allowance: Counts the recent requests of each visitor.
        worker: Makes the clips of all runs.
    """

    profile: Profile
    profile_reason: str
    planner: Planner
    runs_folder: Path
    examples_folder: Path
    cards: tuple[int, ...] = (0,)
    _parts: dict[int, Parts] = field(default_factory=dict, repr=False)
    _lora_generators: dict[int, tuple[str, ClipGenerator]] = field(default_factory=dict, repr=False)
    _loaded: dict[int, ClipGenerator] = field(default_factory=dict, repr=False)
    _evaluations: dict[tuple[int, str], EvaluationParts] = field(default_factory=dict, repr=False)
    _looks: EvidenceCache = field(default_factory=EvidenceCache, repr=False)
    _loading: threading.Lock = field(default_factory=threading.Lock, repr=False)
    device: FairLock = field(init=False, repr=False)
    evaluating: FairLock = field(default_factory=FairLock, repr=False)
    background: Background = field(default_factory=Background, repr=False)
    retention: Retention = field(default_factory=Retention)
    allowance: Allowance = field(default_factory=Allowance, repr=False)

    def __post_init__(self) -> None:
        self.device = FairLock(self.cards)
        tickets = Tickets(self.runs_folder / QUEUE)
        self.worker = Worker(tickets, self._run_job, self._read_view, self.device, self._clear)

    def parts(self, memory: str, lora: str = "", card: int | None = None) -> Parts:
        """Return the models of a card with a memory; the first call loads them.

        Args:
            memory: One of `MEMORIES`, a visitor's own by its id or alias, or a pulled store.
            lora: A pulled LoRA, or "". It needs its own generator.
            card: One of `cards`; by default the first that works.

        Raises:
            InputError: There is no such memory or LoRA, or it belongs to another model.
            StoreError: The memory is damaged, or made by another embedder.
            UnavailableError: A model is not available on this machine.
        """
        own = None
        if memory not in MEMORIES:
            own = find_folder(self.runs_folder, memory) or folder_of_pulled(memory)
        if memory not in MEMORIES and own is None:
            raise InputError(
                f"There is no memory {memory[:40]!r}.", f"Choose {' or '.join(MEMORIES)}."
            )
        if card is None:
            card = (*self.device.working, *self.cards)[0]
        with self._loading:
            if card not in self._parts:
                built = wiring.build(
                    profile=self.profile.name,
                    profile_reason=self.profile_reason,
                    previews=True,
                    card=card,
                )
                self._parts[card] = replace(built, planner=self.planner)
            parts = self._parts[card]
            if lora:
                parts = replace(parts, generator=self._generator_with(lora, card))
        if own is not None:
            return replace(parts, stores=(load_store(own, parts.embedder),))
        return parts if memory == "default" else replace(parts, stores=None)

    def clip_setting(self, options: RunOptions) -> ClipSetting:
        """Return the values that determine the time of a clip.

        Raises:
            InputError: The profile cannot make such clips.
        """
        return self._clip_setting(options.sampling(self.profile))

    def _clip_setting(self, sampling: Sampling) -> ClipSetting:
        is_precise = self.profile.is_precise()
        return ClipSetting.of(self.profile.name, device_name(), sampling, is_precise)

    def _generator_with(self, lora: str, card: int) -> ClipGenerator:
        """Return a card's generator with a LoRA; the last one is cached."""
        folder = folder_of_pulled(lora, "lora")
        if folder is None:
            raise InputError(f"There is no LoRA {lora[:80]!r}.", "Pull it in the Hub tab first.")
        if is_lent() and self.profile.needs_gpu:
            raise UnavailableError(
                "ZeroGPU cannot add a LoRA after the start.",
                "Choose no LoRA, or use a Space with its own GPU.",
            )
        cached, generator = self._lora_generators.get(card, ("", None))
        if generator is None or cached != lora:
            try:
                generator = wiring.build_generator(
                    self.profile, (f"{folder}=1",), previews=True, card=card
                )
            except InputError as error:
                # Do not reveal the server's folders.
                message = error.message.replace(str(folder), lora)
                raise InputError(message, error.hint) from error
            self._lora_generators[card] = lora, generator
        return generator

    def evaluation(
        self, backbones: str = "auto", card: int = 0
    ) -> tuple[EvaluationParts, EvidenceCache]:
        """Return the models of the metrics, loaded by the first call, and the cached features.

        Args:
            backbones: "auto", "tiny" or "published".
            card: Where they run.
        """
        key = card, backbones
        with self._loading, on_card(card):
            if key not in self._evaluations:
                self._evaluations[key] = wiring_evaluation.build_evaluation(
                    self.profile, standard=True, backbones=backbones
                )
        return self._evaluations[key], self._looks

    def _take_judge(self, card: int) -> TakeJudge:
        """Return the judge that chooses the best of several takes."""
        parts, _ = self.evaluation(card=card)
        return build_take_judge(self.profile, parts)

    def folder_of(self, run_id: str) -> Path:
        """Return the folder of a run, which may not exist.

        Raises:
            RunError: The id is not a run id, so it could name another folder.
        """
        if not isinstance(run_id, str) or not RUN_ID.fullmatch(run_id):
            raise RunError(
                f"There is no run {str(run_id)[:40]!r}.",
                "A run id has 16 characters of 0-9 and a-f, as in the events of /generate.",
            )
        return self.runs_folder / run_id

    def existing_folder_of(self, run_id: str) -> Path:
        """Return the folder of a run that is on disk.

        Raises:
            RunError: There is no such run, or a person deleted it.
        """
        folder = self.folder_of(run_id)
        refuse_deleted(folder)
        if not folder.is_dir():
            raise RunError(f"There is no run {run_id}.", "It may have been deleted.")
        return folder

    def view_of(self, run_id: str) -> RunView:
        """Return a run as it is now: in the queue, in progress, or on disk.

        Raises:
            RunError: There is no such run, a person deleted it, or its files are damaged.
        """
        refuse_deleted(self.folder_of(run_id))
        feed = self.worker.feed(run_id)
        if feed is not None:
            return feed.snapshot()
        ticket = self.worker.tickets.read(run_id)
        if ticket is None:
            return read_view(run_id, self.existing_folder_of(run_id))
        view = self._read_view(ticket.job)
        view.trouble = ticket.failed
        if view.state in ("stopped", "waiting"):
            view.state = "failed" if ticket.failed else "stopped"
        return view

    def job_of(self, run_id: str) -> Job:
        """Return the job of a run, to resume it.

        Raises:
            RunError: There is no such run, a person deleted it, its files are damaged, or it was never
                planned.
        """
        refuse_deleted(self.folder_of(run_id))
        ticket = self.worker.tickets.read(run_id)
        if ticket is not None:
            return replace(ticket.job, again=0, takes=1)
        return read_job(run_id, self.existing_folder_of(run_id))

    def reference_changes(self, job: Job) -> Mapping[int, StepChanges]:
        """Return the changes to the references of a job's run, for a new run of the same plan."""
        path = self.folder_of(job.run_id)
        if not (path / PLAN).exists():
            return job.changes
        steps = [step.number for step in job.draft.plan.steps]

        def crops() -> set[str]:
            stores = self.parts(job.options.memory).stores or ()
            return {fact.id for store in stores for fact in store.crops.facts}

        return reference_changes(RunFolder(path, read_run(path)), steps, crops)

    def _read_view(self, job: Job) -> RunView:
        folder = self.folder_of(job.run_id)
        if (folder / PLAN).exists():
            return read_view(job.run_id, folder)
        return new_view(job, folder, self.profile)

    def _clear(self) -> None:
        deleted = clear(self.runs_folder, self.retention, self.worker)
        if deleted:
            log.info("deleted %d old runs", len(deleted))

    def _run_job(self, job: Job, card: int) -> Generator[Event, None, None]:
        # ZeroGPU lends the GPU to the visitor who asked; their page may be closed by now.
        LocalContext.event_id.set(None)
        wait_for_own(self.folder_of(job.run_id))
        with on_card(card), closing(self._events_of(job, card)) as events:
            yield from events

    def _events_of(self, job: Job, card: int) -> Generator[Event, None, None]:
        parts = self.parts(job.options.memory, job.options.lora, card)
        loaded = self._loaded.get(card)
        if loaded is not None and loaded is not parts.generator:
            # Another LoRA, or none: a GPU holds one set of weights at a time.
            loaded.release()
        was_loaded = loaded is parts.generator
        self._loaded[card] = parts.generator
        folder = self.folder_of(job.run_id)
        if job.again:
            changes = job.changes.get(job.again, StepChanges())
            judge = self._take_judge(card) if job.takes > 1 else None
            yield from regenerate_step(
                folder, job.again, parts, changes, takes=job.takes, judge=judge
            )
        else:
            begun = (folder / RUN).exists()
            request = read_run(folder).request if begun else job.request(parts.profile)
            plan, changes_of = job.draft.plan, job.changes
            judge = self._take_judge(card) if request.takes.several else None
            events = make_video(request, parts, folder, plan=plan, changes=changes_of, judge=judge)
            yield from measured(
                events,
                folder,
                self._clip_setting(request.sampling),
                read_environment().cache_folder,
                lambda: peak_memory_mib(self.profile),
                is_loaded=was_loaded,
            )


def open_context(
    examples_folder: Path,
    *,
    profile: str = "",
    planner: str = "auto",
    runs_folder: Path | None = None,
) -> AppContext:
    """Return the context of a new app. No model is loaded.

    Args:
        examples_folder: Recipes to try.
        profile: "auto" or a profile's name; default from the environment.
        planner: "auto", "rules" or "openai".
        runs_folder: Default from the environment.

    Raises:
        InputError: A name is unknown, or `PROCVID_GPUS` names a GPU that is not there.
        UnavailableError: The planner or the profile needs something that this machine lacks.
        OutputError: The runs folder cannot be created.
    """
    environment = read_environment()
    chosen, reason = wiring.select_profile(profile or environment.profile)
    check_gpu(chosen)
    folder = (runs_folder or environment.runs_folder).resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"Cannot create the runs folder {str(folder)!r} ({error.strerror}).",
            "Set PROCVID_RUNS to a writable folder.",
        ) from error
    return AppContext(
        chosen,
        reason,
        wiring.build_planner(planner, chosen),
        folder,
        examples_folder,
        cards=_cards(chosen),
        retention=Retention.of(environment),
    )


def _cards(profile: Profile) -> tuple[int, ...]:
    """Return a card for each worker: one for a profile on the CPU, which would share its cores."""
    found = gpu_indices() or (0,)
    return found if profile.needs_gpu else found[:1]
