"""Measure identity, foods and states in the clips of recipes, in each setting of an ablation.

    procvid ablate toykitchen --limit 100 --out FOLDER
    python -m lab.quality.effect FOLDER

The first command generates the runs and their metrics. The second classifies the clips with the
oracle and writes `effect.json` and `effect.md` into the same folder. A food or a state is right if
the oracle sees what the recipe says. A pair is two clips of a recipe; vessels are compared in pairs
with the same vessel, the counter in all pairs. Identity is measured by consistency only, not by the
true look.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from lab.command import ASSETS, new_parser
from lab.pretrain.oracle import COLOURED, Oracle
from lab.weights import load_oracle
from procvid.cli import run
from procvid.cli.arguments import Parser
from procvid.errors import InputError
from procvid.evaluate.compare import paired_difference
from procvid.media.video import read_clip
from procvid.run.folder import EVENTS
from procvid.settings import TINY
from procvid.storage.atomic import write_text
from procvid.storage.files import read_json
from procvid.toykitchen.recipes import HELD_OUT, ToyStep, random_recipe
from procvid.toykitchen.render import NUM_FRAMES
from procvid.types import Frames

SUITE = (
    "object_state_strict",
    "object_fidelity",
    "step_retrieval",
    "dino_l2",
    "shot_boundary",
    "joint_ratio",
)
FIGURES = {
    "food": "clips with the right food",
    "state": "clips with the right state",
    "vessel_rgb_error": "vessel, colour distance (RGB)",
    "vessel_changed": "vessel, share of pairs with another colour or shape",
    "counter_rgb_error": "counter, colour distance (RGB)",
    "counter_changed": "counter, share of pairs with another colour or pattern",
    "seconds": "seconds a clip",
    **{name: f"`{name}`" for name in SUITE},
}


@dataclass(frozen=True)
class NamedClip:
    """The oracle's answers and colours for one clip."""

    vessel: str
    answer: dict[str, str]
    rgb: np.ndarray


def identity_errors(clips: Sequence[NamedClip]) -> dict[str, float | None]:
    """Return means over the pairs of a recipe's clips; None if no vessel occurs twice."""
    vessel, vessel_changed, counter, counter_changed = [], [], [], []
    for a, b in combinations(clips, 2):
        apart = np.linalg.norm(a.rgb - b.rgb, axis=1)
        counter.append(float(apart[COLOURED.index("counter")]))
        counter_changed.append(
            any(a.answer[q] != b.answer[q] for q in ("counter", "counter_pattern"))
        )
        if a.vessel == b.vessel:
            vessel.append(float(apart[COLOURED.index("vessel")]))
            vessel_changed.append(
                any(a.answer[q] != b.answer[q] for q in ("vessel_colour", "vessel_shape"))
            )
    columns: dict[str, list[Any]] = {
        "vessel_rgb_error": vessel,
        "vessel_changed": vessel_changed,
        "counter_rgb_error": counter,
        "counter_changed": counter_changed,
    }
    return {name: float(np.mean(column)) if column else None for name, column in columns.items()}


def rights(steps: Sequence[ToyStep], clips: Sequence[NamedClip]) -> list[tuple[str, bool, bool]]:
    """Return the action, and whether food and state are right, of each step with a food."""
    return [
        (
            step.scene.action,
            clip.answer["food"] == step.scene.food_name,
            clip.answer["state"] == step.scene.state_after,
        )
        for step, clip in zip(steps, clips, strict=True)
        if step.scene.food is not None
    ]


def look(oracle: Oracle, vessels: Sequence[str], clips: Sequence[Frames]) -> list[NamedClip]:
    """Classify the clips of one recipe."""
    answers, colours = oracle.name(list(clips)), oracle.colour(list(clips))
    return [
        NamedClip(vessel, answer, rgb)
        for vessel, answer, rgb in zip(vessels, answers, colours, strict=True)
    ]


def seconds_of(run_folder: Path) -> float | None:
    """Return the mean seconds of the clips that a run made, or None."""
    lines = (run_folder / EVENTS).read_text(encoding="utf-8").splitlines()
    ready = [event for event in map(json.loads, lines) if event["event"] == "clip_ready"]
    seconds = [event["seconds"] for event in ready if not event["reused"]]
    return float(np.mean(seconds)) if seconds else None


