"""Draw the same recipe without and with memory: `python -m lab.side_by_side NONE MEMORY --out FILE`.

Both folders are runs of `procvid generate` with the same recipe and seed; the first has
`--memory none`.
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
from procvid.errors import InputError
from procvid.media.image import save_png
from procvid.media.video import read_clip
from procvid.run.folder import CLIP, STEPS, read_run

LABELS = ("without memory", "with memory")
SIDE, GAP, HEAD = 192, 6, 30
"""Sizes in pixels; clips are shown as large as on the page."""
MOMENT = 0.7
"""Place of the frame in its clip, 0 to 1: the step is under way and its objects are visible."""


def side_by_side(folders: tuple[Path, Path]) -> Pillow.Image:
    """Return one frame of every clip, with a row per run.

    Raises:
        InputError: The runs differ in recipe or seed, the first uses a memory, the second uses
            none, or clips are missing.
        RunError: A folder holds no run.
    """
    none, memory = (read_run(folder).request for folder in folders)
    if (none.recipe, none.seed) != (memory.recipe, memory.seed):
        raise InputError("The runs differ in recipe or seed.", "Generate both with the same.")
    if none.memory != "none" or memory.memory == "none":
        raise InputError(
            "The first run must have --memory none, the second a memory.", "Check their order."
        )
    rows = [
        [read_clip(f).frames for f in sorted(folder.glob(f"{STEPS}/*/{CLIP}"))]
        for folder in folders
    ]
    if not len(rows[0]) == len(rows[1]) == len(none.recipe.steps):
        raise InputError("A run is unfinished.", "Run `procvid generate` again with its --out.")
    width = len(rows[0]) * (SIDE + GAP) - GAP
    page = Pillow.new("RGB", (width, 2 * (SIDE + HEAD)), "white")
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(20)
    for row, (label, clips) in enumerate(zip(LABELS, rows, strict=True)):
        top = row * (SIDE + HEAD)
        pen.text((2, top + 4), label, fill="#1c1917", font=font)
        for column, frames in enumerate(clips):
            frame = Pillow.fromarray(frames[round(MOMENT * (len(frames) - 1))])
            small = frame.resize((SIDE, SIDE), Pillow.Resampling.LANCZOS)
            page.paste(small, (column * (SIDE + GAP), top + HEAD))
    return page


def parser() -> Parser:
    """Return the parser of `python -m lab.side_by_side`."""
    made = new_parser("side_by_side", "Draw one frame per clip, without and with memory.")
    made.add_argument("none", type=Path, help="a run with --memory none")
    made.add_argument("memory", type=Path, help="the same recipe and seed with a memory")
    made.add_argument("--out", type=Path, required=True, help="a PNG file")
    made.set_defaults(run=draw)
    return made


def draw(arguments: argparse.Namespace) -> None:
    """Write the image."""
    page = side_by_side((arguments.none, arguments.memory))
    save_png(arguments.out, np.asarray(page))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return run(parser(), argv)


if __name__ == "__main__":
    sys.exit(main())
