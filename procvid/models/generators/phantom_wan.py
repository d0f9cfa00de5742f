"""Phantom-Wan for `procvid.models.pipeline_host`: how its pipeline is loaded and called."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from procvid.models.wan_model import WanModel
from procvid.phantom.autoencoding import encode_last_frames
from procvid.phantom.clip import ClipArguments
from procvid.phantom.denoising import DenoisingStep
from procvid.phantom.model_folder import PHANTOM_PIPELINE, load_pipeline
from procvid.phantom.pipeline_phantom_wan import PhantomWanPipeline
from procvid.types import Conditioning, Sampling
from procvid.types.sampling import CONTEXT_NOISE


class PhantomWan(WanModel):
    """A Phantom-Wan model: the tiny one of the package, or converted published weights."""

    pipeline_class = PHANTOM_PIPELINE

    def load(self, dtype: torch.dtype, precise: bool) -> PhantomWanPipeline:
        """Load the pipeline on the CPU. Raise UnavailableError if a file is missing or damaged."""
        pipeline = load_pipeline(self.folder, dtype)
        pipeline.precise = precise
        return pipeline

    def denoise(
        self,
        pipeline: PhantomWanPipeline,
        conditioning: Conditioning,
        sampling: Sampling,
        noise: torch.Generator,
    ) -> Iterator[DenoisingStep]:
        """Make the latents of a clip; yield after every denoising step."""
        images = [slot.image for slot in conditioning.slots]
        weakened = any(slot.strength < 1 for slot in conditioning.slots)
        arguments = ClipArguments(
            prompt=conditioning.prompt,
            images=None if weakened else images,
            reference_latents=_weakened(pipeline, conditioning, sampling) if weakened else None,
            context_latents=_context(pipeline, conditioning, sampling),
            height=sampling.height,
            width=sampling.width,
            num_frames=sampling.num_frames,
            num_inference_steps=sampling.num_inference_steps,
            guidance_scale_text=sampling.guidance_scale_text,
            guidance_scale_image=sampling.guidance_scale_image,
            generator=noise,
        )
        pipeline.shortcuts = sampling.shortcuts
        return pipeline.denoise(**vars(arguments))


@torch.no_grad()
def _context(
    pipeline: PhantomWanPipeline, conditioning: Conditioning, sampling: Sampling
) -> torch.Tensor | None:
    """Return what the clip sees of the one before, `[1, C, K, h, w]`, or None."""
    if conditioning.before is None or not sampling.context_frames:
        return None
    device, frames = pipeline._execution_device, sampling.context_frames
    latents = encode_last_frames(pipeline.vae, conditioning.before, frames, device)
    return noised(latents, [CONTEXT_NOISE] * latents.shape[2], sampling.seed)


def _weakened(
    pipeline: PhantomWanPipeline, conditioning: Conditioning, sampling: Sampling
) -> torch.Tensor:
    """Return reference latents `[1, C, R, h, w]`; a strength below 1 is a noise level of 1 - strength."""
    images = [slot.image for slot in conditioning.slots]
    latents = pipeline.prepare_reference_latents(images, sampling.height, sampling.width)
    levels = [1 - slot.strength for slot in conditioning.slots]
    return noised(latents, levels, sampling.seed)


def noised(latents: torch.Tensor, levels: Sequence[float], seed: int) -> torch.Tensor:
    """Return latents `[1, C, K, h, w]` at noise levels, 0 to 1, one for each of the K frames."""
    # On the CPU and of its own, so that it is the same on all devices and the clip's noise stays.
    random = torch.Generator().manual_seed(seed)
    noise = torch.randn(latents.shape, generator=random).to(latents.device)
    level = torch.tensor(levels, device=latents.device).view(1, 1, -1, 1, 1)
    return (1 - level) * latents + level * noise
