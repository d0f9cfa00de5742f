"""`procvid memory build`: build a crop store from captioned clips."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Set
from functools import partial
from pathlib import Path

from procvid.cli.arguments import add_json, add_profile
from procvid.cli.screen import Bar, time_left
from procvid.cli.workers import add_workers, spread_of
from procvid.errors import InputError
from procvid.machine import gpu_facts, use_one_thread
from procvid.memory.build import ClipModels, build_store
from procvid.memory.clip_crops import KEEP
from procvid.run.step import EVERY_LIKELIHOOD
from procvid.settings import SCENE_READER_CHOICES
from procvid.storage.text import printable
from procvid.types import Likelihood
from procvid.wiring import evaluation as wiring_evaluation
from procvid.wiring import run as wiring
from procvid.wiring.stores import build_embedder, detector_of

MAX_FPS = 60


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("manifest", metavar="MANIFEST", help="clip list, JSON lines")
    parser.add_argument("--out", metavar="STORE", required=True, help="store folder")
    add_profile(parser, "profile whose CLIP and detector build the store; only its runs can use it")
    parser.add_argument(
        "--scene-reader",
        choices=SCENE_READER_CHOICES,
        default="rules",
        help="names the objects of a clip: rules from its caption, openai from its frames "
        "(default: rules)",
    )
    parser.add_argument("--name", default="", help="name of the store (default: its folder's)")
    parser.add_argument("--licence", default="", help="licence of the store as a whole")
    parser.add_argument("--rights", default="", help="note on how the store may be used")
    parser.add_argument(
        "--fps",
        metavar="N",
        type=float,
        default=2.0,
        help="frames per second to sample (default: 2)",
    )
    parser.add_argument(
        "--keep-changing",
        action="store_true",
        help="also keep objects that change in their clip, in their final state",
    )
    parser.add_argument(
        "--keep-duplicates", action="store_true", help="keep crops that show the same object"
    )
    add_workers(parser)
    add_json(parser, "print one line of JSON per clip")
    parser.set_defaults(run=build)


def build(arguments: argparse.Namespace) -> None:
    """Build a store, or continue one that was interrupted."""
    if not 0 < arguments.fps <= MAX_FPS:
        raise InputError(
            f"{arguments.fps:g} frames per second is out of range.",
            f"Choose more than 0, up to {MAX_FPS}.",
        )
    profile, _ = wiring.select_profile(arguments.profile)
    keep = EVERY_LIKELIHOOD if arguments.keep_changing else KEEP
    make_models = partial(build_models, profile.name, arguments.scene_reader, keep)
    on_gpu = profile.needs_gpu and gpu_facts()[0] is not None
    spread = spread_of(arguments, make_models, needs_gpu=on_gpu)
    if arguments.scene_reader != "rules" and not spread.is_here:
        raise InputError(
            "A language model reads the scenes in one process only, which keeps its budget.",
            "Use --scene-reader rules, or omit --workers and --ray.",
        )
    models = make_models()
    bar = Bar()

    def note(sentence: str) -> None:
        bar.clear()
        print(printable(f"Note: {sentence}"), file=sys.stderr, flush=True)

    num_crops = num_duplicates = num_rejected = 0
    for progress in build_store(
        Path(arguments.manifest),
        Path(arguments.out),
        scene_reader=models.scene_reader,
        detector=models.detector,
        embedder=models.embedder,
        frame_encoder=None
        if arguments.keep_duplicates
        else wiring_evaluation.build_frame_encoder(profile),
        keep=keep,
        sample_fps=arguments.fps,
        name=arguments.name,
        licence=arguments.licence,
        rights=arguments.rights,
        warn=note,
        spread=spread,
    ):
        num_crops, num_duplicates = progress.num_crops, progress.num_duplicates
        num_rejected = progress.num_rejected
        if arguments.json:
            row = {**dataclasses.asdict(progress), "eta_s": progress.eta_s}
            print(json.dumps(row, ensure_ascii=False), flush=True)
            continue
        if progress.done == progress.total and not progress.source_id:
            if progress.note:
                note(f"Store unchanged; its metadata was updated: {progress.note}.")
            continue
        if progress.message:
            bar.clear()
            print(printable(f"Skipped {progress.source_id}: {progress.message}"), flush=True)
        text = f"{progress.done}/{progress.total} clips, {progress.num_crops} crops"
        bar.show(progress.done / progress.total, text, progress.eta_s)
        if progress.done * 10 // progress.total > (progress.done - 1) * 10 // progress.total:
            # A line per tenth of the work keeps a log short.
            bar.clear()
            print(f"{text}{time_left(progress.eta_s)}", flush=True)
    if arguments.json:
        return
    print(f"Done: {arguments.out} holds {num_crops} crops.")
    if num_duplicates:
        many = "1 duplicate was" if num_duplicates == 1 else f"{num_duplicates} duplicates were"
        print(f"{many} skipped.")
    if num_rejected:
        clips = "1 clip" if num_rejected == 1 else f"{num_rejected} clips"
        print(f"{clips} failed; see build/rejects.jsonl. The same command tries them again.")


def build_models(profile: str, scene_reader: str, keep: Set[Likelihood]) -> ClipModels:
    """Build the models of a worker, computing on one thread."""
    use_one_thread()
    chosen, _ = wiring.select_profile(profile)
    embedder = build_embedder(chosen, allow_cpu=True)
    reader = wiring.build_scene_reader(scene_reader)
    return ClipModels(reader, detector_of(embedder), embedder, keep)
