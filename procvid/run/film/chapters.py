"""Read from a run what a film needs: the steps of the recipe with their words and clips."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from procvid.errors import InputError, RunError
from procvid.media.video import VideoFacts, probe, read_metadata
from procvid.run.assemble import chapter_title, whole_text
from procvid.run.folder import CLIP, VIDEO, RunFolder, read_run
from procvid.run.records import StepRecord
from procvid.storage.lock import LOCK, AlreadyHeldError, locked
from procvid.types import Plan

REDO = "Redo it, or lock it to keep it as it is."


@dataclass(frozen=True)
class FilmStep:
    """A step of the recipe: its number, its words, and one clip for each of its shots."""

    number: int
    text: str
    clips: tuple[Path, ...]

    @property
    def title(self) -> str:
        """Title of the chapter."""
        return chapter_title(self.number, self.text)


@dataclass(frozen=True)
class FilmSource:
    """A finished run: title, ingredients, steps, records, and the video's facts and metadata."""

    folder: Path
    title: str
    ingredients: tuple[str, ...]
    steps: tuple[FilmStep, ...]
    records: tuple[StepRecord, ...]
    facts: VideoFacts
    metadata: dict[str, str]

    def only(self, number: int | None) -> tuple[FilmStep, ...]:
        """Return one step, or all for None.

        Raises:
            InputError: There is no such step.
        """
        if number is None:
            return self.steps
        if not 1 <= number <= len(self.steps):
            raise InputError(f"Step {number} does not exist.", f"Choose 1 to {len(self.steps)}.")
        return (self.steps[number - 1],)


def read_source(path: Path) -> FilmSource:
    """Read a finished run whose video shows all of its steps as they are now.

    Raises:
        RunError: There is no run, it is in progress, it has no video, or the video is stale.
    """
    record = read_run(path)
    check_idle(path)
    folder = RunFolder(path, record)
    plan = folder.read_plan()
    if plan is None or not (path / VIDEO).is_file():
        raise RunError("This run has no video yet.", "Finish it first.")
    records = _records(folder, plan)
    stale = folder.stale_steps(records)
    if stale:
        name = plan.names[min(stale)]
        raise RunError(f"Step {name} still shows an older take of another step.", REDO)
    if folder.finished_duration_s(records) is None:
        raise RunError("The video does not show the clips of this run.", "Finish the run again.")
    recipe = record.request.recipe
    steps = tuple(
        FilmStep(
            number,
            whole_text(group, recipe.whole_steps),
            tuple(folder.step_folder(shot.number) / CLIP for shot in group),
        )
        for number, group in enumerate(plan.groups, start=1)
    )
    facts, metadata = probe(path / VIDEO), read_metadata(path / VIDEO)
    return FilmSource(
        path, plan.title, recipe.ingredients, steps, tuple(records.values()), facts, metadata
    )


def check_idle(path: Path) -> None:
    """Raise RunError if a process works in the run folder."""
    if not (path / LOCK).exists():
        return
    try:
        with locked(path):
            return
    except AlreadyHeldError as error:
        raise RunError("This run is in progress.", "Wait until it finishes.") from error


def _records(folder: RunFolder, plan: Plan) -> dict[int, StepRecord]:
    records = {}
    for step in plan.steps:
        record = folder.read_step(step.number)
        if record is None:
            name = plan.names[step.number]
            raise RunError(f"Step {name} has no clip.", "Finish the run first.")
        records[step.number] = record
    return records
