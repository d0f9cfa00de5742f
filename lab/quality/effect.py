"""Does memory keep the kitchen? Identity across the clips of a recipe, without and with memory.

    procvid ablate toykitchen --limit 100 --out FOLDER
    python -m lab.quality.effect FOLDER

The first command makes the runs and the metrics of the suite; the second names the clips by the
oracle and writes `effect.json` and `effect.md` beside them. A pair is two clips of one recipe that
show the same vessel, the counter stands in all of them; what the recipe's own kitchen looks like
does not matter, only that it stays.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from lab.pretrain.oracle import COLOURED, Oracle
from lab.quality.__main__ import ASSETS, load_oracle
from procvid.errors import InputError, ProcvidError
from procvid.evaluate.compare import paired_difference
from procvid.media.video import read_clip
from procvid.settings import TINY
from procvid.storage.files import read_json
from procvid.toykitchen.recipes import HELD_OUT, random_recipe
from procvid.toykitchen.render import NUM_FRAMES
from procvid.types import Frames

SUITE = ("dino_l2", "shot_boundary")
FIGURES = {
    "vessel_rgb_error": "vessel, distance of colours (RGB)",
    "vessel_changed": "vessel, share of pairs whose colour or shape changes",
    "counter_rgb_error": "counter, distance of colours (RGB)",
    "counter_changed": "counter, share of pairs whose colour or pattern changes",
    "dino_l2": "`dino_l2` at the joints",
    "shot_boundary": "`shot_boundary` at the joints",
}


@dataclass(frozen=True)
class NamedClip:
    """What the oracle sees in one clip."""

    vessel: str
    answer: dict[str, str]
    rgb: np.ndarray


def identity_errors(seen: Sequence[NamedClip]) -> dict[str, float | None]:
    """Mean over the pairs of one recipe's clips; None where no vessel comes twice."""
    vessel, vessel_changed, counter, counter_changed = [], [], [], []
    for a, b in combinations(seen, 2):
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
    """What the oracle sees in the clips of one recipe."""
    answers, colours = oracle.name(list(clips)), oracle.colour(list(clips))
    return [
        NamedClip(vessel, answer, rgb)
        for vessel, answer, rgb in zip(vessels, answers, colours, strict=True)
    ]


def effect(folder: Path, oracle: Oracle) -> dict[str, Any]:
    """Every figure of each setting with its paired 95 % interval, and those of the renderer.

    Raises:
        InputError: The ablation is of other recipes than `toykitchen`'s, or a clip is missing.
    """
    try:
        table = read_json(folder / "table.json")
    except (OSError, ValueError) as error:
        raise InputError(
            f"{folder / 'table.json'} cannot be read.", "Run the ablation again."
        ) from error
    if not all(name.startswith("toy-") for name in table["recipes"]):
        raise InputError(
            "These are no recipes of the toy kitchen.",
            "Their identity is known for `procvid ablate toykitchen` alone.",
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
            run = folder / "runs" / setting / f"{name}-seed{table['seeds'][0]}"
            clips = [
                read_clip(
                    run / "steps" / f"{number:02d}" / "clip.mp4", downscale=TINY.display_scale
                ).frames[:NUM_FRAMES]
                for number in numbers
            ]
            for figure, value in identity_errors(look(oracle, vessels, clips)).items():
                values[setting][figure].append(value)
            scores = json.loads(
                (folder / "scores" / setting / f"{run.name}.json").read_text(encoding="utf-8")
            )
            for figure in SUITE:
                values[setting][figure].append(scores["runs"][0]["metrics"][figure]["value"])
    base = settings[0]
    rows = []
    for setting, columns in values.items():
        row: dict[str, Any] = {"setting": setting}
        for figure, column in columns.items():
            there = [v for v in column if v is not None]
            row[figure] = {"mean": float(np.mean(there)) if there else None, "n": len(there)}
            if setting not in ("renderer", base):
                moved = paired_difference(values[base][figure], column)
                row[figure] |= {"difference": moved.mean, "low": moved.low, "high": moved.high}
        rows.append(row)
    return {"recipes": len(table["recipes"]), "base": base, "rows": rows}


def markdown(found: dict[str, Any]) -> str:
    """The figures as a table, a row each, with the ratio of the base to the last setting."""
    rows = {row["setting"]: row for row in found["rows"]}
    last = found["rows"][-1]["setting"]
    lines = [
        f"{found['recipes']} recipes of the test kitchen; intervals are paired bootstraps over them.",
        "",
        f"| | renderer | {found['base']} | {last} | difference, 95 % | times less |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for figure, told in FIGURES.items():
        cells = [rows[s][figure]["mean"] for s in ("renderer", found["base"], last)]
        change = rows[last][figure]
        shown = ["" if value is None else f"{value:.3g}" for value in cells]
        apart = f"{change['difference']:.3g} [{change['low']:.3g}, {change['high']:.3g}]"
        times = f"{cells[1] / cells[2]:.1f}" if cells[1] and cells[2] else ""
        lines.append(f"| {told} | {' | '.join(shown)} | {apart} | {times} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure the runs of an ablation."""
    parser = argparse.ArgumentParser(description="Identity with and without memory.")
    parser.add_argument("folder", type=Path, help="of procvid ablate toykitchen")
    parser.add_argument("--assets", type=Path, default=ASSETS)
    args = parser.parse_args()
    if not (args.folder / "table.json").is_file():
        parser.error(f"{args.folder} holds no finished ablation; `procvid ablate` writes one")
    if not (args.assets / "oracle" / "oracle.safetensors").is_file():
        parser.error(f"{args.assets} holds no oracle")
    try:
        found = effect(args.folder, load_oracle(args.assets / "oracle"))
    except ProcvidError as error:
        parser.exit(error.exit_code, f"{error}\n")
    (args.folder / "effect.json").write_text(json.dumps(found, indent=1))
    (args.folder / "effect.md").write_text(markdown(found))
    print(markdown(found), end="")


if __name__ == "__main__":
    main()
