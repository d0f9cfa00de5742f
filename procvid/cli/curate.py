"""`procvid curate`: make a dataset of clips from instructional videos."""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
from functools import partial
from pathlib import Path

from procvid.cli.arguments import add_json, whole_number
from procvid.cli.screen import Bar, time_left
from procvid.cli.workers import add_workers, spread_of
from procvid.data.curate import CLIPS, COUNTS, Curation, CurationProgress
from procvid.data.matching import MatchRules
from procvid.data.quality import QualityRules
from procvid.data.readers.choose import Collection
from procvid.data.shots import ShotRules
from procvid.data.stages import STAGES, Rules
from procvid.errors import InputError
from procvid.settings import CAPTIONER_CHOICES, COLLECTION_FORMATS, STEP_FINDER_CHOICES
from procvid.wiring.curation import build_tools

BELOW = {"pairs": "procvid.cli.curate_pairs"}
"""Commands below this one. A source of that name is given as `./pairs`."""

NUMBERS = (
    ("min-iou", 0.5, "a clip matches a step when their times overlap more than this (Algorithm 1)"),
    ("min-iou-begun", 0.2, "or more than this, if it starts near the step and ends after it"),
    ("max-start-diff", 5.0, "largest distance that counts as near, s"),
    ("cut", 0.5, "probability of a shot boundary above which TransNetV2 cuts"),
    ("min-clip", 1.0, "shorter shots are skipped, s"),
    ("max-clip", 30.0, "longer shots are cut into equal parts, s"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.epilog = "`procvid curate pairs DATASET` makes pairs of clips of the same step."
    parser.add_argument(
        "source",
        metavar="SOURCE",
        help="folder of videos with .vtt or .srt files, or of HowTo100M, YouCook2 or HT-Step",
    )
    add_options(parser)
    parser.set_defaults(run=curate)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of a curation."""
    parser.add_argument(
        "--out", metavar="DIR", required=True, help="folder of the dataset and the clip list"
    )
    parser.add_argument(
        "--format",
        choices=COLLECTION_FORMATS,
        default="auto",
        help="format of SOURCE (default: auto)",
    )
    parser.add_argument("--videos", metavar="DIR", help="folder of the videos (default: SOURCE)")
    parser.add_argument("--transcripts", metavar="FILE", help="another HowTo100M captions file")
    parser.add_argument(
        "--category",
        default="Food and Entertaining",
        help='HowTo100M category, "" for all (default: Food and Entertaining)',
    )
    parser.add_argument("--limit", metavar="N", type=whole_number, help="only the first N videos")
    parser.add_argument(
        "--steps",
        choices=STEP_FINDER_CHOICES,
        default="rules",
        help="finds the steps in the transcript: rules (English) or a language model "
        "(default: rules)",
    )
    parser.add_argument(
        "--captions",
        choices=CAPTIONER_CHOICES,
        default="none",
        help="openai captions each clip with a vision model and rates the caption (default: none)",
    )
    parser.add_argument(
        "--min-rating",
        metavar="N",
        type=whole_number,
        default=0,
        help="lowest caption rating to keep, 0 to 6 (default: 0)",
    )
    for name, default, summary in NUMBERS:
        parser.add_argument(
            f"--{name}",
            metavar="X",
            type=float,
            default=default,
            help=f"{summary} (default: {default:g})",
        )
    parser.add_argument(
        "--min-side",
        metavar="PX",
        type=whole_number,
        default=240,
        help="smallest shorter side of a video, px (default: 240)",
    )
    parser.add_argument(
        "--keep-repeats", action="store_true", help="keep clips that repeat the previous step"
    )
    parser.add_argument("--licence", default="", help="licence of videos that name none")
    parser.add_argument(
        "--no-pictures", action="store_true", help="write a dataset without an image per clip"
    )
    add_workers(parser)
    add_json(parser, "print one line of JSON per unit of work")


def curate(arguments: argparse.Namespace) -> None:
    """Curate a collection, or continue a curation that was interrupted."""
    out, source = Path(arguments.out), Path(arguments.source)
    collection = Collection(
        path=source,
        format=arguments.format,
        videos=Path(arguments.videos) if arguments.videos else None,
        captions=Path(arguments.transcripts) if arguments.transcripts else None,
        category=arguments.category,
    )
    run_curation(curation_of(arguments, collection, out), arguments.json)
    if not arguments.json:
        print_counts(out)


def curation_of(arguments: argparse.Namespace, collection: Collection, out: Path) -> Curation:
    """Return the curation that the options describe.

    Raises:
        InputError: An option is out of range.
    """
    if not 0 <= arguments.min_rating <= 6:
        raise InputError(f"--min-rating {arguments.min_rating} is out of range.", "Choose 0 to 6.")
    return Curation(
        collection=collection,
        out=out,
        rules=_rules(arguments),
        make_tools=partial(build_tools, arguments.steps, arguments.captions),
        spread=spread_of(arguments, build_tools),
        limit=arguments.limit,
        pictures=not arguments.no_pictures,
        licence=arguments.licence,
    )


def _rules(arguments: argparse.Namespace) -> Rules:
    for name, low, high in (
        ("min_iou", 0.0, 1.0),
        ("min_iou_begun", 0.0, 1.0),
        ("max_start_diff", 0.0, math.inf),
        ("cut", 0.0, 1.0),
        ("min_clip", 0.0, math.inf),
        ("max_clip", max(0.1, arguments.min_clip), math.inf),
        ("min_side", 1, 10_000),
    ):
        value = getattr(arguments, name)
        if not low <= value <= high:
            option = name.replace("_", "-")
            allowed = f"{low:g} or more" if math.isinf(high) else f"{low:g} to {high:g}"
            raise InputError(f"--{option} {value:g} is out of range.", f"Choose {allowed}.")
    return Rules(
        match=MatchRules(arguments.min_iou, arguments.min_iou_begun, arguments.max_start_diff),
        shots=ShotRules(arguments.cut, arguments.min_clip, arguments.max_clip),
        quality=QualityRules(min_side_px=arguments.min_side),
        keep_repeats=arguments.keep_repeats,
        min_rating=arguments.min_rating,
    )


def run_curation(curation: Curation, as_json: bool) -> None:
    """Run a curation and show its progress."""
    bar = Bar()
    for progress in curation.run():
        if as_json:
            row = {**dataclasses.asdict(progress), "eta_s": progress.eta_s}
            print(json.dumps(row, ensure_ascii=False), flush=True)
            continue
        if progress.message:
            bar.clear()
            skipped = f"Skipped {progress.video_id}: " if progress.video_id else ""
            print(f"{skipped}{progress.message}", flush=True)
        text = f"{progress.stage}: {progress.done}/{progress.total}"
        bar.show(progress.done / max(1, progress.total), text, progress.eta_s)
        if _is_worth_a_line(progress):
            bar.clear()
            left = time_left(progress.eta_s) if progress.done < progress.total else ""
            print(f"{text}{left}", flush=True)
    bar.clear()


def _is_worth_a_line(progress: CurationProgress) -> bool:
    """Return True at the end of a stage, and at every tenth of a long one."""
    if not progress.video_id:
        return progress.done == progress.total
    tenths = [10 * done // progress.total for done in (progress.done - 1, progress.done)]
    return progress.total >= 100 and tenths[0] < tenths[1]


def print_counts(out: Path) -> None:
    """Print how many rows each stage of a finished curation kept."""
    counts = json.loads((out / COUNTS).read_text("utf-8"))
    unusable = sum(counts["videos"]["unusable"].values())
    print(f"{counts['videos']['usable']} usable videos, {unusable} unusable.")
    for name, stage in ((stage.name, counts["stages"][stage.name]) for stage in STAGES):
        rejected = sum(stage["rejected"].values())
        skipped = f", {rejected} skipped" if rejected else ""
        print(f"  {name:9} {stage['rows']} from {stage['videos']} videos{skipped}")
    clips = counts["stages"]["ratings"]["rows"]
    print(f"Done: {out} holds {clips} clips. Input for procvid memory build: {out / CLIPS}.")
