"""Evaluate runs and uploaded clips for the Evaluate page and `/evaluate`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
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
from procvid.evaluate.metrics import DEFAULT, choose_metrics
from procvid.evaluate.report import evaluate_into
from procvid.evaluate.result import Result
from procvid.evaluate.scores import JUDGEMENTS, REPORT, SCORES, TABLE
from procvid.machine import each_on_card
from procvid.plan.recipe.parse import parse_recipe
from procvid.settings import BACKBONE_CHOICES
from procvid.types import Recipe
from procvid.ui.server.context import AppContext, new_run_id
from procvid.ui.server.uploads import uploaded

FOLDER = "evaluations"
MAX_RUNS = 4


@dataclass
class EvaluationView:
    """The state of an evaluation, built from its events.

    Attributes:
        metrics: Metric ids, in order.
        runs: Names of the runs, once known.
        results: Results by run and metric.
        sentence: Current state, in words.
        fraction: Share of the clips that are read, 0 to 1.
        notes: Warnings for the user.
        scores: Content of `scores.json`, at the end.
        folder: Folder of the files, at the end.
    """

    metrics: tuple[str, ...]
    runs: tuple[str, ...] = ()
    results: dict[tuple[str, str], Result] = field(default_factory=dict)
    sentence: str = "Waiting for other jobs…"
    fraction: float = 0.0
    notes: tuple[str, ...] = ()
    scores: dict[str, Any] | None = None
    folder: Path | None = None

    def apply(self, event: EvaluationEvent) -> None:
        """Update the state with one event."""
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
                self.sentence = self._summary()

    def _summary(self) -> str:
        """Return what was measured: "12 metrics on 1 video: 11 do not apply." """
        measured = f"{_count(len(self.metrics), 'metric')} on {_count(len(self.runs), 'video')}"
        empty = sum(
            all(self.results[run, name].value is None for run in self.runs) for name in self.metrics
        )
        if not empty:
            return f"Done: {measured}."
        return f"Done: {measured}: {empty} {'does' if empty == 1 else 'do'} not apply."

    def file(self, name: str) -> Path | None:
        """Return the path of a result file, or None before the end."""
        return None if self.folder is None else self.folder / name


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def inputs_of(
    context: AppContext,
    run_ids: Sequence[str],
    clips: Sequence[object],
    texts: object,
    names: Mapping[str, str] = MappingProxyType({}),
) -> list[RunInput]:
    """Return the runs to evaluate: runs of this server, or uploaded clips.

    Args:
        context: Context of the app.
        run_ids: At most four ids; empty ones are ignored.
        clips: Uploaded files, in order: paths or FileData.
        texts: Recipe of the uploaded clips, or one line per clip; may be empty.
        names: Names of the runs by id, all different; a run without one is named by its id.

    Raises:
        InputError: There are no clips or too many, or a file was not uploaded to this server.
        RunError: A run does not exist.
    """
    ids = [run_id for run_id in run_ids if run_id]
    if not all(isinstance(run_id, str) for run_id in ids):
        raise InputError("A run id is not text.", "Use the run_id that /generate returned.")
    if ids and clips:
        raise InputError("Both runs and uploaded clips are given.", "Use one or the other.")
    if not isinstance(texts, str):
        raise InputError(f"The texts are of type {type(texts).__name__}.", "Send one string.")
    if len(ids) > MAX_RUNS or len(clips) > MAX_CLIPS:
        raise InputError(
            f"{len(ids)} runs and {len(clips)} clips are too many.",
            f"Give at most {MAX_RUNS} runs or {MAX_CLIPS} clips.",
        )
    if ids:
        return [
            run_input(context.existing_folder_of(one), names.get(one, one))
            for one in dict.fromkeys(ids)
        ]
    files = [uploaded(clip) for clip in clips]
    recipe = _recipe(texts, len(files))
    plan = None if recipe is None else context.planner.plan(recipe)
    return [clips_input(files, name="your clips", recipe=recipe, plan=plan)]


def _recipe(texts: str, num_clips: int) -> Recipe | None:
    """Return a recipe; with as many lines as clips each line is the text of a clip."""
    lines = [line.strip() for line in texts.splitlines() if line.strip()]
    if not lines:
        return None
    if len(lines) == num_clips:
        return Recipe(title="your clips", steps=tuple(lines))
    return parse_recipe(texts)


def read_metrics(wanted: object) -> tuple[str, ...]:
    """Return metric ids from a list of names; None or an empty list means the default ones.

    Raises:
        InputError: The value is not a list of metric ids.
    """
    if wanted is None or wanted == []:
        return DEFAULT
    if not isinstance(wanted, list) or not all(isinstance(name, str) for name in wanted):
        raise InputError(f"The metrics {str(wanted)[:60]!r} are not a list of names.")
    return choose_metrics(wanted)


def read_backbones(wanted: object) -> str:
    """Return "auto", "tiny" or "published".

    Raises:
        InputError: The value is none of them.
    """
    if wanted not in BACKBONE_CHOICES:
        raise InputError(
            f"There are no backbones {str(wanted)[:40]!r}.",
            f"Choose one of {', '.join(BACKBONE_CHOICES)}.",
        )
    return str(wanted)


def stream_evaluation(
    context: AppContext,
    runs: Sequence[RunInput],
    metrics: Sequence[str],
    backbones: str = "auto",
) -> Iterator[tuple[EvaluationView, EvaluationEvent]]:
    """Evaluate runs, yielding each event and the state after it.

    With the last event the files are on disk.

    Raises:
        ProcvidError: A clip cannot be read, or the files cannot be written.
    """
    folder = context.runs_folder / FOLDER / new_run_id()
    answers = context.runs_folder / FOLDER / JUDGEMENTS
    view = EvaluationView(tuple(metrics))
    with context.evaluating.hold(), context.device.hold() as card:
        parts, looks = context.evaluation(backbones, card)
        judgements = Judgements.of(parts, answers)
        events = evaluate_into(folder, runs, parts, metrics, judgements, looks)
        with closing(events):
            for event in each_on_card(card, events):
                view.apply(event)
                if isinstance(event, EvaluationFinished):
                    if judgements is not None:
                        # Without stand-ins for a failed service, since all visitors share the cache.
                        judgements.save(answers, stand_ins=False)
                    view.folder = folder
                yield view, event


def answer_json(view: EvaluationView, event: EvaluationEvent) -> dict[str, Any]:
    """Return one event as JSON for the API; the last one has the scores and the files."""
    body = event_json(event)
    if view.folder is not None:
        body["files"] = {
            name: FileData(path=str(view.folder / file)).model_dump()
            for name, file in (("scores", SCORES), ("table", TABLE), ("report", REPORT))
        }
    return body
