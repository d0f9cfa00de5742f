"""Likeness in fine detail between a region of a frame and a reference picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from procvid.media.image import WHITE, crop_on_white, resize
from procvid.types import BoxXYXY, Image

SIDE = 32
"""Both pictures are compared at this size, in pixels."""

SHIFT = 2
"""Best of all shifts up to so many pixels each way: a detector's box is about a pixel off."""

BLUR = 5
MIN_PIXELS = 40


def detail_match(region: Image, reference: Image) -> float:
    """-1 to 1: correlation of the high-passed grey values where the reference is not white.

    Args:
        region: uint8 (H, W, 3) RGB, the object's box in a frame.
        reference: uint8 (h, w, 3) RGB, a crop on white that was cut along the object's box.

    Returns:
        The best over small shifts; 0 where one of the two has no detail.
    """
    small = resize(reference, SIDE, SIDE)
    shown = np.asarray((small < WHITE - 5).any(axis=2), np.bool_)
    wanted, seen = high_pass(small), high_pass(resize(region, SIDE, SIDE))
    best = -1.0
    for dy in range(-SHIFT, SHIFT + 1):
        for dx in range(-SHIFT, SHIFT + 1):
            here = _overlap(dy, dx)
            there = _overlap(-dy, -dx)
            inside = shown[here]
            best = max(best, correlation(wanted[here][inside], seen[there][inside]))
    return best


def region_of(frame: Image, box: BoxXYXY) -> Image:
    """The box cut out of the frame, with all that is in it."""
    return crop_on_white(frame, box)


def high_pass(image: Image) -> NDArray[np.float64]:
    """Grey values less their mean over 5x5 pixels, float64 (H, W)."""
    grey = image.astype(np.float64).mean(axis=2)
    reach = BLUR // 2
    padded = np.pad(grey, reach, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (BLUR, BLUR))
    return np.asarray(grey - windows.mean(axis=(2, 3)))


def correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Pearson correlation of two equally long vectors; 0 when one of them is flat or too short."""
    if a.size < MIN_PIXELS:
        return 0.0
    a, b = a - a.mean(), b - b.mean()
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b / size) if size > 1e-6 else 0.0


def _overlap(dy: int, dx: int) -> tuple[slice, slice]:
    return (
        slice(max(0, dy), SIDE + min(0, dy)),
        slice(max(0, dx), SIDE + min(0, dx)),
    )
