"""Wan VACE for `procvid.models.pipeline_host`: how its pipeline is loaded and called."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from procvid.models.wan_model import WanModel
from procvid.phantom.denoising import DenoisingStep
from procvid.phantom.model_folder import VACE_PIPELINE, load_as
from procvid.phantom.pipeline_vace import VacePipeline
from procvid.types import Conditioning, Sampling


class WanVace(WanModel):
    """A Wan VACE model: converted published weights. The image scale of a sampling is not used."""

    pipeline_class = VACE_PIPELINE

    def load(self, dtype: torch.dtype, precise: bool) -> VacePipeline:
        """Load the pipeline on the CPU. Raise UnavailableError if a file is missing or damaged."""
        pipeline = load_as(VacePipeline, self.folder, dtype)
        pipeline.precise = precise
        return pipeline

    def denoise(
        self,
        pipeline: VacePipeline,
        conditioning: Conditioning,
        sampling: Sampling,
        noise: torch.Generator,
    ) -> Iterator[DenoisingStep]:
        """Make the latents of a clip; yield after every denoising step."""
        pipeline.shortcuts = sampling.shortcuts
        return pipeline.denoise(
            prompt=conditioning.prompt,
            images=[slot.image for slot in conditioning.slots],
            height=sampling.height,
            width=sampling.width,
            num_frames=sampling.num_frames,
            num_inference_steps=sampling.num_inference_steps,
            guidance_scale=sampling.guidance_scale_text,
            generator=noise,
        )
