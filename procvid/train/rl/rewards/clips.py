"""What several rewards take from a clip: evenly spread frames, and the role of a reference."""

from __future__ import annotations

import numpy as np

from procvid.plan.cast import role_of
from procvid.types import Frames, Image, Role, StepPlan


def spread_frames(frames: Frames, count: int) -> list[Image]:
    """Return at most `count` different frames, evenly spread, first and last included.

    Args:
        frames: uint8 (T, H, W, 3) RGB, at least one frame.
        count: Number of frames, at least 2.
    """
    rows = np.unique(np.linspace(0, len(frames) - 1, min(count, len(frames))).round().astype(int))
    return [frames[row] for row in rows]


def role_in(step: StepPlan, name: str) -> Role:
    """Return the planned role of an object, else the role in the lexicon, else "food"."""
    planned = {item.name: item.role for item in step.objects}
    return planned[name] if name in planned else role_of(name, "food")
