"""The planner that needs no model: a lexicon of foods, tools and verbs."""

from __future__ import annotations

from procvid.plan.rules import plan_recipe
from procvid.plan.shots import with_recipe_steps
from procvid.types import ModelInfo, Plan, Recipe


class RulesPlanner:
    """Plans a recipe by the rules of `procvid.plan.rules`; the same recipe gives the same plan."""

    info = ModelInfo(id="rules", revision="1")

    def plan(self, recipe: Recipe) -> Plan:
        """Plan all steps of a recipe."""
        return with_recipe_steps(plan_recipe(recipe), recipe)
