"""Measure what imperfect references do to a clip: `python -m lab.imperfect COMMAND`.

data      write clips, crops and texts of the toy kitchen for `procvid train lora`
measure   generate held-out clips from disturbed references, with and without LoRAs

Every clip of some recipes of the test kitchen is made from the same three references, clean or
disturbed in one way at one dose, with the same noise. The frozen oracle says what it shows. Differences
to the base are paired by clip. A repeated command goes on where it was interrupted.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image as Pillow
from PIL import ImageFilter

from lab.command import ASSETS, count, new_parser
from lab.extension.data import write_recipes
from lab.pretrain.oracle import Oracle
from lab.pretrain.toy_texts import objects_of
from lab.quality.clips import GeneratedClip, first_seeds, reference_crops, toy_clip
from lab.reinforced import BASE, figures_of, model
from lab.weights import load_oracle
from procvid.cli import run
from procvid.cli.arguments import Parser
from procvid.errors import InputError
from procvid.evaluate.compare import paired_difference
from procvid.phantom.lora import find_lora
from procvid.phantom.pipeline_phantom_wan import PhantomWanPipeline
from procvid.plan.writing.toy_prompt import toy_prompt
from procvid.storage.atomic import output_errors, write_bytes
from procvid.storage.files import sha256_of
from procvid.toykitchen.identity import ToyKitchen
from procvid.toykitchen.recipes import random_recipe
from procvid.toykitchen.scene import FORMS, Scene
from procvid.types import Frames, Image

REFERENCES = 3
FOOD = 1
"""Place of the food among the references."""

FIGURES = ("vessel", "counter", "food", "state")

Disturb = Callable[[np.random.Generator, Image], Image]


def blurred(rng: np.random.Generator, image: Image, radius: float) -> Image:
    """Return an image blurred by a Gaussian of this deviation, px."""
    return np.asarray(Pillow.fromarray(image).filter(ImageFilter.GaussianBlur(radius)))


def recoloured(rng: np.random.Generator, image: Image, share: float) -> Image:
    """Return an image whose channels are brighter or darker by a share each."""
    factors = 1 + share * rng.choice([-1.0, 1.0], 3)
    return np.clip(image * factors, 0, 255).astype(np.uint8)


def cut_off(rng: np.random.Generator, image: Image, share: float) -> Image:
    """Return an image that lacks a share of its width or height on one side."""
    turns = int(rng.integers(4))
    turned = np.rot90(image, turns)
    rest = turned[round(share * len(turned)) :]
    return np.ascontiguousarray(np.rot90(rest, -turns))


WAYS: Mapping[str, Disturb] = {
    "clean": lambda rng, image: image,
    **{f"blurred by {n} px": partial(blurred, radius=n) for n in (1, 2, 4)},
    **{f"recoloured by {n} %": partial(recoloured, share=n / 100) for n in (10, 20, 40)},
    **{f"cut by {n} %": partial(cut_off, share=n / 100) for n in (20, 40, 60)},
}
WRONG_STATE = {f"wrong state in {n} %": n / 100 for n in (33, 67, 100)}
"""Share of the clips whose food has a reference in another state."""

WEAKENED = {f"vessel at a strength of {n} %": n / 100 for n in (75, 50, 25, 0)}
"""Strength of the first reference, as a person sets it."""

EVERY_WAY = (*WAYS, *WRONG_STATE, *WEAKENED)


def clips_of(
    pipeline: PhantomWanPipeline, seed: int, way: str
) -> Iterator[tuple[Scene, ToyKitchen, str, Frames]]:
    """Yield the clips of a recipe from disturbed references."""
    recipe = random_recipe(seed)
    for number, step in enumerate(recipe.steps, start=1):
        crops = disturbed_references(seed, number, recipe.kitchen, step.scene, way)
        objects = objects_of(np.random.default_rng(0), step.scene, step.scene.food_name or None)
        prompt = toy_prompt(step.text, step.scene.action, objects)
        drawn, strengths = seed * 100 + number, [WEAKENED.get(way, 1.0), *[1.0] * REFERENCES]
        frames = toy_clip(pipeline, prompt, crops, drawn, strengths=strengths)
        yield step.scene, recipe.kitchen, step.text, frames


def disturbed_references(
    seed: int, number: int, kitchen: ToyKitchen, scene: Scene, way: str
) -> list[Image]:
    """Return the references of a step, disturbed in one way; the same crops for every way."""
    crops = reference_crops(np.random.default_rng([seed, number, 5]), kitchen, scene, REFERENCES)
    rng = np.random.default_rng([seed, number, 6])
    if way in WAYS:
        return [WAYS[way](rng, crop) for crop in crops]
    if way in WRONG_STATE and scene.food is not None and rng.random() < WRONG_STATE[way]:
        others = [state for state in FORMS if state not in (scene.state_before, scene.state_after)]
        wrong = scene.showing(state=others[int(rng.integers(len(others)))])
        drawn = np.random.default_rng([seed, number, 5])
        crops[FOOD] = reference_crops(drawn, kitchen, wrong, REFERENCES)[FOOD]
    return crops


def figures(oracle: Oracle, lora: Path | None, arguments: argparse.Namespace) -> dict[str, dict]:
    """Return what the oracle says of each clip, by way and figure; answers are kept in files."""
    label = sha256_of(find_lora(lora))[:12] if lora else BASE
    pipeline: PhantomWanPipeline | None = None
    found: dict[str, dict[str, list[float | None]]] = {}
    for way in EVERY_WAY:
        clips = []
        for seed in first_seeds(arguments.recipes):
            file = arguments.out / f"{label}-{seed}-{way.replace(' ', '_').replace('%', '')}.npy"
            if not file.is_file():
                pipeline = pipeline or model(lora)
                made = [frames for *_, frames in clips_of(pipeline, seed, way)]
                with output_errors(file):
                    np.save(file, np.stack(made))
            recipe = random_recipe(seed)
            for step, frames in zip(recipe.steps, np.load(file), strict=True):
                clips.append(
                    GeneratedClip(step.scene, recipe.kitchen, step.text, REFERENCES, frames, frames)
                )
        found[way] = figures_of(oracle, clips)
        print(label, way, flush=True)
    return found


def table_of(found: Mapping[str, Mapping[str, Mapping[str, Sequence[float | None]]]]) -> str:
    """Return the base's shares of right clips by way, and the paired differences of each LoRA."""
    others = [name for name in found if name != BASE]
    heads = [f"{figure}, {name}" for figure in FIGURES for name in (BASE, *others)]
    rows = [f"| references | {' | '.join(heads)} |", "|---" * (1 + len(heads)) + "|"]
    for way, base in found[BASE].items():
        cells = []
        for figure in FIGURES:
            places = [k for k, value in enumerate(base[figure]) if value is not None]
            before = [float(base[figure][k] or 0) for k in places]
            cells.append(f"{100 * np.mean(before):.1f} %")
            for name in others:
                after = [float(found[name][way][figure][k] or 0) for k in places]
                change = paired_difference(before, after)
                mean, low, high = (100 * (v or 0.0) for v in (change.mean, change.low, change.high))
                cells.append(f"{mean:+.1f} [{low:+.1f}, {high:+.1f}]")
        rows.append(f"| {way} | {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def data(arguments: argparse.Namespace) -> None:
    """Write training data of the toy kitchen."""
    print(write_recipes(arguments.folder, arguments.recipes, random_recipe), "clips")


def measure(arguments: argparse.Namespace) -> None:
    """Generate, classify and print the table."""
    loras: dict[str, Path] = {}
    for text in arguments.lora:
        name, _, path = text.partition("=")
        if not path or name == BASE:
            raise InputError(f"{text!r} is no NAME=LORA.", "Give for example rough=work/lora.")
        loras[name] = Path(path)
    with output_errors(arguments.out):
        arguments.out.mkdir(parents=True, exist_ok=True)
    oracle = load_oracle(ASSETS / "oracle")
    found = {BASE: figures(oracle, None, arguments)}
    found |= {name: figures(oracle, lora, arguments) for name, lora in loras.items()}
    text = table_of(found)
    write_bytes(arguments.out / "imperfect.md", text.encode())
    print(text, end="")


def parser() -> Parser:
    """Return the parser of `python -m lab.imperfect`."""
    made = new_parser("imperfect", "Measure what imperfect references do to a clip.")
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND")
    one = commands.add_parser("data", help="write training data of the toy kitchen")
    one.add_argument("folder", metavar="FOLDER", type=Path)
    one.add_argument("--recipes", metavar="N", type=count, default=150)
    one.set_defaults(run=data)
    two = commands.add_parser("measure", help="generate and classify held-out clips")
    two.add_argument("lora", metavar="NAME=LORA", nargs="*")
    two.add_argument("--out", metavar="FOLDER", type=Path, required=True, help="clips and table")
    two.add_argument("--recipes", metavar="N", type=count, default=20)
    two.set_defaults(run=measure)
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return run(parser(), argv)


if __name__ == "__main__":
    sys.exit(main())
