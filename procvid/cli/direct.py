"""`procvid direct`: from a goal to a recipe."""

from __future__ import annotations

import argparse
from itertools import islice
from pathlib import Path

from procvid.cli.detour import show_detour
from procvid.cli.plan import recipes_in
from procvid.errors import InputError
from procvid.plan.director.goal import Goal, read_goal
from procvid.plan.director.nearest import direct
from procvid.plan.director.safety import safety_notes
from procvid.plan.recipe.written import recipe_text
from procvid.plan.shots import cut_into_shots
from procvid.settings.environment import user_path
from procvid.storage.atomic import write_text
from procvid.storage.text import printable
from procvid.types import Plan, Recipe
from procvid.wiring.run import build_planner
from procvid.wiring.wishes import build_director, has_language_model

WRITERS = ("auto", "recipes", "openai")
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
MOST_RECIPES = 2_000
BY_MODEL = "A language model wrote this recipe. Nobody has cooked it or checked that it is safe."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.description = (
        'Find or write a recipe for a goal, such as "How to make a carrot omelette". Without a '
        "language model, procvid adapts the closest recipe in a folder. It never invents one."
    )
    parser.add_argument("goal", metavar="GOAL", help="what to cook, at most 30 words")
    parser.add_argument("--out", metavar="FILE", help="file to write the recipe to")
    parser.add_argument(
        "--recipes",
        metavar="FOLDER",
        help="folder of recipes to choose from (default: the examples)",
    )
    parser.add_argument(
        "--writer",
        choices=WRITERS,
        default="auto",
        help="recipes: adapt a recipe; openai: ask a language model (OPENAI_API_KEY); auto: openai if a "
        "key is set and --recipes is not (default: auto)",
    )
    parser.set_defaults(run=make)


def make(arguments: argparse.Namespace) -> None:
    """Print a recipe for a goal, and write it.

    Raises:
        InputError: The goal is no dish, or no recipe is near enough.
        ServiceError: The language model is not available.
        OutputError: The file cannot be written.
    """
    goal = read_goal(arguments.goal)
    by_model = arguments.writer == "openai" or (
        arguments.writer == "auto" and arguments.recipes is None and has_language_model()
    )
    if by_model:
        recipe, plan = _written(goal)
    else:
        folder = user_path(arguments.recipes) if arguments.recipes else EXAMPLES
        recipe, plan = _nearest(goal, folder)
    for note in safety_notes(plan):
        print(f"Check: {note}")
    if arguments.out:
        out = user_path(arguments.out)
        write_text(out, recipe_text(recipe) + "\n")
        print(f"Recipe: {printable(out)}")


def _written(goal: Goal) -> tuple[Recipe, Plan]:
    recipe = cut_into_shots(build_director().direct(goal))
    # The planner's answers are kept, so `generate` makes the same plan without asking again.
    plan = build_planner("openai").plan(recipe)
    print(recipe_text(recipe))
    print(f"Note: {BY_MODEL}")
    return recipe, plan


def _nearest(goal: Goal, folder: Path) -> tuple[Recipe, Plan]:
    found = direct(goal, _recipes_of(folder))
    if found.detour is None:
        print(recipe_text(found.recipe))
        print(f"Note: This is {found.source!r} from {_named(folder)}, as it is.")
    else:
        show_detour(found.detour)
        print(f"Note: This is {found.source!r} from {_named(folder)}, with these changes.")
    for note in found.notes if found.detour is None else ():
        print(f"Note: {note}")
    return found.recipe, found.plan


def _named(folder: Path) -> str:
    return "the examples" if folder == EXAMPLES else printable(folder)


def _recipes_of(folder: Path) -> list[Recipe]:
    """Return the recipes in a folder. Skip files that are none.

    Raises:
        InputError: The folder does not exist, or holds no recipe.
    """
    if not folder.is_dir():
        raise InputError(f"The folder {str(folder)!r} does not exist.", "Name one with --recipes.")
    found = list(islice(recipes_in(folder, []), MOST_RECIPES))
    if not found:
        raise InputError(f"The folder {str(folder)!r} holds no recipe.", "Name another folder.")
    return found
