"""Write a recipe as text that the parser reads again."""

from __future__ import annotations

from procvid.plan.recipe.servings import serves, servings_in
from procvid.types import Recipe


def recipe_text(recipe: Recipe) -> str:
    """Return a recipe as editable text: title, ingredients, numbered steps."""
    lines = [recipe.title, ""]
    count = servings_in(recipe.notes)
    lines += [serves(count), ""] if count else []
    if recipe.ingredients:
        lines += ["Ingredients:", *(f"- {item}" for item in recipe.ingredients), "", "Steps:"]
    return "\n".join(
        [*lines, *(f"{n}. {step}" for n, step in enumerate(recipe.whole_steps, start=1))]
    )
