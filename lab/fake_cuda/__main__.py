"""Run the scenarios of the GPU path on a pretended device, or plant faults that they must find."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from lab.command import new_parser
from lab.fake_cuda.cards import CARDS, HOSTS, on_card
from lab.fake_cuda.faults import FAULTS, problem_with
from lab.fake_cuda.full_size import Outcome
from lab.fake_cuda.scenarios import SCENARIOS, run_scenario
from procvid.cli import run
from procvid.cli.arguments import Parser
from procvid.errors import InputError
from procvid.settings import CONVERTIBLE


def parser() -> Parser:
    """Return the arguments of the command."""
    made = new_parser("fake_cuda", __doc__ or "")
    made.add_argument("names", nargs="*", metavar="SCENARIO", help="scenarios (default: all)")
    made.add_argument("--planted", action="store_true", help="plant faults instead")
    made.add_argument("--cards", action="store_true", help="print the rung on common cards instead")
    made.add_argument("--out", metavar="FILE", type=Path, help="write the figures as JSON")
    made.set_defaults(run=measure)
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    return run(parser(), arguments)


def measure(arguments: argparse.Namespace) -> None:
    """Run the scenarios, or find the planted faults.

    Raises:
        InputError: A scenario is unknown, fails, or a fault is not found.
    """
    torch.set_num_threads(1)
    if arguments.cards:
        _print_cards()
        return
    if arguments.planted:
        _find_faults()
        return
    unknown = [name for name in arguments.names if name not in SCENARIOS]
    if unknown:
        raise InputError(f"There is no scenario {unknown[0]!r}.", "Run it without names for all.")
    rows, failed, start_s = [], 0, time.perf_counter()
    for name in arguments.names or SCENARIOS:
        outcome, problems = run_scenario(SCENARIOS[name])
        failed += bool(problems)
        rows.append({"scenario": name, **_row(outcome), "problems": problems})
        print(_line(rows[-1]), flush=True)
    print(f"{len(rows)} scenarios, {failed} failed, {time.perf_counter() - start_s:.0f} s")
    if arguments.out:
        arguments.out.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    if failed:
        raise InputError(f"{failed} scenarios failed.", "Mend the lines above.")


def _row(outcome: Outcome | None) -> dict[str, object]:
    if outcome is None:
        return {}
    return {
        "rung": outcome.rung,
        "peak_gb": round(outcome.peak / 1e9, 2),
        "estimated_gb": round(outcome.estimated / 1e9, 2),
        "host_gb": round(outcome.host_bytes / 1e9, 2),
        "host_estimated_gb": round(outcome.host_estimated / 1e9, 2),
        "waits": sum(outcome.device.waits.values()),
        "left_mb": round(outcome.left / 1e6, 1),
        "seconds": round(outcome.seconds, 1),
    }


def _line(row: dict[str, Any]) -> str:
    lines = [f"{'FAIL' if row['problems'] else 'ok':5}{row['scenario']:39}"]
    if "rung" in row:
        lines[0] += (
            f"{row['rung']:18}{row['peak_gb']:6} of {row['estimated_gb']:5} GB, host "
            f"{row['host_gb']:5} of {row['host_estimated_gb']:5} GB, {row['seconds']:5} s"
        )
    return "\n".join([*lines, *(f"{'':5}-> {problem}" for problem in row["problems"])])


def _print_cards() -> None:
    for profile in CONVERTIBLE:
        for card in CARDS:
            for host in HOSTS:
                ready = on_card(profile, card, host)
                print(f"{profile:13}{card:3} GB{host:4} GB  {ready.rung:18}{ready.placement}")


def _find_faults() -> None:
    missed = 0
    for fault in FAULTS:
        problem = problem_with(fault)
        missed += not problem
        print(f"{'found' if problem else 'MISSED':7}{fault}: {problem[:150]}", flush=True)
    if missed:
        raise InputError(f"{missed} planted faults were not found.", "Mend the scenarios.")


if __name__ == "__main__":
    sys.exit(main())
