"""Plant faults in toy-kitchen video and check that every metric answers to its own fault."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lab.command import new_parser
from lab.metrics_proof.captions import prove_captions
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
WRONG_MD, WRONG_JSON = "wrong_clips.md", "wrong_clips.json"


def parser() -> Parser:
    """Return the parser of `python -m lab.metrics_proof`."""
    made = new_parser("metrics_proof", __doc__ or "")
    made.add_argument("--out", metavar="FOLDER", required=True, help="folder of the table")
    made.add_argument("--recipes", metavar="N", type=whole_number, default=16)
    made.add_argument(
        "--only",
        choices=("faults", "wrong-clips"),
        help="one part: the faults (an hour), or wrong clips for the metrics of captions (a minute)",
    )
    made.set_defaults(run=proof)
    return made


def proof(arguments: argparse.Namespace) -> None:
    """Write and print the table of planted faults.

    Raises:
        ProcvidError: A claim does not hold; the table is written all the same.
    """
    out = Path(arguments.out)
    with output_folder(out):
        if arguments.only != "wrong-clips":
            _prove_faults(out, arguments.recipes)
        if arguments.only != "faults":
            _prove_wrong_clips(out)


def _prove_faults(out: Path, recipes: int) -> None:
    bar, table = Bar(), dict[str, Any]()
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
        for event in prove(parts, planner, recipes=recipes, make=make):
            if isinstance(event, DoseDone):
                bar.show(event.done / event.total, event.fault, None)
            else:
                table = event
    finally:
        bar.clear()
    _finish(out, FAULTS_JSON, FAULTS_MD, table)


def _prove_wrong_clips(out: Path) -> None:
    bar, table = Bar(), dict[str, Any]()
    parts = wiring_evaluation.build_evaluation(TINY, standard=True)
    try:
        for event in prove_captions(parts, wiring.build_planner("rules")):
            if isinstance(event, DoseDone):
                bar.show(event.done / event.total, event.fault, None)
            else:
                table = event
    finally:
        bar.clear()
    _finish(out, WRONG_JSON, WRONG_MD, table)


def _finish(out: Path, json_name: str, markdown_name: str, table: dict[str, Any]) -> None:
    """Write and print a table. Raise ProcvidError if a claim does not hold."""
    write_json(out / json_name, table)
    write_text(out / markdown_name, table_markdown(table))
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
