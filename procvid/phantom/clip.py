"""The arguments of one clip as one value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from procvid.phantom.references import ReferenceImage

StepCallback = Callable[..., dict[str, torch.Tensor] | None]


@dataclass(frozen=True, eq=False, kw_only=True)
class ClipArguments:
    """Keyword arguments of `PhantomWanPipeline.denoise`; `check_inputs` checks them.

    Attributes:
        prompt: Describes the action and the look of each reference.
        negative_prompt: Describes what to avoid; None or "" selects Wan's own negative prompt.
        images: None, one, or up to four reference images of any size: PIL, or uint8 RGB arrays
            `(h, w, 3)`. They are letter-boxed on white. Their order matters to the model.
        height: px; a multiple of the latent patch (16 for the published weights).
        width: px; a multiple of the latent patch.
        num_frames: Frames of the video without references; 4n+1 for the published weights.
        num_inference_steps: Denoising steps, 1 to 1000.
        guidance_scale_text: Weight of the prompt; 1 is no guidance.
        guidance_scale_image: Weight of the references; 1 is no guidance. A scale of 1, or equal to the
            text scale, saves one model call per step. It has no effect without references.
        generator: Source of the initial noise; the same seed gives the same clip. CPU and GPU
            generators differ.
        latents: Initial noise `[1, C, F, h, w]` instead of a generator.
        reference_latents: `[1, C, R, h, w]` from `prepare_reference_latents`, instead of images.
        context_latents: `[1, C, K, h, w]` from `encode_last_frames`: what the clip sees of the clip
            before it. They follow the references, and the branch without references sees zeros.
        prompt_embeds: `[1, L, D]` from `encode_prompt`, instead of the prompt.
        negative_prompt_embeds: `[1, L, D]` instead of the negative prompt.
        callback_on_step_end: Called after every step as `callback(pipeline, step_index, timestep,
            tensors)`, with step_index from 0. It may return replacements of the tensors.
        callback_on_step_end_tensor_inputs: Names of the tensors for the callback: "latents",
            "prompt_embeds", "negative_prompt_embeds".
    """

    prompt: str | None = None
    negative_prompt: str | None = None
    images: ReferenceImage | Sequence[ReferenceImage] | None = None
    height: int = 480
    width: int = 832
    num_frames: int = 81
    num_inference_steps: int = 50
    guidance_scale_text: float = 7.5
    guidance_scale_image: float = 5.0
    generator: torch.Generator | None = None
    latents: torch.Tensor | None = None
    reference_latents: torch.Tensor | None = None
    context_latents: torch.Tensor | None = None
    prompt_embeds: torch.Tensor | None = None
    negative_prompt_embeds: torch.Tensor | None = None
    callback_on_step_end: StepCallback | None = None
    callback_on_step_end_tensor_inputs: Sequence[str] = ("latents",)
