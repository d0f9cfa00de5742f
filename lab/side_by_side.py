"""The same recipe without and with the memory: `python -m lab.side_by_side NONE MEMORY --out FILE`.

Both folders are runs of `procvid generate` on one recipe and seed, the first with `--memory none`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from procvid.errors import InputError, ProcvidError
from procvid.media.image import save_png
from procvid.media.video import read_clip
from procvid.run.folder import CLIP, STEPS, read_run

LABELS = ("without memory", "with memory")
SIDE, GAP, HEAD = 128, 6, 26
MOMENT = 0.7
"""Where in a clip its frame is taken, 0 to 1: the step is under way and its objects are in sight."""


def side_by_side(folders: tuple[Path, Path]) -> Pillow.Image:
    """One frame of every clip, a row for each run, RGB.

    Raises:
        InputError: The runs are of other recipes or seeds, the first has a memory or the second
            none, or one of them has clips missing.
        RunError: A folder holds no run.
    """
    none, memory = (read_run(folder).request for folder in folders)
    if (none.recipe, none.seed) != (memory.recipe, memory.seed):
        raise InputError("The two runs differ in recipe or seed.", "Make both of the same.")
    if none.memory != "none" or memory.memory == "none":
        raise InputError("The first run must be one with --memory none, the second with a memory.")
    rows = [
        [read_clip(f).frames for f in sorted(folder.glob(f"{STEPS}/*/{CLIP}"))]
        for folder in folders
    ]
    if not len(rows[0]) == len(rows[1]) == len(none.recipe.steps):
        raise InputError("A run is not finished.", "Run `procvid generate` again with its --out.")
    width = len(rows[0]) * (SIDE + GAP) - GAP
    page = Pillow.new("RGB", (width, 2 * (SIDE + HEAD)), "white")
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(16)
    for row, (label, clips) in enumerate(zip(LABELS, rows, strict=True)):
        top = row * (SIDE + HEAD)
        draw.text((2, top + 4), label, fill="#1c1917", font=font)
        for column, frames in enumerate(clips):
            frame = Pillow.fromarray(frames[round(MOMENT * (len(frames) - 1))])
            shown = frame.resize((SIDE, SIDE), Pillow.Resampling.LANCZOS)
            page.paste(shown, (column * (SIDE + GAP), top + HEAD))
    return page


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(description="One frame a clip, without and with memory.")
    parser.add_argument("none", type=Path, help="a run with --memory none")
    parser.add_argument("memory", type=Path, help="the same recipe and seed with a memory")
    parser.add_argument("--out", type=Path, required=True, help="a PNG file")
    args = parser.parse_args()
    try:
        page = side_by_side((args.none, args.memory))
        save_png(args.out, np.asarray(page))
    except ProcvidError as error:
        parser.exit(error.exit_code, f"{error}\n")


if __name__ == "__main__":
    main()
