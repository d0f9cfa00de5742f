"""`procvid benchmark`: measure speed and memory on this machine."""

from __future__ import annotations

import argparse

from procvid.cli.arguments import add_json, whole_number
from procvid.errors import InputError
from procvid.settings import CONVERTIBLE, MAX_REFERENCES, PHANTOM_PROFILES, PROFILES, TINY

MAX_REPEATS = 1000
MAX_MINUTES = 600
GPU_DEFAULTS = {
    "random_weights": False,
    "size": None,
    "frames": None,
    "references": MAX_REFERENCES,
    "steps": 2,
    "minutes": 8,
    "no_rungs": False,
}
"""Options for a profile on a GPU, with their values if they are not given."""


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
        choices=PHANTOM_PROFILES,
        default=TINY.name,
        help=f"profile to measure; another than {TINY.name} needs a GPU (default: {TINY.name})",
    )
    parser.add_argument(
        "--evaluation", action="store_true", help="measure an evaluation of 5 to 100 clips"
    )
    add_json(parser)
    gpu = parser.add_argument_group("on a GPU")
    # None shows that an option was not given.
    gpu.add_argument(
        "--random-weights", action="store_true", default=None, help="download no weights"
    )
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
        help=f"reference images, 0 to {MAX_REFERENCES} (default: {MAX_REFERENCES})",
    )
    gpu.add_argument(
        "--steps",
        metavar="N",
        type=whole_number,
        help="denoising steps of a timed run (default: 2)",
    )
    gpu.add_argument(
        "--minutes",
        metavar="N",
        type=whole_number,
        help=f"time limit, 1 to {MAX_MINUTES}; what does not fit is not measured (default: 8)",
    )
    gpu.add_argument(
        "--no-rungs", action="store_true", default=None, help="skip the GPU memory ladder"
    )
    parser.set_defaults(run=benchmark)


def benchmark(arguments: argparse.Namespace) -> None:
    """Measure and print; store nothing.

    Raises:
        InputError: An option is out of range, or does not fit the profile.
        UnavailableError: A process failed, or there is no GPU.
    """
    bundled = PROFILES[arguments.profile].bundled
    if arguments.evaluation and not bundled:
        raise InputError(
            f"--evaluation is for the {TINY.name} profile.",
            f"Omit --profile {arguments.profile} or --evaluation.",
        )
    _fill_gpu_options(arguments, bundled)
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
    if not bundled:
        from procvid.cli.benchmark.gpu import benchmark_gpu

        benchmark_gpu(arguments)
    else:
        from procvid.cli.benchmark.tiny import benchmark_tiny

        benchmark_tiny(arguments)


def _fill_gpu_options(arguments: argparse.Namespace, bundled: bool) -> None:
    """Set the defaults of the options for a GPU. Raise InputError if one is given for a bundled profile."""
    for name, default in GPU_DEFAULTS.items():
        if getattr(arguments, name) is None:
            setattr(arguments, name, default)
        elif bundled:
            raise InputError(
                f"--{name.replace('_', '-')} is for a profile on a GPU.",
                f"Add --profile {CONVERTIBLE[0]}.",
            )
