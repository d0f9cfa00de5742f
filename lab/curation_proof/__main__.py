"""Measure curation on toy-kitchen video with noisy subtitles and known ground truth."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from lab.command import new_parser
from lab.curation_proof.score import score_folder
from lab.curation_proof.toy import read_truth, write_toy_videos
from procvid.cli import run
from procvid.cli.arguments import Parser
from procvid.cli.curate import add_options, curation_of, print_counts, run_curation
from procvid.cli.screen import Bar
from procvid.data.readers.choose import Collection
from procvid.errors import InputError
from procvid.storage.atomic import write_text

VIDEOS, CURATED, SCORES = "toykitchen", "curated", "curation.json"
DEFAULT_VIDEOS, MAX_VIDEOS = 100, 2_000


def parser() -> Parser:
    """Return the parser of `python -m lab.curation_proof`: the options of `procvid curate`."""
    made = new_parser("curation_proof", __doc__ or "")
    add_options(made)
    made.set_defaults(run=prove)
    return made


def prove(arguments: argparse.Namespace) -> None:
    """Write toy videos, curate them and score the pairs; resumes if interrupted.

    Raises:
        InputError: The number of videos is out of range.
    """
    out = Path(arguments.out)
    number = DEFAULT_VIDEOS if arguments.limit is None else arguments.limit
    if not 1 <= number <= MAX_VIDEOS:
        raise InputError(f"Cannot draw {number} videos.", f"Choose 1 to {MAX_VIDEOS}.")
    bar = Bar()
    for done in write_toy_videos(out / VIDEOS, number):
        bar.show(done / number, f"{done}/{number} videos", None)
    bar.clear()
    truth = read_truth(out / VIDEOS)
    curation = dataclasses.replace(
        curation_of(arguments, Collection(out / VIDEOS / "videos"), out / CURATED), limit=number
    )
    start_s = time.monotonic()
    run_curation(curation, arguments.json)
    numbers = score_folder(out / CURATED, truth)
    numbers["seconds"] = round(time.monotonic() - start_s, 1)
    numbers["seconds_of_video"] = round(sum(v.duration_s for v in truth.values()), 1)
    write_text(out / SCORES, json.dumps(numbers, indent=2) + "\n")
    if not arguments.json:
        print_counts(out / CURATED)
    print(json.dumps(numbers, indent=2))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return run(parser(), argv)


if __name__ == "__main__":
    sys.exit(main())
