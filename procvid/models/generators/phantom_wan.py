"""Phantom-Wan for `procvid.models.pipeline_host`: how its pipeline is loaded and called."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from procvid.models.wan_model import WanModel
from procvid.phantom.clip import ClipArguments
from procvid.phantom.denoising import DenoisingStep
from procvid.phantom.model_folder import PHANTOM_PIPELINE, load_pipeline
from procvid.phantom.pipeline_phantom_wan import PhantomWanPipeline
from procvid.types import Conditioning, Sampling


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
        arguments = ClipArguments(
            prompt=conditioning.prompt,
            images=[slot.image for slot in conditioning.slots],
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
