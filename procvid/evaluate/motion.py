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

MAX_REACH = 2.0
"""Largest camera move, in pixels of 48, over which slow motion is added up."""

LEAST_OWN, LEAST_SLOW = 0.2, 0.5
"""Share of a change that no camera move explains, from which it is motion: from one frame to the next,
and over several frames, where a zoom leaves more."""

LEAST_PICTURES = 3
"""Two alternating images are not motion."""

Small = NDArray[np.float64]
Camera = NDArray[np.float64]
"""float64 (2, 3): how far each pixel is moved down and right, as factors of `WAYS`."""

STILL: Camera = np.zeros((2, 3))
GRID = np.mgrid[:SIDE, :SIDE].astype(np.float64)
WAYS = np.stack([np.ones((SIDE, SIDE)), *(GRID / SIDE - 0.5)])
"""Constant, row and column of each pixel, from -0.5 to 0.5; float64 (3, H, W)."""


def num_pictures(images: Sequence[Image]) -> int:
    """Return the number of different images among the frames, in any order.

    A frame is not a new image if it repeats an earlier one apart from grain, or if it is the frame before
    it after a shift, zoom, rotation or change of brightness. These edits make a still look like a clip.
    Slow motion adds up: a frame is also compared with the latest image that is known to be new.

    Args:
        images: uint8 (H, W, 3) RGB frames of the same size, in order.
    """
    sharp = [_plain(image, blurs=0) for image in images]
    small = [_plain(image) for image in images]
    pictures, known, base, camera = min(1, len(images)), [0], 0, STILL
    for number in range(1, len(images)):
        frame = small[number]
        repeated = [
            k
            for k in known
            if _difference(frame, small[k])
            < max(FLOOR, GRAIN * _difference(sharp[number], sharp[k]))
        ]
        if repeated:
            base, camera = repeated[0], STILL
            continue
        step, change = _registered(small[number - 1], frame)
        moves = change >= max(FLOOR, LEAST_OWN * _whole_change(small[number - 1], frame))
        if not moves:
            camera, change = _registered(small[base], frame, _after(camera, step))
            moves = change >= max(FLOOR, LEAST_SLOW * _whole_change(small[base], frame))
        pictures += moves
        if moves or _reach(camera) > MAX_REACH:
            known.append(number)
            base, camera = number, STILL
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


def _registered(before: Small, after: Small, start: Camera | None = None) -> tuple[Camera, float]:
    """Return the best camera move of the whole image, and the mean difference that it leaves.

    Finds an affine motion, a gain and a tint by least squares, each round linear in the gradients of the
    image as moved so far (affine optical flow, Lucas and Kanade). Starts from the best whole shift unless
    a start is given.
    """
    camera = _best_shift(before, after) if start is None else start
    best, left = camera, np.inf
    flat = np.broadcast_to(np.eye(3)[:, None, None], (3, SIDE, SIDE, 3))
    for _ in range(ROUNDS):
        moved = _sampled(before, *_places(camera))
        slopes = np.gradient(moved, axis=(0, 1))
        columns = [slope * way[..., None] for slope in slopes for way in WAYS]
        basis = np.stack([_inner(column).ravel() for column in (*columns, moved, *flat)], axis=1)
        rest = _inner(after - moved).ravel()
        found = np.linalg.lstsq(basis, rest, rcond=None)[0]
        unexplained = float(np.abs(rest - basis @ found).mean())
        camera = camera + found[:6].reshape(2, 3)
        if unexplained < left:
            best, left = camera, unexplained
    return best, left


def _best_shift(before: Small, after: Small) -> Camera:
    shifts = product(range(-MAX_SHIFT, MAX_SHIFT + 1), repeat=2)
    by = min(
        shifts,
        key=lambda by: _whole_change(np.roll(before, by, axis=(0, 1)), after),
    )
    return np.array([[-by[0], 0, 0], [-by[1], 0, 0]], np.float64)


def _places(camera: Camera) -> NDArray[np.float64]:
    """Return where each pixel of the moved image lies in the image before, float64 (2, H, W)."""
    return np.asarray(GRID + np.tensordot(camera, WAYS, axes=1))


def _after(first: Camera, second: Camera) -> Camera:
    """Return the camera move that makes the first move and then the second."""
    # Both are affine in (1, u, v), and the second says where the first is read.
    return np.asarray(first + second + first[:, 1:] @ second / SIDE)


def _reach(camera: Camera) -> float:
    """Return how far the move shifts a pixel at most, in pixels of 48."""
    return float(np.abs(_places(camera) - GRID).max())


def _sampled(picture: Small, down: Small, right: Small) -> Small:
    """Return the image sampled at positions (H, W) by bilinear interpolation."""
    down, right = np.clip(down, 0, SIDE - 1.001), np.clip(right, 0, SIDE - 1.001)
    i, j = down.astype(np.intp), right.astype(np.intp)
    a, b = (down - i)[..., None], (right - j)[..., None]
    upper = picture[i, j] * (1 - b) + picture[i, j + 1] * b
    lower = picture[i + 1, j] * (1 - b) + picture[i + 1, j + 1] * b
    return np.asarray(upper * (1 - a) + lower * a)


def _whole_change(before: Small, after: Small) -> float:
    return _difference(_inner(before), _inner(after))


def _inner(picture: Small) -> Small:
    """Return the image without its border, where a moved image is undefined."""
    edge = MAX_SHIFT + 1
    return picture[edge:-edge, edge:-edge]
