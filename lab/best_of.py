"""Measure what several takes of a shot gain: the best of N, and repeats of contradicted takes.

`python -m lab.best_of --out FOLDER` writes `shots.json`, `best_of.json`, `best_of.md` and
`best_of.html`. Every shot of the held-out toy recipes gets the same number of takes with three
references. The judge of `generate --best-of` scores each take without knowing the truth, and the
frozen oracle then says what the kept take shows. A shot counts with the mean over all rows of N takes
that follow each other, the first after the last, so every N uses the same clips equally often. A
repeated command goes on where it was interrupted.
"""

from __future__ import annotations

import argparse
import dataclasses
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go

from lab.command import ASSETS, count, new_parser
from lab.pretrain.oracle import Oracle, truth_of
from lab.pretrain.toy_crops import cut, noisy, role_of
from lab.pretrain.toy_latents import source_frames
from lab.pretrain.toy_texts import objects_of
from lab.quality.clips import IDENTITY, toy_clip
from lab.weights import load_oracle, load_pipeline
from procvid.cli import run
from procvid.cli.arguments import Parser
from procvid.errors import InputError
from procvid.evaluate.compare import paired_difference
from procvid.phantom.pipeline_phantom_wan import PhantomWanPipeline
from procvid.plan.rules import plan_recipe
from procvid.plan.writing.toy_prompt import toy_prompt
from procvid.protocols import StatePredictor, TakeJudge
from procvid.run.generate import step_seed
from procvid.run.takes import MAX_AT_ONCE
from procvid.settings import TINY
from procvid.storage.files import read_json, write_json
from procvid.storage.lock import output_folder
from procvid.toykitchen.recipes import HELD_OUT, random_recipe
from procvid.toykitchen.scene import Scene
from procvid.types import Frames, Image, Recipe, StepPlan, Vectors
from procvid.wiring.run import build_predictor
from procvid.wiring.takes import build_take_judge

REFERENCES = 3
FIGURES = {
    "food": "right food",
    "state": "right state",
    "identity": "right identity",
    "all": "all three right",
}
"""Shares of the shots, by what the oracle says of the kept take."""


@dataclass(frozen=True)
class ToyShot:
    """A shot with its plan, its references by object, its rendered clip and the truth."""

    name: str
    seed: int
    plan: StepPlan
    scene: Scene
    references: Mapping[str, Image]
    rendered: Frames
    truth: Mapping[str, str]
    identity: Sequence[str]
    expected: Vectors


def toy_shots(wanted: int, predictor: StatePredictor) -> Iterator[ToyShot]:
    """Yield the first shots of the held-out recipes, with the predicted look of each clip."""
    made = 0
    for seed in range(HELD_OUT, HELD_OUT + wanted):
        recipe = random_recipe(seed)
        texts = tuple(step.text for step in recipe.steps)
        states = predictor.predict(plan_recipe(Recipe(recipe.title, texts)))
        for number, step in enumerate(recipe.steps, start=1):
            if made == wanted:
                return
            made += 1
            scene = step.scene
            objects = [
                dataclasses.replace(item, mentioned=item.name in step.text.lower())
                for item in objects_of(np.random.default_rng(0), scene, scene.food_name or None)
            ]
            rng = np.random.default_rng([seed, number, 5])
            crops: dict[str, Image] = {}
            for image, box, name in source_frames(rng, recipe.kitchen, scene)[:REFERENCES]:
                crops.setdefault(name, cut(image, noisy(rng, box), role_of(name)))
            prompt = toy_prompt(step.text, scene.action, objects)
            side = ["side object"] if recipe.kitchen.side else []
            yield ToyShot(
                name=f"{seed}/{number}",
                seed=step_seed(seed, number),
                plan=StepPlan(number, step.text, scene.action, tuple(objects), prompt),
                scene=scene,
                references=crops,
                rendered=recipe.render(number).frames,
                truth=truth_of(scene, recipe.kitchen),
                identity=["vessel", "counter", *side],
                expected=states[number - 1],
            )


def measure_shot(
    shot: ToyShot,
    takes: int,
    pipeline: PhantomWanPipeline,
    judge: TakeJudge,
    oracle: Oracle,
    predictor: StatePredictor,
) -> dict[str, Any]:
    """Return the takes of a shot, each with its verdict and what the oracle says."""
    clips, rows = list[Frames](), list[dict[str, Any]]()
    for attempt in range(takes):
        begun_s = time.process_time()
        seed = step_seed(shot.seed, 1, attempt)
        clips.append(toy_clip(pipeline, shot.plan.prompt, list(shot.references.values()), seed))
        made_s = time.process_time()
        verdict = judge.judge(clips[-1], shot.plan, shot.references)
        judged_s = time.process_time() - made_s
        row = {**dataclasses.asdict(verdict), "made_s": made_s - begun_s, "judged_s": judged_s}
        row["expected"] = float(predictor.state(clips[-1]) @ shot.expected)
        rows.append(row)
    for row, answer in zip(rows, oracle.name(clips), strict=True):
        row.update(_right(shot, answer))
    rendered = judge.judge(shot.rendered, shot.plan, shot.references)
    return {"name": shot.name, "takes": rows, "rendered": dataclasses.asdict(rendered)}


