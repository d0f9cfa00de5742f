"""Make the videos that the page shows before anything is generated: `python -m lab.examples`.

It writes `examples/finished` and the files of the page: the two rows "without memory" and "with
memory", their still pictures, and the social card.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from lab.command import new_parser
from procvid.cli import run
from procvid.cli.arguments import Parser
from procvid.cli.hub.finished import finished_run, make_finished
from procvid.media.decode import read_clip
from procvid.media.encode import write_clip
from procvid.run.examples import FOLDER, MOMENT, example_recipes, save_jpeg
from procvid.run.folder import CLIP, STEPS
from procvid.run.parts import Parts
from procvid.settings import TINY
from procvid.types import Frames
from procvid.ui.document import CARD, CARD_SIZE, FILES
from procvid.wiring import run as wiring

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"

SHOWN, SEED, CLIPS = "mushroom_pan.txt", 1, (3, 4, 5, 6)
"""Example, seed and clips of the two rows: four clips with one pan, which differs without memory."""
ROWS = (("without_memory", False), ("with_memory", True))
SIDE, GAP = 192, 4
RATE_FACTOR = 24


def row_of(folder: Path) -> Frames:
    """Return the shown clips of a run beside each other, with white gaps."""
    clips = [read_clip(folder / STEPS / f"{number:02}" / CLIP).frames for number in CLIPS]
    small = [
        np.stack(
            [
                np.asarray(Pillow.fromarray(f).resize((SIDE, SIDE), Pillow.Resampling.LANCZOS))
                for f in clip
            ]
        )
        for clip in clips
    ]
    gap = np.full((len(small[0]), SIDE, GAP, 3), 255, np.uint8)
    parts = [part for clip in small for part in (clip, gap)]
    return np.concatenate(parts[:-1], axis=2)


def write_rows(parts: Parts) -> dict[str, Frames]:
    """Write the clips and still pictures of both rows; return the frames by name."""
    rows = {}
    for name, with_memory in ROWS:
        folder, _ = finished_run(EXAMPLES / SHOWN, parts, seed=SEED, with_memory=with_memory)
        rows[name] = frames = row_of(folder)
        write_clip(FILES / f"{name}.mp4", frames, TINY.sampling.fps, rate_factor=RATE_FACTOR)
        save_jpeg(FILES / f"{name}.jpg", Pillow.fromarray(_moment(frames)))
    return rows


def card_of(rows: dict[str, Frames]) -> Pillow.Image:
    """Return the social card: the name, and a frame of both rows with their labels."""
    page = Pillow.new("RGB", CARD_SIZE, "#fafaf9")
    pen = ImageDraw.Draw(page)
    pen.text((60, 26), "procvid", fill="#1c1917", font=ImageFont.load_default(52))
    pen.text((270, 46), "recipes become videos", fill="#57534e", font=ImageFont.load_default(32))
    for number, (name, _) in enumerate(ROWS):
        top = 104 + number * 256
        label = name.replace("_", " ").capitalize()
        pen.text((60, top), label, fill="#1c1917", font=ImageFont.load_default(28))
        picture = Pillow.fromarray(_moment(rows[name]))
        scale = (CARD_SIZE[0] - 120) / picture.width
        # Four clips are wider than the card, so their lower and upper edges are cut.
        shown = picture.resize((CARD_SIZE[0] - 120, round(picture.height * scale)))
        middle = (shown.height - 208) // 2
        page.paste(shown.crop((0, middle, shown.width, middle + 208)), (60, top + 40))
    return page


def _moment(frames: Frames) -> Frames:
    return np.ascontiguousarray(frames[round(MOMENT * (len(frames) - 1))])


def parser() -> Parser:
    """Return the parser of `python -m lab.examples`."""
    made = new_parser("examples", "Make the finished examples and the clips of the first screen.")
    made.add_argument(
        "--all", action="store_true", help="write them again even if they fit recipe and weights"
    )
    made.set_defaults(run=make)
    return made


def make(arguments: argparse.Namespace) -> None:
    """Write the files, and print their sizes."""
    parts = wiring.build(TINY.name, planner="rules")
    sizes = []
    for recipe in example_recipes(EXAMPLES):
        found = make_finished(recipe, parts, EXAMPLES / FOLDER, again=arguments.all)
        sizes.append(sum(file.stat().st_size for file in found.files))
        print(f"{sizes[-1]:>9,}  {recipe.name}")
    save_jpeg(FILES / CARD, card_of(write_rows(parts)))
    print(f"{sum(sizes):>9,}  bytes of examples")
    for file in sorted(FILES.iterdir()):
        print(f"{file.stat().st_size:>9,}  {file.name}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return run(parser(), argv)


if __name__ == "__main__":
    sys.exit(main())
