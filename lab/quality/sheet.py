"""Draw a contact sheet of generated clips."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw

from lab.quality.clips import GeneratedClip
from procvid.types import Frames

SHEET_CLIPS = 24
PLACES = (0, 0.5, 1.0)
"""Places of the frames in a clip, 0 to 1."""


BETWEEN = 8
"""White pixels between the clips of two models."""


def write_sheet(clips: Sequence[GeneratedClip], file: Path) -> None:
    """Write the first clips in two columns: three frames each, enlarged twice, with their text."""
    _write([(_strip(clip.frames), clip.text) for clip in clips[:SHEET_CLIPS]], 2, file)


def write_before_and_after(
    before: Sequence[GeneratedClip], after: Sequence[GeneratedClip], file: Path
) -> None:
    """Write the same clips of two models side by side, then as the renderer draws them."""
    rows = []
    for old, new in zip(before[: SHEET_CLIPS // 2], after, strict=False):
        strips = [_strip(frames) for frames in (old.frames, new.frames, new.true)]
        white = np.full((strips[0].shape[0], BETWEEN, 3), 255, np.uint8)
        joined = np.concatenate([strips[0], white, strips[1], white, strips[2]], 1)
        rows.append((joined, f"{new.text}  (before, after, rendered)"))
    _write(rows, 1, file)


def _strip(frames: Frames) -> np.ndarray:
    """Return the frames at `PLACES` in a row, enlarged twice."""
    chosen = [frames[round(place * (len(frames) - 1))] for place in PLACES]
    strip = Pillow.fromarray(np.concatenate(chosen, 1))
    return np.asarray(strip.resize((strip.width * 2, strip.height * 2), Pillow.Resampling.LANCZOS))


def _write(strips: Sequence[tuple[np.ndarray, str]], columns: int, file: Path) -> None:
    cells = []
    for strip, text in strips:
        height, width, _ = strip.shape
        cell = Pillow.new("RGB", (width + 12, height + 26), "white")
        cell.paste(Pillow.fromarray(strip), (0, 0))
        ImageDraw.Draw(cell).text((2, height + 6), text, "black")
        cells.append(cell)
    rows = -(-len(cells) // columns)
    page = Pillow.new("RGB", (columns * cells[0].width, rows * cells[0].height), "white")
    for k, cell in enumerate(cells):
        page.paste(cell, ((k // rows) * cell.width, (k % rows) * cell.height))
    page.save(file)
