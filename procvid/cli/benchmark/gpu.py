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
        limit_s=60.0 * arguments.minutes,
    )
    if arguments.json:
        print(json.dumps(figures))
    else:
        print("\n".join(_lines(figures)))


def _lines(figures: dict[str, Any]) -> list[str]:
    head = f"{figures['device']}, torch {figures['torch']}, attention {figures['attention']}"
    rungs = [_rung_line(row) for row in figures.get("rungs", ())]
    return [head, figures["clip"], *_step_lines(figures), *rungs]


def _step_lines(figures: dict[str, Any]) -> list[str]:
    steps, lines = figures["steps"], []
    for mode, seconds in steps["step_s"].items():
        ratio = steps["ratio_to_plain"][mode]
        lines.append(f"{seconds:>10.3f}  s per step, {mode} ({ratio:.3f} of the plain loop)")
    if "fast" not in steps["step_s"]:
        lines.append(f"{'-':>10}  fast: no time left")
    exact_s = steps["step_s"]["exact"]
    lines += [_way_line(row, exact_s) for row in figures["ways"]]
    lines.append(
        f"{steps['tflops']:>10.0f}  TFLOP/s in exact mode, {steps['share_of_limit']:.0%} of "
        f"{steps['limit_tflops']:.0f} ({steps['tflop_a_step']:.0f} TFLOP per step)"
    )
    lines.append(
        f"{steps['max_abs_difference']:>10.2g}  largest difference between exact and plain"
    )
    return lines


def _way_line(row: dict[str, Any], exact_s: float) -> str:
    if row["step_s"] is None:
        return f"{'-':>10}  {row['name']}: {row['reason']}"
    text = (
        f"{row['step_s']:>10.3f}  s per step, {row['name']} ({row['step_s'] / exact_s:.3f} of exact"
    )
    if row["name"] == "compiled blocks":
        text += f"; the first run took {row['first_s']:.0f} s"
    return f"{text}; difference {row['max_abs_difference']:.2g})"


def _rung_line(row: dict[str, Any]) -> str:
    if row["peak_bytes"] is None:
        return f"{'-':>10}  {row['rung']}: {row['reason']}"
    return (
        f"{row['peak_bytes'] / 1e9:>10.2f}  GB at most, {row['rung']} (computed "
        f"{row['estimated_bytes'] / 1e9:.2f}), {row['seconds']:.1f} s per step"
    )
