"""Cost of a denoising step, compared with a plain loop of three model calls.

The two are timed in turns in one process, because the load of a machine changes. No test asserts a
time.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch

from procvid.phantom.clip import ClipArguments
from procvid.phantom.pipeline_phantom_wan import PhantomWanPipeline
from procvid.phantom.schedule import set_upstream_timesteps


def measure_denoising(
    pipeline: PhantomWanPipeline,
    *,
    height: int = 64,
    width: int = 64,
    num_frames: int = 9,
    num_references: int = 2,
    num_inference_steps: int = 4,
    guidance_scale_text: float = 7.5,
    guidance_scale_image: float = 5.0,
    repeats: int = 5,
) -> dict[str, float]:
    """Time `pipeline.denoise` and the plain three-call loop in turns, after a warm-up of each.

    Both get the same random latents and embeddings; nothing is encoded or decoded.

    Args:
        pipeline: A pipeline with transformer and scheduler; other parts may be None.
        height: px.
        width: px.
        num_frames: Frames of the video.
        num_references: References, 1 to 4.
        num_inference_steps: Denoising steps of a run.
        guidance_scale_text: A scale of 1, or equal to the other scale, saves a call in the pipeline but
            not in the plain loop.
        guidance_scale_image: See `guidance_scale_text`.
        repeats: Timed runs of each loop, 1 or more.

    Returns:
        `step_ms` and `plain_step_ms`: median milliseconds of a step; `ratio`: median of pipeline time /
        plain time over the pairs, lower is better; `max_abs_difference`: largest difference between
        the final latents.

    Raises:
        ValueError: The pipeline does not accept a size, or `repeats` is below 1.
    """
    if repeats < 1:
        raise ValueError(f"repeats must be at least 1, but is {repeats!r}.")
    clip = ClipArguments(
        height=height,
        width=width,
        num_frames=num_frames,
        num_inference_steps=num_inference_steps,
        guidance_scale_text=guidance_scale_text,
        guidance_scale_image=guidance_scale_image,
        **random_tensors(pipeline, height, width, num_frames, num_references),
    )
    difference = run_pipeline(pipeline, clip) - run_plain_loop(pipeline, clip)
    pairs = [_timed_pair(pipeline, clip, plain_first=bool(n % 2)) for n in range(repeats)]
    ours_s, plain_s = (statistics.median(times) for times in zip(*pairs, strict=True))
    return {
        "step_ms": 1000 * ours_s / num_inference_steps,
        "plain_step_ms": 1000 * plain_s / num_inference_steps,
        "ratio": statistics.median(ours / plain for ours, plain in pairs),
        "max_abs_difference": difference.abs().max().item(),
    }


def random_tensors(
    pipeline: PhantomWanPipeline, height: int, width: int, num_frames: int, num_references: int
) -> dict[str, torch.Tensor]:
    """Return random latents and embeddings for `denoise`, always the same."""
    config, spatial = pipeline.transformer.config, pipeline.vae_scale_factor_spatial
    size_hw = (height // spatial, width // spatial)
    num_latent_frames = (num_frames - 1) // pipeline.vae_scale_factor_temporal + 1
    shapes = {
        "latents": (1, config.in_channels, num_latent_frames, *size_hw),
        "reference_latents": (1, config.in_channels, num_references, *size_hw),
        "prompt_embeds": (1, pipeline.config.max_sequence_length, config.text_dim),
        "negative_prompt_embeds": (1, pipeline.config.max_sequence_length, config.text_dim),
    }
    device, generator = pipeline._execution_device, torch.Generator().manual_seed(0)
    return {
        name: torch.randn(shape, generator=generator).to(device) for name, shape in shapes.items()
    }


def run_pipeline(pipeline: PhantomWanPipeline, clip: ClipArguments) -> torch.Tensor:
    """Return the final latents of `pipeline.denoise`."""
    *_, last = pipeline.denoise(**vars(clip))
    return last.latents


@torch.no_grad()
def run_plain_loop(pipeline: PhantomWanPipeline, clip: ClipArguments) -> torch.Tensor:
    """Return the final latents of upstream's loop: always three calls, no checks, hooks or events."""
    transformer, scheduler = pipeline.transformer, pipeline.scheduler
    dtype, device = transformer.dtype, clip.latents.device
    references = clip.reference_latents.to(dtype)
    text, null = clip.prompt_embeds.to(dtype), clip.negative_prompt_embeds.to(dtype)
    latents, num_latent_frames = clip.latents, clip.latents.shape[2]
    for timestep in set_upstream_timesteps(scheduler, clip.num_inference_steps, device):
        noisy = latents.to(dtype)
        with_references = torch.cat([noisy, references], dim=2)
        with_zeros = torch.cat([noisy, torch.zeros_like(references)], dim=2)
        v_it, v_i, v_n = (
            transformer(frames, timestep.expand(1), embeds, return_dict=False)[0]
            for frames, embeds in (
                (with_references, text),
                (with_references, null),
                (with_zeros, null),
            )
        )
        v_it, v_i, v_n = (v[:, :, :num_latent_frames].float() for v in (v_it, v_i, v_n))
        velocity = (
            v_n + clip.guidance_scale_image * (v_i - v_n) + clip.guidance_scale_text * (v_it - v_i)
        )
        latents = scheduler.step(velocity, timestep, latents, return_dict=False)[0]
    return latents


def _timed_pair(
    pipeline: PhantomWanPipeline, clip: ClipArguments, plain_first: bool
) -> tuple[float, float]:
    """Return the seconds of the pipeline and of the plain loop; the order changes between calls."""
    runs = [run_pipeline, run_plain_loop]
    seconds = {
        run: seconds_of(run, pipeline, clip) for run in (runs[::-1] if plain_first else runs)
    }
    return seconds[run_pipeline], seconds[run_plain_loop]


def seconds_of(
    run: Callable[[PhantomWanPipeline, ClipArguments], torch.Tensor],
    pipeline: PhantomWanPipeline,
    clip: ClipArguments,
) -> float:
    """Return the seconds of one run, including the wait for the device."""
    start_s = time.perf_counter()
    # Reading one value waits for the device.
    run(pipeline, clip).sum().item()
    return time.perf_counter() - start_s
