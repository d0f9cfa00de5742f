"""Describe clips of the toy kitchen in the words that its small models know."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from procvid.plan.writing.wording import gerund
from procvid.toykitchen.foods import FOODS
from procvid.toykitchen.identity import TOOLS, VESSELS
from procvid.toykitchen.reading import SceneReading
from procvid.toykitchen.scene import FoodItem, Scene
from procvid.toykitchen.words import caption
from procvid.types import Frames, ModelInfo, PlannedObject

BEST, INVENTED = 6, 2
"""The best rating, and the best one of a caption with a thing that the clip does not show."""


class TinyCaptioner:
    """Reads a clip and writes one sentence about it, worded as in the training of the tiny step CLIP.

    Args:
        read: Reads uint8 (T, H, W, 3) RGB frames, with the time of each in seconds.
        info: The model behind it.
    """

    def __init__(
        self, read: Callable[[Frames, Sequence[float]], SceneReading], info: ModelInfo
    ) -> None:
        self._read = read
        self.info = info

    def caption(self, frames: Frames, action: str) -> str:
        """Describe uint8 (T, H, W, 3) RGB frames; ignores the action."""
        reading = self._seen(frames)
        food = None
        if reading.foods:
            main = reading.foods[0]
            food = FoodItem(main.name, state=main.before.value)
        return caption(Scene(reading.action, food, reading.vessel, seed=0))

    def rate(self, frames: Frames, caption: str) -> int:
        """Rate a caption from 0 to 6: the share of what is seen, at most 2 if a thing is invented."""
        reading, text = self._seen(frames), caption.lower()
        seen = [item.name for item in _objects(reading)]
        named = [_names(text, name) for name in seen]
        acts = any(word in text for word in (reading.action, gerund(reading.action)))
        rating = round(BEST * (sum(named) + acts) / (len(named) + 1))
        things = (name for name in (*FOODS, *VESSELS, *TOOLS) if name not in seen)
        invented = any(_names(text, name) for name in things)
        return min(rating, INVENTED) if invented else rating

    def _seen(self, frames: Frames) -> SceneReading:
        return self._read(frames, [float(row) for row in range(len(frames))])


def _names(text: str, thing: str) -> bool:
    """Return True if a text names a thing, also in the plural; "potato" does not name a pot."""
    return re.search(rf"\b{thing}(?:e?s)?\b", text) is not None


def _objects(reading: SceneReading) -> list[PlannedObject]:
    """Return what was read as objects, the food that is worked on first."""
    foods = [
        PlannedObject(
            food.name, "food", food.name, food.before.value, food.after.value, "likely", 1.0
        )
        for food in reading.foods
    ]
    things = [PlannedObject(reading.vessel, "vessel", reading.vessel, "", "", "likely", 0.5)]
    if reading.tool:
        things.append(PlannedObject(reading.tool, "tool", reading.tool, "", "", "likely", 0.5))
    return foods + things
