"""What one clip shows: an action, its food, what lies there already, and the vessel it happens in."""

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
    """A food as it is now: its form, how it was cooked, and the state that was produced last.

    The state is the word that a recipe would use; a fried onion keeps its diced form.
    """

    name: str
    form: str = "whole"
    cooked: str = ""
    state: str = "whole"

    def after(self, action: str) -> FoodItem:
        """The item once an action is done."""
        made = PRODUCES.get(action)
        if made is None:
            return self
        if made in COOKED:
            return replace(self, cooked=made, state=made)
        return replace(self, form=made, state=made)


def item(name: str, state: str, form: str = "sliced") -> FoodItem:
    """An item in a state; a cooked one needs a form as well."""
    if state in COOKED:
        return FoodItem(name, form, state, state)
    return FoodItem(name, state, "", state)


@dataclass(frozen=True)
class Scene:
    """What one clip shows. `food` may be None; `others` lie there already; `seed` moves small things."""

    action: str
    food: FoodItem | None
    vessel: str
    seed: int
    others: tuple[FoodItem, ...] = ()

    @property
    def state_before(self) -> str:
        """The state of the food before the action; "" without a food."""
        return self.food.state if self.food else ""

    @property
    def state_after(self) -> str:
        """The state that the action leaves the food in; "" without a food."""
        return self.food.after(self.action).state if self.food else ""

    @property
    def food_name(self) -> str:
        """The food's name; "" without a food."""
        return self.food.name if self.food else ""

    def showing(self, name: str = "", state: str = "") -> Scene:
        """The same scene with another food, or with its food in another state."""
        if self.food is None:
            return self
        changed = item(name or self.food.name, state, self.food.form) if state else None
        return replace(self, food=changed or replace(self.food, name=name or self.food.name))
