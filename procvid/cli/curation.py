"""`procvid curate`: instructional videos -> clips with words, as a dataset and as a clip list."""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
from functools import partial
from pathlib import Path

from procvid.cli.screen import Bar, duration
from procvid.data.curate import CLIPS, COUNTS, Curation, CurationProgress
from procvid.data.matching import MatchRules
from procvid.data.quality import QualityRules
from procvid.data.readers.choose import Collection
from procvid.data.shots import ShotRules
from procvid.data.spread import Spread
from procvid.data.stages import STAGES, Rules
from procvid.errors import InputError
from procvid.wiring.curation import build_tools

MAX_WORKERS = 1024


def curate(arguments: argparse.Namespace) -> None:
    """Curate a collection; cut off, the same command goes on."""
    out = Path(arguments.out)
    source = Path(arguments.source)
    collection = Collection(
        path=source,
        format=arguments.format,
        videos=Path(arguments.videos) if arguments.videos else None,
        captions=Path(arguments.transcripts) if arguments.transcripts else None,
        category=arguments.category,
    )
    run(curation_of(arguments, collection, out), arguments.json)
    if not arguments.json:
        tell(out)


def curation_of(arguments: argparse.Namespace, collection: Collection, out: Path) -> Curation:
    """What the command line asks for, its numbers checked."""
    if not 1 <= arguments.workers <= MAX_WORKERS:
        raise InputError(f"{arguments.workers} workers cannot work.", "Choose 1 or more.")
    if not 0 <= arguments.min_rating <= 6:
        raise InputError(f"There is no rating {arguments.min_rating}.", "Choose 0 to 6.")
    return Curation(
        collection=collection,
        out=out,
        rules=rules_of(arguments),
        make_tools=partial(build_tools, arguments.steps, arguments.captions),
        spread=Spread(build_tools, arguments.workers, arguments.ray),
        limit=arguments.limit,
        pictures=not arguments.no_pictures,
        licence=arguments.licence,
    )


def rules_of(arguments: argparse.Namespace) -> Rules:
    """The numbers.

    Raises:
        InputError: one is out of range.
    """
    for name, least, most in (
        ("min_iou", 0.0, 1.0),
        ("min_iou_begun", 0.0, 1.0),
        ("max_start_diff", 0.0, math.inf),
        ("cut", 0.0, 1.0),
        ("min_clip", 0.0, math.inf),
        ("max_clip", max(0.1, arguments.min_clip), math.inf),
        ("min_side", 1, 10_000),
    ):
        value = getattr(arguments, name)
        if not least <= value <= most:
            option = name.replace("_", "-")
            raise InputError(f"--{option} {value:g} is out of range.", f"Choose {least:g} or more.")
    return Rules(
        match=MatchRules(arguments.min_iou, arguments.min_iou_begun, arguments.max_start_diff),
        shots=ShotRules(arguments.cut, arguments.min_clip, arguments.max_clip),
        quality=QualityRules(min_side_px=arguments.min_side),
        keep_repeats=arguments.keep_repeats,
        min_rating=arguments.min_rating,
    )


def run(curation: Curation, as_json: bool) -> None:
    """Do it and show how it goes."""
    bar = Bar()
    for progress in curation.run():
        if as_json:
            told = {**dataclasses.asdict(progress), "eta_s": progress.eta_s}
            print(json.dumps(told, ensure_ascii=False), flush=True)
            continue
        if progress.message:
            bar.clear()
            left_out = f"Left out {progress.video_id}: " if progress.video_id else ""
            print(f"{left_out}{progress.message}", flush=True)
        counted = f"{progress.stage}: {progress.done}/{progress.total}"
        bar.show(progress.done / max(1, progress.total), counted, progress.eta_s)
        if _is_worth_a_line(progress):
            bar.clear()
            left = "" if progress.eta_s is None else f", {duration(progress.eta_s)} left"
            print(f"{counted}{left if progress.done < progress.total else ''}", flush=True)
    bar.clear()


def _is_worth_a_line(progress: CurationProgress) -> bool:
    """The end of a stage, and every tenth of a long one."""
    if not progress.video_id:
        return progress.done == progress.total
    tenths = [10 * done // progress.total for done in (progress.done - 1, progress.done)]
    return progress.total >= 100 and tenths[0] < tenths[1]


def tell(out: Path) -> None:
    """What came through each stage."""
    counts = json.loads((out / COUNTS).read_text("utf-8"))
    unusable = sum(counts["videos"]["unusable"].values())
    told = f", {unusable} cannot be used" if unusable else ""
    print(f"{counts['videos']['usable']} videos{told}.")
    for name, stage in ((stage.name, counts["stages"][stage.name]) for stage in STAGES):
        rejected = sum(stage["rejected"].values())
        left_out = f", {rejected} left out" if rejected else ""
        print(f"  {name:9} {stage['rows']} from {stage['videos']} videos{left_out}")
    clips = counts["stages"]["ratings"]["rows"]
    print(f"Done: {out} holds {clips} clips; {out / CLIPS} lists them for procvid memory build.")
