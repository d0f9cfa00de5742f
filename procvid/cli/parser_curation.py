"""The arguments of `procvid curate`."""

from __future__ import annotations

import argparse

from procvid.cli.arguments import whole_number
from procvid.settings import CAPTIONER_CHOICES, COLLECTION_FORMATS, STEP_FINDER_CHOICES


def add_curation(command: argparse.ArgumentParser) -> None:
    """Give `curate` its arguments."""
    command.add_argument(
        "source",
        metavar="SOURCE",
        help="a folder of videos with .vtt or .srt beside them, or the folder of HowTo100M, "
        "YouCook2 or HT-Step",
    )
    add_options(command)


def add_options(command: argparse.ArgumentParser) -> None:
    """Add the options of a curation, `--out` and `--json` included."""
    command.add_argument("--out", metavar="DIR", required=True, help="lines, dataset, clip list")
    command.add_argument("--format", choices=COLLECTION_FORMATS, default="auto")
    command.add_argument("--videos", metavar="DIR", help="of the videos, if not SOURCE")
    command.add_argument("--transcripts", metavar="FILE", help="another captions file of HowTo100M")
    command.add_argument(
        "--category", default="Food and Entertaining", help='of HowTo100M; "" for all'
    )
    command.add_argument("--limit", metavar="N", type=whole_number, help="only the first N videos")
    command.add_argument(
        "--steps",
        choices=STEP_FINDER_CHOICES,
        default="rules",
        help="who finds the steps in what is said: rules (English), or a language model",
    )
    command.add_argument(
        "--captions",
        choices=CAPTIONER_CHOICES,
        default="none",
        help="openai asks a vision model to caption each clip and to rate the caption",
    )
    command.add_argument(
        "--min-rating", metavar="N", type=whole_number, default=0, help="of captions, 0 to 6"
    )
    _add_numbers(command)
    command.add_argument(
        "--keep-repeats", action="store_true", help="keep clips that repeat the step before"
    )
    command.add_argument("--licence", default="", help="of videos that do not tell their own")
    command.add_argument(
        "--no-pictures", action="store_true", help="a dataset without a picture of each clip"
    )
    command.add_argument("--workers", metavar="N", type=whole_number, default=1)
    command.add_argument(
        "--ray",
        metavar="ADDRESS",
        default="",
        help="work on a Ray cluster: its address, auto, or local for one on this machine",
    )
    command.add_argument("--json", action="store_true", help="print one line of JSON a step")


def _add_numbers(command: argparse.ArgumentParser) -> None:
    for name, default, told in (
        ("min-iou", 0.5, "a clip shows an action whose times overlap more (Algorithm 1)"),
        ("min-iou-begun", 0.2, "or more than this, where it begins near it and ends after it"),
        ("max-start-diff", 5.0, "what near is, in seconds"),
        ("cut", 0.5, "a cut is where TransNetV2 is surer"),
        ("min-clip", 1.0, "shorter shots are left out, in seconds"),
        ("max-clip", 30.0, "longer shots are cut into equal parts, in seconds"),
    ):
        help_ = f"{told}; {default:g}"
        command.add_argument(f"--{name}", metavar="X", type=float, default=default, help=help_)
    command.add_argument(
        "--min-side", metavar="PX", type=whole_number, default=240, help="of the shorter side; 240"
    )
