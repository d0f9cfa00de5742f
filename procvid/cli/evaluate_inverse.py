"""`procvid evaluate inverse`: make clips from the captions of a dataset and compare them with it."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from functools import partial
from pathlib import Path
from typing import get_args

from procvid.cli.arguments import (
    add_fast,
    add_json,
    add_lora,
    add_profile,
    add_steps,
    whole_number,
)
from procvid.cli.screen import Bar, time_left
from procvid.cli.sources import absolute_lora
from procvid.cli.workers import add_workers, spread_of
from procvid.data.captioned import captioned_clips
from procvid.errors import InputError
from procvid.evaluate.inverse import (
    DEFAULT_LIMIT,
    MAX_CLIPS,
    InverseFinished,
    InverseGeneration,
    InverseStep,
    toy_clips,
)
from procvid.evaluate.inverse_clips import CaptionedClip, KeyFrame
from procvid.evaluate.inverse_report import (
    TABLE_MD,
    inverse_markdown,
    inverse_table,
    write_inverse,
)
from procvid.settings import choose_sampling
from procvid.storage.lock import output_folder
from procvid.wiring import inverse as wiring_inverse
from procvid.wiring import run as wiring

WORD = "inverse"
TOY = "toykitchen"
THE_FOLDER = "Note: the word inverse selects this command. For the run folder, write ./inverse."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.description = (
        "Make clips from the captions of a dataset and compare them with the originals."
    )
    parser.add_argument(
        "dataset",
        metavar="DATASET",
        nargs="?",
        help="folder of `procvid curate`, a clip list, or toykitchen for held-out toy clips",
    )
    parser.add_argument(
        "--out", metavar="FOLDER", required=True, help="folder of clips, measures and the table"
    )
    parser.add_argument(
        "--limit",
        metavar="N",
        type=whole_number,
        default=DEFAULT_LIMIT,
        help=f"number of clips, drawn by the seed (default: {DEFAULT_LIMIT})",
    )
    parser.add_argument(
        "--key-frame",
        choices=get_args(KeyFrame),
        default="objects",
        help="give crops of the objects in the first frame, or the whole frame (default: objects)",
    )
    parser.add_argument(
        "--videos", metavar="DIR", help="videos of a dataset repository without its clip list"
    )
    parser.add_argument(
        "--seed", metavar="N", type=whole_number, default=0, help="seed of the clips (default: 0)"
    )
    add_lora(parser, "LoRA of the generator")
    add_steps(parser)
    add_fast(parser)
    add_profile(parser)
    add_workers(parser)
    add_json(parser, "print one event per line as JSON")
    parser.set_defaults(run=evaluate_inverse)


def evaluate_inverse(arguments: argparse.Namespace) -> None:
    """Make and measure the clips, or continue where an earlier run stopped."""
    if Path(WORD).is_dir() and not arguments.json:
        print(THE_FOLDER, file=sys.stderr, flush=True)
    if arguments.dataset is None:
        raise InputError(
            "The dataset is missing.",
            f"Write `procvid evaluate {WORD} DATASET`; a run folder of that name is ./{WORD}.",
        )
    if not 1 <= arguments.limit <= MAX_CLIPS:
        raise InputError(
            f"--limit {arguments.limit} is out of range.", f"Choose 1 to {MAX_CLIPS:,}."
        )
    profile, reason = wiring.select_profile(arguments.profile)
    sampling = choose_sampling(
        profile, num_inference_steps=arguments.steps, seed=arguments.seed, fast=arguments.fast
    )
    lora = tuple(absolute_lora(text) for text in arguments.lora)
    clips, notes = _clips(arguments)
    build = partial(wiring_inverse.build_inverse_tools, profile.name, reason, lora)
    out = Path(arguments.out)
    with output_folder(out):
        missing = wiring_inverse.missing_networks()
        published = [metric for metric in wiring_inverse.PUBLISHED if metric not in missing]
        build = partial(build, published)
        tools = build()
        work = InverseGeneration(
            clips=clips,
            limit=arguments.limit,
            sampling=sampling,
            key_frame=arguments.key_frame,
            kinds=tuple(tools.distances),
            tools=tools,
            spread=spread_of(arguments, build, needs_gpu=profile.needs_gpu),
            lora=lora,
        )
        finished = _shown(work, out, arguments.json)
        table = inverse_table(
            finished.items, finished.faults, clips, work.kinds, missing, work.settings(), notes
        )
        write_inverse(out, table, finished.items, clips)
    if arguments.json:
        print(json.dumps({"event": "inverse_finished", "table": table}, ensure_ascii=False))
    else:
        print(inverse_markdown(table))
        print(f"Done: {out / TABLE_MD}")


def _clips(arguments: argparse.Namespace) -> tuple[tuple[CaptionedClip, ...], list[str]]:
    """Return the clips and the notes on them."""
    if arguments.dataset == TOY:
        return toy_clips(arguments.limit), []
    videos = Path(arguments.videos) if arguments.videos else None
    clips, notes = captioned_clips(Path(arguments.dataset), videos)
    few = [
        f"The dataset has {len(clips)} clips, fewer than --limit {arguments.limit}: all are used."
    ]
    return clips, [*notes, *(few if len(clips) < arguments.limit else [])]


def _shown(work: InverseGeneration, out: Path, as_json: bool) -> InverseFinished:
    """Run the work, show its progress, and return its last event."""
    bar = Bar()
    finished = InverseFinished({}, {})
    try:
        for event in work.run(out):
            if isinstance(event, InverseFinished):
                finished = event
                continue
            if as_json:
                row = {"event": "inverse_clip", **dataclasses.asdict(event)}
                print(json.dumps(row, ensure_ascii=False), flush=True)
                continue
            _show(event, bar)
    finally:
        bar.clear()
    return finished


def _show(event: InverseStep, bar: Bar) -> None:
    if event.fault:
        bar.clear()
        print(f"Left out {event.clip}: {event.fault}", flush=True)
    count = f"{event.done} of {event.total} clips{time_left(event.eta_s)}"
    bar.show(event.done / event.total, count, event.eta_s)
