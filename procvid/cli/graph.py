"""`procvid graph`: show which step of a recipe needs what an earlier one made; loads no model.

`procvid graph mine` mines from many recipes of a dish what they have in common.
"""

from __future__ import annotations

import argparse
import json
import re
from dataclasses import replace
from pathlib import Path

from procvid.cli.arguments import UsageError, add_json, add_planner
from procvid.cli.plan import print_head, recipes_in
from procvid.data.recipes import curated_recipes, is_curation
from procvid.errors import InputError, RunError
from procvid.plan.graph.graph import TaskGraph, task_graph
from procvid.plan.graph.habits import habits
from procvid.plan.graph.mined import MinedGraph, mine
from procvid.plan.graph.mined_file import load_mined, mined_to_json, save_mined
from procvid.plan.graph.picture import described, page_of
from procvid.plan.recipe.parse import read_recipe
from procvid.plan.shots import cut_into_shots
from procvid.run.folder import RunFolder, read_run
from procvid.settings.environment import user_path
from procvid.storage.atomic import write_text
from procvid.storage.text import printable
from procvid.types import Plan
from procvid.wiring import run as wiring

MINE = "mine"
MINED_SUFFIX = ".mined.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.usage = f"{parser.prog} [options] RECIPE|RUN\n       {parser.prog} mine FOLDER [options]"
    parser.description = (
        "Show which step needs what an earlier one made, the longest way through the recipe, and "
        "what can be done beside it. With mine, find what many recipes of one dish have in common."
    )
    parser.add_argument("recipe", metavar="RECIPE|RUN", help="recipe file, or run folder")
    parser.add_argument(
        "folder",
        metavar="mine FOLDER",
        nargs="?",
        help="mine a folder of recipes of one dish, or the output of `procvid curate`, with the rules "
        "planner",
    )
    parser.add_argument("--html", metavar="FILE", help="write a page with a picture of the graph")
    parser.add_argument("--shots", action="store_true", help="one node per shot, not per step")
    parser.add_argument(
        "--mined", metavar="FILE", help="compare the recipe with this mined graph, in notes"
    )
    parser.add_argument(
        "--out",
        metavar="FILE",
        help=f"with mine: file of the mined graph (default: name of the dish or folder{MINED_SUFFIX})",
    )
    parser.add_argument(
        "--dish", metavar="WORDS", help="with mine: only recipes with these words in their title"
    )
    add_planner(parser)
    add_json(parser, "print the graph as JSON")
    parser.set_defaults(run=run_graph)


def run_graph(arguments: argparse.Namespace) -> None:
    """Show the graph of a recipe, or mine one. Raises as `show_graph` and `mine_graph`."""
    is_mining = arguments.recipe == MINE and arguments.folder is not None
    if arguments.folder is not None and not is_mining:
        raise UsageError(f"Unrecognized arguments: {arguments.folder}. See `procvid graph --help`.")
    if (arguments.out or arguments.dish) and not is_mining:
        raise UsageError(
            "--out and --dish need `procvid graph mine FOLDER`. See `procvid graph --help`."
        )
    if is_mining and (arguments.html or arguments.shots or arguments.mined):
        raise UsageError("--html, --shots and --mined need a recipe. See `procvid graph --help`.")
    (mine_graph if is_mining else show_graph)(arguments)


def show_graph(arguments: argparse.Namespace) -> None:
    """Plan a recipe and print its graph.

    Raises:
        RecipeError: The file is not a recipe.
        RunError: The run has no plan.
        InputError: The mined graph cannot be read.
        OutputError: The page cannot be written.
    """
    plan = _plan_of(user_path(arguments.recipe), arguments.planner)
    graph = task_graph(plan, shots=arguments.shots)
    if arguments.mined:
        notes = habits(plan, load_mined(user_path(arguments.mined)))
        graph = replace(graph, notes=(*graph.notes, *notes))
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


def mine_graph(arguments: argparse.Namespace) -> None:
    """Mine the graph of the recipes in a folder, write it, and print it.

    Raises:
        InputError: There is no such folder, or its recipes are too few or too different.
        OutputError: The file cannot be written.
    """
    folder = user_path(arguments.folder)
    if not folder.is_dir():
        raise InputError(
            f"{str(folder)!r} is not a folder.", "Give a folder of recipes of one dish."
        )
    planner, unread, dish = wiring.build_planner("rules"), list[str](), arguments.dish or ""
    recipes = curated_recipes(folder) if is_curation(folder) else recipes_in(folder, unread)
    chosen = (recipe for recipe in recipes if dish.casefold() in recipe.title.casefold())
    plans = (planner.plan(cut_into_shots(recipe, "auto")) for recipe in chosen)
    mined = mine(plans, printable(dish.strip() or folder.resolve().name or "recipes"))
    default = re.sub(r"[^\w-]+", "-", mined.title) + MINED_SUFFIX
    out = user_path(arguments.out) if arguments.out else Path(default)
    save_mined(out, mined)
    if arguments.json:
        print(json.dumps(mined_to_json(mined), indent=2, ensure_ascii=False))
        return
    _print_mined(mined)
    if unread:
        what = "1 file is no recipe" if len(unread) == 1 else f"{len(unread)} files are no recipes"
        print(printable(f"Note: {what}: {', '.join(unread[:5])}."))
    print(f"Mined graph: {printable(out)}")


def _print_mined(mined: MinedGraph) -> None:
    print(f"{mined.title} ({mined.recipes} recipes, {len(mined.steps)} key steps)")
    needs: dict[str, list[str]] = {}
    for edge in mined.edges:
        counted = f"{edge.before} ({edge.in_order} of {edge.together})"
        needs.setdefault(edge.after, []).append(counted)
    for step in mined.steps:
        optional = ", optional" if step.optional else ""
        print(f"{step.name}: {step.recipes} of {mined.recipes}{optional}")
        if step.name in needs:
            print(f"   after {', '.join(needs[step.name])}")
        if step.alternatives:
            print(f"   or instead {', '.join(step.alternatives)}")
