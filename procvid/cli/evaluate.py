"""`procvid evaluate`: score run folders or loose clips and write a report."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from procvid.cli.arguments import add_backbones, add_json, add_judge, add_profile
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
from procvid.evaluate.metrics import CAPTIONS, STANDARD, choose_metrics
from procvid.evaluate.report import evaluate_into
from procvid.evaluate.scores import JUDGEMENTS, REPORT, SCORES, check_replaceable
from procvid.plan.recipe.parse import read_recipe
from procvid.settings.environment import user_path
from procvid.storage.lock import output_folder
from procvid.wiring import evaluation as wiring_evaluation
from procvid.wiring import run as wiring

BELOW = {"inverse": "procvid.cli.evaluate_inverse"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "inputs", metavar="DIR|CLIP", nargs="+", help="run folders, or the clips of one recipe"
    )
    parser.add_argument(
        "--out", metavar="FOLDER", required=True, help="folder of scores and report"
    )
    parser.add_argument("--recipe", metavar="FILE", help="recipe of loose clips, one step per clip")
    parser.add_argument(
        "--text",
        metavar="TEXT",
        nargs="+",
        action="extend",
        default=[],
        help="texts of loose clips instead of a recipe, one per clip",
    )
    parser.add_argument(
        "--metrics",
        metavar="A,B",
        help="metric ids, all, standard for the metrics of other work, or captions (default: all)",
    )
    parser.add_argument(
        "--real",
        metavar="DIR|CLIP",
        nargs="+",
        action="extend",
        default=[],
        help="real clips to compare with: files, folders, run folders; NAME.txt is the text of a clip",
    )
    add_profile(parser)
    add_backbones(parser)
    add_judge(parser)
    add_json(parser, "print one event per line as JSON")
    parser.epilog = (
        "`procvid evaluate inverse DATASET` makes clips from the captions of a dataset and compares "
        "them with the originals; see `procvid evaluate inverse --help`."
    )
    parser.set_defaults(run=evaluate)


def evaluate(arguments: argparse.Namespace) -> None:
    """Score the inputs, print each metric when it is done, and write the report."""
    metrics = choose_metrics(arguments.metrics)
    out = Path(arguments.out)
    with output_folder(out):
        check_replaceable(out / SCORES)
        profile, _ = wiring.select_profile(arguments.profile)
        runs, real = _runs(arguments), real_clips([Path(given) for given in arguments.real])
        standard = not set(metrics).isdisjoint(STANDARD + CAPTIONS)
        parts = wiring_evaluation.build_evaluation(
            profile, arguments.judge, standard=standard, backbones=arguments.backbones
        )
        judgements = Judgements.of(parts, out / JUDGEMENTS)
        screen = EvaluationScreen(arguments.json)
        try:
            for event in evaluate_into(out, runs, parts, metrics, judgements, real=real):
                screen.show(event)
        finally:
            screen.clear()
    if not arguments.json:
        print(f"Done: {out / REPORT}")


def _runs(arguments: argparse.Namespace) -> list[RunInput]:
    paths = [user_path(given) for given in arguments.inputs]
    for path in paths:
        if not path.exists():
            raise InputError(f"{str(path)!r} does not exist.", "Give run folders or video files.")
    folders = [path for path in paths if path.is_dir()]
    files = [path for path in paths if not path.is_dir()]
    if folders and files:
        raise InputError(
            f"{len(folders)} folders and {len(files)} files cannot be mixed.",
            "Give run folders or loose clips.",
        )
    if folders:
        if arguments.recipe is not None or arguments.text:
            raise InputError("A run folder has its own recipe.", "Omit --recipe and --text.")
        return [run_input(path, name) for path, name in zip(paths, _names(paths), strict=True)]
    recipe = None if arguments.recipe is None else read_recipe(Path(arguments.recipe))
    run = clips_input(files, recipe=recipe, texts=arguments.text)
    if run.recipe is None:
        return [run]
    plan = wiring.build_planner("auto").plan(run.recipe)
    return [clips_input(files, recipe=recipe, texts=arguments.text, plan=plan)]


def _names(paths: list[Path]) -> list[str]:
    """Return the names of folders, with as many parents as tell them apart."""
    parts = [path.resolve().parts for path in paths]
    wanted = len(set(parts))
    for count in range(1, max(map(len, parts)) + 1):
        names = ["/".join(each[-count:]).replace("//", "/") for each in parts]
        if len(set(names)) == wanted:
            return names
    return names


class EvaluationScreen:
    """Shows the events of an evaluation.

    Args:
        as_json: Print one event per line as JSON and nothing else.
    """

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
            text = f"{event.run}, clip {event.number}: {event.done} of {event.total} read"
            self._bar.show(event.done / event.total, text, event.eta_s)
            return
        self._bar.clear()
        if isinstance(event, EvaluationStarted):
            self._several = len(event.runs) > 1
            print(f"Metrics: {len(event.metrics)}, clips: {event.num_clips}", flush=True)
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
        details = f"{result.direction} is better, n {result.n}{chance}"
        return f"{head}{result.metric:22}{result.value:8.4f}  ({details})"

    def clear(self) -> None:
        """Remove the bar."""
        self._bar.clear()
