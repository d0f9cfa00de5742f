"""What the Evaluate tab and `/evaluate` ask of procvid: inputs checked, metrics streamed, files kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gradio import FileData

from procvid.errors import InputError
from procvid.evaluate.events import (
    ClipRead,
    EvaluationEvent,
    EvaluationFinished,
    EvaluationStarted,
    EvaluationWarned,
    MetricDone,
    event_json,
)
from procvid.evaluate.inputs import MAX_CLIPS, RunInput, clips_input, run_input
from procvid.evaluate.judgements import Judgements
from procvid.evaluate.report import evaluate_into
from procvid.evaluate.result import Result
from procvid.evaluate.scores import JUDGEMENTS, REPORT, SCORES, TABLE
from procvid.evaluate.suite import DEFAULT, choose_metrics
from procvid.plan.parse import parse_recipe
from procvid.types import Recipe
from procvid.ui.server.context import AppContext, new_run_id
from procvid.ui.server.uploads import uploaded

FOLDER = "evaluations"
MAX_RUNS = 4


@dataclass
class EvaluationView:
    """An evaluation as far as its events have told.

    Attributes:
        metrics: Ids, in order.
        runs: Names, once they are known.
        results: By run and metric.
        sentence: Where it stands, in words.
        fraction: How much of the clips is read, 0 to 1.
        scores: The whole result, at the end.
        folder: Where the files lie, at the end.
    """

    metrics: tuple[str, ...]
    runs: tuple[str, ...] = ()
    results: dict[tuple[str, str], Result] = field(default_factory=dict)
    sentence: str = "Waiting for its turn…"
    fraction: float = 0.0
    notes: tuple[str, ...] = ()
    scores: dict[str, Any] | None = None
    folder: Path | None = None

    def apply(self, event: EvaluationEvent) -> None:
        """Take in one event."""
        match event:
            case EvaluationStarted():
                self.runs, self.notes = event.runs, event.notes
                self.sentence = f"Reading {event.num_clips} clips…"
            case ClipRead():
                self.fraction = event.done / event.total
                left = f", about {max(1, round(event.eta_s))} s left" if event.eta_s else ""
                self.sentence = f"{event.done} of {event.total} clips read{left}"
            case EvaluationWarned():
                self.notes = (*self.notes, f"{event.run}: {event.message}")
            case MetricDone():
                self.results[event.run, event.result.metric] = event.result
                self.sentence = f"{event.run}: {event.result.metric} is done"
            case EvaluationFinished():
                self.scores = event.scores
                self.fraction = 1.0
                self.sentence = f"{len(self.metrics)} metrics on {len(self.runs)} runs are done."

    def file(self, name: str) -> Path | None:
        """One of the files, once they are there."""
        return None if self.folder is None else self.folder / name


def inputs_of(
    context: AppContext, run_ids: Sequence[str], clips: Sequence[object], texts: object
) -> list[RunInput]:
    """The runs to evaluate: runs of this server by id, or uploaded clips.

    Args:
        context: Of the app.
        run_ids: At most four; empty ones are left out.
        clips: Uploaded files, in order: paths or FileData.
        texts: A recipe, or one text a line, of uploaded clips; may be empty.

    Raises:
        InputError: Nothing or too much is given, or a file was not uploaded here.
        RunError: There is no such run.
    """
    ids = [run_id for run_id in run_ids if run_id]
    if not all(isinstance(run_id, str) for run_id in ids):
        raise InputError("A run id is no text.", "Give those that /generate answered.")
    if ids and clips:
        raise InputError("There are runs and uploaded clips.", "Choose one of them.")
    if not isinstance(texts, str):
        raise InputError(f"The texts are a {type(texts).__name__}.", "Send one string.")
    if len(ids) > MAX_RUNS or len(clips) > MAX_CLIPS:
        raise InputError(
            f"{len(ids)} runs and {len(clips)} clips are too many.",
            f"Give at most {MAX_RUNS} runs or {MAX_CLIPS} clips.",
        )
    if ids:
        return [run_input(context.existing_folder_of(one), one) for one in dict.fromkeys(ids)]
    files = [uploaded(clip) for clip in clips]
    recipe = _recipe(texts, len(files))
    plan = None if recipe is None else context.planner.plan(recipe)
    return [clips_input(files, name="your clips", recipe=recipe, plan=plan)]


def _recipe(texts: str, num_clips: int) -> Recipe | None:
    """A recipe, or one text a line when there are just as many lines as clips."""
    lines = [line.strip() for line in texts.splitlines() if line.strip()]
    if not lines:
        return None
    if len(lines) == num_clips:
        return Recipe(title="your clips", steps=tuple(lines))
    return parse_recipe(texts)


def read_metrics(wanted: object) -> tuple[str, ...]:
    """Metric ids from a list of names; all for None or an empty list. Raises InputError."""
    if wanted is None or wanted == []:
        return DEFAULT
    if not isinstance(wanted, list) or not all(isinstance(name, str) for name in wanted):
        raise InputError(f"The metrics {str(wanted)[:60]!r} are no list of names.")
    return choose_metrics(wanted)


def stream_evaluation(
    context: AppContext, runs: Sequence[RunInput], metrics: Sequence[str]
) -> Iterator[tuple[EvaluationView, EvaluationEvent]]:
    """Evaluate, event by event; with the last one the files are on disk.

    Raises:
        ProcvidError: A clip cannot be read, or the files cannot be written.
    """
    parts, looks = context.evaluation()
    folder = context.runs_folder / FOLDER / new_run_id()
    answers = context.runs_folder / FOLDER / JUDGEMENTS
    judgements = Judgements.of(parts, answers)
    view = EvaluationView(tuple(metrics))
    events = evaluate_into(folder, runs, parts, metrics, judgements, looks)
    with context.device.hold(), closing(events):
        for event in events:
            view.apply(event)
            if isinstance(event, EvaluationFinished):
                if judgements is not None:
                    # For all visitors: a service that was gone for an hour must not last.
                    judgements.save(answers, stand_ins=False)
                view.folder = folder
            yield view, event


def answer_json(view: EvaluationView, event: EvaluationEvent) -> dict[str, Any]:
    """One event for the API; the last one carries the scores and the files."""
    body = event_json(event)
    if view.folder is not None:
        body["files"] = {
            name: FileData(path=str(view.folder / file)).model_dump()
            for name, file in (("scores", SCORES), ("table", TABLE), ("report", REPORT))
        }
    return body
