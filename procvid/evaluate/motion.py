"""Detection of stills: the number of different images in a clip, ignoring camera moves."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

from procvid.media.image import resize
from procvid.types import Image

SIDE = 48
BLURS = 6
"""Passes of a 1-2-1 filter, so that gradients predict the image half a pixel further on."""

MAX_SHIFT = 5
"""Largest shift between neighbouring frames that is undone, in pixels of 48."""

ROUNDS = 3
FLOOR = 0.4
"""Mean difference, 0 to 255, from which two frames are different images. A frozen clip has 0, or less
than 0.2 after h264; neighbouring frames of the toy clip with the least motion differ by more than 3."""

GRAIN = 0.22
"""A difference is grain if blurring leaves at most this share of it. White noise keeps 0.18, the motion
of toy clips 0.5 and more."""

LEAST_PICTURES = 3
"""Two alternating images are not motion."""

Small = NDArray[np.float64]


def num_pictures(images: Sequence[Image]) -> int:
    """Return the number of different images among the frames, in any order.

    A frame is not a new image if it repeats an earlier one apart from grain, or if it is its neighbour
    after a shift, zoom, rotation or change of brightness. These edits make a still look like a clip.

    Args:
        images: uint8 (H, W, 3) RGB frames of the same size, in order.
    """
    sharp = [_plain(image, blurs=0) for image in images]
    small = [_plain(image) for image in images]
    pictures = 0
    for number, frame in enumerate(small):
        known = any(
            _difference(frame, small[k]) < max(FLOOR, GRAIN * _difference(sharp[number], sharp[k]))
            for k in range(number)
        )
        if not known and (not number or _unexplained(small[number - 1], frame) >= FLOOR):
            pictures += 1
    return pictures


def _plain(image: Image, blurs: int = BLURS) -> Small:
    """Return a blurred float64 (H, W, 3) without the mean of each channel, so brightness is ignored."""
    values = resize(image, SIDE, SIDE).astype(np.float64)
    for _ in range(blurs):
        for axis in (0, 1):
            ends = np.pad(values, [(int(axis == k),) * 2 for k in range(3)], mode="edge")
            middle = np.moveaxis(ends, axis, 0)
            mixed = (middle[:-2] + 2 * middle[1:-1] + middle[2:]) / 4
            values = np.moveaxis(mixed, 0, axis)
    return np.asarray(values - values.mean(axis=(0, 1)))


def _difference(a: Small, b: Small) -> float:
    return float(np.abs(a - b).mean())


def _unexplained(before: Small, after: Small) -> float:
    """Return the mean difference that remains after the best camera move of the whole image.

    Finds the best whole shift, then an affine motion, a gain and a tint by least squares, each round
    linear in the gradients of the image as moved so far (Lucas and Kanade).
    """
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float64)
    u, v = y / SIDE - 0.5, x / SIDE - 0.5
    ways = (np.ones_like(u), u, v)
    shifts = product(range(-MAX_SHIFT, MAX_SHIFT + 1), repeat=2)
    by_y, by_x = min(
        shifts,
        key=lambda by: _difference(_inner(np.roll(before, by, axis=(0, 1))), _inner(after)),
    )
    down, right = y - by_y, x - by_x
    left, flat = np.inf, np.broadcast_to(np.eye(3)[:, None, None], (3, SIDE, SIDE, 3))
    for _ in range(ROUNDS):
        moved = _sampled(before, down, right)
        slopes = np.gradient(moved, axis=(0, 1))
        columns = [slope * way[..., None] for slope in slopes for way in ways]
        basis = np.stack([_inner(column).ravel() for column in (*columns, moved, *flat)], axis=1)
        rest = _inner(after - moved).ravel()
        found = np.linalg.lstsq(basis, rest, rcond=None)[0]
        left = min(left, float(np.abs(rest - basis @ found).mean()))
        down = down + sum(a * way for a, way in zip(found[:3], ways, strict=True))
        right = right + sum(a * way for a, way in zip(found[3:6], ways, strict=True))
    return left


def _sampled(picture: Small, down: Small, right: Small) -> Small:
    """Return the image sampled at positions (H, W) by bilinear interpolation."""
    down, right = np.clip(down, 0, SIDE - 1.001), np.clip(right, 0, SIDE - 1.001)
    i, j = down.astype(np.intp), right.astype(np.intp)
    a, b = (down - i)[..., None], (right - j)[..., None]
    upper = picture[i, j] * (1 - b) + picture[i, j + 1] * b
    lower = picture[i + 1, j] * (1 - b) + picture[i + 1, j + 1] * b
    return np.asarray(upper * (1 - a) + lower * a)


def _inner(picture: Small) -> Small:
    """Return the image without its border, where a moved image is undefined."""
    edge = MAX_SHIFT + 1
    return picture[edge:-edge, edge:-edge]
