"""`procvid curate toykitchen`: curation measured on video whose truth is known."""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from pathlib import Path

from lab.curation_proof.score import score_folder
from lab.curation_proof.toy import read_truth, write_toy_videos
from procvid.cli.curate import curation_of, print_counts, run_curation
from procvid.cli.screen import Bar
from procvid.data.readers.choose import Collection
from procvid.errors import InputError
from procvid.storage.atomic import write_text

VIDEOS, CURATED, SCORES = "toykitchen", "curated", "curation.json"
DEFAULT_VIDEOS, MAX_VIDEOS = 100, 2_000


def prove(arguments: argparse.Namespace) -> None:
    """Videos, their curation, and numbers against the truth; goes on when cut off."""
    out = Path(arguments.out)
    count = DEFAULT_VIDEOS if arguments.limit is None else arguments.limit
    if not 1 <= count <= MAX_VIDEOS:
        raise InputError(f"{count} videos cannot be made.", f"Choose 1 to {MAX_VIDEOS}.")
    bar = Bar()
    for done in write_toy_videos(out / VIDEOS, count):
        bar.show(done / count, f"{done}/{count} videos", None)
    bar.clear()
    truth = read_truth(out / VIDEOS)
    curation = dataclasses.replace(
        curation_of(arguments, Collection(out / VIDEOS / "videos"), out / CURATED), limit=count
    )
    started_s = time.monotonic()
    run_curation(curation, arguments.json)
    numbers = score_folder(out / CURATED, truth)
    numbers["seconds"] = round(time.monotonic() - started_s, 1)
    numbers["seconds_of_video"] = round(sum(v.duration_s for v in truth.values()), 1)
    write_text(out / SCORES, json.dumps(numbers, indent=2) + "\n")
    if not arguments.json:
        print_counts(out / CURATED)
    print(json.dumps(numbers, indent=2))
