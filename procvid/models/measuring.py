"""Time denoising steps of Phantom-Wan: the bundled model, or a published size on the first GPU."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from procvid.models.generators.phantom_wan import PhantomWan
from procvid.models.quiet import quiet_loading
from procvid.phantom.benchmark import measure_denoising
from procvid.phantom.benchmark_gpu import (
    clip_arguments,
    measure_modes,
    measure_rungs,
    random_pipeline,
)
from procvid.phantom.benchmark_ways import TimeLimit, measure_ways, set_default_attention
from procvid.phantom.layout import CONFIGS
from procvid.phantom.pipeline_phantom_wan import PhantomWanPipeline
from procvid.phantom.vram import ClipShape
from procvid.settings import PROFILES, Profile
from procvid.types import Sampling

STEPS_SHARE = 0.6
"""Share of the time limit for denoising steps; the rest is for the rungs of the ladder."""


def measure_bundled(profile: Profile, folder: Path, *, repeats: int) -> dict[str, float]:
    """Time a denoising step on the CPU; see `procvid.phantom.benchmark`.

    With exact guidance of three model calls a step: the two scales differ from each other and from 1.
    """
    with quiet_loading():
        pipeline = PhantomWan(profile, folder).load(torch.float32, precise=False)
    sampling = profile.sampling
    return measure_denoising(
        pipeline,
        height=sampling.height,
        width=sampling.width,
        num_frames=sampling.num_frames,
        num_references=2,
        num_inference_steps=sampling.num_inference_steps,
        guidance_scale_text=3.0,
        guidance_scale_image=2.0,
        repeats=repeats,
    )


def measure_phantom(
    profile: str,
    sampling: Sampling,
    *,
    num_references: int,
    repeats: int,
    with_rungs: bool,
    limit_s: float,
) -> dict[str, object]:
    """Time a denoising step in every mode and way, and measure the peak memory of every rung.

    Args:
        profile: "phantom-1.3b" or "phantom-14b".
        sampling: Size, frames and denoising steps of a timed run.
        num_references: References, 0 to the profile's most.
        repeats: Timed runs of each mode, fewer if the limit is near.
        with_rungs: Measure memory too; the other models then need another 12 GB.
        limit_s: Seconds for all, loading included. What would end later is not measured.
    """
    whole = TimeLimit(limit_s)
    steps_end = TimeLimit(STEPS_SHARE * limit_s if with_rungs else limit_s)
    device, dtype = torch.device("cuda", 0), torch.bfloat16
    clip = ClipShape(sampling.width, sampling.height, sampling.num_frames, num_references)
    pipeline = random_pipeline(CONFIGS[profile], dtype, device, all_parts=False)
    result: dict[str, object] = {
        "device": torch.cuda.get_device_name(device),
        "torch": torch.__version__,
        "clip": f"{profile}, {clip.width}x{clip.height}, {clip.num_frames} frames, "
        f"{num_references} references, bfloat16, random weights",
    }
    fast = PROFILES[profile].fast_sampling
    fast = replace(fast, width=clip.width, height=clip.height, num_frames=clip.num_frames)
    result |= measure_steps(
        pipeline, clip, fast, device, sampling.num_inference_steps, repeats, steps_end
    )
    if with_rungs:
        del pipeline
        all_parts = random_pipeline(CONFIGS[profile], dtype, device, all_parts=True)
        result["rungs"] = measure_rungs(all_parts, clip, device, whole)
    return result


def measure_steps(
    pipeline: PhantomWanPipeline,
    clip: ClipShape,
    fast: Sampling,
    device: torch.device,
    num_steps: int,
    repeats: int,
    limit: TimeLimit,
) -> dict[str, object]:
    """Time a denoising step in every mode and way; see `measure_modes` and `measure_ways`.

    Returns:
        The default `attention`, the times of the modes as `steps`, and those of the `ways`.
    """
    attention = set_default_attention(pipeline, device)
    steps = measure_modes(pipeline, clip, fast, num_steps=num_steps, repeats=repeats, limit=limit)
    arguments = clip_arguments(pipeline, clip, num_steps)
    ways = measure_ways(pipeline, arguments, device, steps.seconds["exact"], limit)
    return {
        "attention": attention,
        "steps": steps.to_json(),
        "ways": [way.to_json() for way in ways],
    }
