"""The planner that needs no model: a lexicon of foods, tools and verbs."""

from __future__ import annotations

from collections.abc import Callable

from procvid.types import ModelInfo, Plan, Recipe


class RulesPlanner:
    """Plans a recipe by the rules of `procvid.plan.rules`, which wiring hands over.

    Args:
        plan_recipe: Plans all steps; the same recipe gives the same plan.
    """

    info = ModelInfo(id="rules", revision="1")

    def __init__(self, plan_recipe: Callable[[Recipe], Plan]) -> None:
        self._plan_recipe = plan_recipe

    def plan(self, recipe: Recipe) -> Plan:
        """Plan all steps of a recipe."""
        return self._plan_recipe(recipe)
