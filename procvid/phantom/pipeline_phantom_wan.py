"""Phantom-Wan pipeline: generates one clip from a prompt and up to four reference images.

A subclass of diffusers' `WanPipeline`, which provides text encoding, LoRA loading and offloading. The
method is that of the released Phantom code (arXiv 2502.11079, `subject2video.py`): every reference is
encoded as one latent frame and appended to the noisy video, three model calls per step are combined by
two guidance scales, and the predictions for the reference frames are dropped.

Shape suffixes: B batch (always 1), C latent channels, F latent frames of the video, R references,
T frames of either kind, h w latent size, H W pixels, L text tokens, D text width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import ClassVar

import torch
from diffusers import (
    AutoencoderKLWan,
    UniPCMultistepScheduler,
    WanPipeline,
    WanTransformer3DModel,
)
from diffusers.callbacks import MultiPipelineCallbacks, PipelineCallback
from diffusers.pipelines.wan.pipeline_output import WanPipelineOutput
from transformers import PreTrainedTokenizerBase, UMT5EncoderModel

from procvid.phantom import inputs
from procvid.phantom.autoencoding import (
    DecodedFrames,
    decode_video,
    encode_references,
    to_frames,
)
from procvid.phantom.clip import ClipArguments, StepCallback
from procvid.phantom.denoising import DenoisingStep, GuidedModel, LoopPosition
from procvid.phantom.fast import FastModel, check_shortcuts, shortened
from procvid.phantom.guidance import Guidance
from procvid.phantom.placing import send_back
from procvid.phantom.references import ReferenceImage
from procvid.phantom.schedule import check_scheduler, set_upstream_timesteps
from procvid.phantom.text import DEFAULT_NEGATIVE_PROMPT, zero_padded
from procvid.settings import MAX_REFERENCES
from procvid.stopping import stop_if_asked
from procvid.types import EXACT


class PhantomWanPipeline(WanPipeline):
    """Subject-to-video pipeline of Phantom-Wan; each call generates one clip from one prompt.

    Only the single transformer of Wan2.1 is supported. `transformer_2`, `boundary_ratio` and
    `expand_timesteps` belong to Wan2.2; they exist because published Wan2.1 folders name them, and must
    keep their defaults. Any part may be None if it is not needed: a pipeline of tokenizer and text
    encoder encodes prompts, a pipeline of an autoencoder encodes references and decodes latents.

    Args:
        tokenizer: umT5 tokenizer.
        text_encoder: umT5 encoder.
        vae: Wan autoencoder; its config has the scale factors and the latent statistics. Keep it in
            float32, as upstream does.
        scheduler: UniPC with flow prediction and flow sigmas, with any `flow_shift`. Upstream has 5.0 at
            every size, the published Wan2.1 folder 3.0.
        transformer: Wan transformer with Phantom's weights.
        transformer_2: Not supported, None.
        boundary_ratio: Not supported, None.
        expand_timesteps: Not supported, False.
        max_sequence_length: Text tokens that the model attends to, including padding; 512 for the
            published weights. Part of the saved config.

    Raises:
        ValueError: A feature of Wan2.2 was requested.
    """

    _optional_components: ClassVar = [
        "tokenizer",
        "text_encoder",
        "vae",
        "transformer",
        "transformer_2",
    ]

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        text_encoder: UMT5EncoderModel,
        vae: AutoencoderKLWan,
        scheduler: UniPCMultistepScheduler,
        transformer: WanTransformer3DModel | None = None,
        transformer_2: WanTransformer3DModel | None = None,
        boundary_ratio: float | None = None,
        expand_timesteps: bool = False,
        max_sequence_length: int = 512,
    ) -> None:
        if transformer_2 is not None or boundary_ratio is not None or expand_timesteps:
            raise ValueError(
                "Phantom-Wan has one transformer and one timestep for all frames: leave "
                "transformer_2, boundary_ratio and expand_timesteps at their defaults."
            )
        super().__init__(
            tokenizer=tokenizer,
            text_encoder=text_encoder,
            vae=vae,
            scheduler=scheduler,
            transformer=transformer,
        )
        self.register_to_config(max_sequence_length=max_sequence_length)
        # Called when a step runs out of VRAM; returns True to try the same step again.
        self.make_room: Callable[[], bool] | None = None
        # Decode in tiles, which needs less VRAM and leaves faint seams.
        self.tile_decoding = False
        # Keep upstream's float32 layers in half precision.
        self.precise = False
        # Use fewer and cheaper model calls.
        self.shortcuts = EXACT
        # For the "mag" cache: the ratio of each step's change to that of the step before.
        self.mag_ratios: Sequence[float] | None = None

    def check_inputs(self, clip: ClipArguments) -> None:
        """Check the arguments of a clip against this pipeline, before any computation.

        Raises:
            ValueError: An argument is not valid; the message has the valid values.
        """
        self._require("transformer", "generate a video")
        check_scheduler(self.scheduler)
        spatial, temporal = self.vae_scale_factor_spatial, self.vae_scale_factor_temporal
        _, patch_height, patch_width = self.transformer.config.patch_size
        multiple_hw = (spatial * patch_height, spatial * patch_width)
        inputs.check_video_size(clip.height, clip.width, clip.num_frames, multiple_hw, temporal)
        inputs.check_sampling(
            clip.num_inference_steps, clip.guidance_scale_text, clip.guidance_scale_image
        )
        rows, columns = self.config.max_sequence_length, self.transformer.config.text_dim
        inputs.check_texts(clip, rows, columns)
        inputs.check_references(clip)
        channels = self.transformer.config.in_channels
        num_latent_frames = (clip.num_frames - 1) // temporal + 1
        size_hw = (clip.height // spatial, clip.width // spatial)
        inputs.check_shape("latents", clip.latents, (1, channels, num_latent_frames, *size_hw))
        references_shape = (1, channels, range(MAX_REFERENCES + 1), *size_hw)
        inputs.check_shape("reference_latents", clip.reference_latents, references_shape)
        context_shape = (1, channels, range(1, num_latent_frames + 1), *size_hw)
        inputs.check_shape("context_latents", clip.context_latents, context_shape)
        inputs.check_callback_tensors(
            clip.callback_on_step_end_tensor_inputs, self._callback_tensor_inputs
        )

    @torch.no_grad()
    def encode_prompt(
        self,
        prompt: str | list[str] | None,
        negative_prompt: str | list[str] | None = None,
        do_classifier_free_guidance: bool = True,
        num_videos_per_prompt: int = 1,
        prompt_embeds: torch.Tensor | None = None,
        negative_prompt_embeds: torch.Tensor | None = None,
        max_sequence_length: int | None = None,
        device: torch.device | None = None,
        dtype: torch.dtype | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Encode the prompt and the negative prompt, padded with zeros to the full text length.

        Given embeddings are returned, padded if they are shorter.

        Args:
            prompt: The prompt, or None with `prompt_embeds`.
            negative_prompt: None or "" selects `DEFAULT_NEGATIVE_PROMPT`.
            do_classifier_free_guidance: True if the negative prompt is needed.
            num_videos_per_prompt: Repetitions of each row.
            prompt_embeds: `[B, L, D]` instead of `prompt`.
            negative_prompt_embeds: `[B, L, D]` instead of `negative_prompt`.
            max_sequence_length: Rows of the result. Default: the value in the pipeline's config.
            device: Device of the result. Default: the execution device.
            dtype: Dtype of the result. Default: that of the text encoder.

        Returns:
            Two tensors `[B, max_sequence_length, D]`; the second is None if it is neither given nor
            needed.

        Raises:
            ValueError: A text must be encoded, and the pipeline has no text encoder.
        """
        if prompt_embeds is None or (
            do_classifier_free_guidance and negative_prompt_embeds is None
        ):
            self._require("text_encoder", "encode prompts")
            self._require("tokenizer", "encode prompts")
        length = max_sequence_length or self.config.max_sequence_length
        encoded = super().encode_prompt(
            prompt=prompt,
            negative_prompt=negative_prompt or DEFAULT_NEGATIVE_PROMPT,
            do_classifier_free_guidance=do_classifier_free_guidance,
            num_videos_per_prompt=num_videos_per_prompt,
            prompt_embeds=prompt_embeds,
            negative_prompt_embeds=negative_prompt_embeds,
            max_sequence_length=length,
            device=device,
            dtype=dtype,
        )
        return tuple(e if e is None else zero_padded(e, length) for e in encoded)

    def prepare_latents(
        self,
        batch_size: int = 1,
        num_channels_latents: int = 16,
        height: int = 480,
        width: int = 832,
        num_frames: int = 81,
        dtype: torch.dtype | None = torch.float32,
        device: torch.device | None = None,
        generator: torch.Generator | None = None,
        latents: torch.Tensor | None = None,
        num_references: int = 0,
    ) -> torch.Tensor:
        """Draw the initial noise of the video frames, or return the given latents.

        Upstream also draws noise for the reference frames and never uses it. The same noise is drawn
        here and dropped, so that a seed gives upstream's video.

        Args: as in `WanPipeline`, where `num_frames` does not count references, and
            num_references: Number of references.

        Returns:
            `[B, C, F, h, w]`.
        """
        slots = num_references * self.vae_scale_factor_temporal
        noise_BCThw = super().prepare_latents(
            batch_size,
            num_channels_latents,
            height,
            width,
            num_frames + slots,
            dtype,
            device or self._execution_device,
            generator,
            latents,
        )
        num_latent_frames = (num_frames - 1) // self.vae_scale_factor_temporal + 1
        return noise_BCThw[:, :, :num_latent_frames].contiguous()

    @torch.no_grad()
    def prepare_reference_latents(
        self, images: ReferenceImage | Sequence[ReferenceImage] | None, height: int, width: int
    ) -> torch.Tensor:
        """Letter-box reference images on white and encode each alone.

        Args:
            images: None, one, or up to four PIL images or uint8 RGB arrays, in the order of the
                result.
            height: Height of the video, px.
            width: Width of the video, px.

        Returns:
            Posterior means, normalised like the latents of the video, float32 `[1, C, R, h, w]`.

        Raises:
            ValueError: An image is not valid, there are too many, or the pipeline has no autoencoder.
        """
        inputs.check_images(images)
        image_list = inputs.as_image_list(images)
        if not image_list:
            return self._no_reference(height, width)
        self._require("vae", "encode reference images")
        return encode_references(self.vae, image_list, height, width, self._execution_device)

    @torch.no_grad()
    def denoise(self, **arguments) -> Iterator[DenoisingStep]:
        """Generate the latents of a clip, step by step.

        Nothing is computed before the first `next()`. Closing the generator at any step frees the
        models' hooks and caches. Gradients are off inside and unchanged outside: `no_grad` as a
        decorator is left at every `yield`, unlike a `with` block around the loop. Run one clip at a
        time, because the state of the scheduler belongs to the pipeline.

        Args:
            arguments: The fields of `ClipArguments`.

        Yields:
            A `DenoisingStep` after each step; the latents of the last one are the result.

        Raises:
            ValueError: An argument is not valid.
        """
        clip = ClipArguments(**arguments)
        check_shortcuts(self.shortcuts, self.precise)
        if isinstance(clip.callback_on_step_end, (PipelineCallback, MultiPipelineCallbacks)):
            tensor_names = clip.callback_on_step_end.tensor_inputs
            clip = replace(clip, callback_on_step_end_tensor_inputs=tensor_names)
        self.check_inputs(clip)
        try:
            model, state = self._prepare(clip)
            run = clip.num_inference_steps, state["latents"].shape[2], self.mag_ratios
            with shortened(self.transformer, self.shortcuts, self.precise, *run):
                yield from self._steps(clip, model, state)
        finally:
            self._current_timestep = None
            self.maybe_free_model_hooks()

    def _prepare(self, clip: ClipArguments) -> tuple[FastModel, dict[str, torch.Tensor]]:
        """Encode texts and references and draw the noise; return the guided model and its state."""
        device, dtype = self._execution_device, self.transformer.dtype
        references = clip.reference_latents
        if references is None:
            references = self.prepare_reference_latents(clip.images, clip.height, clip.width)
        # Also where the caller encoded references or context.
        send_back(self, self.vae)
        stop_if_asked()
        # The noise depends on the number of references alone, so a seed draws the same with context.
        num_references = references.shape[2]
        if clip.context_latents is not None:
            references = torch.cat([references, clip.context_latents.to(references)], dim=2)
        guidance = Guidance(
            clip.guidance_scale_text, clip.guidance_scale_image, references.shape[2]
        )
        prompt_embeds, negative_prompt_embeds = self.encode_prompt(
            clip.prompt,
            clip.negative_prompt,
            guidance.needs_negative_text,
            prompt_embeds=clip.prompt_embeds,
            negative_prompt_embeds=clip.negative_prompt_embeds,
            device=device,
        )
        stop_if_asked()
        latents = self.prepare_latents(
            num_channels_latents=self.transformer.config.in_channels,
            height=clip.height,
            width=clip.width,
            num_frames=clip.num_frames,
            device=device,
            generator=clip.generator,
            latents=clip.latents,
            num_references=num_references,
        )
        state = {"latents": latents, "prompt_embeds": prompt_embeds.to(device, dtype)}
        if guidance.needs_negative_text:
            state["negative_prompt_embeds"] = negative_prompt_embeds.to(device, dtype)
        references = references.to(device, dtype)
        exact = GuidedModel(self.transformer, guidance, references, self.precise, self.shortcuts)
        return FastModel(exact, self.shortcuts), state

    def _steps(
        self, clip: ClipArguments, model: FastModel, state: dict[str, torch.Tensor]
    ) -> Iterator[DenoisingStep]:
        """Run the scheduler; `state` has the tensors that a callback may replace."""
        timesteps = set_upstream_timesteps(
            self.scheduler, clip.num_inference_steps, self._execution_device
        )
        self._interrupt, self._num_timesteps = False, len(timesteps)
        # Read once, because reading a number in each step makes the GPU wait.
        numbers, sigmas = timesteps.tolist(), self.scheduler.sigmas.tolist()
        for index, timestep in enumerate(timesteps):
            self._current_timestep = timestep
            position = LoopPosition(index, len(timesteps), sigmas[index])
            text = {True: state["prompt_embeds"], False: state.get("negative_prompt_embeds")}
            velocity = model.velocity_in_room(
                self.make_room, state["latents"], timestep, text, position
            )
            state["latents"] = self.scheduler.step(
                velocity, timestep, state["latents"], return_dict=False
            )[0]
            if clip.callback_on_step_end is not None:
                wanted = {k: state.get(k) for k in clip.callback_on_step_end_tensor_inputs}
                state |= clip.callback_on_step_end(self, index, timestep, wanted) or {}
            yield DenoisingStep(index + 1, len(timesteps), numbers[index], state["latents"])
            if self._interrupt:
                break

    @torch.no_grad()
    def decode_latents(self, latents: torch.Tensor, output_type: str = "np") -> DecodedFrames:
        """Decode the latents of a clip.

        Args:
            latents: `[1, C, F, h, w]`, normalised, without reference frames.
            output_type: "np": float32 array `(1, T, H, W, 3)` in [0, 1]; "pt": float32 tensor
                `[1, T, 3, H, W]` in [0, 1]; "pil": a list of one list of T images; "latent": the
                unchanged latents.

        Returns:
            The frames of the clip, RGB.

        Raises:
            ValueError: The output type is unknown, the latents have another shape, or the pipeline has
                no autoencoder.
        """
        inputs.check_output_type(output_type)
        if output_type == "latent":
            return latents
        self._require("vae", "decode latents")
        any_size = range(1, 2**31)
        shape = (any_size, self.vae.config.z_dim, any_size, any_size, any_size)
        inputs.check_shape("latents", latents, shape)
        try:
            video_BCTHW = decode_video(
                self.vae, latents, self._execution_device, in_tiles=self.tile_decoding
            )
        finally:
            self.maybe_free_model_hooks()
        return to_frames(video_BCTHW, output_type)

    def __call__(
        self,
        prompt: str | None = None,
        negative_prompt: str | None = None,
        images: ReferenceImage | Sequence[ReferenceImage] | None = None,
        height: int = 480,
        width: int = 832,
        num_frames: int = 81,
        num_inference_steps: int = 50,
        guidance_scale_text: float = 7.5,
        guidance_scale_image: float = 5.0,
        generator: torch.Generator | None = None,
        latents: torch.Tensor | None = None,
        reference_latents: torch.Tensor | None = None,
        prompt_embeds: torch.Tensor | None = None,
        negative_prompt_embeds: torch.Tensor | None = None,
        output_type: str = "np",
        return_dict: bool = True,
        callback_on_step_end: StepCallback | None = None,
        callback_on_step_end_tensor_inputs: Sequence[str] = ("latents",),
    ) -> WanPipelineOutput | tuple[DecodedFrames]:
        """Generate one clip: run `denoise` to the end, then `decode_latents`.

        Args: those of `ClipArguments`, and
            output_type: See `decode_latents`.
            return_dict: False returns a tuple with only the frames.

        Returns:
            An output whose `frames` are the clip in the format of `output_type`.

        Raises:
            ValueError: An argument is not valid.
        """
        inputs.check_output_type(output_type)
        if output_type != "latent":
            self._require("vae", "decode latents")
        steps = self.denoise(
            prompt=prompt,
            negative_prompt=negative_prompt,
            images=images,
            height=height,
            width=width,
            num_frames=num_frames,
            num_inference_steps=num_inference_steps,
            guidance_scale_text=guidance_scale_text,
            guidance_scale_image=guidance_scale_image,
            generator=generator,
            latents=latents,
            reference_latents=reference_latents,
            prompt_embeds=prompt_embeds,
            negative_prompt_embeds=negative_prompt_embeds,
            callback_on_step_end=callback_on_step_end,
            callback_on_step_end_tensor_inputs=callback_on_step_end_tensor_inputs,
        )
        with self.progress_bar(total=num_inference_steps) as bar:
            for step in steps:
                final_latents = step.latents
                bar.update()
        frames = self.decode_latents(final_latents, output_type)
        return WanPipelineOutput(frames=frames) if return_dict else (frames,)

    def _require(self, component: str, purpose: str) -> None:
        if getattr(self, component, None) is None:
            raise ValueError(
                f"This pipeline was built without a {component}, which is needed to {purpose}."
            )

    def _no_reference(self, height: int, width: int) -> torch.Tensor:
        """Return the latents of no reference: zero frames, in a shape that can be concatenated."""
        part = self.vae if self.transformer is None else self.transformer
        num_channels = part.config.z_dim if part is self.vae else part.config.in_channels
        spatial = self.vae_scale_factor_spatial
        size_hw = (height // spatial, width // spatial)
        return torch.zeros(1, num_channels, 0, *size_hw, device=self._execution_device)
