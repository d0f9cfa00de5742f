"""What a planned step should show in the toy kitchen, and how well a clip fits it."""

from __future__ import annotations

from collections.abc import Sequence

from procvid.toykitchen.comparing import METHODS, PLACING
from procvid.toykitchen.foods import FOODS
from procvid.toykitchen.reading import Answered, FoodRead, SceneReading
from procvid.toykitchen.scene import ACTIONS, STATES, TOOL_OF
from procvid.types import PlannedObject, StepPlan

WEIGHTS = {"foods": 0.45, "action": 0.35, "states": 0.1, "vessel": 0.1}
"""How much each part of a step counts; a part that the step lacks is left out."""

OTHER_METHOD = 0.6
"""Fit of another action for the same purpose."""

OTHER_END = 0.5
"""Fit of a food that is right at the beginning or at the end only."""

PRESENT = 0.3
"""Fit of a food that is there, while another one is worked on."""

LEAST_FIT = 0.5
"""A clip that fits no step as well as this shows none. Measured by `python -m lab.coached`."""


def expected(step: StepPlan) -> SceneReading | None:
    """Return what a step should show, without looks; None if the kitchen does not know its action."""
    if step.action not in ACTIONS:
        return None
    # Only the food that is worked on is seen to change.
    foods = [
        _food(item, place == 0 or item.state_before == item.state_after)
        for place, item in enumerate(_known_foods(step))
    ]
    vessel = next((item.name for item in step.objects if item.role == "vessel"), "")
    return SceneReading(
        action=step.action,
        foods=tuple(foods),
        vessel=vessel,
        tool=TOOL_OF.get(step.action, ""),
        tool_s=None,
        shown={food: float(any(item.name == food for item in foods)) for food in FOODS},
        looks={},
    )


def _known_foods(step: StepPlan) -> list[PlannedObject]:
    """Return the foods of a step that the kitchen draws, the one worked on first."""
    foods = [item for item in step.objects if item.role == "food" and item.name in FOODS]
    return sorted(foods, key=lambda item: (not item.mentioned, -item.importance))


def _food(item: PlannedObject, is_seen: bool) -> FoodRead:
    before, after = (
        Answered(state, 1.0 if is_seen and state in STATES else 0.0)
        for state in (item.state_before, item.state_after)
    )
    return FoodRead(item.name, before, after, 1.0, came=False, seen_s=0.0, after_s=0.0)


def fit(wanted: SceneReading, seen: SceneReading) -> float:
    """Return how well a clip fits what a step should show, 0 to 1."""
    parts = {"action": _action_fit(wanted.action, seen.action)}
    if wanted.vessel:
        parts["vessel"] = float(wanted.vessel == seen.vessel)
    if wanted.foods:
        main = wanted.foods[0]
        there = {food.name: food for food in seen.foods}
        names = {food.name for food in wanted.foods}
        worked_on = 0.0
        if main.name in there:
            worked_on = 1.0 if seen.foods[0].name == main.name else PRESENT
        # The food that is worked on counts as much as all foods together.
        parts["foods"] = (worked_on + len(names & set(there)) / len(names | set(there))) / 2
        parts["states"] = _state_fit(main, there[main.name]) if main.name in there else 0.0
    total = sum(WEIGHTS[name] for name in parts)
    return sum(WEIGHTS[name] * value for name, value in parts.items()) / total


def _action_fit(wanted: str, seen: str) -> float:
    if wanted == seen:
        return 1.0
    return (
        OTHER_METHOD
        if any(wanted in acts and seen in acts for acts in (*METHODS, PLACING))
        else 0.0
    )


def _state_fit(wanted: FoodRead, seen: FoodRead) -> float:
    ends = [
        one.value == two.value
        for one, two in ((wanted.before, seen.before), (wanted.after, seen.after))
        if one.odds
    ]
    if not ends or all(ends):
        return 1.0
    return OTHER_END if any(ends) else 0.0


def fits(steps: Sequence[StepPlan], seen: SceneReading) -> tuple[float, ...]:
    """Return how well a clip fits each step, 0 to 1; 0 for a step that the kitchen cannot show."""
    wanted = (expected(step) for step in steps)
    return tuple(0.0 if one is None else fit(one, seen) for one in wanted)
