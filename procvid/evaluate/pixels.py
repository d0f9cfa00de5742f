"""Detection of pasted references: the pixels of a reference in a frame, near a box and in any size."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from procvid.media.image import WHITE, resize
from procvid.types import BoxXYXY, Image

SIDE = 48
"""An object longer than this many pixels is scaled down by a whole factor before the comparison."""

SIZES = tuple(np.geomspace(0.65, 1.45, 13))
"""Sizes of a paste that are tried, relative to the detector's box."""

MARGIN = 0.5
"""Largest offset of a paste from the box, as a share of the box's longer side."""

REFINEMENTS = 3
BLUR = 5
CELL = 6
MIN_DETAIL = 6.0
"""Lowest root mean square of a cell's high-passed grey values, 0 to 255. Flatter cells are ignored."""

MIN_PIXELS = 40
MIN_CELLS = 4
QUANTILE = 0.75
"""Quantile over the cells: a quarter must match, because other things may cover the rest."""

Grey = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _Placed:
    """A reference in one size at its best position: correlation -1 to 1, high-passed grey values."""

    likeness: float
    size: tuple[int, int]
    wanted: Grey
    inside: NDArray[np.bool_]
    seen: Grey


def copied_detail(frame: Image, box: BoxXYXY, reference: Image) -> float:
    """Return the share of the reference's fine detail that the frame repeats, pixel by pixel.

    First finds the position and size with the best masked correlation of the high-passed grey values.
    There, each cell has 1 - RMS(frame - reference) / RMS(reference); the result is the upper quartile
    over the cells with detail.

    Args:
        frame: uint8 (H, W, 3) RGB.
        box: The detector's box of the object.
        reference: uint8 (h, w, 3) RGB, a crop on white.

    Returns:
        0 to 1: 1 for the same pixels, more than 0.75 for most resized ones, 0.3 to 0.7 for the object
        drawn again, 0 if the reference has no detail or does not fit.
    """
    window, shrink = _around(frame, box)
    # Flat padding, so that an object that crosses the border can be matched.
    seen = np.pad(high_pass(window), SIDE // 4)
    spectra = np.fft.rfft2(seen), np.fft.rfft2(seen**2)
    height, width = reference.shape[:2]
    box_width, box_height = (box[2] - box[0]) / shrink, (box[3] - box[1]) / shrink
    own = max(box_width, box_height) / max(width, height)
    shapes = ((box_width, box_height), (width * own, height * own))
    tried: dict[tuple[int, int], _Placed | None] = {}
    new = {(round(w * size), round(h * size)) for w, h in shapes for size in SIZES}
    best: _Placed | None = None
    for _ in range(1 + REFINEMENTS):
        for size in sorted(new - tried.keys()):
            tried[size] = _place(seen, spectra, reference, size)
        best = max(
            (placed for placed in tried.values() if placed is not None),
            key=lambda placed: placed.likeness,
            default=None,
        )
        if best is None:
            return 0.0
        new = {(best.size[0] + a, best.size[1] + b) for a, b in product((-1, 0, 1), repeat=2)}
    assert best is not None
    return _explained(best)


def high_pass(image: Image) -> Grey:
    """Return grey values minus their mean over 5x5 pixels, float64 (H, W)."""
    grey = image.astype(np.float64).mean(axis=2)
    return np.asarray(grey - _sums(np.pad(grey, BLUR // 2, mode="edge"), BLUR) / BLUR**2)


def _around(frame: Image, box: BoxXYXY) -> tuple[Image, int]:
    """Return the box with its margin, and the whole factor by which it was scaled down."""
    height, width = frame.shape[:2]
    side = max(box[2] - box[0], box[3] - box[1])
    shrink, reach = max(1, int(side // SIDE)), MARGIN * side
    left, top = max(0, int(box[0] - reach)), max(0, int(box[1] - reach))
    cut = frame[top : min(height, int(box[3] + reach)), left : min(width, int(box[2] + reach))]
    return resize(cut, max(1, cut.shape[1] // shrink), max(1, cut.shape[0] // shrink)), shrink


def _place(
    seen: Grey,
    spectra: tuple[NDArray[np.complex128], NDArray[np.complex128]],
    reference: Image,
    size: tuple[int, int],
) -> _Placed | None:
    """Return the reference in one size at its best position; None if it has no detail or does not fit."""
    width, height = size
    shape = (seen.shape[0], seen.shape[1])
    if min(size) < CELL or height > shape[0] or width > shape[1]:
        return None
    small = resize(reference, width, height)
    inside = np.asarray((small < WHITE - 5).any(axis=2), np.bool_)
    wanted, count = high_pass(small), int(inside.sum())
    if count < MIN_PIXELS:
        return None
    centred = np.where(inside, wanted - wanted[inside].mean(), 0.0)
    length = float(np.linalg.norm(centred))
    if length < 1.0:
        return None
    mask = np.conj(np.fft.rfft2(inside.astype(np.float64), shape))
    products = (
        spectra[0] * np.conj(np.fft.rfft2(centred, shape)),
        spectra[0] * mask,
        spectra[1] * mask,
    )
    fits = (slice(shape[0] - height + 1), slice(shape[1] - width + 1))
    both, total, squares = (np.fft.irfft2(each, shape)[fits] for each in products)
    spread = np.sqrt(np.maximum(squares - total**2 / count, 1.0))
    likeness = both / spread / length
    top, left = np.unravel_index(int(likeness.argmax()), likeness.shape)
    there = seen[top : top + height, left : left + width]
    return _Placed(float(likeness[top, left]), size, wanted, inside, there)


def _explained(placed: _Placed) -> float:
    """Return the upper quartile over the cells; 0 if too few have detail."""
    inside = placed.inside
    count = _sums(inside.astype(np.float64), CELL)
    detail = _sums(placed.wanted**2 * inside, CELL)
    left_over = _sums((placed.seen - placed.wanted) ** 2 * inside, CELL)
    telling = (count >= 0.4 * CELL**2) & (detail >= MIN_DETAIL**2 * np.maximum(count, 1))
    if int(telling.sum()) < MIN_CELLS:
        return 0.0
    shares = 1 - np.sqrt(np.maximum(left_over[telling], 0) / detail[telling])
    return float(np.clip(np.quantile(shares, QUANTILE), 0, 1))


def _sums(values: Grey, side: int) -> Grey:
    """Return the sum over each square of `side` pixels inside the image."""
    table = np.pad(values, ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    return np.asarray(
        table[side:, side:] - table[:-side, side:] - table[side:, :-side] + table[:-side, :-side]
    )
