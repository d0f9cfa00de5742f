"""`procvid graph`: show which step of a recipe needs what an earlier one made; loads no model."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from procvid.cli.arguments import add_json, add_planner
from procvid.cli.plan import print_head
from procvid.errors import RunError
from procvid.plan.graph.graph import TaskGraph, task_graph
from procvid.plan.graph.picture import described, page_of
from procvid.plan.recipe.parse import read_recipe
from procvid.plan.shots import cut_into_shots
from procvid.run.folder import RunFolder, read_run
from procvid.settings import user_path
from procvid.storage.atomic import write_text
from procvid.storage.text import printable
from procvid.types import Plan
from procvid.wiring import run as wiring


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.description = (
        "Show which step needs what an earlier one made, the longest way through the recipe, and "
        "what can be done beside it."
    )
    parser.add_argument("recipe", metavar="RECIPE|RUN", help="recipe file, or run folder")
    parser.add_argument("--html", metavar="FILE", help="write a page with a picture of the graph")
    parser.add_argument("--shots", action="store_true", help="one node per shot, not per step")
    add_planner(parser)
    add_json(parser, "print the graph as JSON")
    parser.set_defaults(run=show_graph)


def show_graph(arguments: argparse.Namespace) -> None:
    """Plan a recipe and print its graph.

    Raises:
        RecipeError: The file is not a recipe.
        RunError: The run has no plan.
        OutputError: The page cannot be written.
    """
    plan = _plan_of(user_path(arguments.recipe), arguments.planner)
    graph = task_graph(plan, shots=arguments.shots)
    if arguments.html:
        write_text(user_path(arguments.html), page_of(graph, plan.title))
    if arguments.json:
        print(json.dumps(graph.as_json(), indent=2, ensure_ascii=False))
        return
    print_head(plan)
    _print(graph)
    if arguments.html:
        print(f"Picture: {printable(user_path(arguments.html))}")


def _plan_of(path: Path, planner: str) -> Plan:
    if not path.is_dir():
        return wiring.build_planner(planner).plan(cut_into_shots(read_recipe(path), "auto"))
    plan = RunFolder(path, read_run(path)).read_plan()
    if plan is None:
        raise RunError("The run has no plan yet.", "Finish it with `procvid generate` first.")
    return plan


def _print(graph: TaskGraph) -> None:
    for name, text in graph.steps.items():
        print(f"{name}. {text}")
        for edge in graph.needs(name):
            print(f"   needs {edge.before}: {', '.join(edge.things)}")
    print(described(graph))
    for note in graph.notes:
        print(f"Note: {note}")
