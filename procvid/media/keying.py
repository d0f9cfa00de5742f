"""Keying: where a thing stands on a plain background, told by the colour of the frame's border."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from procvid.types import Image

BORDER_PX = 3
DISTANCE = 34.0


def foreground_mask(image: Image, distance: float = DISTANCE) -> NDArray[np.bool_]:
    """bool (H, W): pixels further than `distance` (RGB, Euclidean) from the border's median colour.

    Right for a plain background that surrounds the thing; on a textured one nearly all is foreground.
    """
    edge = np.concatenate(
        [
            image[:BORDER_PX].reshape(-1, 3),
            image[-BORDER_PX:].reshape(-1, 3),
            image[:, :BORDER_PX].reshape(-1, 3),
            image[:, -BORDER_PX:].reshape(-1, 3),
        ]
    )
    background = np.median(edge, axis=0)
    away = np.linalg.norm(image.astype(np.float32) - background, axis=2)
    return np.asarray(away > distance)
