"""Are the foods in the planned states, before the step in the first frame and after it in the last?"""

from __future__ import annotations

import numpy as np

from procvid.train.rl.rewards.reward import RewardCard, Shown, StateReader
from procvid.types import Image, ModelInfo, PlannedObject

CARD = RewardCard(
    id="object_state",
    title="Object state",
    measures="1 if each planned food is in its state before the step in the first frame and in its state "
    "after the step in the last two frames; 0 if no food is in either state.",
    none="The step plans no food in states that the reader knows.",
    limits="Only the ends of the clip count. A food that an add or serve step brings in may lie there "
    "from the first frame. Foods and states that the reader does not know are left out.",
)

FLOOR = 0.02
"""Lowest fit, 0 to 1, that enters the geometric mean, so that one end still counts if the other fails."""

BRINGING = frozenset({"add", "serve"})
"""Actions that may bring a food into the picture after the first frame."""

ABSENT = "absent"
"""State of a food that is not in the picture; a reader need not know it."""


class ObjectStateReward:
    """Score the states of the planned foods in order of time.

    The value of a food is the geometric mean of two fits: of the first frame to the state before the
    step, and of the last two frames to the state after it. The reward is the mean over the foods.

    Args:
        reader: Says how well a frame shows a food in a state.
    """

    card = CARD

    def __init__(self, reader: StateReader) -> None:
        self._reader = reader
        self.models: tuple[ModelInfo, ...] = (reader.info,)

    def __call__(self, clip: Shown) -> float | None:
        """Return a value from 0 to 1, or None if the reader knows none of the foods and states."""
        foods = {item.name: item for item in clip.step.objects if item.role == "food"}
        brings = clip.step.action in BRINGING
        first, last = [clip.frames[0]], list(clip.frames[-2:])
        fits = [self._fit(first, last, food, brings) for food in foods.values()]
        known = [fit for fit in fits if fit is not None]
        return float(np.mean(known)) if known else None

    def _fit(
        self, first: list[Image], last: list[Image], food: PlannedObject, brings: bool
    ) -> float | None:
        """Return the geometric mean for a food, `FLOOR` to 1; None if the reader does not know it."""
        before = self._reader.state_fit(first, food.name, food.state_before)
        after = self._reader.state_fit(last, food.name, food.state_after)
        if before is None or after is None:
            return None
        start, end = float(np.mean(before)), float(np.mean(after))
        if brings:
            missing = self._reader.state_fit(first, food.name, ABSENT)
            # The two states exclude each other, so their probabilities add up.
            start = 1.0 if missing is None else min(1.0, start + float(np.mean(missing)))
        return float(np.sqrt(max(start, FLOOR) * max(end, FLOOR)))
