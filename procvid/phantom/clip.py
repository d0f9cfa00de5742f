"""The arguments of one clip, as one value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from procvid.phantom.references import ReferenceImage

StepCallback = Callable[..., dict[str, torch.Tensor] | None]


@dataclass(frozen=True, eq=False, kw_only=True)
class ClipArguments:
    """What `PhantomWanPipeline.denoise` takes as keywords; checked by `check_inputs`.

    Attributes:
        prompt: What happens, with a description of each reference's look.
        negative_prompt: What to avoid; None or "" stands for Wan's own negative prompt.
        images: None, one, or up to four reference images: PIL, or uint8 RGB arrays `(h, w, 3)`.
            Of any size; letter-boxed on white. Their order matters to the model.
        height: px; a multiple of the latent patch (16 for the published weights).
        width: px; likewise.
        num_frames: Frames of the video, references not counted; 4n+1 for the published weights.
        num_inference_steps: 1 to 1000.
        guidance_scale_text: How strongly to follow the prompt; 1 is no guidance.
        guidance_scale_image: How strongly to follow the references; 1 is no guidance, and saves a
            model call a step, as does a scale equal to that of the text. No effect without
            references.
        generator: Source of the initial noise; the same seed gives the same clip. CPU and GPU
            generators differ.
        latents: Initial noise instead, `[1, C, F, h, w]`.
        reference_latents: `[1, C, R, h, w]` of `prepare_reference_latents`, instead of images.
        prompt_embeds: `[1, L, D]` of `encode_prompt`, instead of the prompt.
        negative_prompt_embeds: `[1, L, D]`, instead of the negative prompt.
        callback_on_step_end: Called after every step as `callback(pipeline, step_index, timestep,
            tensors)`, with step_index from 0; may return replacements of the tensors.
        callback_on_step_end_tensor_inputs: Names of the tensors that the callback is given:
            "latents", "prompt_embeds", "negative_prompt_embeds".
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
    prompt_embeds: torch.Tensor | None = None
    negative_prompt_embeds: torch.Tensor | None = None
    callback_on_step_end: StepCallback | None = None
    callback_on_step_end_tensor_inputs: Sequence[str] = ("latents",)
