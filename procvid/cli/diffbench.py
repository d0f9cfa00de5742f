"""`procvid diffbench`: score a reader of differences on annotated pairs of clips."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict
from functools import lru_cache

from procvid.cli.arguments import add_json, add_profile
from procvid.cli.diff import add_reader
from procvid.evaluate.differences.annotations import Annotations, ClipSpan, read_annotations
from procvid.evaluate.differences.benchmark import (
    BenchmarkRow,
    BenchmarkTools,
    ClipFiles,
    clip_embedder,
    diff_cap,
    diff_mcq,
    diff_rank,
)
from procvid.settings.environment import user_path
from procvid.types.difference import ClipDifferences
from procvid.wiring import run as wiring
from procvid.wiring.differences import build_comparer
from procvid.wiring.stores import build_embedder

TASKS = ("cap", "mcq", "rank")
HEAD = f"{'task':<12}{'by':<8}{'figure':<20}{'value':>7}  {'95 %':<16}{'n':>6}  skipped"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.description = (
        "Score a reader of differences as Step Differences in Instructional Video does: captions "
        "(cap), choice of the pair that shows a difference (mcq), ranking by severity (rank)."
    )
    parser.add_argument(
        "annotations",
        metavar="FILE",
        help="published JSON lines, or pairs of `procvid curate pairs`",
    )
    parser.add_argument(
        "--task",
        choices=TASKS,
        required=True,
        help="cap for DiffCap, mcq for DiffMCQ, rank for DiffRank",
    )
    parser.add_argument(
        "--videos", metavar="DIR", help="folder of the videos (default: the folder of FILE)"
    )
    add_reader(parser)
    add_profile(parser)
    add_json(parser, "print one figure per line as JSON")
    parser.set_defaults(run=diffbench)


def diffbench(arguments: argparse.Namespace) -> None:
    """Print the figures of one task.

    Raises:
        InputError: The annotations are damaged, or none of their clips could be read.
        ServiceError: A service is not available.
        UnavailableError: A model or a library is missing.
    """
    file = user_path(arguments.annotations)
    annotations = read_annotations(file)
    files = ClipFiles(user_path(arguments.videos) if arguments.videos else file.parent)
    for number, row in enumerate(_rows(arguments, annotations, files)):
        if arguments.json:
            print(json.dumps(asdict(row)), flush=True)
            continue
        if number == 0:
            print(HEAD)
        print(row_line(row), flush=True)


def _rows(
    arguments: argparse.Namespace, annotations: Annotations, files: ClipFiles
) -> Iterator[BenchmarkRow]:
    profile, _ = wiring.select_profile(arguments.profile)
    comparer = build_comparer(profile, arguments.reader)

    @lru_cache(None)
    def differences(a: ClipSpan, b: ClipSpan, text: str) -> ClipDifferences:
        return comparer.compare(files.read(a), files.read(b), text)

    if arguments.task == "cap":
        return diff_cap(annotations.captions, differences)
    if arguments.task == "rank":
        return diff_rank(annotations, differences)
    embedder = build_embedder(profile, allow_cpu=True)
    embed = clip_embedder(files, embedder.embed_images)
    return diff_mcq(annotations, BenchmarkTools(differences, embed, embedder.embed_texts))


def row_line(row: BenchmarkRow) -> str:
    """Return a figure as a line of the table."""
    span = "" if row.low is None or row.high is None else f"{row.low:.3f} to {row.high:.3f}"
    return (
        f"{row.task:<12}{row.who:<8}{row.figure:<20}{row.value:>7.3f}  {span:<16}{row.n:>6}  "
        f"{row.skipped or ''}"
    ).rstrip()
