"""The judge that needs no model: step texts varied and explained by the rules of `procvid.plan`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from procvid.types import ModelInfo, Recipe, StateChange, Verdict


@dataclass(frozen=True)
class JudgeRules:
    """What `RulesJudge` is made of; wiring hands over functions of `procvid.plan.variants`.

    Attributes:
        vary: A step's text and a count to texts that differ from it in one way.
        dish: A recipe to the look of its finished dish.
        other_dishes: A recipe and a count to dishes that it does not make.
        state_made: A step's text and an object's name to the state that the step leaves it in, empty
            when the step does not change it.
        same_state: Whether two state words look alike.
    """

    vary: Callable[[str, int], tuple[str, ...]]
    dish: Callable[[Recipe], str]
    other_dishes: Callable[[Recipe, int], tuple[str, ...]]
    state_made: Callable[[str, str], str]
    same_state: Callable[[str, str], bool]


class RulesJudge:
    """Answers by rules: the same question gets the same answer everywhere."""

    info = ModelInfo(id="rules", revision="1")

    def __init__(self, rules: JudgeRules) -> None:
        self._rules = rules

    def hard_negatives(self, step: str, count: int) -> tuple[str, ...]:
        """Another verb with the same objects, another food with the same verb, another state."""
        return self._rules.vary(step, count)

    def goal(self, recipe: Recipe) -> str:
        """What lies where after the last step."""
        return self._rules.dish(recipe)

    def other_goals(self, recipe: Recipe, count: int) -> tuple[str, ...]:
        """Other foods in other states in the same place."""
        return self._rules.other_dishes(recipe, count)

    def explains(self, change: StateChange) -> Verdict:
        """A change is explained when the step makes that state of the object."""
        if self._rules.same_state(change.state_before, change.state_after):
            return Verdict(True, f"The {change.name} stays {change.state_after}.")
        made = self._rules.state_made(change.step, change.name)
        told = f"the {change.name} was {change.state_before} and is now {change.state_after}"
        if made and self._rules.same_state(made, change.state_after):
            return Verdict(True, f"{told.capitalize()}, as the step says.")
        return Verdict(False, f"{told.capitalize()}, which “{change.step}” does not explain.")