def _right(shot: ToyShot, answer: Mapping[str, str]) -> dict[str, float | None]:
    """Return what a clip shows right: 0 or 1, the share of right objects for the identity."""
    has_food = shot.scene.food is not None
    food = float(answer["food"] == shot.truth["food"]) if has_food else None
    state = float(answer["state"] == shot.truth["state"]) if has_food else None
    same = [all(answer[q] == shot.truth[q] for q in IDENTITY[name]) for name in shot.identity]
    every = all(same) and food != 0 and state != 0
    return {"food": food, "state": state, "identity": float(np.mean(same)), "all": float(every)}


Take = Mapping[str, Any]


def best(takes: Sequence[Take]) -> Take:
    """Return the take with the best score, the first of several."""
    return max(takes, key=_score)


def _score(take: Take) -> float:
    return -1.0 if take["value"] is None else float(take["value"])


def as_expected(takes: Sequence[Take]) -> Take:
    """Return the take that looks most like the prediction for its step."""
    return max(takes, key=lambda take: float(take["expected"]))


def by_both(takes: Sequence[Take]) -> Take:
    """Return the take with the best sum of score and likeness to the prediction."""
    return max(takes, key=lambda take: _score(take) + float(take["expected"]))


def verified(takes: Sequence[Take]) -> tuple[Take, int]:
    """Return what `--verify` keeps of these takes in their order, and how many it makes."""
    for made in range(1, len(takes) + 1):
        kept = max(takes[:made], key=lambda take: (not take["contradictions"], _score(take)))
        if not kept["contradictions"]:
            break
    return kept, made


def _rows_of(takes: Sequence[Take], size: int) -> list[list[Take]]:
    """Return as many rows of `size` takes as there are takes, each beginning with another take."""
    ring = [*takes, *takes]
    return [ring[at : at + size] for at in range(len(takes))]


def _by_shot(
    shots: Sequence[Mapping[str, Any]], size: int, keep: Callable[[Sequence[Take]], Take], key: str
) -> list[float | None]:
    """Return a figure of the kept take of each shot, as the mean over its rows of `size` takes."""
    values: list[float | None] = []
    for shot in shots:
        found = [keep(row)[key] for row in _rows_of(shot["takes"], size)]
        values.append(None if found[0] is None else float(np.mean(found)))
    return values


