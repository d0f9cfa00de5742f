"""The options of `procvid generate` for several takes per step."""

from __future__ import annotations

import argparse
import math

from procvid.cli.arguments import whole_number
from procvid.errors import InputError
from procvid.run.best_of import REPEATS, policy_of
from procvid.run.takes import MAX_AT_ONCE
from procvid.types import TakePolicy

FINAL_JUDGES = ("openai",)
"""Judges that can decide between the two best takes."""


def add_takes(parser: argparse.ArgumentParser) -> None:
    """Add `--best-of`, `--verify`, `--budget-s` and `--final-judge`."""
    parser.add_argument(
        "--best-of",
        metavar="N",
        type=whole_number,
        help=f"number of takes of each step, 1 to {MAX_AT_ONCE}; the best one is kept (default: 1)",
    )
    parser.add_argument(
        "--verify",
        action="store_true",
        help="make another take while the best one contradicts the plan, at most as many as "
        f"--best-of, or {REPEATS} without it",
    )
    parser.add_argument(
        "--budget-s",
        metavar="SECONDS",
        type=_seconds,
        help="time for all takes but the first of each step; needs --best-of or --verify",
    )
    parser.add_argument(
        "--final-judge",
        choices=FINAL_JUDGES,
        default="",
        help="openai: a vision model scores the two best takes of each step once more, at most "
        "PROCVID_OPENAI_MAX_TOKENS in a run; needs --best-of or --verify",
    )


def take_policy(arguments: argparse.Namespace) -> TakePolicy:
    """Return what the options say.

    Raises:
        InputError: A number is out of range, or the budget has nothing to limit.
    """
    policy = policy_of(
        arguments.best_of, arguments.verify, arguments.budget_s, arguments.final_judge
    )
    if policy.final_judge and not policy.several:
        raise InputError(
            "--final-judge compares two takes, but each step gets one take.",
            "Add --best-of N or --verify.",
        )
    if policy.budget_s is not None and not policy.several:
        raise InputError(
            "--budget-s limits further takes, but each step gets one take.",
            "Add --best-of N or --verify.",
        )
    return policy


def _seconds(text: str) -> float:
    """Return the number that a text holds.

    Raises:
        ArgumentTypeError: The text is not a number.
    """
    try:
        value = float(text) if len(text) <= 20 else math.nan
    except ValueError:
        value = math.nan
    if math.isnan(value):
        raise argparse.ArgumentTypeError(f"{text[:20]!r} is not a number of seconds")
    return value
