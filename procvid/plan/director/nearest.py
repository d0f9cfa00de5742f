"""Find the recipe of a collection that is nearest to a goal, and the detour that leads there.

No recipe is invented: the answer is a recipe of the collection with known changes, or a sentence
that says what is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from procvid.errors import InputError
from procvid.plan.detour.choose import MADE, foods_of
from procvid.plan.detour.detour import Detour, make_detour
from procvid.plan.detour.table import allowed_for
from procvid.plan.detour.wishes import wishes_of
from procvid.plan.detour.words import foods_named, thing_of
from procvid.plan.director.goal import Goal
from procvid.plan.language.lexicon import lexicon, words
from procvid.plan.rules import plan_recipe
from procvid.plan.shots import cut_into_shots, with_recipe_steps
from procvid.types import Plan, Recipe

LEAST_SCORE = 0.5
"""Share of the goal's words, its foods counted twice, that a recipe must have."""
MAIN_GROUPS = ("meat", "poultry", "fish", "seafood", "vegetable", "mushroom", "fruit", "cheese")
PROTEIN = frozenset({"meat", "poultry", "fish", "seafood"})
LISTED = 5


@dataclass(frozen=True)
class Directed:
    """A recipe for a goal.

    Attributes:
        recipe: The recipe, cut into shots.
        plan: Its plan.
        source: Title of the recipe that it was made of.
        detour: What was changed; None for the recipe as it is.
        notes: Sentences about what the goal asks for and the recipe does not hold.
    """

    recipe: Recipe
    plan: Plan
    source: str
    detour: Detour | None
    notes: tuple[str, ...]


def direct(goal: Goal, recipes: Sequence[Recipe]) -> Directed:
    """Return the nearest recipe with the changes that the goal asks for.

    Args:
        goal: The goal.
        recipes: The collection.

    Raises:
        InputError: No recipe is near enough, or a change that the goal needs is not known.
    """
    best = max(recipes, key=lambda recipe: _score(goal, recipe), default=None)
    if best is None or _score(goal, best) < LEAST_SCORE:
        titles = ", ".join(recipe.title for recipe in recipes[:LISTED])
        more = " and others." if len(recipes) > LISTED else "."
        raise InputError(
            f"None of {len(recipes)} recipes is like {goal.text!r}.",
            f"They are {titles}{more} Name others with --recipes, or set OPENAI_API_KEY.",
        )
    recipe = cut_into_shots(best)
    plan = with_recipe_steps(plan_recipe(recipe), recipe)
    swaps, missing = _swaps(goal, best)
    known = set(foods_of(best)) | {food for text in best.steps for food in foods_named(text)}
    without = [name for name in goal.without if thing_of(name).name in known]
    diets = [diet for diet in goal.diets if not all(allowed_for(food, diet) for food in known)]
    notes = [f"The recipe has no {name}." for name in missing]
    if not (swaps or without or diets):
        return Directed(recipe, plan, best.title, None, tuple(notes))
    detour = make_detour(recipe, plan, wishes_of(swap=swaps, without=without, diet=diets))
    return Directed(detour.recipe, detour.plan, best.title, detour, (*notes, *detour.notes))


def _words_of(recipe: Recipe) -> set[str]:
    return {lexicon().singular(word.text) for word in words(recipe.title)}


def _score(goal: Goal, recipe: Recipe) -> float:
    """Return the share of the goal's words in the title or among the foods of a recipe, 0 to 1."""
    title, foods = _words_of(recipe), set(foods_of(recipe))
    head = goal.dish[-1]
    if head not in title and (thing_of(head).entry is None or _is_dish(head)):
        # A mushroom pan is no mushroom soup.
        return 0.0
    swaps, _ = _swaps(goal, recipe)
    swapped = {pair.split("=")[1] for pair in swaps}
    total = found = 0.0
    for word in goal.dish:
        name = thing_of(word).name
        weight = 1.0 if word in goal.foods or name in goal.foods else 1.5
        total += weight
        if word in title or name in foods:
            found += weight
        elif name in swapped:
            found += 0.6 * weight
    extra = len([name for name in foods_named(recipe.title) if name not in goal.foods])
    return found / total - 0.05 * extra if total else 0.0


def _swaps(goal: Goal, recipe: Recipe) -> tuple[list[str], list[str]]:
    """Return the swaps that bring the goal's foods into a recipe, and the foods that find no place."""
    there = foods_of(recipe)
    named = [name for name in foods_named(recipe.title) if name not in goal.foods]
    free = [name for name in named if name in there]
    swaps, missing = [], []
    for food in goal.foods:
        if food in there or food in foods_named(recipe.title) or _is_dish(food):
            continue
        place = next((name for name in free if _alike(name, food)), None)
        if place is None:
            missing.append(food)
        else:
            free.remove(place)
            swaps.append(f"{place}={food}")
    return swaps, missing


def _is_dish(food: str) -> bool:
    return thing_of(food).group in MADE


def _alike(one: str, other: str) -> bool:
    groups = [thing_of(name).group for name in (one, other)]
    if all(group in PROTEIN for group in groups):
        return True
    return groups[0] == groups[1] and groups[0] in MAIN_GROUPS
