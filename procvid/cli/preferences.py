"""`procvid preferences`: write pairs of a better and a worse take as a training folder."""

from __future__ import annotations

import argparse
import json

from procvid.cli.arguments import add_json
from procvid.errors import InputError, RunError
from procvid.run.folder import RunFolder, read_run
from procvid.run.preferences import (
    MARGIN,
    may_train,
    preferences_of,
    write_preferences,
)
from procvid.settings.environment import user_path
from procvid.storage.text import printable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.description = (
        "Write pairs of a better and a worse take of the same step as a training folder, for "
        "`procvid train rl --algorithm dpo`. A person's choice counts first, otherwise the "
        "judge's score. Runs whose makers did not allow it are left out."
    )
    parser.add_argument("folders", metavar="RUN", nargs="+", help="run folder")
    parser.add_argument("--out", metavar="DIR", required=True, help="new folder for the pairs")
    parser.add_argument(
        "--own",
        action="store_true",
        help="use these runs without permission; only for runs that you made yourself",
    )
    parser.add_argument(
        "--margin",
        metavar="X",
        type=float,
        default=MARGIN,
        help=f"least difference of two scores of the judge, 0 to 1 (default: {MARGIN})",
    )
    add_json(parser)
    parser.set_defaults(run=preferences)


def preferences(arguments: argparse.Namespace) -> None:
    """Write the pairs of some runs.

    Raises:
        InputError: The margin is out of range, or the output folder lies in a run.
        RunError: A folder is no run, or there is no pair.
        OutputError: The output folder holds something, or cannot be written.
    """
    if not 0 <= arguments.margin <= 1:
        raise InputError(f"The margin {arguments.margin:g} is out of range.", "Choose 0 to 1.")
    out = user_path(arguments.out).resolve()
    runs = list(dict.fromkeys(user_path(folder).resolve() for folder in arguments.folders))
    records = {run: read_run(run) for run in runs}
    if any(out.is_relative_to(run) for run in runs):
        raise InputError(f"The output {str(out)!r} lies in a run.", "Choose another folder.")
    used = [run for run in runs if arguments.own or may_train(run)]
    left_out = len(runs) - len(used)
    if not used:
        raise RunError(
            "None of these runs may be used for training.",
            "Ask their makers to allow it on the page, or give --own if they are yours.",
        )
    pairs = (
        p for run in used for p in preferences_of(RunFolder(run, records[run]), arguments.margin)
    )
    counts = write_preferences(out, pairs)
    if arguments.json:
        print(json.dumps({"folder": str(out), **counts, "runs_left_out": left_out}))
        return
    total = sum(counts.values())
    print(
        f"Done: {printable(out)}. {total} pair{'' if total == 1 else 's'}: {counts['person']} by a "
        f"person, {counts['judge']} by the judge."
    )
    if left_out:
        were = "run was" if left_out == 1 else "runs were"
        print(f"Note: {left_out} {were} left out, because the makers did not allow it.")
