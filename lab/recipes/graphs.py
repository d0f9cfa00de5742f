"""Compare task graphs of real recipes with edges judged by hand: `python -m lab.recipes graphs FOLDER`.

`graphs.json` holds four sets of files of recipe-scrapers' test data, with the edges "before-after" of
each; "?" marks those that may be there or not. The rules were written with the first three sets and the
misses of the fourth.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import networkx as nx

from procvid.errors import InputError
from procvid.plan.graph.graph import TaskGraph, task_graph
from procvid.plan.rules import plan_recipe
from procvid.plan.shots import cut_into_shots, with_recipe_steps
from procvid.types import Plan, Recipe

JUDGED = Path(__file__).with_name("graphs.json")


def measure_graphs(arguments: argparse.Namespace) -> None:
    """Print precision and recall of each set, the recipes that differ, and those with notes.

    Raises:
        InputError: The folder lacks the files.
    """
    print("| set | recipes | edges | precision | recall | without a note |")
    print("| --- | --- | --- | --- | --- | --- |")
    for number, judged in enumerate(json.loads(JUDGED.read_text("utf-8")), start=1):
        right = wrong = missing = silent = 0
        for file, edges in judged.items():
            graph = graph_of(Path(arguments.folder) / file)
            found = {(int(edge.before), int(edge.after)) for edge in graph.edges}
            wanted, allowed = read_edges(edges)
            right += len(found & wanted)
            wrong += len(found - wanted - allowed)
            missing += len(wanted - found)
            silent += not graph.notes
            if arguments.verbose and (found - wanted - allowed or wanted - found):
                print(
                    f"{file}: wrong {sorted(found - wanted - allowed)}, missing {sorted(wanted - found)}"
                )
        print(
            f"| {number} | {len(judged)} | {right + missing} | {right / (right + wrong):.2f} | "
            f"{right / (right + missing):.2f} | {silent} |"
        )


def graph_of(file: Path) -> TaskGraph:
    """Return the graph of a recipe in recipe-scrapers' JSON. Raises as `plan_of`."""
    return task_graph(plan_of(file))


def plan_of(file: Path) -> Plan:
    """Return the plan of a recipe in recipe-scrapers' JSON.

    Raises:
        InputError: The file cannot be read.
    """
    try:
        value = json.loads(file.read_text("utf-8"))
        texts, items = value["instructions_list"], value.get("ingredients") or ()
        recipe = cut_into_shots(Recipe(value["title"], tuple(texts), tuple(items)))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{file.name} cannot be read ({error}).", "Give tests/test_data of recipe-scrapers."
        ) from error
    return with_recipe_steps(plan_recipe(recipe), recipe)


def read_edges(text: str) -> tuple[set[tuple[int, int]], set[tuple[int, int]]]:
    """Return the edges that must be there, without those that follow from others, and those that may."""
    sure, open_ones = set[tuple[int, int]](), set[tuple[int, int]]()
    for word in text.split():
        before, _, after = word.lstrip("?").partition("-")
        (open_ones if word.startswith("?") else sure).add((int(before), int(after)))
    return set(nx.transitive_reduction(nx.DiGraph(list(sure))).edges), open_ones
