"""Plant faults in toy-kitchen video and check that every metric answers to its own fault."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lab.command import new_parser
from lab.metrics_proof.generated import GeneratedRun, make_runs
from lab.metrics_proof.table import DoseDone, prove, table_markdown
from procvid.cli import run
from procvid.cli.arguments import Parser, whole_number
from procvid.cli.screen import Bar
from procvid.errors import ProcvidError, UnavailableError
from procvid.settings import TINY
from procvid.storage.atomic import write_text
from procvid.storage.files import write_json
from procvid.storage.lock import output_folder
from procvid.wiring import evaluation as wiring_evaluation
from procvid.wiring import run as wiring

FAULTS_MD, FAULTS_JSON = "planted_faults.md", "planted_faults.json"


def parser() -> Parser:
    """Return the parser of `python -m lab.metrics_proof`."""
    made = new_parser("metrics_proof", __doc__ or "")
    made.add_argument("--out", metavar="FOLDER", required=True, help="folder of the table")
    made.add_argument("--recipes", metavar="N", type=whole_number, default=16)
    made.set_defaults(run=proof)
    return made


def proof(arguments: argparse.Namespace) -> None:
    """Write and print the table of planted faults.

    Raises:
        ProcvidError: A claim does not hold; the table is written all the same.
    """
    bar, out = Bar(), Path(arguments.out)
    table: dict[str, Any] = {}
    with output_folder(out):
        parts = wiring_evaluation.build_evaluation(TINY)
        if parts.missing:
            kind, why = next(iter(parts.missing.items()))
            raise UnavailableError(f"The {kind} is missing: {why}", "Run `procvid doctor`.")
        detector = parts.detector
        assert detector is not None
        planner = wiring.build_planner("rules")

        def make(seeds: Sequence[int]) -> Iterator[GeneratedRun]:
            yield from make_runs(wiring.build(TINY.name, planner="rules"), detector, seeds)

        try:
            for event in prove(parts, planner, recipes=arguments.recipes, make=make):
                if isinstance(event, DoseDone):
                    bar.show(event.done / event.total, event.fault, None)
                else:
                    table = event
        finally:
            bar.clear()
        write_json(out / FAULTS_JSON, table)
        write_text(out / FAULTS_MD, table_markdown(table))
    print(table_markdown(table), end="")
    broken = [row for row in table["rows"] if not row["holds"]]
    total, recipes = len(table["rows"]), table["recipes"]
    print(f"{total - len(broken)} of {total} claims hold on {recipes} recipes.")
    if broken:
        failed = ", ".join(f"{row['figure']} under {row['fault']!r}" for row in broken)
        raise ProcvidError(
            f"{len(broken)} of {total} claims do not hold on {recipes} recipes: {failed}.",
            "Raise --recipes for steadier figures; a claim that still fails is a fault.",
        )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return run(parser(), argv)


if __name__ == "__main__":
    sys.exit(main())
