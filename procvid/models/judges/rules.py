"""The judge that needs no model: step texts varied and explained by the rules of `procvid.plan`."""

from __future__ import annotations

from procvid.memory.words import state_fit
from procvid.plan.variants import EVERYTHING, Choices, dish_of, other_dishes, state_made, vary_step
from procvid.types import ModelInfo, Recipe, StateChange, Verdict


class RulesJudge:
    """Answers by rules: the same question gets the same answer everywhere.

    Args:
        choices: Foods, actions and states to choose other texts from.
    """

    info = ModelInfo(id="rules", revision="1")

    def __init__(self, choices: Choices = EVERYTHING) -> None:
        self._choices = choices

    def hard_negatives(self, step: str, count: int) -> tuple[str, ...]:
        """Return the step with another verb, another food or another state."""
        return vary_step(step, count, self._choices)

    def goal(self, recipe: Recipe) -> str:
        """Describe which food lies where after the last step."""
        return dish_of(recipe)

    def other_goals(self, recipe: Recipe, count: int) -> tuple[str, ...]:
        """Return other foods in other states in the same place."""
        return other_dishes(recipe, count, self._choices)

    def explains(self, change: StateChange) -> Verdict:
        """Decide whether the step puts the object into its new state."""
        if _look_alike(change.state_before, change.state_after):
            return Verdict(True, f"The {change.name} stays {change.state_after}.")
        made = state_made(change.step, change.name)
        fact = f"The {change.name} was {change.state_before} and is now {change.state_after}"
        if made and _look_alike(made, change.state_after):
            return Verdict(True, f"{fact}, as the step says.")
        return Verdict(False, f"{fact}, which “{change.step}” does not explain.")


def _look_alike(a: str, b: str) -> bool:
    return state_fit("food", a, b) > 0