def effect(folder: Path, oracle: Oracle, reference: str | None = None) -> dict[str, Any]:
    """Return all figures of the renderer and each setting, with paired 95 % intervals.

    Args:
        folder: Output of the ablation.
        oracle: Classifies the clips.
        reference: The setting that the others are compared with; None for the first.

    Raises:
        InputError: The ablation is unfinished, uses recipes other than `toykitchen`, or has no such
            setting.
    """
    file = folder / "table.json"
    if not file.is_file():
        raise InputError(
            f"{str(folder)!r} holds no finished ablation.", "Run `procvid ablate toykitchen` first."
        )
    try:
        table = read_json(file)
    except (OSError, ValueError) as error:
        raise InputError(f"{str(file)!r} cannot be read.", "Run the ablation again.") from error
    if not all(name.startswith("toy-") for name in table["recipes"]):
        raise InputError(
            "The ablation has recipes other than those of the toy kitchen.",
            "Run `procvid ablate toykitchen`; only its identities are known.",
        )
    settings = [row["setting"] for row in table["rows"]]
    if reference is not None and reference not in settings:
        raise InputError(
            f"The ablation has no setting {reference!r}.", f"Choose from {', '.join(settings)}."
        )
    base = reference or settings[0]
    actions: dict[str, dict[str, list[tuple[bool, bool]]]] = {
        name: defaultdict(list) for name in ("renderer", *settings)
    }
    values: dict[str, dict[str, list[float | None]]] = {
        setting: {name: [] for name in FIGURES} for setting in ("renderer", *settings)
    }
    for name in table["recipes"]:
        recipe = random_recipe(HELD_OUT + int(name.removeprefix("toy-")))
        numbers = range(1, len(recipe.steps) + 1)
        vessels = [step.scene.vessel for step in recipe.steps]
        clips_of = {"renderer": [recipe.render(number).frames for number in numbers]}
        for setting in settings:
            run_folder = folder / "runs" / setting / f"{name}-seed{table['seeds'][0]}"
            clips_of[setting] = [
                read_clip(
                    run_folder / "steps" / f"{number:02d}" / "clip.mp4",
                    downscale=TINY.display_scale,
                ).frames[:NUM_FRAMES]
                for number in numbers
            ]
            scores = json.loads(
                (folder / "scores" / setting / f"{run_folder.name}.json").read_text(
                    encoding="utf-8"
                )
            )
            for figure in SUITE:
                values[setting][figure].append(scores["runs"][0]["metrics"][figure]["value"])
            values[setting]["seconds"].append(seconds_of(run_folder))
        values["renderer"]["seconds"].append(None)
        for setting, clips in clips_of.items():
            named = look(oracle, vessels, clips)
            right = rights(recipe.steps, named)
            shares = {
                "food": float(np.mean([food for _, food, _ in right])) if right else None,
                "state": float(np.mean([state for _, _, state in right])) if right else None,
            }
            for figure, value in {**identity_errors(named), **shares}.items():
                values[setting][figure].append(value)
            for action, food, state in right:
                actions[setting][action].append((food, state))
    rows = []
    for setting, columns in values.items():
        row: dict[str, Any] = {"setting": setting}
        for figure, column in columns.items():
            known = [v for v in column if v is not None]
            row[figure] = {"mean": float(np.mean(known)) if known else None, "n": len(known)}
            if setting not in ("renderer", base) and any(v is not None for v in column):
                moved = paired_difference(values[base][figure], column)
                row[figure] |= {"difference": moved.mean, "low": moved.low, "high": moved.high}
        rows.append(row)
    return {
        "recipes": len(table["recipes"]),
        "base": base,
        "rows": rows,
        "actions": {
            setting: {
                action: {
                    "clips": len(pairs),
                    "food": float(np.mean([food for food, _ in pairs])),
                    "state": float(np.mean([state for _, state in pairs])),
                }
                for action, pairs in sorted(found.items())
            }
            for setting, found in actions.items()
        },
    }


def markdown(found: dict[str, Any]) -> str:
    """Return a table with a row per figure, and one with a row per action."""
    rows = {row["setting"]: row for row in found["rows"]}
    base, settings = found["base"], list(rows)
    others = [setting for setting in settings if setting not in ("renderer", base)]
    lines = [
        f"{found['recipes']} recipes of the test kitchen; intervals are paired bootstraps over recipes, "
        f"against {base}.",
        "",
        f"| | renderer | {base} | {' | '.join(f'{name} | difference, 95 %' for name in others)} |",
        f"| --- | --- | --- | {' | '.join('--- | ---' for _ in others)} |",
    ]
    for figure, title in FIGURES.items():
        cells = [_figure(rows["renderer"][figure]), _figure(rows[base][figure])]
        for name in others:
            cells += [_figure(rows[name][figure]), _difference(rows[name][figure])]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    lines += ["", f"| action, food / state | clips | {' | '.join(settings)} |"]
    lines.append(f"| --- | --- | {' | '.join('---' for _ in settings)} |")
    for action, first in found["actions"]["renderer"].items():
        shares = [found["actions"][name][action] for name in settings]
        cells = [f"{one['food']:.2f} / {one['state']:.2f}" for one in shares]
        lines.append(f"| {action} | {first['clips']} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _figure(value: dict[str, Any]) -> str:
    return "" if value["mean"] is None else f"{value['mean']:.3g}"


def _difference(value: dict[str, Any]) -> str:
    if "difference" not in value:
        return ""
    return f"{value['difference']:+.3g} [{value['low']:+.3g}, {value['high']:+.3g}]"


def parser() -> Parser:
    """Return the parser of `python -m lab.quality.effect`."""
    made = new_parser("quality.effect", "Measure identity without and with memory.")
    made.add_argument("folder", type=Path, help="output of `procvid ablate toykitchen`")
    made.add_argument(
        "--against", metavar="SETTING", help="setting to compare with (default: the first)"
    )
    made.add_argument("--assets", type=Path, default=ASSETS, help="folder of the weights")
    made.set_defaults(run=measure)
    return made


def measure(arguments: argparse.Namespace) -> None:
    """Measure the runs of an ablation and write the figures beside them."""
    folder: Path = arguments.folder
    found = effect(folder, load_oracle(arguments.assets / "oracle"), arguments.against)
    write_text(folder / "effect.json", json.dumps(found, indent=1))
    write_text(folder / "effect.md", markdown(found))
    print(markdown(found), end="")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return run(parser(), argv)


if __name__ == "__main__":
    sys.exit(main())
