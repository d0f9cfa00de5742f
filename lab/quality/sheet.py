"""Draw a contact sheet of generated clips."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw

from lab.quality.clips import GeneratedClip

SHEET_CLIPS = 24
PLACES = (0, 0.5, 1.0)
"""Places of the frames in a clip, 0 to 1."""


def write_sheet(clips: Sequence[GeneratedClip], file: Path) -> None:
    """Write the first clips in two columns: three frames each, enlarged twice, with their text."""
    cells = []
    for clip in clips[:SHEET_CLIPS]:
        frames = [clip.frames[round(place * (len(clip.frames) - 1))] for place in PLACES]
        strip = Pillow.fromarray(np.concatenate(frames, 1))
        strip = strip.resize((strip.width * 2, strip.height * 2), Pillow.Resampling.LANCZOS)
        cell = Pillow.new("RGB", (strip.width + 12, strip.height + 26), "white")
        cell.paste(strip, (0, 0))
        ImageDraw.Draw(cell).text((2, strip.height + 6), clip.text, "black")
        cells.append(cell)
    rows = (len(cells) + 1) // 2
    page = Pillow.new("RGB", (2 * cells[0].width, rows * cells[0].height), "white")
    for k, cell in enumerate(cells):
        page.paste(cell, ((k // rows) * cell.width, (k % rows) * cell.height))
    page.save(file)
