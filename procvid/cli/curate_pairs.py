"""`procvid curate pairs`: make pairs of clips of the same step, with differences and questions."""

from __future__ import annotations

import argparse
import dataclasses
import json

from procvid.cli.arguments import add_json, whole_number
from procvid.cli.screen import Bar
from procvid.data.pairs import BY_RULES, PairCuration, clips_of, seen_objects
from procvid.errors import InputError
from procvid.settings import PAIR_WRITER_CHOICES, SEEN_CHOICES
from procvid.settings.environment import user_path
from procvid.wiring.curation import build_object_reader, build_pair_writer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.description = (
        "Make pairs of clips of the same step from different videos, with descriptions, differences "
        "and three kinds of questions, as a dataset repository."
    )
    parser.add_argument(
        "dataset", metavar="DATASET", help="folder of `procvid curate`, or its clips.jsonl"
    )
    parser.add_argument("--out", metavar="PAIRS", required=True, help="folder of the pairs")
    parser.add_argument(
        "--writer",
        choices=PAIR_WRITER_CHOICES,
        default="rules",
        help="writes descriptions and questions: rules (from the words of the steps) or openai, a "
        "language model (OPENAI_API_KEY) (default: rules)",
    )
    parser.add_argument(
        "--objects",
        choices=SEEN_CHOICES,
        default="none",
        help="names the objects in each clip: tiny knows the toy kitchen only, openai is a vision "
        "model, none uses the captions alone (default: none)",
    )
    parser.add_argument(
        "--per-step", metavar="N", type=whole_number, default=50, help="most pairs of a step (50)"
    )
    parser.add_argument("--limit", metavar="N", type=whole_number, help="most pairs in all")
    add_json(parser, "print one line of JSON per pair")
    parser.set_defaults(run=curate_pairs)


def curate_pairs(arguments: argparse.Namespace) -> None:
    """Write the pairs and print their number.

    Raises:
        InputError: A number is out of range, or the dataset has no two clips of a step.
        OutputError: The folder cannot be written.
        ServiceError: A service is not available.
    """
    for name in ("per_step", "limit"):
        value = getattr(arguments, name)
        if value is not None and value < 1:
            option = name.replace("_", "-")
            raise InputError(f"--{option} {value} is too small.", "Choose 1 or more.")
    reader = build_object_reader(arguments.objects)
    curation = PairCuration(
        clips_of(user_path(arguments.dataset)),
        build_pair_writer(arguments.writer),
        seen_objects(reader) if reader else None,
        arguments.per_step,
        arguments.limit,
    )
    out = user_path(arguments.out)
    bar = Bar()
    for progress in curation.run(out):
        if arguments.json:
            print(json.dumps(dataclasses.asdict(progress), ensure_ascii=False), flush=True)
            continue
        if progress.message:
            bar.clear()
            print(f"Skipped pair {progress.done}: {progress.message}", flush=True)
        bar.show(progress.done / progress.total, f"pairs: {progress.done}/{progress.total}", None)
    bar.clear()
    if arguments.json:
        return
    left_out = {**curation.counts["clips left out"], **curation.counts["pairs left out"]}
    for reason, count in left_out.items():
        print(f"{count} left out: {reason}.")
    if arguments.writer == "rules":
        print(BY_RULES)
    pairs, steps = curation.counts["steps"].total(), len(curation.counts["steps"])
    print(f"Done: {out} holds {pairs} pairs of {steps} steps.")
