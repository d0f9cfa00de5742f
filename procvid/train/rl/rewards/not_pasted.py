"""Are the referenced objects drawn, or are the pixels of a reference pasted into the clip?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from procvid.evaluate.credit import NEEDED, PASTED, copying
from procvid.evaluate.fidelity import GATE
from procvid.evaluate.pixels import copied_detail
from procvid.protocols import Detector
from procvid.train.rl.rewards.clips import role_in, spread_frames
from procvid.train.rl.rewards.reward import RewardCard, Shown
from procvid.types import BoxXYXY, Image, ModelInfo

CARD = RewardCard(
    id="not_pasted",
    title="Not pasted",
    measures="1 if no referenced object repeats its reference pixel by pixel more than keeping an "
    "identity needs; 0 if one does as much as a pasted reference.",
    none="No referenced object, other than a surface, is found in the clip.",
    limits="Misses a reference that is pasted rotated, mirrored, brightened or warped, or where the "
    "detector does not find the object. A small object has too little detail. An object that is drawn "
    "again in the same place to the pixel counts as pasted.",
)

NUM_FRAMES = 3
"""First, middle and last."""

MIN_SIDE_PX = 4
"""Shortest side of a box that is compared; smaller ones are errors of the detector."""


class NotPasted:
    """Score the worst of the references; each counts with the median over the frames that show it.

    Args:
        detector: Finds the referenced objects.
    """

    card = CARD

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self.models: tuple[ModelInfo, ...] = (detector.info,)

    def __call__(self, clip: Shown) -> float | None:
        """Return a value from 0 to 1, or None if no referenced object is found."""
        names = [name for name in clip.references if role_in(clip.step, name) != "surface"]
        if not names:
            return None
        images = spread_frames(clip.frames, NUM_FRAMES)
        places: dict[str, list[tuple[Image, BoxXYXY]]] = {name: [] for name in names}
        for image, found in zip(images, self._detector.detect(images, names), strict=True):
            for each in found:
                x0, y0, x1, y1 = each.box_xyxy
                has_size = min(x1 - x0, y1 - y0) >= MIN_SIDE_PX
                if each.score >= GATE and each.label in places and has_size:
                    places[each.label].append((image, each.box_xyxy))
        shares = [_match(seen, clip.references[name]) for name, seen in places.items() if seen]
        return 1 - min(1.0, copying(max(shares)) / PASTED) if shares else None


def _match(seen: Sequence[tuple[Image, BoxXYXY]], reference: Image) -> float:
    """Return the median share of a reference's detail, 0 to 1, that its places in frames repeat.

    Two of three places that repeat no more than an identity needs decide: the third, which takes time,
    cannot lift the median above that.
    """
    shares: list[float] = []
    for image, box in seen:
        if len(shares) == 2 and max(shares) <= NEEDED:
            break
        shares.append(copied_detail(image, box, reference))
    return float(np.median(shares))
