"""The policy: the transformer with its LoRA, guided as in the product, and its clips.

Shape suffixes as in `procvid.phantom.denoising`; B are the clips of one shot, which share everything but
the noise.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
from PIL import Image as Pillow

from procvid.phantom.denoising import GuidedModel, LoopPosition
from procvid.phantom.guidance import Guidance
from procvid.phantom.pipeline_phantom_wan import PhantomWanPipeline
from procvid.phantom.schedule import set_upstream_timesteps
from procvid.stopping import stop_if_asked
from procvid.train.rl.objectives import log_probability, transition
from procvid.train.rl.shots import Shot
from procvid.types import Frames, Sampling

Weights = Mapping[str, torch.Tensor]


@dataclass(frozen=True, eq=False)
class EncodedShot:
    """Text embeddings `[1, L, D]` of prompt (True) and negative prompt (False), and reference latents
    `[1, C, R, h, w]`."""

    text: Mapping[bool, torch.Tensor]
    references: torch.Tensor


@dataclass(frozen=True, eq=False)
class Rolled:
    """A clip of the policy.

    Attributes:
        latents: Clean latents, float32 `[1, C, F, h, w]`.
        frames: uint8 (T, H, W, 3) RGB.
        states: Latents before each noisy step and after the last one, `[S + 1, C, F, h, w]`; S is 0
            without noise.
        logs: Log-probability of each noisy step, `[S]`.
    """

    latents: torch.Tensor
    frames: Frames
    states: torch.Tensor
    logs: torch.Tensor


@dataclass
class Policy:
    """A pipeline with a LoRA in training.

    Attributes:
        pipeline: Its transformer has the adapter.
        parameters: The LoRA's parameters by name.
        sampling: How the product samples.
    """

    pipeline: PhantomWanPipeline
    parameters: Mapping[str, torch.nn.Parameter]
    sampling: Sampling
    _encoded: dict[str, EncodedShot] = field(default_factory=dict)
    _negative: torch.Tensor | None = None

    @property
    def levels(self) -> list[float]:
        """Noise levels of the sampler's grid, descending, ending with 0."""
        steps = self.sampling.num_inference_steps
        set_upstream_timesteps(self.pipeline.scheduler, steps, torch.device("cpu"))
        return [float(level) for level in self.pipeline.scheduler.sigmas]

    def weights(self) -> dict[str, torch.Tensor]:
        """Return a copy of the LoRA's weights."""
        return {name: p.detach().clone() for name, p in self.parameters.items()}

    def has(self, weights: Weights) -> bool:
        """Return True if the LoRA has these weights now."""
        return all(torch.equal(p, weights[name]) for name, p in self.parameters.items())

    @contextmanager
    def using(self, weights: Weights | None) -> Iterator[None]:
        """Use other weights of the LoRA inside the block; None for the base model without it."""
        transformer = self.pipeline.transformer
        if weights is None:
            transformer.disable_adapters()
            try:
                yield
            finally:
                transformer.enable_adapters()
            return
        kept = self.weights()
        self._set(weights)
        try:
            yield
        finally:
            self._set(kept)

    @torch.no_grad()
    def _set(self, weights: Weights) -> None:
        for name, parameter in self.parameters.items():
            parameter.copy_(weights[name])

    @torch.no_grad()
    def encode(self, shot: Shot) -> EncodedShot:
        """Return the embeddings and reference latents of a shot; they are kept."""
        found = self._encoded.get(shot.key)
        if found is None:
            pipeline, sampling = self.pipeline, self.sampling
            images = [Pillow.fromarray(image) for _, image in shot.references]
            references = pipeline.prepare_reference_latents(
                images or None, sampling.height, sampling.width
            )
            if self._negative is None:
                self._negative = pipeline.encode_prompt("", None, True)[1].cpu()
            text, _ = pipeline.encode_prompt(shot.prompt, None, False)
            found = EncodedShot({True: text.cpu(), False: self._negative}, references.cpu())
            self._encoded[shot.key] = found
        return found

    def forget_text_encoder(self) -> None:
        """Free the text encoder; all shots must be encoded."""
        self.pipeline.text_encoder = None

    def velocities(
        self, shot: EncodedShot, x_BCFhw: torch.Tensor, level: float
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Return the guided velocity at a noise level and its parts by branch, float32, with gradients."""
        stop_if_asked()
        transformer, sampling = self.pipeline.transformer, self.sampling
        count = len(x_BCFhw)
        guidance = Guidance(
            sampling.guidance_scale_text, sampling.guidance_scale_image, shot.references.shape[2]
        )
        dtype, device = transformer.dtype, x_BCFhw.device
        references = shot.references.to(device, dtype).expand(count, -1, -1, -1, -1)
        text = {sees: t.to(device, dtype).expand(count, -1, -1) for sees, t in shot.text.items()}
        model = GuidedModel(transformer, guidance, references)
        timestep = torch.tensor(int(level * 1000), device=device)
        parts = model.predict(guidance.branches, x_BCFhw, timestep, text, LoopPosition(0, 1, level))
        return guidance.combine(parts), parts

    def noise(self, seeds: Sequence[int]) -> torch.Tensor:
        """Return the initial noise of clips, float32 `[B, C, F, h, w]`, each drawn from its own seed."""
        pipeline, sampling = self.pipeline, self.sampling
        device = pipeline.transformer.device
        drawn = [
            pipeline.prepare_latents(
                num_channels_latents=pipeline.transformer.config.in_channels,
                height=sampling.height,
                width=sampling.width,
                num_frames=sampling.num_frames,
                device=device,
                generator=torch.Generator(device).manual_seed(seed),
            )
            for seed in seeds
        ]
        return torch.cat(drawn)

    @torch.no_grad()
    def clip(self, shot: Shot, seed: int) -> Rolled:
        """Return a clip as the product's sampler makes it."""
        encoded, pipeline, sampling = self.encode(shot), self.pipeline, self.sampling
        steps = pipeline.denoise(
            prompt_embeds=encoded.text[True],
            negative_prompt_embeds=encoded.text[False],
            reference_latents=encoded.references,
            height=sampling.height,
            width=sampling.width,
            num_frames=sampling.num_frames,
            num_inference_steps=sampling.num_inference_steps,
            guidance_scale_text=sampling.guidance_scale_text,
            guidance_scale_image=sampling.guidance_scale_image,
            generator=torch.Generator(pipeline.transformer.device).manual_seed(seed),
        )
        latents = [step.latents for step in steps][-1]
        return Rolled(latents, self.decode(latents), latents[:0], torch.zeros(0))

    @torch.no_grad()
    def noisy_clip(self, shot: Shot, seed: int, noise: float, noisy_steps: int) -> Rolled:
        """Return a clip of the stochastic sampler: noise in the first steps, then Euler steps (MixGRPO).

        Args:
            shot: The conditioning.
            seed: Seed of all noise.
            noise: Strength of the noise.
            noisy_steps: Number of steps with noise.
        """
        encoded, levels = self.encode(shot), self.levels
        x = self.noise([seed])
        random = torch.Generator().manual_seed(seed + 1)
        states, logs = [x], []
        for index, (level, following) in enumerate(itertools.pairwise(levels)):
            velocity, _ = self.velocities(encoded, x, level)
            strength = noise if index < noisy_steps else 0.0
            step = transition(x, velocity, level, following, levels[1], strength)
            x = step.mean
            if strength:
                x = x + step.std * torch.randn(x.shape, generator=random).to(x)
                states.append(x)
                logs.append(log_probability(x, step))
        return Rolled(x, self.decode(x), torch.cat(states), torch.cat(logs))

    @torch.no_grad()
    def decode(self, latents: torch.Tensor) -> Frames:
        """Return the frames of one clip, uint8 (T, H, W, 3), truncated as the product does."""
        unit = self.pipeline.decode_latents(latents, "np")[0]
        return np.asarray(unit * 255).astype(np.uint8)
