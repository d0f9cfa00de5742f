"""`procvid plan`: show the plan of a recipe; loads no model."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

from procvid.cli.arguments import add_json, add_planner, add_recipe, add_shots
from procvid.errors import RecipeError
from procvid.plan.codec import plan_to_json
from procvid.plan.recipe.parse import read_recipe
from procvid.plan.shots import cut_into_shots
from procvid.types import Plan, PlannedObject, Recipe
from procvid.wiring import run as wiring


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_recipe(parser)
    add_planner(parser)
    add_shots(parser)
    add_json(parser, "print the plan as JSON")
    parser.set_defaults(run=show_plan)


def show_plan(arguments: argparse.Namespace) -> None:
    """Plan a recipe and print the plan."""
    recipe = cut_into_shots(read_recipe(Path(arguments.recipe)), arguments.shots)
    plan = wiring.build_planner(arguments.planner).plan(recipe)
    if arguments.json:
        print(json.dumps(plan_to_json(plan), indent=2, ensure_ascii=False))
        return
    print_head(plan)
    for step in plan.steps:
        print(f"\n{plan.names[step.number]}. {step.text}")
        print_objects(step.objects)
        print(f"   prompt: {step.prompt}")


def print_head(plan: Plan) -> None:
    """Print the title and the notes of a plan."""
    print(f"{plan.title} ({count(plan)}, planned by {plan.planner})")
    for note in plan.notes:
        print(f"Note: {note}")


def count(plan: Plan) -> str:
    """Return "5 steps", or "5 steps in 9 shots"."""
    steps, shots = len(plan.groups), len(plan.steps)
    counted = f"{steps} step{'s' * (steps != 1)}"
    return counted if steps == shots else f"{counted} in {shots} shots"


def print_objects(objects: tuple[PlannedObject, ...]) -> None:
    """Print the objects of a step with their states, one per line."""
    for item in objects:
        state = item.state_before
        if item.state_after != item.state_before:
            state = f"{item.state_before} -> {item.state_after}"
        print(f"   - {item.name} ({item.role}, {state}, {item.likelihood.replace('_', ' ')})")


def recipes_in(folder: Path, unread: list[str]) -> Iterator[Recipe]:
    """Yield the recipes of a folder, by file name, and list the files that are none.

    Args:
        folder: The folder; not those inside it.
        unread: Gets the names of the files that are no recipes.
    """
    # Imported here because it takes a second.
    from procvid.cli.batch import SUFFIXES

    for file in sorted(folder.iterdir()):
        if file.suffix.lower() in SUFFIXES and file.is_file() and not file.name.startswith("."):
            try:
                yield read_recipe(file)
            except RecipeError:
                unread.append(file.name)
