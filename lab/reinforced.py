"""Compare LoRAs with the base on held-out clips: `python -m lab.reinforced --out FOLDER NAME=LORA...`.

Every clip of the first recipes of the test kitchen is made by the base and by each LoRA with the same
noise and three references. The frozen oracle, which no training used, says what it shows. Differences
are paired by clip. A repeated command goes on where it was interrupted.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from lab.command import ASSETS, count, new_parser
from lab.pretrain.oracle import Oracle, truth_of
from lab.quality.clips import IDENTITY, GeneratedClip, first_seeds, held_out_clips
from lab.weights import load_oracle, load_pipeline
from procvid.cli import run
from procvid.cli.arguments import Parser
from procvid.errors import InputError
from procvid.evaluate.compare import paired_difference
from procvid.media.image import save_png
from procvid.phantom.layout import parameter_shapes
from procvid.phantom.loading import read_config
from procvid.phantom.lora import find_lora, merge_loras, read_lora
from procvid.phantom.pipeline_phantom_wan import PhantomWanPipeline
from procvid.settings import TINY
from procvid.storage.atomic import output_errors, write_bytes
from procvid.storage.files import sha256_of
from procvid.toykitchen.recipes import random_recipe
from procvid.train.rl.rewards.motion import motion_in
from procvid.train.rl.rewards.unchanged_look import look_of
from procvid.train.rl.watch import contact_sheet
from procvid.types import Frames

REFERENCES = 3
BASE = "base"
SHARES = ("food", "state", "food and state", "action", "vessel", "counter", "side object")
"""Shares of right clips, by the oracle."""

SHEET = 24


def model(lora: Path | None) -> PhantomWanPipeline:
    """Return the shipped pipeline, with a LoRA merged."""
    folder = ASSETS / "tiny_phantom"
    pipeline = load_pipeline(folder)
    pipeline.set_progress_bar_config(disable=True)
    if lora is not None:
        config = read_config(folder / "transformer" / "config.json")
        file = read_lora(find_lora(lora), parameter_shapes(config), config["num_layers"], 1.0)
        merge_loras(pipeline.transformer, [file])
    return pipeline


def clips_of(lora: Path | None, out: Path, recipes: int) -> list[GeneratedClip]:
    """Return the clips of a model, and keep each recipe's in a file."""
    label = sha256_of(find_lora(lora))[:12] if lora else BASE
    pipeline, found = None, list[GeneratedClip]()
    for seed in first_seeds(recipes):
        file = out / f"{label}-{seed}.npy"
        if not file.is_file():
            pipeline = pipeline or model(lora)
            made = list(held_out_clips(pipeline, [seed], REFERENCES, TINY.sampling))
            with output_errors(file):
                np.save(file, np.stack([clip.frames for clip in made]))
        found += _stored(seed, np.load(file))
    return found


def _stored(seed: int, frames: Frames) -> Iterator[GeneratedClip]:
    recipe = random_recipe(seed)
    for number, (step, clip) in enumerate(zip(recipe.steps, frames, strict=True), start=1):
        true = recipe.render(number).frames
        yield GeneratedClip(step.scene, recipe.kitchen, step.text, REFERENCES, clip, true)


def figures_of(oracle: Oracle, clips: Sequence[GeneratedClip]) -> dict[str, list[float | None]]:
    """Return each figure for each clip; None where it does not apply."""
    found: dict[str, list[float | None]] = {name: [] for name in (*SHARES, "motion", "sharpness")}
    for each, answer in zip(clips, oracle.name([c.frames for c in clips]), strict=True):
        truth = truth_of(each.scene, each.kitchen)
        right = {question: answer[question] == truth[question] for question in truth}
        has_food = each.scene.food is not None
        found["food"].append(float(right["food"]) if has_food else None)
        found["state"].append(float(right["state"]) if has_food else None)
        found["food and state"].append(
            float(right["food"] and right["state"]) if has_food else None
        )
        found["action"].append(float(right["action"]))
        for name in ("vessel", "counter", "side object"):
            applies = name != "side object" or each.kitchen.side is not None
            same = all(right[question] for question in IDENTITY[name])
            found[name].append(float(same) if applies else None)
        found["motion"].append(motion_in(each.frames) / max(motion_in(each.true), 1e-6))
        found["sharpness"].append(
            look_of(each.frames)["sharpness"] / look_of(each.true)["sharpness"]
        )
    return found


def table_of(figures: Mapping[str, Mapping[str, Sequence[float | None]]]) -> str:
    """Return a table of the base's figures and of the paired differences of each LoRA."""
    others = [name for name in figures if name != BASE]
    rows = [f"| figure | clips | {BASE} | {' | '.join(others)} |", "|---" * (3 + len(others)) + "|"]
    for figure, base in figures[BASE].items():
        known = [value for value in base if value is not None]
        scale = 100 if figure in SHARES else 1
        cells = []
        for name in others:
            change = paired_difference(base, figures[name][figure])
            low, high = scale * (change.low or 0.0), scale * (change.high or 0.0)
            cells.append(f"{scale * (change.mean or 0.0):+.2f} [{low:+.2f}, {high:+.2f}]")
        mean = scale * float(np.mean(known))
        rows.append(f"| {figure} | {len(known)} | {mean:.2f} | {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def parser() -> Parser:
    """Return the parser of `python -m lab.reinforced`."""
    made = new_parser("reinforced", "Compare LoRAs with the base on held-out toy clips.")
    made.add_argument("loras", nargs="*", metavar="NAME=LORA", help="LoRAs with their names")
    made.add_argument("--out", type=Path, required=True, help="folder of clips, table and sheets")
    made.add_argument("--recipes", type=count, default=40, help="held-out recipes (default 40)")
    made.set_defaults(run=compare)
    return made


def compare(arguments: argparse.Namespace) -> None:
    """Make the missing clips, and write the table and a contact sheet of each model.

    Raises:
        InputError: A LoRA has no name.
    """
    models: dict[str, Path | None] = {BASE: None}
    for text in arguments.loras:
        name, _, path = text.partition("=")
        if not path:
            raise InputError(f"{text!r} has no name.", "Give NAME=LORA.")
        models[name] = Path(path)
    arguments.out.mkdir(parents=True, exist_ok=True)
    oracle, figures = load_oracle(ASSETS / "oracle"), {}
    for name, lora in models.items():
        clips = clips_of(lora, arguments.out, arguments.recipes)
        figures[name] = figures_of(oracle, clips)
        save_png(arguments.out / f"{name}.png", contact_sheet([c.frames for c in clips[:SHEET]]))
    text = table_of(figures)
    write_bytes(arguments.out / "reinforced.md", text.encode())
    print(text, end="")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return run(parser(), argv)


if __name__ == "__main__":
    sys.exit(main())
