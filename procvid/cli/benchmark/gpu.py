"""Measure a Phantom model at full size on a GPU, with random weights."""

from __future__ import annotations

import argparse
import json
from typing import Any

from procvid.errors import InputError
from procvid.settings import PROFILES, choose_sampling, parse_size
from procvid.wiring import benchmark as wiring_measuring


def benchmark_gpu(arguments: argparse.Namespace) -> None:
    """Measure and print.

    Raises:
        InputError: The profile does not allow the size, length or number of references.
        UnavailableError: There is no GPU.
    """
    profile = PROFILES[arguments.profile]
    sampling = choose_sampling(
        profile,
        size=parse_size(arguments.size) if arguments.size is not None else None,
        num_frames=arguments.frames,
        num_inference_steps=arguments.steps,
    )
    most = profile.max_references
    if not 0 <= arguments.references <= most:
        raise InputError(
            f"{arguments.references} references is out of range.",
            f"Choose 0 to {most}.",
        )
    if not arguments.random_weights:
        raise InputError(
            f"The {profile.name} profile is measured with random weights, which cost the same time "
            "and memory as published ones.",
            "Add --random-weights.",
        )
    figures = wiring_measuring.measure_on_gpu(
        profile,
        sampling,
        num_references=arguments.references,
        repeats=arguments.repeats,
        with_rungs=not arguments.no_rungs,
    )
    if arguments.json:
        print(json.dumps(figures))
    else:
        print("\n".join(_lines(figures)))


def _lines(figures: dict[str, Any]) -> list[str]:
    lines = [f"{figures['device']}, torch {figures['torch']}, {figures['clip']}"]
    steps = figures["steps"]
    for mode, seconds in steps["step_s"].items():
        ratio = steps["ratio_to_plain"][mode]
        lines.append(f"{seconds:>10.3f}  s per step, {mode} ({ratio:.3f} of the plain loop)")
    lines.append(
        f"{steps['tflops']:>10.0f}  TFLOP/s in exact mode, {steps['share_of_limit']:.0%} of "
        f"{steps['limit_tflops']:.0f} ({steps['tflop_a_step']:.0f} TFLOP per step)"
    )
    lines.append(
        f"{steps['max_abs_difference']:>10.2g}  largest difference between exact and plain"
    )
    for row in figures.get("rungs", ()):
        if row["peak_bytes"] is None:
            lines.append(f"{'-':>10}  {row['rung']}: out of memory")
            continue
        lines.append(
            f"{row['peak_bytes'] / 1e9:>10.2f}  GB at most, {row['rung']} (computed "
            f"{row['estimated_bytes'] / 1e9:.2f}), {row['seconds']:.1f} s per step"
        )
    return lines
