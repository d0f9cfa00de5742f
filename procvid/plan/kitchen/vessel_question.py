"""Ask for the place of an action, with what the kitchen, the step and its words know."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from procvid.plan.kitchen.state import KitchenState
from procvid.plan.kitchen.stepwalk import PASSING, StepWalk, here
from procvid.plan.kitchen.things import Food, Vessel
from procvid.plan.language.lexicon import Action, lexicon
from procvid.plan.language.reading import Reading, Segment

NOWHERE = Vessel("", "", "", "", 0)
"""Answer to a question if an action needs no vessel."""


@dataclass(frozen=True)
class VesselQuestion:
    """An action whose place is asked for.

    Attributes:
        kitchen: The kitchen before the action.
        walk: The step so far.
        action: The action.
        segment: Its words.
        foods: Its foods, the main one first.
        later: The readings of the next steps.
    """

    kitchen: KitchenState
    walk: StepWalk
    action: Action
    segment: Segment
    foods: Sequence[str]
    later: Sequence[Reading]

    @property
    def name(self) -> str:
        return self.action.name

    @property
    def verb(self) -> str:
        return self.segment.verb.name

    @property
    def last(self) -> Vessel | None:
        """The vessel of the step before."""
        return self.kitchen.vessels.get(self.kitchen.last_vessel or "")

    @property
    def used(self) -> Vessel | None:
        """The vessel of an earlier action of the step."""
        return here(self.kitchen, self.walk)

    @property
    def hot(self) -> Vessel | None:
        """The vessel that was heated last."""
        return self.kitchen.vessels.get(self.kitchen.last_hot or "")

    @property
    def main(self) -> Food | None:
        return self.kitchen.foods[self.foods[0]] if self.foods else None

    @property
    def beside(self) -> set[str]:
        """The foods that come "with" something."""
        return {self.kitchen.name_of(m) for m in self.segment.foods if m.preposition == "with"}

    @property
    def moved(self) -> Food | None:
        """The first food that does not come "with" something."""
        own = next((n for n in self.foods if n not in self.beside), next(iter(self.foods), ""))
        return self.kitchen.foods.get(own)

    def at(self, food: Food | None) -> Vessel | None:
        """Return the vessel in which a food lies."""
        return self.kitchen.vessels.get(food.vessel or "") if food is not None else None

    def spots(self, names: Sequence[str]) -> list[Vessel | None]:
        """Return the vessel of each food."""
        return [self.at(self.kitchen.foods[name]) for name in names]

    def suits(self, vessel: Vessel) -> bool:
        """Return True if the action can happen in a vessel."""
        needs = self.action.needs
        return vessel.use in needs if needs else vessel.use not in PASSING

    def get(self, kind: str, *, apart: bool = False) -> Vessel:
        """Return a vessel of that kind; `apart` for one without regard to where the foods lie."""
        foods = () if apart else self.foods
        return self.kitchen.get_vessel(lexicon().entries[kind], self.walk.number, foods)

    def says(self, pattern: re.Pattern[str]) -> bool:
        return bool(pattern.search(self.walk.text.lower()))
