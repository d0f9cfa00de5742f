"""Measure how recipes are read: `python -m lab.recipes pages FOLDER`, `... graphs FOLDER`,
`... habits FOLDER`.

`lab/recipes/scoring.py` says what a right reading is.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import random
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from lab.command import count, new_parser
from lab.recipes.graphs import measure_graphs
from lab.recipes.habits import measure_habits
from lab.recipes.pages import (
    PASTED,
    READERS,
    Expected,
    Measured,
    expected_recipes,
    measure_page,
    share,
)
from lab.recipes.scoring import Score
from procvid.cli import run
from procvid.cli.arguments import Parser
from procvid.errors import InputError

KINDS = ("all", "JSON-LD", "microdata", "neither")
HALVES = {"all": None, "tuned on": False, "held out": True}
COLUMNS: dict[str, Callable[[Score], bool]] = {
    "right": lambda s: s.right,
    "title": lambda s: s.title,
    "steps": lambda s: s.steps,
    "boundaries": lambda s: s.boundaries,
    "ingredients": lambda s: s.ingredients,
    "refused": lambda s: s.refused,
    "silently wrong": lambda s: s.silently_wrong,
}


def parser() -> Parser:
    """Return the parser of `python -m lab.recipes`."""
    made = new_parser("recipes", __doc__ or "")
    commands = made.add_subparsers(required=True, metavar="COMMAND", parser_class=Parser)
    summary = "Read saved pages and pasted text, beside recipe-scrapers."
    pages = commands.add_parser("pages", help=summary, description=summary)
    pages.add_argument("folder", metavar="FOLDER", help="pages beside expected JSON of their name")
    pages.add_argument("--workers", metavar="N", type=count, default=1, help="processes")
    pages.add_argument("--limit", metavar="N", type=count, help="read only N pages, by seed 0")
    pages.add_argument("--out", metavar="FILE", help="write every score as JSON lines")
    pages.set_defaults(run=measure_pages)
    summary = "Compare task graphs with edges judged by hand."
    graphs = commands.add_parser("graphs", help=summary, description=summary)
    graphs.add_argument("folder", metavar="FOLDER", help="tests/test_data of recipe-scrapers")
    graphs.add_argument("--verbose", action="store_true", help="name the recipes that differ")
    graphs.set_defaults(run=measure_graphs)
    summary = "Compare real recipes with what is mined from others of their dish."
    habits = commands.add_parser("habits", help=summary, description=summary)
    habits.add_argument("folder", metavar="FOLDER", help="tests/test_data of recipe-scrapers")
    habits.add_argument("--verbose", action="store_true", help="print the notes")
    habits.set_defaults(run=measure_habits)
    return made


def measure_pages(arguments: argparse.Namespace) -> None:
    """Read the pages of a folder and print the shares that are right.

    Raises:
        InputError: The folder holds no page with an expected recipe in English.
    """
    recipes = list(expected_recipes(Path(arguments.folder)))
    if not recipes:
        raise InputError(
            f"{arguments.folder!r} holds no page with an expected recipe in English.",
            "Give a folder like tests/test_data of recipe-scrapers.",
        )
    random.Random(0).shuffle(recipes)
    held_out = [number >= len(recipes) // 2 for number in range(len(recipes))]
    chosen = list(zip(recipes, held_out, strict=True))[: arguments.limit]
    measured = _measure(chosen, arguments.workers)
    if arguments.out:
        lines = (json.dumps(dataclasses.asdict(page)) for page in measured)
        Path(arguments.out).write_text("\n".join(lines) + "\n", "utf-8")
    for half, wanted in HALVES.items():
        _print_table(half, [p for p in measured if wanted in (None, p.held_out)])


def _measure(chosen: Sequence[tuple[Expected, bool]], workers: int) -> list[Measured]:
    measured: list[Measured] = []
    with ProcessPoolExecutor(workers) as pool:
        for page in pool.map(measure_page, *zip(*chosen, strict=True), chunksize=4):
            measured.append(page)
            if len(measured) % 50 == 0:
                print(f"{len(measured)}/{len(chosen)} pages", file=sys.stderr, flush=True)
    return measured


def _print_table(half: str, pages: Sequence[Measured]) -> None:
    print(f"\n## Pages: {half}\n")
    print(f"| pages | n | reader | {' | '.join(COLUMNS)} |")
    print("| --- " * (len(COLUMNS) + 3) + "|")
    for kind in KINDS:
        of_kind = [page for page in pages if kind in ("all", page.kind)]
        for reader in READERS:
            _print_row(kind, reader, [page.scores[reader] for page in of_kind])
    for way in PASTED:
        name = f"pasted, {way}"
        _print_row("text", name, [page.scores[name] for page in pages if name in page.scores])
    slowest = max(page.seconds["procvid"] for page in pages) if pages else 0.0
    print(f"\nSlowest page: {slowest:.2f} s.", flush=True)


def _print_row(kind: str, reader: str, scores: Sequence[Score]) -> None:
    cells = [share(scores, right) for right in COLUMNS.values()]
    print(f"| {kind} | {len(scores)} | {reader} | {' | '.join(cells)} |")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    return run(parser(), argv)


if __name__ == "__main__":
    sys.exit(main())
