"""The benchmark of a published size on the first GPU."""

from __future__ import annotations

import torch

from procvid.phantom.benchmark_gpu import measure_modes, measure_rungs, random_pipeline
from procvid.phantom.layout import CONFIGS
from procvid.phantom.vram import ClipShape
from procvid.settings import PROFILES
from procvid.types import Sampling


def measure_phantom(
    profile: str, sampling: Sampling, *, num_references: int, repeats: int, with_rungs: bool
) -> dict[str, object]:
    """Time a denoising step in every mode, and measure the peak memory of every rung.

    Args:
        profile: "phantom-1.3b" or "phantom-14b".
        sampling: Size, frames and denoising steps of a timed run.
        num_references: References, 0 to 4.
        repeats: Timed runs of each mode.
        with_rungs: Whether memory is measured too; the other models need another 12 GB then.
    """
    device, dtype = torch.device("cuda", 0), torch.bfloat16
    clip = ClipShape(sampling.width, sampling.height, sampling.num_frames, num_references)
    pipeline = random_pipeline(CONFIGS[profile], dtype, device, all_parts=False)
    fast = PROFILES[profile].fast_sampling
    num_steps = sampling.num_inference_steps
    steps = measure_modes(pipeline, clip, fast, num_steps=num_steps, repeats=repeats)
    told: dict[str, object] = {
        "device": torch.cuda.get_device_name(device),
        "torch": torch.__version__,
        "clip": f"{profile}, {clip.width}x{clip.height}, {clip.num_frames} frames, "
        f"{num_references} references, bfloat16, random weights",
        "steps": steps.to_json(),
    }
    if with_rungs:
        del pipeline
        whole = random_pipeline(CONFIGS[profile], dtype, device, all_parts=True)
        told["rungs"] = measure_rungs(whole, clip, device)
    return told