def summary(shots: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the figures of each number of takes, and of `--verify` with at most four takes."""
    most = len(shots[0]["takes"])
    takes = [take for shot in shots for take in shot["takes"]]
    ways: dict[str, tuple[int, Callable[[Sequence[Take]], Take]]] = {
        f"best of {size}": (size, best) for size in (1, 2, 4, 8) if size <= most
    }
    limit = min(4, most)
    ways[f"best of {limit} by the expected look"] = (limit, as_expected)
    ways[f"best of {limit} by score and expected look"] = (limit, by_both)
    ways[f"verify, at most {limit}"] = (limit, lambda row: verified(row)[0])
    made_s = float(np.mean([take["made_s"] for take in takes]))
    judged_s = float(np.mean([take["judged_s"] for take in takes]))
    rows = []
    for name, (size, keep) in ways.items():
        number = float(size)
        if name.startswith("verify"):
            each = [row for shot in shots for row in _rows_of(shot["takes"], limit)]
            number = float(np.mean([verified(row)[1] for row in each]))
        row: dict[str, Any] = {"name": name, "takes": number}
        row["seconds"] = number * (made_s + (judged_s if name != "best of 1" else 0.0))
        for key in FIGURES:
            values = _by_shot(shots, size, keep, key)
            base = _by_shot(shots, 1, best, key)
            row[key] = float(np.mean([value for value in values if value is not None]))
            row[f"{key}_change"] = dataclasses.asdict(paired_difference(base, values))
        rows.append(row)
    return {
        "shots": len(shots),
        "takes": most,
        "clip_s": made_s,
        "judge_s": judged_s,
        "rows": rows,
        "contradictions": {
            "rendered": float(np.mean([bool(s["rendered"]["contradictions"]) for s in shots])),
            "generated": float(np.mean([bool(take["contradictions"]) for take in takes])),
            "all_right_if_contradicted": _share_right(takes, contradicted=True),
            "all_right_if_not": _share_right(takes, contradicted=False),
        },
    }


def _share_right(takes: Sequence[Take], *, contradicted: bool) -> float | None:
    right = [take["all"] for take in takes if bool(take["contradictions"]) == contradicted]
    return float(np.mean(right)) if right else None


def markdown(report: Mapping[str, Any]) -> str:
    """Return the report as a table, changes with their 95 % intervals."""
    lines = [
        f"{report['shots']} shots with {report['takes']} takes each. A clip takes "
        f"{report['clip_s']:.2f} s and its judgement {report['judge_s']:.2f} s of one core.",
        "",
        f"| kept | takes | seconds | {' | '.join(FIGURES.values())} |",
        f"|---|---|---|{'---|' * len(FIGURES)}",
    ]
    for row in report["rows"]:
        cells = [_cell(row[key], row[f"{key}_change"]) for key in FIGURES]
        lines.append(
            f"| {row['name']} | {row['takes']:.2f} | {row['seconds']:.1f} | {' | '.join(cells)} |"
        )
    found = report["contradictions"]
    lines += [
        "",
        f"Contradicted: {100 * found['rendered']:.1f} % of the rendered clips (false alarms) and "
        f"{100 * found['generated']:.1f} % of the takes. All three right: "
        f"{_percent(found['all_right_if_contradicted'])} of the contradicted takes and "
        f"{_percent(found['all_right_if_not'])} of the others.",
    ]
    return "\n".join(lines) + "\n"


def _cell(value: float, change: Mapping[str, float | None]) -> str:
    if not change["mean"]:
        return f"{100 * value:.1f}"
    mean, low, high = (100 * (change[key] or 0.0) for key in ("mean", "low", "high"))
    return f"{100 * value:.1f} ({mean:+.1f} [{low:+.1f}, {high:+.1f}])"


def _percent(share: float | None) -> str:
    return "none" if share is None else f"{100 * share:.1f} %"


def write_curve(report: Mapping[str, Any], file: Path) -> None:
    """Draw the figures by the number of takes, and those of `--verify` as single points."""
    figure = go.Figure()
    rows = report["rows"]
    for key, title in FIGURES.items():
        curve = [row for row in rows if re.fullmatch(r"best of \d+", row["name"])]
        changes = [row[f"{key}_change"] for row in curve]
        figure.add_scatter(
            x=[row["takes"] for row in curve],
            y=[row[key] for row in curve],
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [change["high"] - change["mean"] for change in changes],
                "arrayminus": [change["mean"] - change["low"] for change in changes],
            },
            name=title,
            mode="lines+markers",
        )
    for row in rows:
        if row["name"].startswith("verify"):
            figure.add_scatter(
                x=[row["takes"]] * len(FIGURES),
                y=[row[key] for key in FIGURES],
                text=list(FIGURES.values()),
                name=row["name"],
                mode="markers",
                marker={"symbol": "star", "size": 11},
            )
    figure.update_layout(
        title=f"Best of N takes, {report['shots']} shots",
        xaxis_title="takes per shot",
        yaxis_title="share of the shots",
    )
    figure.write_html(file)


def _predictor() -> StatePredictor:
    predictor = build_predictor(TINY)
    assert predictor is not None, "the tiny profile has one"
    return predictor


def parser() -> Parser:
    """Return the parser of `python -m lab.best_of`."""
    made = new_parser("best_of", "Measure what several takes of a shot gain.")
    made.add_argument("--assets", type=Path, default=ASSETS, help="folder of the generator")
    made.add_argument("--out", type=Path, required=True, help="folder of the report")
    made.add_argument("--shots", type=count, default=100, help="held-out shots (default: 100)")
    made.add_argument("--takes", type=count, default=8, help="takes per shot (default: 8)")
    made.set_defaults(run=best_of)
    return made


def best_of(arguments: argparse.Namespace) -> None:
    """Measure the missing shots and write the report.

    Raises:
        InputError: The number of takes is out of range, or the folder has another number.
    """
    if arguments.takes > MAX_AT_ONCE:
        raise InputError(f"{arguments.takes} takes are too many.", f"Choose 1 to {MAX_AT_ONCE}.")
    with output_folder(arguments.out):
        file = arguments.out / "shots.json"
        done = read_json(file)["shots"] if file.exists() else []
        if done and len(done[0]["takes"]) != arguments.takes:
            raise InputError(
                f"The folder has {len(done[0]['takes'])} takes per shot.", "Choose another folder."
            )
        models = (
            load_pipeline(arguments.assets / "tiny_phantom"),
            build_take_judge(TINY),
            load_oracle(ASSETS / "oracle"),
            _predictor(),
        )
        for at, shot in enumerate(toy_shots(arguments.shots, models[-1])):
            if at >= len(done):
                done.append(measure_shot(shot, arguments.takes, *models))
                write_json(file, {"shots": done})
                print(f"{at + 1} of {arguments.shots}: {shot.name}", file=sys.stderr, flush=True)
        report = summary(done[: arguments.shots])
        write_json(arguments.out / "best_of.json", report)
        (arguments.out / "best_of.md").write_text(markdown(report))
        write_curve(report, arguments.out / "best_of.html")
    print(markdown(report), end="")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return run(parser(), argv)


if __name__ == "__main__":
    sys.exit(main())
