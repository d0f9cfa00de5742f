"""Jobs for the worker, and the tickets that keep them on disk until they are done.

A ticket is written before the caller learns that the run is queued, and removed when the work ends.
A server that starts therefore finds the jobs that a previous one left.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from procvid.errors import ProcvidError
from procvid.plan.codec import plan_from_json, plan_to_json
from procvid.plan.shots import cut_into_shots, mode_of
from procvid.run.best_of import policy_of
from procvid.run.changes import read_stored, stored_json, write_pictures
from procvid.settings import Profile, choose_sampling
from procvid.storage.atomic import output_errors
from procvid.storage.files import read_json, write_json
from procvid.types import (
    Coherence,
    GenerateRequest,
    Plan,
    Recipe,
    Sampling,
    StepChanges,
    TakePolicy,
)

RUN_ID = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True)
class Draft:
    """A recipe, cut into shots, and its plan, which the visitor may have edited."""

    recipe: Recipe
    plan: Plan


@dataclass(frozen=True)
class RunOptions:
    """How to make a video.

    Attributes:
        seed: Seed of the run.
        memory: Name of the memory.
        steps: Denoising steps of a clip; None for the profile's default.
        fast: True for fewer model calls and slightly different clips.
        lora: A pulled LoRA as OWNER/NAME@COMMIT, or "".
        width, height: Size of the clips in pixels; None for the profile's default.
        num_frames: Frames of a clip; None for the profile's default.
        takes: Number of takes of each step; the best one is kept.
        verify: Make further takes while the best one contradicts the plan.
        coherence: What a clip sees of the one before it.
    """

    seed: int = 0
    memory: str = "default"
    steps: int | None = None
    fast: bool = False
    lora: str = ""
    width: int | None = None
    height: int | None = None
    num_frames: int | None = None
    takes: int = 1
    verify: bool = False
    coherence: Coherence = "none"

    @property
    def policy(self) -> TakePolicy:
        """How many takes each step gets. Raise InputError if a number is out of range."""
        return policy_of(None if self.takes == 1 else self.takes, self.verify)

    def sampling(self, profile: Profile) -> Sampling:
        """Return the sampling of the clips. Raise InputError if the profile cannot make them."""
        size = (self.width, self.height) if self.width and self.height else None
        return choose_sampling(
            profile,
            size=size,
            num_frames=self.num_frames,
            num_inference_steps=self.steps,
            seed=self.seed,
            fast=self.fast,
            coherence=self.coherence,
        )


@dataclass(frozen=True)
class Job:
    """A run to make, or one step of a run to redo.

    Attributes:
        run_id: Id of the run, and name of its folder.
        draft: Recipe and plan.
        options: How to make the video.
        again: Number of the step to redo; 0 makes every missing or stale step.
        changes: By step: changes of the step to redo, or of steps without a clip.
        takes: Number of takes of the step to redo; the best one becomes its clip.
    """

    run_id: str
    draft: Draft
    options: RunOptions
    again: int = 0
    changes: Mapping[int, StepChanges] = field(default_factory=dict)
    takes: int = 1

    def request(self, profile: Profile) -> GenerateRequest:
        """Return the request for the whole run.

        Raises:
            InputError: The profile cannot make such clips.
        """
        options = self.options
        return GenerateRequest(
            recipe=self.draft.recipe,
            sampling=options.sampling(profile),
            profile=profile.name,
            memory=options.memory,
            lora=(options.lora,) if options.lora else (),
            seed=options.seed,
            shots=mode_of(self.draft.recipe),
            takes=options.policy,
        )


@dataclass(frozen=True)
class Ticket:
    """A job in the queue.

    Attributes:
        job: The job.
        visitor: Key of the visitor who asked; see `procvid.ui.server.visitors.Visitor`.
        order: Position; the smallest is worked on first.
        tries: Number of attempts so far.
        failed: Why the work failed, or "". Such a ticket waits until the visitor resumes the run.
    """

    job: Job
    visitor: str
    order: int
    tries: int = 0
    failed: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the content of the ticket's file."""
        job = self.job
        return {
            "run_id": job.run_id,
            "recipe": dataclasses.asdict(job.draft.recipe),
            "plan": plan_to_json(job.draft.plan),
            "wishes": dataclasses.asdict(job.options),
            "again": job.again,
            "takes": job.takes,
            "changes": {str(n): stored_json(c, _prefix(job, n)) for n, c in job.changes.items()},
            "visitor": self.visitor,
            "order": self.order,
            "tries": self.tries,
            "failed": self.failed,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any], folder: Path) -> Ticket:
        """Read a ticket. Raise KeyError, TypeError, ValueError or InputError if it is damaged."""
        read = {int(n): read_stored(folder, c) for n, c in value["changes"].items()}
        changes = {number: changed for number, (changed, _) in read.items()}
        # A ticket of an older version has one clip per step.
        recipe = cut_into_shots(Recipe(**_tuples(value["recipe"])), "one")
        draft = Draft(recipe, plan_from_json(value["plan"]))
        names = draft.plan.names
        lost = [f"Step {names.get(n, n)}: {it[0]}" for n, (_, it) in read.items() if it]
        options = RunOptions(**value["wishes"])
        return cls(
            Job(
                run_id=str(value["run_id"]),
                draft=draft,
                options=options,
                again=int(value["again"]),
                changes=changes,
                takes=int(value.get("takes", 1)),
            ),
            str(value["visitor"]),
            int(value["order"]),
            int(value["tries"]),
            str(value["failed"]) or "".join(lost[:1]),
        )


def _prefix(job: Job, number: int) -> str:
    """Return the prefix of the file names of a step's images in the queue's folder."""
    return f"{job.run_id}-{number}-"


def _tuples(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the value with JSON lists as tuples."""
    return {k: tuple(v) if isinstance(v, list) else v for k, v in value.items()}


class Tickets:
    """The tickets in a folder, one file per run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def file(self, run_id: str) -> Path:
        """Return the file of a run's ticket."""
        return self.folder / f"{run_id}.json"

    def add(self, ticket: Ticket) -> None:
        """Write a new ticket with its images. Raise OutputError on failure."""
        job = ticket.job
        with output_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        try:
            for number, changed in job.changes.items():
                write_pictures(self.folder, changed, _prefix(job, number))
            self.write(ticket)
        except ProcvidError:
            self._remove_pictures(job.run_id)
            raise

    def write(self, ticket: Ticket) -> None:
        """Write the file of a ticket. Raise OutputError on failure."""
        with output_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        write_json(self.file(ticket.job.run_id), ticket.to_json())

    def read(self, run_id: str) -> Ticket | None:
        """Return the ticket of a run; None if it is missing or damaged."""
        try:
            return Ticket.from_json(read_json(self.file(run_id)), self.folder)
        except (OSError, KeyError, TypeError, ValueError, AttributeError, ProcvidError):
            return None

    def remove(self, run_id: str) -> None:
        """Delete a ticket and its images."""
        self.file(run_id).unlink(missing_ok=True)
        self._remove_pictures(run_id)

    def _remove_pictures(self, run_id: str) -> None:
        for picture in self.folder.glob(f"{run_id}-*.png"):
            picture.unlink(missing_ok=True)

    def left(self) -> list[Ticket]:
        """Return the waiting tickets in order, without failed ones."""
        names = (file.stem for file in self.folder.glob("*.json"))
        read = (self.read(name) for name in names if RUN_ID.fullmatch(name))
        return sorted((t for t in read if t is not None and not t.failed), key=lambda t: t.order)
