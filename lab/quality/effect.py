"""Measure identity across the clips of a recipe, without and with memory.

    procvid ablate toykitchen --limit 100 --out FOLDER
    python -m lab.quality.effect FOLDER

The first command generates the runs and their metrics. The second classifies the clips with the
oracle and writes `effect.json` and `effect.md` into the same folder. A pair is two clips of a recipe;
vessels are compared in pairs with the same vessel, the counter in all pairs. Only consistency
counts, not the true look.
"""

from __future__ import annotations

import argparse
import json
import sys
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
from procvid.settings import TINY
from procvid.storage.atomic import write_text
from procvid.storage.files import read_json
from procvid.toykitchen.recipes import HELD_OUT, random_recipe
from procvid.toykitchen.render import NUM_FRAMES
from procvid.types import Frames

SUITE = ("dino_l2", "shot_boundary")
FIGURES = {
    "vessel_rgb_error": "vessel, colour distance (RGB)",
    "vessel_changed": "vessel, share of pairs with another colour or shape",
    "counter_rgb_error": "counter, colour distance (RGB)",
    "counter_changed": "counter, share of pairs with another colour or pattern",
    "dino_l2": "`dino_l2` at the joints",
    "shot_boundary": "`shot_boundary` at the joints",
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


def look(oracle: Oracle, vessels: Sequence[str], clips: Sequence[Frames]) -> list[NamedClip]:
    """Classify the clips of one recipe."""
    answers, colours = oracle.name(list(clips)), oracle.colour(list(clips))
    return [
        NamedClip(vessel, answer, rgb)
        for vessel, answer, rgb in zip(vessels, answers, colours, strict=True)
    ]


def effect(folder: Path, oracle: Oracle) -> dict[str, Any]:
    """Return all figures of the renderer and each setting, with paired 95 % intervals.

    Raises:
        InputError: The ablation is unfinished or uses recipes other than `toykitchen`.
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
    values: dict[str, dict[str, list[float | None]]] = {
        setting: {name: [] for name in FIGURES} for setting in ("renderer", *settings)
    }
    for name in table["recipes"]:
        recipe = random_recipe(HELD_OUT + int(name.removeprefix("toy-")))
        numbers = range(1, len(recipe.steps) + 1)
        vessels = [step.scene.vessel for step in recipe.steps]
        true = [recipe.render(number).frames for number in numbers]
        for figure, value in identity_errors(look(oracle, vessels, true)).items():
            values["renderer"][figure].append(value)
        for setting in settings:
            run_folder = folder / "runs" / setting / f"{name}-seed{table['seeds'][0]}"
            clips = [
                read_clip(
                    run_folder / "steps" / f"{number:02d}" / "clip.mp4",
                    downscale=TINY.display_scale,
                ).frames[:NUM_FRAMES]
                for number in numbers
            ]
            for figure, value in identity_errors(look(oracle, vessels, clips)).items():
                values[setting][figure].append(value)
            scores = json.loads(
                (folder / "scores" / setting / f"{run_folder.name}.json").read_text(
                    encoding="utf-8"
                )
            )
            for figure in SUITE:
                values[setting][figure].append(scores["runs"][0]["metrics"][figure]["value"])
    base = settings[0]
    rows = []
    for setting, columns in values.items():
        row: dict[str, Any] = {"setting": setting}
        for figure, column in columns.items():
            known = [v for v in column if v is not None]
            row[figure] = {"mean": float(np.mean(known)) if known else None, "n": len(known)}
            if setting not in ("renderer", base):
                moved = paired_difference(values[base][figure], column)
                row[figure] |= {"difference": moved.mean, "low": moved.low, "high": moved.high}
        rows.append(row)
    return {"recipes": len(table["recipes"]), "base": base, "rows": rows}


def markdown(found: dict[str, Any]) -> str:
    """Return a table with a row per figure and the ratio of the base to the last setting."""
    rows = {row["setting"]: row for row in found["rows"]}
    last = found["rows"][-1]["setting"]
    lines = [
        f"{found['recipes']} recipes of the test kitchen; intervals are paired bootstraps over recipes.",
        "",
        f"| | renderer | {found['base']} | {last} | difference, 95 % | times smaller |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for figure, title in FIGURES.items():
        cells = [rows[s][figure]["mean"] for s in ("renderer", found["base"], last)]
        change = rows[last][figure]
        texts = ["" if value is None else f"{value:.3g}" for value in cells]
        apart = f"{change['difference']:.3g} [{change['low']:.3g}, {change['high']:.3g}]"
        times = f"{cells[1] / cells[2]:.1f}" if cells[1] and cells[2] else ""
        lines.append(f"| {title} | {' | '.join(texts)} | {apart} | {times} |")
    return "\n".join(lines) + "\n"


def parser() -> Parser:
    """Return the parser of `python -m lab.quality.effect`."""
    made = new_parser("quality.effect", "Measure identity without and with memory.")
    made.add_argument("folder", type=Path, help="output of `procvid ablate toykitchen`")
    made.add_argument("--assets", type=Path, default=ASSETS, help="folder of the weights")
    made.set_defaults(run=measure)
    return made


def measure(arguments: argparse.Namespace) -> None:
    """Measure the runs of an ablation and write the figures beside them."""
    folder: Path = arguments.folder
    found = effect(folder, load_oracle(arguments.assets / "oracle"))
    write_text(folder / "effect.json", json.dumps(found, indent=1))
    write_text(folder / "effect.md", markdown(found))
    print(markdown(found), end="")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return run(parser(), argv)


if __name__ == "__main__":
    sys.exit(main())
