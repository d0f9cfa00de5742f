"""Compare real recipes with what is mined from others: `python -m lab.recipes habits FOLDER`."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator
from pathlib import Path

from lab.recipes.graphs import plan_of
from procvid.errors import InputError, RecipeError
from procvid.plan.graph.habits import habits
from procvid.plan.graph.mined import mine
from procvid.plan.language.english import check_english
from procvid.types import Plan

DISHES = ("cookie", "pancake", "cheesecake", "pasta", "soup", "salad", "pie")
MOST_COMPARED = 15
"""Recipes of a dish that are compared, each with all others of the dish."""


def measure_habits(arguments: argparse.Namespace) -> None:
    """Print how many recipes get a note from a graph that was mined without them.

    Raises:
        InputError: The folder holds too few recipes of a dish.
    """
    print("| dish | recipes | compared | without a note | taken as another dish |")
    print("| --- | --- | --- | --- | --- |")
    for dish in DISHES:
        plans = list(_plans(Path(arguments.folder), dish))
        compared = plans[:MOST_COMPARED]
        silent = other = 0
        for plan in compared:
            mined = mine((one for one in plans if one is not plan), dish)
            notes = habits(plan, mined)
            silent += not notes
            if any("little in common" in note for note in notes):
                other += 1
            elif arguments.verbose:
                for note in notes:
                    print(f"{plan.title}: {note}")
        print(f"| {dish} | {len(plans)} | {len(compared)} | {silent} | {other} |", flush=True)


def _plans(folder: Path, dish: str) -> Iterator[Plan]:
    """Yield the plans of the English recipes with a word in their title."""
    for file in sorted(folder.rglob("*.json")):
        try:
            value = json.loads(file.read_text("utf-8"))
            if re.search(rf"\b{dish}s?\b", value["title"], re.I):
                check_english(" ".join(value["instructions_list"])[:8_000])
                yield plan_of(file)
        except (OSError, ValueError, KeyError, TypeError, RecipeError, InputError):
            continue
