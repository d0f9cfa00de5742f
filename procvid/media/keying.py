"""Find a thing on a plain background by the colour of the frame's border (keying)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from procvid.types import Image

BORDER_PX = 3
DISTANCE = 34.0
SECOND_TONE_SHARE = 0.1


def foreground_mask(image: Image, distance: float = DISTANCE) -> NDArray[np.bool_]:
    """Return the foreground mask, bool (H, W).

    Background pixels are connected to the border and within `distance` (Euclidean RGB) of the
    border's one or two tones, or of a blend of them. So a dark pan keeps its dark inside on a dark
    counter. The method suits plain or softly patterned backgrounds. On a busy one nearly everything
    is foreground.
    """
    edge = np.concatenate(
        [
            image[:BORDER_PX].reshape(-1, 3),
            image[-BORDER_PX:].reshape(-1, 3),
            image[:, :BORDER_PX].reshape(-1, 3),
            image[:, -BORDER_PX:].reshape(-1, 3),
        ]
    )
    alike = _near_segment(image, *_two_tones(edge, distance)) <= distance
    return ~_open_to_border(alike)


def _two_tones(
    edge: NDArray[np.uint8], distance: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the border's median colour, and a second tone if the border is patterned."""
    first = np.median(edge, axis=0)
    rest = edge[np.linalg.norm(edge - first, axis=1) > 0.5 * distance]
    second = np.median(rest, axis=0) if len(rest) >= SECOND_TONE_SHARE * len(edge) else first
    return first, second if np.linalg.norm(second - first) <= 2 * distance else first


def _near_segment(
    image: Image, first: NDArray[np.float64], second: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return each pixel's RGB distance from the segment between two colours, float (H, W)."""
    along = second - first
    length = float(along @ along)
    offset = image.astype(np.float64) - first
    share = np.clip(offset @ along / length, 0, 1) if length else np.zeros(image.shape[:2])
    return np.asarray(np.linalg.norm(offset - share[..., None] * along, axis=2))


def _open_to_border(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the pixels of a bool (H, W) mask that connect to the border inside the mask."""
    reached = np.zeros_like(mask)
    reached[[0, -1]], reached[:, [0, -1]] = mask[[0, -1]], mask[:, [0, -1]]
    before = -1
    while (count := int(reached.sum())) != before:
        before = count
        reached = _fill_runs(mask, reached)
        reached = _fill_runs(mask.T, reached.T).T
    return reached


def _fill_runs(mask: NDArray[np.bool_], reached: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return `reached` spread along each run of `mask` within a row."""
    flat = np.pad(mask, ((0, 0), (0, 1))).ravel()
    starts = np.flatnonzero(np.diff(flat, prepend=~flat[:1]))
    hit = np.logical_or.reduceat(np.pad(reached, ((0, 0), (0, 1))).ravel(), starts)
    spread = np.repeat(hit, np.diff(starts, append=flat.size))
    return np.asarray(spread.reshape(len(mask), -1)[:, :-1] & mask)
