"""Wan VACE pipeline: generates one clip from a prompt and up to four reference images.

A subclass of diffusers' `WanVACEPipeline` that yields after every denoising step. It takes only
reference images; the video and the mask of VACE's other tasks are those of an empty clip. The result
is that of the call of diffusers.

Shape suffixes: B batch (always 1), C latent channels, D condition channels, F latent frames of the
video, R references, T = R + F frames with the references first, h w latent size, H W pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from diffusers import WanVACEPipeline
from PIL import Image
from torch.nn import functional

from procvid.phantom import inputs
from procvid.phantom.autoencoding import (
    DecodedFrames,
    decode_video,
    forget_frames,
    to_frames,
)
from procvid.phantom.denoising import DenoisingStep, GuidedModel, LoopPosition
from procvid.phantom.fast import FastModel, check_shortcuts, shortened
from procvid.phantom.guidance import Branch, Guidance
from procvid.phantom.placing import send_back
from procvid.phantom.references import ReferenceImage, letter_box
from procvid.phantom.text import DEFAULT_NEGATIVE_PROMPT
from procvid.stopping import stop_if_asked
from procvid.types import EXACT

TEXT_LENGTH = 512
"""Rows of a text embedding, padding included."""

NO_IMAGE_SCALE = 1.0
"""Image scale of `Guidance` for a model whose weaker branch sees the references too."""


class VaceModel(GuidedModel):
    """A VACE transformer with guidance by text.

    `reference_latents` are the conditions of all frames, `[B, D, T, h, w]`. The latents of a step have
    the frames of the references too, and so have the velocities.
    """

    def frames(self, branches: Sequence[Branch], latents_BCThw: torch.Tensor) -> torch.Tensor:
        """Return the latents once for each branch."""
        return latents_BCThw.repeat(len(branches), 1, 1, 1, 1)

    def conditions(self, num_branches: int) -> dict[str, torch.Tensor]:
        """Return the conditions once for each branch; all their layers weigh 1."""
        conditions = self.reference_latents
        return {"control_hidden_states": conditions.repeat(num_branches, 1, 1, 1, 1)}


class VacePipeline(WanVACEPipeline):
    """Subject-to-video pipeline of Wan VACE; each call of `denoise` generates one clip.

    Attributes:
        make_room: Called when a step runs out of VRAM; returns True to try the same step again.
        tile_decoding: Decode in tiles, which needs less VRAM and leaves faint seams.
        precise: Keep upstream's float32 layers in half precision.
        shortcuts: Those of `--distilled`; a step cache is not supported.
    """

    make_room: Callable[[], bool] | None = None
    tile_decoding = False
    precise = False
    shortcuts = EXACT

    @torch.no_grad()
    def denoise(
        self,
        *,
        prompt: str,
        height: int,
        width: int,
        num_frames: int,
        num_inference_steps: int,
        guidance_scale: float,
        images: Sequence[ReferenceImage] = (),
        negative_prompt: str | None = None,
        generator: torch.Generator | None = None,
    ) -> Iterator[DenoisingStep]:
        """Generate the latents of a clip, step by step; nothing is computed before the first `next()`.

        Args:
            prompt: Describes the action and the look of each reference.
            height: px; a multiple of 16 for the published weights, like the width.
            width: px.
            num_frames: Frames of the video, 4n+1.
            num_inference_steps: Denoising steps, 1 to 1000.
            guidance_scale: Weight of the prompt; 1 or less is no guidance.
            images: Up to four PIL images or uint8 RGB arrays `(h, w, 3)`, letter-boxed on white.
            negative_prompt: Describes what to avoid; None or "" selects Wan's own.
            generator: Source of the initial noise; the same seed gives the same clip.

        Yields:
            A `DenoisingStep` after each step. Its latents `[1, C, F, h, w]` are those of the video
            alone; those of the last step are the result.

        Raises:
            ValueError: An argument is not valid.
        """
        self._check(prompt, images, height, width, num_frames, num_inference_steps, guidance_scale)
        try:
            conditions_BDThw = self._conditions(images, height, width, num_frames)
            send_back(self, self.vae)
            stop_if_asked()
            guidance = Guidance(max(1.0, guidance_scale), NO_IMAGE_SCALE, len(images))
            embeds, negative_embeds = self.encode_prompt(
                prompt,
                negative_prompt or DEFAULT_NEGATIVE_PROMPT,
                guidance.needs_negative_text,
                max_sequence_length=TEXT_LENGTH,
            )
            stop_if_asked()
            device, dtype = self._execution_device, self.transformer.dtype
            latents_BCThw = self.prepare_latents(
                1,
                self.transformer.config.in_channels,
                height,
                width,
                num_frames + len(images) * self.vae_scale_factor_temporal,
                torch.float32,
                device,
                generator,
            )
            text_BLD = {True: embeds.to(device, dtype)}
            if guidance.needs_negative_text:
                text_BLD[False] = negative_embeds.to(device, dtype)
            model = VaceModel(
                self.transformer, guidance, conditions_BDThw, self.precise, self.shortcuts
            )
            run = num_inference_steps, latents_BCThw.shape[2] - len(images)
            with shortened(self.transformer, self.shortcuts, self.precise, *run):
                fast = FastModel(model, self.shortcuts)
                yield from self._steps(fast, latents_BCThw, text_BLD, *run)
        finally:
            self.maybe_free_model_hooks()

    def _check(
        self,
        prompt: str,
        images: Sequence[ReferenceImage],
        height: int,
        width: int,
        num_frames: int,
        num_inference_steps: int,
        guidance_scale: float,
    ) -> None:
        if not isinstance(prompt, str):
            raise ValueError(f"prompt must be one string, but is of type {type(prompt).__name__}.")
        check_shortcuts(self.shortcuts, self.precise)
        if self.shortcuts.cache is not None:
            raise ValueError("Step caches are not supported with VACE: use the exact model.")
        inputs.check_images(images)
        spatial = self.vae_scale_factor_spatial
        _, patch_height, patch_width = self.transformer.config.patch_size
        inputs.check_video_size(
            height,
            width,
            num_frames,
            (spatial * patch_height, spatial * patch_width),
            self.vae_scale_factor_temporal,
        )
        inputs.check_sampling(num_inference_steps, guidance_scale, NO_IMAGE_SCALE)

    def _conditions(
        self, images: Sequence[ReferenceImage], height: int, width: int, num_frames: int
    ) -> torch.Tensor:
        """Encode the references and an empty video: `[1, D, T, h, w]` in the transformer's dtype."""
        pictures = [_picture(image, height, width) for image in images]
        stop_check = self.vae.encoder.register_forward_pre_hook(lambda *_: stop_if_asked())
        try:
            return self.conditions_of(pictures or None, height, width, num_frames).to(
                self.transformer.dtype
            )
        finally:
            stop_check.remove()
            forget_frames(self.vae)

    def conditions_of(
        self, pictures: list[Image.Image] | None, height: int, width: int, num_frames: int
    ) -> torch.Tensor:
        """Return latents and mask of the conditions, float32 `[1, D, T, h, w]`, as diffusers does."""
        device = self._execution_device
        video_BCTHW, mask_BCTHW, references = self.preprocess_conditions(
            None, None, pictures, 1, height, width, num_frames, torch.float32, device
        )
        latents = self.prepare_video_latents(video_BCTHW, mask_BCTHW, references, None, device)
        # diffusers pads the mask with as many of its own frames, of which a short clip has too few.
        mask = functional.pad(
            self.prepare_masks(mask_BCTHW, [[]]), (0, 0, 0, 0, len(references[0]), 0)
        )
        return torch.cat([latents, mask], dim=1)

    def _steps(
        self,
        model: FastModel,
        latents_BCThw: torch.Tensor,
        text_BLD: dict[bool, torch.Tensor],
        num_steps: int,
        num_video_frames: int,
    ) -> Iterator[DenoisingStep]:
        self.scheduler.set_timesteps(num_steps, device=latents_BCThw.device)
        timesteps = self.scheduler.timesteps
        # Read once, because reading a number in each step makes the GPU wait.
        numbers, sigmas = timesteps.tolist(), self.scheduler.sigmas.tolist()
        for index, timestep in enumerate(timesteps):
            position = LoopPosition(index, len(timesteps), sigmas[index])
            velocity = model.velocity_in_room(
                self.make_room, latents_BCThw, timestep, text_BLD, position
            )
            latents_BCThw = self.scheduler.step(
                velocity, timestep, latents_BCThw, return_dict=False
            )[0]
            video_BCFhw = latents_BCThw[:, :, -num_video_frames:]
            yield DenoisingStep(index + 1, len(timesteps), numbers[index], video_BCFhw)

    @torch.no_grad()
    def decode_latents(self, latents: torch.Tensor, output_type: str = "np") -> DecodedFrames:
        """Decode latents `[1, C, F, h, w]` without reference frames; see `to_frames` for the result."""
        try:
            video_BCTHW = decode_video(
                self.vae, latents, self._execution_device, in_tiles=self.tile_decoding
            )
        finally:
            self.maybe_free_model_hooks()
        return to_frames(video_BCTHW, output_type)


def _picture(image: ReferenceImage, height: int, width: int) -> Image.Image:
    """Return a reference as diffusers takes it.

    diffusers rounds sizes down to a multiple of 8 px and fits them into the clip. A picture of which
    that leaves nothing is letter-boxed here.
    """
    picture = Image.fromarray(image) if isinstance(image, np.ndarray) else image
    least, most = min(picture.size), max(picture.size)
    if least < 8 or least * min(height, width) < 8 * most:
        return letter_box(picture, width, height)
    return picture.convert("RGB")
