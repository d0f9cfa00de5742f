"""Do the vessel, the tool, the counter and the side object look like their references?"""

from __future__ import annotations

import numpy as np

from procvid.train.rl.rewards.clips import role_in, spread_frames
from procvid.train.rl.rewards.reward import LookReader, RewardCard, Shown
from procvid.types import ModelInfo

CARD = RewardCard(
    id="identity",
    title="Identity",
    measures="1 if every referenced object except food looks like its reference in all sampled frames; 0 "
    "if each shows another colour, pattern, shape or kind.",
    none="The clip has no reference of an object, other than food, that the reader knows.",
    limits="A pasted reference gets 1; `not_pasted` must be on. Looks that the reader cannot tell apart "
    "count as the same. A tool counts in its best frame only.",
)

NUM_FRAMES = 3
"""First, middle and last."""

TOOL_FRAMES = 5
"""A tool is not always in the picture, so the best of these frames counts."""


class Identity:
    """Score how well the frames fit the references; the mean over the referenced objects.

    Args:
        reader: Says how well a frame shows the object of a reference.
    """

    card = CARD

    def __init__(self, reader: LookReader) -> None:
        self._reader = reader
        self.models: tuple[ModelInfo, ...] = (reader.info,)

    def __call__(self, clip: Shown) -> float | None:
        """Return a value from 0 to 1, or None without a reference that the reader knows."""
        values = []
        for name, reference in clip.references.items():
            role = role_in(clip.step, name)
            if role == "food":
                continue
            count = TOOL_FRAMES if role == "tool" else NUM_FRAMES
            fits = self._reader.look_fit(spread_frames(clip.frames, count), name, reference)
            if fits:
                values.append(max(fits) if role == "tool" else float(np.mean(fits)))
        return float(np.mean(values)) if values else None
