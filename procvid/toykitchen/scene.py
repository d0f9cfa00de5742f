"""Describe what one clip shows: an action, its food, other foods and the vessel."""

from __future__ import annotations

from dataclasses import dataclass, replace

ACTIONS = (
    "peel", "slice", "dice", "add", "stir", "mix", "mash", "fry", "flip", "boil", "bake", "serve",
)  # fmt: skip
FORMS = ("whole", "peeled", "sliced", "diced", "mixed", "mashed")
COOKED = ("fried", "boiled", "baked")
STATES = (*FORMS, *COOKED)
PRODUCES = {
    "peel": "peeled",
    "slice": "sliced",
    "dice": "diced",
    "mix": "mixed",
    "mash": "mashed",
    "fry": "fried",
    "boil": "boiled",
    "bake": "baked",
}
TOOL_OF = {
    "peel": "knife",
    "slice": "knife",
    "dice": "knife",
    "stir": "spoon",
    "mash": "spoon",
    "mix": "whisk",
    "flip": "spatula",
}


@dataclass(frozen=True)
class FoodItem:
    """A food with its form, how it was cooked, and its latest state.

    The state is the word that a recipe uses; a fried onion keeps its diced form.
    """

    name: str
    form: str = "whole"
    cooked: str = ""
    state: str = "whole"

    def after(self, action: str) -> FoodItem:
        """Return the food after an action."""
        made = PRODUCES.get(action)
        if made is None:
            return self
        if made in COOKED:
            return replace(self, cooked=made, state=made)
        return replace(self, form=made, state=made)


def item(name: str, state: str, form: str = "sliced") -> FoodItem:
    """Return a food in a state; a cooked food also has a form."""
    if state in COOKED:
        return FoodItem(name, form, state, state)
    return FoodItem(name, state, "", state)


@dataclass(frozen=True)
class Scene:
    """Content of one clip. `food` may be None; `others` are in the vessel; `seed` shifts positions."""

    action: str
    food: FoodItem | None
    vessel: str
    seed: int
    others: tuple[FoodItem, ...] = ()

    @property
    def state_before(self) -> str:
        """State of the food before the action; "" without a food."""
        return self.food.state if self.food else ""

    @property
    def state_after(self) -> str:
        """State of the food after the action; "" without a food."""
        return self.food.after(self.action).state if self.food else ""

    @property
    def food_name(self) -> str:
        """Name of the food; "" without a food."""
        return self.food.name if self.food else ""

    def showing(self, name: str = "", state: str = "") -> Scene:
        """Return the scene with another food, or with its food in another state."""
        if self.food is None:
            return self
        changed = item(name or self.food.name, state, self.food.form) if state else None
        return replace(self, food=changed or replace(self.food, name=name or self.food.name))
