"""Judge plans of real recipes: write a sheet to fill in, and count a filled one.

    python -m lab.plan_sheet write FOLDER SHEET [--seed 0] [--recipes 20] [--skip FILE]
    python -m lab.plan_sheet score SHEET

FOLDER holds recipes as JSON with `title`, `ingredients` and `instructions_list`, the format of
recipe-scrapers' expected results. The sheet has a line of JSON a shot: our plan, and fields for a
person's judgement. It holds no text of the recipes, so it can be published. The texts and our
prompts, which use the recipe's own words, are written to a second file beside it, to judge by. FILE
names recipes to pass over, a line each: those that somebody looked at while the rules were written.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lab.command import count, new_parser
from procvid.cli import run
from procvid.cli.arguments import Parser
from procvid.errors import InputError
from procvid.plan.rules import plan_recipe
from procvid.plan.shots import cut_into_shots, with_recipe_steps
from procvid.types import Recipe, StepPlan


def recipes_of(folder: Path) -> Iterator[tuple[str, Recipe]]:
    """Yield the English recipes of a folder with their file names, in the order of the names."""
    for file in sorted(folder.rglob("*.json")):
        fields = json.loads(file.read_text("utf-8"))
        if not isinstance(fields, dict) or not str(fields.get("language", "")).startswith("en"):
            continue
        steps = [" ".join(step.split()) for step in fields.get("instructions_list") or ()]
        listed = [" ".join(line.split()) for line in fields.get("ingredients") or ()]
        if any(steps):
            yield file.stem, Recipe(fields["title"], tuple(filter(None, steps)), tuple(listed))


def write(
    folder: Path, sheet: Path, seed: int, number: int, skip: frozenset[str] = frozenset()
) -> None:
    """Write the sheet of recipes chosen by seed, and beside it the texts to judge by."""
    found = list(recipes_of(folder))
    if not found:
        raise InputError(f"{folder} holds no English recipe with instructions_list.")
    random.Random(seed).shuffle(found)
    chosen = [recipe for recipe in found if recipe[0] not in skip][:number]
    lines, texts = [], []
    for name, recipe in chosen:
        cut = cut_into_shots(recipe)
        plan = with_recipe_steps(plan_recipe(cut), cut)
        texts.append(
            f"## {name}: {recipe.title}\n" + "\n".join(f"* {i}" for i in recipe.ingredients)
        )
        for step in plan.steps:
            lines.append(json.dumps(row_of(name, step)))
            texts.append(f"{name} shot {step.number} (step {step.recipe_step}): {step.text}")
            texts.append(f"    prompt: {step.prompt}")
    sheet.write_text("\n".join(lines) + "\n", "utf-8")
    sheet.with_suffix(".txt").write_text("\n".join(texts) + "\n", "utf-8")


def row_of(name: str, step: StepPlan) -> dict[str, Any]:
    """Return our plan of a shot with empty judgements (None)."""
    shown = [item for item in step.objects if item.role != "surface"]
    vessels = sorted((o for o in shown if o.role == "vessel"), key=lambda o: -o.importance)
    return {
        "recipe": name,
        "shot": step.number,
        "action": step.action,
        "vessel": vessels[0].name if vessels else "",
        "vessel_sensible": None,
        "prompt_acceptable": None,
        "missing": None,
        "objects": [
            {
                "name": item.name,
                "role": item.role,
                "before": item.state_before,
                "after": item.state_after,
                "right": None,
                "absurd": None,
                **({"after_right": None} if item.state_before != item.state_after else {}),
            }
            for item in shown
        ],
    }


def score(sheet: Path) -> dict[str, tuple[int, int]]:
    """Return hits and trials of each measure of a filled sheet.

    Raises:
        InputError: A judgement is missing.
    """
    rows = [json.loads(line) for line in sheet.read_text("utf-8").splitlines()]
    objects = [item for row in rows for item in row["objects"]]
    changed = [item for item in objects if "after_right" in item and item["role"] == "food"]
    placed = [row for row in rows if row["vessel"]]
    blank = [row for row in rows if row["prompt_acceptable"] is None or row["missing"] is None]
    if blank or any(item["right"] is None for item in objects):
        raise InputError(f"{sheet} has blank judgements.", "Fill all fields that are null.")
    right = sum(item["right"] for item in objects)
    missed = sum(len(row["missing"]) for row in rows)
    return {
        "object precision": (right, len(objects)),
        "object recall": (right, right + missed),
        "state after, foods that change": (sum(i["after_right"] for i in changed), len(changed)),
        "main vessel sensible": (sum(row["vessel_sensible"] for row in placed), len(placed)),
        "prompt acceptable": (sum(row["prompt_acceptable"] for row in rows), len(rows)),
        "shots with an absurd object": (
            sum(any(item["absurd"] for item in row["objects"]) for row in rows),
            len(rows),
        ),
    }


def parser() -> Parser:
    """Return the parser of the command."""
    made = new_parser(
        "plan_sheet", "Judge plans of real recipes: write a sheet, or count a filled one."
    )
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND")
    writing = commands.add_parser("write", help="write the plans of recipes chosen by seed")
    writing.add_argument("folder", type=Path, help="recipes as recipe-scrapers' expected JSON")
    writing.add_argument(
        "sheet", type=Path, help="file to write, JSON lines; the texts lie beside it"
    )
    writing.add_argument("--seed", type=int, default=0, help="chooses the recipes (default 0)")
    writing.add_argument("--recipes", type=count, default=20, help="number of recipes (default 20)")
    writing.add_argument("--skip", type=Path, help="file with names of recipes to pass over")
    writing.set_defaults(run=_write)
    scoring = commands.add_parser("score", help="count the judgements of a filled sheet")
    scoring.add_argument("sheet", type=Path, help="a filled sheet")
    scoring.set_defaults(run=_score)
    return made


def _write(arguments: argparse.Namespace) -> None:
    seen = arguments.skip.read_text("utf-8").split() if arguments.skip else ()
    write(arguments.folder, arguments.sheet, arguments.seed, arguments.recipes, frozenset(seen))


def _score(arguments: argparse.Namespace) -> None:
    for name, (hits, trials) in score(arguments.sheet).items():
        print(f"{name:32} {hits / max(trials, 1):.3f}  ({hits} of {trials})")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return run(parser(), argv)


if __name__ == "__main__":
    sys.exit(main())
