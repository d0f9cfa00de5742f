"""The options `--workers` and `--ray` of the commands that spread their work."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from procvid.cli.arguments import whole_number
from procvid.errors import InputError
from procvid.machine import gpu_indices
from procvid.machine.jobs import Tools
from procvid.machine.spread import Spread

MAX_WORKERS = 1024


def add_workers(parser: argparse.ArgumentParser) -> None:
    """Add `--workers` and `--ray`."""
    parser.add_argument(
        "--workers",
        metavar="N",
        type=whole_number,
        help="processes that share the work (default: 1, or one per GPU)",
    )
    parser.add_argument(
        "--ray",
        metavar="ADDRESS",
        default="",
        help="Ray cluster to work on: its address, auto, or local for this machine",
    )


def spread_of(
    arguments: argparse.Namespace, make_tools: Callable[[], Tools], *, needs_gpu: bool = False
) -> Spread[Tools]:
    """Return the workers that the options describe.

    Args:
        arguments: The options.
        make_tools: Builds the models of a worker. Must be picklable.
        needs_gpu: Give each worker a GPU of its own.

    Raises:
        InputError: The number of workers is out of range, or larger than that of the GPUs.
    """
    wanted = arguments.workers
    if wanted is not None and not 1 <= wanted <= MAX_WORKERS:
        raise InputError(f"--workers {wanted} is out of range.", f"Choose 1 to {MAX_WORKERS}.")
    gpus = gpu_indices() if needs_gpu and not arguments.ray else ()
    workers = wanted or max(1, len(gpus))
    if gpus and workers > len(gpus):
        raise InputError(
            f"--workers {workers} is more than the GPUs of this machine.",
            f"Choose 1 to {len(gpus)}.",
        )
    return Spread(make_tools, workers, arguments.ray, needs_gpu, gpus)
