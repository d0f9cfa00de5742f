"""Measure frames on small grey images: brightness, sharpness, motion, borders, text, logos."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from procvid.types import Image

SIDE = 320
"""Longer side of the measured grey image in pixels. All thresholds depend on it."""

BLACK = 16
EDGE = 40.0
CONSTANT = 0.9
MIN_SAMPLES = 8
Grey = NDArray[np.float32]


@dataclass(frozen=True)
class FrameSample:
    """The measures of one frame.

    Attributes:
        time_s: Time in the video in seconds.
        brightness: Mean, 0 (black) to 1 (white).
        sharpness: Variance of the Laplacian of the grey image (pixels 0 to 255). Blur is low.
        motion: Mean difference from the previous sample, 0 to 1. The first sample has 1.
        border: Share of the image that black bars cover, 0 to 1.
        text: Stroke density of a band in the lower third minus that around it, 0 to 1.
    """

    time_s: float
    brightness: float
    sharpness: float
    motion: float
    border: float
    text: float


class FrameMeter:
    """Measures frames one by one, and holds two images for videos of any length."""

    def __init__(self) -> None:
        self.samples: list[FrameSample] = []
        self._before: Grey | None = None
        self._edges: NDArray[np.int32] | None = None
        self._counted = 0

    def add(self, time_s: float, frame: Image) -> None:
        """Measure one frame, uint8 (H, W, 3) RGB."""
        grey = _grey(frame)
        motion = 1.0
        if self._before is not None and self._before.shape == grey.shape:
            motion = float(np.abs(grey - self._before).mean()) / 255
        self._before = grey
        self.samples.append(
            FrameSample(
                round(time_s, 3),
                round(float(grey.mean()) / 255, 4),
                round(_sharpness(grey), 1),
                round(motion, 4),
                round(_border(grey), 4),
                round(_text(grey), 4),
            )
        )
        edges = _edges(grey)
        if self._edges is None or self._edges.shape != edges.shape:
            self._edges, self._counted = np.zeros(edges.shape, np.int32), 0
        self._edges += edges
        self._counted += 1

    def logo(self) -> float:
        """Return the largest share of constant edges in a corner while the middle moves, 0 to 1.

        The value is 0 for too few samples or a still image.
        """
        if self._edges is None or self._counted < MIN_SAMPLES:
            return 0.0
        still = self._edges >= CONSTANT * self._counted
        height, width = still.shape
        h, w = max(1, height // 5), max(1, width // 4)
        middle = float(still[h:-h, w:-w].mean())
        corners = (still[:h, :w], still[:h, -w:], still[-h:, :w], still[-h:, -w:])
        most = max(float(corner.mean()) for corner in corners)
        return round(most, 4) if most > 4 * middle else 0.0


def _grey(frame: Image) -> Grey:
    height, width = frame.shape[:2]
    share = SIDE / max(height, width)
    size = max(8, round(width * share)), max(8, round(height * share))
    small = Pillow.fromarray(frame).convert("L").resize(size, Pillow.Resampling.BOX)
    return np.asarray(small, np.float32)


def _sharpness(grey: Grey) -> float:
    inside = grey[1:-1, 1:-1]
    around = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
    return float((around - 4 * inside).var())


def _border(grey: Grey) -> float:
    """Return the share that black bars cover. A black image has none."""
    rows, columns = grey.max(axis=1) > BLACK, grey.max(axis=0) > BLACK
    if not rows.any():
        return 0.0
    return 1.0 - max(0.0, _extent(rows) * _extent(columns))


def _extent(lit: NDArray[np.bool_]) -> float:
    where = np.flatnonzero(lit)
    return float(where[-1] - where[0] + 1) / len(lit)


def _edges(grey: Grey) -> NDArray[np.bool_]:
    found = np.zeros(grey.shape, bool)
    found[:, 1:] = np.abs(np.diff(grey, axis=1)) > EDGE
    found[1:] |= np.abs(np.diff(grey, axis=0)) > EDGE
    return found


def _text(grey: Grey) -> float:
    """Return the strength of a text line: many strokes in a low band, few above and below it."""
    strokes = (np.abs(np.diff(grey, axis=1)) > EDGE).mean(axis=1)
    height = len(strokes)
    best = 0.0
    for share in (0.05, 0.09):
        band = max(2, round(share * height))
        for top in range(2 * height // 3, height - band + 1, max(1, band // 2)):
            inside = float(strokes[top : top + band].mean())
            beside = [strokes[max(0, top - band) : top], strokes[top + band : top + 2 * band]]
            around = max((float(rows.mean()) for rows in beside if len(rows)), default=0.0)
            best = max(best, inside - around)
    return best
