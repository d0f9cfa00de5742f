"""`procvid evaluate`: run folders or loose clips -> scores.json, scores.csv, report.html."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from procvid.cli.screen import Bar
from procvid.errors import InputError
from procvid.evaluate.events import (
    ClipRead,
    EvaluationEvent,
    EvaluationStarted,
    EvaluationWarned,
    MetricDone,
    event_json,
)
from procvid.evaluate.inputs import RunInput, clips_input, real_clips, run_input
from procvid.evaluate.judgements import Judgements
from procvid.evaluate.metrics import STANDARD, choose_metrics
from procvid.evaluate.report import evaluate_into
from procvid.evaluate.scores import JUDGEMENTS, REPORT, SCORES, check_replaceable
from procvid.plan.parse import read_recipe
from procvid.storage.lock import output_folder
from procvid.wiring import evaluation as wiring_evaluation
from procvid.wiring import run as wiring


def evaluation(arguments: argparse.Namespace) -> None:
    """Evaluate, tell each metric when it is there, and write the report."""
    metrics = choose_metrics(arguments.metrics)
    out = Path(arguments.out)
    with output_folder(out):
        check_replaceable(out / SCORES)
        profile, _ = wiring.select_profile(arguments.profile)
        runs, real = _runs(arguments), real_clips([Path(given) for given in arguments.real])
        standard = not set(metrics).isdisjoint(STANDARD)
        parts = wiring_evaluation.build_evaluation(profile, arguments.judge, standard=standard)
        judgements = Judgements.of(parts, out / JUDGEMENTS)
        screen = _Screen(arguments.json)
        try:
            for event in evaluate_into(out, runs, parts, metrics, judgements, real=real):
                screen.show(event)
        finally:
            screen.clear()
    if not arguments.json:
        print(f"Done: {out / REPORT}")


def _runs(arguments: argparse.Namespace) -> list[RunInput]:
    paths = [Path(given).expanduser() for given in arguments.inputs]
    for path in paths:
        if not path.exists():
            raise InputError(f"There is no {str(path)!r}.", "Give a run folder or video files.")
    folders = [path for path in paths if path.is_dir()]
    files = [path for path in paths if not path.is_dir()]
    if folders and files:
        raise InputError(
            f"There are {len(folders)} folders and {len(files)} files.",
            "Give run folders or loose clips, not both.",
        )
    if folders:
        if arguments.recipe is not None or arguments.text:
            raise InputError("A run folder has its own recipe.", "Leave --recipe and --text out.")
        return [run_input(path, name) for path, name in zip(paths, _names(paths), strict=True)]
    recipe = None if arguments.recipe is None else read_recipe(Path(arguments.recipe))
    run = clips_input(files, recipe=recipe, texts=arguments.text)
    if run.recipe is None:
        return [run]
    plan = wiring.build_planner("auto").plan(run.recipe)
    return [clips_input(files, recipe=recipe, texts=arguments.text, plan=plan)]


def _names(paths: list[Path]) -> list[str]:
    """The folders' names, with as much of the path as tells them apart."""
    whole = [path.resolve() for path in paths]
    names = [path.name for path in whole]
    if len(set(names)) == len(names):
        return names
    return ["/".join(path.parts[-2:]) for path in whole]


class _Screen:
    """Events as lines for people, or one JSON object a line."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._bar = Bar()
        self._several = False

    def show(self, event: EvaluationEvent) -> None:
        """Show one event."""
        if self._as_json:
            print(json.dumps(event_json(event), ensure_ascii=False), flush=True)
            return
        if isinstance(event, ClipRead):
            told = f"{event.run}, clip {event.number}: {event.done} of {event.total} read"
            self._bar.show(event.done / event.total, told, event.eta_s)
            return
        self._bar.clear()
        if isinstance(event, EvaluationStarted):
            self._several = len(event.runs) > 1
            print(f"{len(event.metrics)} metrics on {event.num_clips} clips", flush=True)
            for note in event.notes:
                print(f"Note: {note}", flush=True)
        if isinstance(event, EvaluationWarned):
            print(f"Note: {event.run}: {event.message}", flush=True)
        if isinstance(event, MetricDone):
            print(self._line(event), flush=True)

    def _line(self, event: MetricDone) -> str:
        result = event.result
        head = f"{event.run}: " if self._several else ""
        if result.value is None:
            return f"{head}{result.metric:22}{result.state}"
        chance = "" if result.chance is None else f", chance {result.chance:.3f}"
        told = f"{result.direction} is better, n {result.n}{chance}"
        return f"{head}{result.metric:22}{result.value:8.4f}  ({told})"

    def clear(self) -> None:
        """Leave the terminal tidy."""
        self._bar.clear()
