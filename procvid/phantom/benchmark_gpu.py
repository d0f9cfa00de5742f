"""Cost of a denoising step at full size on a GPU, with random weights: time, VRAM, TFLOP/s.

Random weights cost the same as real ones: neither the time nor the VRAM depends on the values.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from diffusers import AutoencoderKLWan, WanTransformer3DModel
from transformers import UMT5Config, UMT5EncoderModel

from procvid.phantom.benchmark import random_tensors, run_pipeline, run_plain_loop, seconds_of
from procvid.phantom.benchmark_ways import NO_TIME, TimeLimit
from procvid.phantom.clip import ClipArguments
from procvid.phantom.flops import forward_flops, num_forwards, num_tokens
from procvid.phantom.ladder import SUMMARIES, rungs
from procvid.phantom.layout import Config, empty_transformer, stored_dtype
from procvid.phantom.loading import phantom_scheduler
from procvid.phantom.pipeline_phantom_wan import PhantomWanPipeline
from procvid.phantom.placing import place, release_memory, take_off
from procvid.phantom.vram import UMT5_XXL, ClipShape, estimate
from procvid.types import EXACT, Sampling

LIMIT_TFLOPS = 700.0
"""Dense half-precision arithmetic that an H100 reaches in practice; steps are compared with it."""

MODES = ("exact", "precise", "fast", "plain")


@torch.no_grad()
def random_transformer(
    config: Config, dtype: torch.dtype, device: torch.device
) -> WanTransformer3DModel:
    """Return a transformer with seeded random weights, created in its dtype on its device.

    The layers preserve the scale of their inputs, so that no number overflows.
    """
    transformer = empty_transformer(config)
    generator = torch.Generator(device).manual_seed(0)
    weights = {}
    for name, parameter in transformer.named_parameters():
        shape, kept = parameter.shape, stored_dtype(name, dtype)
        if parameter.ndim == 1:
            ones = "norm" in name and name.endswith("weight")
            weights[name] = torch.full(shape, float(ones), dtype=kept, device=device)
        else:
            fan_in = math.prod(shape[1:])
            value = torch.randn(shape, generator=generator, device=device, dtype=kept)
            weights[name] = value / math.sqrt(fan_in)
    transformer.load_state_dict(weights, strict=True, assign=True)
    return transformer.to(device).requires_grad_(False).eval()


def random_pipeline(
    config: Config, dtype: torch.dtype, device: torch.device, *, all_parts: bool
) -> PhantomWanPipeline:
    """Return a pipeline with a random transformer; with all parts, also text encoder and autoencoder."""
    text_encoder = vae = None
    if all_parts:
        with torch.device("meta"):
            text_encoder = UMT5EncoderModel(UMT5Config(**UMT5_XXL)).to(dtype)
        text_encoder = text_encoder.to_empty(device="cpu").requires_grad_(False).eval()
        for value in (*text_encoder.parameters(), *text_encoder.buffers()):
            value.zero_()
        vae = AutoencoderKLWan().requires_grad_(False).eval()
    pipeline = PhantomWanPipeline(
        tokenizer=None,
        text_encoder=text_encoder,
        vae=vae,
        scheduler=phantom_scheduler(),
        transformer=random_transformer(config, dtype, device),
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


@dataclass(frozen=True)
class StepTimes:
    """Seconds of a denoising step by mode, and the arithmetic of the exact mode.

    Attributes:
        seconds: Medians, by mode of `MODES`; for "fast", the mean step of a whole schedule. A mode
            that was not measured is missing.
        calls: Model calls per step.
        tflop: Operations of a step, in 10^12.
        tflops: Operations per second in exact mode, in 10^12.
        max_abs_difference: Largest difference between the final latents of exact and plain.
    """

    seconds: Mapping[str, float]
    calls: int
    tflop: float
    tflops: float
    max_abs_difference: float

    def to_json(self) -> dict[str, object]:
        """Return all values as JSON, with the ratios to the plain loop and to the limit."""
        plain = self.seconds["plain"]
        return {
            "step_s": dict(self.seconds),
            "ratio_to_plain": {mode: s / plain for mode, s in self.seconds.items()},
            "calls_a_step": self.calls,
            "tflop_a_step": self.tflop,
            "tflops": self.tflops,
            "limit_tflops": LIMIT_TFLOPS,
            "share_of_limit": self.tflops / LIMIT_TFLOPS,
            "max_abs_difference": self.max_abs_difference,
        }


def clip_arguments(pipeline: PhantomWanPipeline, clip: ClipShape, num_steps: int) -> ClipArguments:
    """Return random tensors for a clip with the published guidance of three calls per step."""
    return ClipArguments(
        height=clip.height,
        width=clip.width,
        num_frames=clip.num_frames,
        num_inference_steps=num_steps,
        **random_tensors(pipeline, clip.height, clip.width, clip.num_frames, clip.num_references),
    )


def measure_modes(
    pipeline: PhantomWanPipeline,
    clip: ClipShape,
    fast: Sampling,
    *,
    num_steps: int,
    repeats: int,
    limit: TimeLimit,
) -> StepTimes:
    """Time a step in every mode, in turns, after a warm-up of each.

    The fast mode skips steps that other modes compute, so it is timed over its whole schedule, after
    the others and without a warm-up of its own.

    Args:
        pipeline: A pipeline on its device.
        clip: The clip; guidance is the published one, with three calls per step.
        fast: Steps and shortcuts of the fast mode.
        num_steps: Denoising steps of a run in the other modes.
        repeats: Timed runs of each mode, fewer if the limit is near.
        limit: The fast mode is not measured if it would end after it.
    """
    arguments = clip_arguments(pipeline, clip, num_steps)
    others = [mode for mode in MODES if mode != "fast"]
    runs = {mode: _run(mode, fast) for mode in MODES}
    finals = {mode: runs[mode](pipeline, arguments) for mode in others}
    times: dict[str, list[float]] = {mode: [] for mode in MODES}
    for number in range(repeats):
        if number and not limit.allows(num_steps * sum(times[mode][-1] for mode in others)):
            break
        # The first mode may be slower, so the order changes.
        for mode in [*others[number % len(others) :], *others[: number % len(others)]]:
            times[mode].append(seconds_of(runs[mode], pipeline, arguments) / num_steps)
    calls = 3 if clip.num_references else 2
    whole_s = times["exact"][0] * num_forwards(fast, clip.num_references) / calls
    for _ in range(repeats):
        if not limit.allows(whole_s):
            break
        whole_s = seconds_of(runs["fast"], pipeline, arguments)
        times["fast"].append(whole_s / fast.num_inference_steps)
    seconds = {mode: statistics.median(values) for mode, values in times.items() if values}
    config = pipeline.transformer.config
    tokens = num_tokens(
        config, clip, pipeline.vae_scale_factor_spatial, pipeline.vae_scale_factor_temporal
    )
    operations = sum(forward_flops(config, tokens, clip.text_length).values())
    tflop = calls * operations / 1e12
    return StepTimes(
        seconds=seconds,
        calls=calls,
        tflop=tflop,
        tflops=tflop / seconds["exact"],
        max_abs_difference=(finals["exact"] - finals["plain"]).abs().max().item(),
    )


def _run(mode: str, fast: Sampling) -> Callable[[PhantomWanPipeline, ClipArguments], torch.Tensor]:
    if mode == "plain":
        return run_plain_loop
    if mode == "fast":

        def run_fast(pipeline: PhantomWanPipeline, arguments: ClipArguments) -> torch.Tensor:
            pipeline.shortcuts = fast.shortcuts
            try:
                whole = replace(arguments, num_inference_steps=fast.num_inference_steps)
                return run_pipeline(pipeline, whole)
            finally:
                pipeline.shortcuts = EXACT

        return run_fast

    def run(pipeline: PhantomWanPipeline, arguments: ClipArguments) -> torch.Tensor:
        pipeline.precise = mode == "precise"
        try:
            return run_pipeline(pipeline, arguments)
        finally:
            pipeline.precise = False

    return run


@torch.no_grad()
def measure_rungs(
    pipeline: PhantomWanPipeline, clip: ClipShape, device: torch.device, limit: TimeLimit
) -> list[dict[str, object]]:
    """Measure the peak VRAM of every rung for encoding, one step and decoding.

    Args:
        pipeline: A pipeline on the CPU with all parts except the tokenizer.
        clip: The clip.
        device: A CUDA device that no other process uses.
        limit: Rungs that would end after it are not measured.

    Returns:
        One row per rung: its name, `peak_bytes`, `estimated_bytes` (without the allowance),
        `seconds` of its denoising step, including transfers of weights, and the `reason` if it was not
        measured.
    """
    config = dict(pipeline.transformer.config)
    config = {key: value for key, value in config.items() if not key.startswith("_")}
    dtype = pipeline.transformer.dtype
    estimates = {
        rung.name: rung.peak_bytes
        for rung in rungs(clip, lambda shape: estimate(shape, config, dtype=dtype))
    }
    rows: list[dict[str, object]] = []
    whole_s = 0.0
    for name in list(SUMMARIES)[:-1]:
        row: dict[str, object] = {"rung": name, "estimated_bytes": estimates.get(name)}
        row |= {"seconds": None, "peak_bytes": None, "reason": ""}
        rows.append(row)
        # A rung takes at most about twice as long as the one before.
        if not limit.allows(2 * whole_s):
            row["reason"] = NO_TIME
            continue
        start_s = time.monotonic()
        place(pipeline, name, device)
        torch.cuda.reset_peak_memory_stats(device)
        try:
            row["seconds"] = _one_clip(pipeline, clip, device)
            row["peak_bytes"] = torch.cuda.max_memory_allocated(device)
        except torch.OutOfMemoryError:
            row["reason"] = "out of memory"
        release_memory()
        whole_s = time.monotonic() - start_s
    take_off(pipeline)
    return rows


def _one_clip(pipeline: PhantomWanPipeline, clip: ClipShape, device: torch.device) -> float:
    ids = torch.zeros((1, clip.text_length), dtype=torch.int64, device=device)
    pipeline.text_encoder(ids)
    arguments = clip_arguments(pipeline, clip, 1)
    latents: list[torch.Tensor] = []

    def keep(pipeline: PhantomWanPipeline, arguments: ClipArguments) -> torch.Tensor:
        latents.append(run_pipeline(pipeline, arguments))
        return latents[-1]

    seconds = seconds_of(keep, pipeline, arguments)
    pipeline.decode_latents(latents[-1], output_type="pt")
    return seconds
