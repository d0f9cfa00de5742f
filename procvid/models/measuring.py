"""Time denoising steps of Phantom-Wan: the bundled model, or a published size on the first GPU."""

from __future__ import annotations

from pathlib import Path

import torch

from procvid.models.generators.phantom_wan import PhantomWan
from procvid.models.quiet import quiet_loading
from procvid.phantom.benchmark import measure_denoising
from procvid.phantom.benchmark_gpu import measure_modes, measure_rungs, random_pipeline
from procvid.phantom.layout import CONFIGS
from procvid.phantom.vram import ClipShape
from procvid.settings import PROFILES, Profile
from procvid.types import Sampling


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
    profile: str, sampling: Sampling, *, num_references: int, repeats: int, with_rungs: bool
) -> dict[str, object]:
    """Time a denoising step in every mode, and measure the peak memory of every rung.

    Args:
        profile: "phantom-1.3b" or "phantom-14b".
        sampling: Size, frames and denoising steps of a timed run.
        num_references: References, 0 to the profile's most.
        repeats: Timed runs of each mode.
        with_rungs: Measure memory too; the other models then need another 12 GB.
    """
    device, dtype = torch.device("cuda", 0), torch.bfloat16
    clip = ClipShape(sampling.width, sampling.height, sampling.num_frames, num_references)
    pipeline = random_pipeline(CONFIGS[profile], dtype, device, all_parts=False)
    fast = PROFILES[profile].fast_sampling
    num_steps = sampling.num_inference_steps
    steps = measure_modes(pipeline, clip, fast, num_steps=num_steps, repeats=repeats)
    result: dict[str, object] = {
        "device": torch.cuda.get_device_name(device),
        "torch": torch.__version__,
        "clip": f"{profile}, {clip.width}x{clip.height}, {clip.num_frames} frames, "
        f"{num_references} references, bfloat16, random weights",
        "steps": steps.to_json(),
    }
    if with_rungs:
        del pipeline
        whole = random_pipeline(CONFIGS[profile], dtype, device, all_parts=True)
        result["rungs"] = measure_rungs(whole, clip, device)
    return result
