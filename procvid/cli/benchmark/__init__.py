"""`procvid benchmark`: measure speed and memory on this machine."""

from __future__ import annotations

import argparse

from procvid.cli.arguments import add_json, whole_number
from procvid.errors import InputError
from procvid.settings import MAX_REFERENCES, PROFILES, TINY

MAX_REPEATS = 1000
MAX_MINUTES = 600


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.description = (
        "Measure the start of the app, a video, memory and a denoising step of the tiny profile; "
        "with --profile, a Phantom model on a GPU; with --evaluation, the cost of an evaluation."
    )
    parser.add_argument(
        "recipe", metavar="RECIPE", nargs="?", help="recipe of the video (default: five steps)"
    )
    parser.add_argument(
        "--repeats",
        metavar="N",
        type=whole_number,
        default=5,
        help=f"timed repeats, 1 to {MAX_REPEATS} (default: 5)",
    )
    parser.add_argument(
        "--profile",
        choices=tuple(PROFILES),
        default=TINY.name,
        help=f"profile to measure; another than {TINY.name} needs a GPU (default: {TINY.name})",
    )
    parser.add_argument(
        "--evaluation", action="store_true", help="measure an evaluation of 5 to 100 clips"
    )
    add_json(parser)
    gpu = parser.add_argument_group("on a GPU")
    gpu.add_argument("--random-weights", action="store_true", help="download no weights")
    gpu.add_argument("--size", metavar="WxH", help="size of the clip, px (default: the profile's)")
    gpu.add_argument(
        "--frames",
        metavar="N",
        type=whole_number,
        help="frames of the clip, 4n+1 (default: the profile's)",
    )
    gpu.add_argument(
        "--references",
        metavar="N",
        type=whole_number,
        default=MAX_REFERENCES,
        help=f"reference images, 0 to {MAX_REFERENCES} (default: {MAX_REFERENCES})",
    )
    gpu.add_argument(
        "--steps",
        metavar="N",
        type=whole_number,
        default=2,
        help="denoising steps of a timed run (default: 2)",
    )
    gpu.add_argument(
        "--minutes",
        metavar="N",
        type=whole_number,
        default=8,
        help=f"time limit, 1 to {MAX_MINUTES}; what does not fit is not measured (default: 8)",
    )
    gpu.add_argument("--no-rungs", action="store_true", help="skip the GPU memory ladder")
    parser.set_defaults(run=benchmark)


def benchmark(arguments: argparse.Namespace) -> None:
    """Measure and print; store nothing.

    Raises:
        InputError: An option is out of range.
        UnavailableError: A process failed, or there is no GPU.
    """
    if arguments.evaluation:
        from procvid.cli.benchmark.evaluation import benchmark_evaluation

        benchmark_evaluation(arguments)
        return
    if not 1 <= arguments.repeats <= MAX_REPEATS:
        raise InputError(
            f"{arguments.repeats} repeats is out of range.", f"Choose 1 to {MAX_REPEATS}."
        )
    if not 1 <= arguments.minutes <= MAX_MINUTES:
        raise InputError(
            f"{arguments.minutes} minutes is out of range.", f"Choose 1 to {MAX_MINUTES}."
        )
    if not PROFILES[arguments.profile].bundled:
        from procvid.cli.benchmark.gpu import benchmark_gpu

        benchmark_gpu(arguments)
    else:
        from procvid.cli.benchmark.tiny import benchmark_tiny

        benchmark_tiny(arguments)
