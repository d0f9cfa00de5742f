"""What people ask the worker for, and the file that keeps it until it is done.

A ticket is on disk before anybody is told that the run is in the queue, and goes when the work ends;
so those that lie there when a server starts are the work that another one left.
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
from procvid.run.changes import read_stored, stored_json, write_pictures
from procvid.storage.atomic import output_errors
from procvid.storage.files import read_json, write_json
from procvid.types import Plan, Recipe, StepChanges

RUN_ID = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True)
class Draft:
    """A recipe and its plan as the person has it before them, edited or not."""

    recipe: Recipe
    plan: Plan


@dataclass(frozen=True)
class Wishes:
    """How to make the video: the seed, the memory's name, denoising steps or the profile's own, speed, and
    a pulled LoRA by OWNER/NAME@COMMIT or "".
    """

    seed: int = 0
    memory: str = "default"
    steps: int | None = None
    fast: bool = False
    lora: str = ""


@dataclass(frozen=True)
class Job:
    """All that the worker needs: a whole run, or, with `again`, one step of it once more.

    Attributes:
        run_id: Also the name of the run's folder.
        draft: Recipe and plan.
        wishes: How.
        again: The number of the step to make again; 0 makes all that is missing or stale.
        changes: By step: for the step to make again, or for steps that were not made yet.
    """

    run_id: str
    draft: Draft
    wishes: Wishes
    again: int = 0
    changes: Mapping[int, StepChanges] = field(default_factory=dict)


@dataclass(frozen=True)
class Ticket:
    """A job in the queue.

    Attributes:
        job: What to do.
        visitor: Who asked, as `procvid.ui.server.visitors.key_of` names them.
        order: Smaller ones go first.
        tries: How often the work was begun.
        failed: Why it broke off, or "". Such a ticket waits for the person and not for its turn.
    """

    job: Job
    visitor: str
    order: int
    tries: int = 0
    failed: str = ""

    def to_json(self) -> dict[str, Any]:
        """The ticket's file."""
        job = self.job
        return {
            "run_id": job.run_id,
            "recipe": dataclasses.asdict(job.draft.recipe),
            "plan": plan_to_json(job.draft.plan),
            "wishes": dataclasses.asdict(job.wishes),
            "again": job.again,
            "changes": {str(n): stored_json(c, _prefix(job, n)) for n, c in job.changes.items()},
            "visitor": self.visitor,
            "order": self.order,
            "tries": self.tries,
            "failed": self.failed,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any], folder: Path) -> Ticket:
        """Raises KeyError, TypeError, ValueError or InputError when it is no ticket."""
        read = {int(n): read_stored(folder, c) for n, c in value["changes"].items()}
        changes = {number: changed for number, (changed, _) in read.items()}
        lost = [f"Step {number}: {it[0]}" for number, (_, it) in read.items() if it]
        recipe = Recipe(**_tuples(value["recipe"]))
        draft = Draft(recipe, plan_from_json(value["plan"]))
        wishes = Wishes(**value["wishes"])
        return cls(
            Job(str(value["run_id"]), draft, wishes, int(value["again"]), changes),
            str(value["visitor"]),
            int(value["order"]),
            int(value["tries"]),
            str(value["failed"]) or "".join(lost[:1]),
        )


def _prefix(job: Job, number: int) -> str:
    """Return how the names of a step's pictures begin in the queue's folder."""
    return f"{job.run_id}-{number}-"


def _tuples(value: Mapping[str, Any]) -> dict[str, Any]:
    """JSON has lists where our values have tuples."""
    return {k: tuple(v) if isinstance(v, list) else v for k, v in value.items()}


class Tickets:
    """The tickets of a folder, one file each, named after the run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def file(self, run_id: str) -> Path:
        """Where the ticket of a run lies."""
        return self.folder / f"{run_id}.json"

    def add(self, ticket: Ticket) -> None:
        """Put a new ticket on the disk, with its pictures. Raises OutputError."""
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
        """Put it on the disk. Raises OutputError."""
        with output_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        write_json(self.file(ticket.job.run_id), ticket.to_json())

    def read(self, run_id: str) -> Ticket | None:
        """The ticket of a run, None when there is none that can be read."""
        try:
            return Ticket.from_json(read_json(self.file(run_id)), self.folder)
        except (OSError, KeyError, TypeError, ValueError, AttributeError, ProcvidError):
            return None

    def remove(self, run_id: str) -> None:
        """Throw it away, with its pictures."""
        self.file(run_id).unlink(missing_ok=True)
        self._remove_pictures(run_id)

    def _remove_pictures(self, run_id: str) -> None:
        for picture in self.folder.glob(f"{run_id}-*.png"):
            picture.unlink(missing_ok=True)

    def left(self) -> list[Ticket]:
        """All that wait for their turn, the first one first."""
        names = (file.stem for file in self.folder.glob("*.json"))
        read = (self.read(name) for name in names if RUN_ID.fullmatch(name))
        return sorted((t for t in read if t is not None and not t.failed), key=lambda t: t.order)
