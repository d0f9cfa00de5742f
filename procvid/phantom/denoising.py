"""Model calls of a denoising step: one for each branch of the guidance, or one for all.

Shape suffixes: B batch, C latent channels, F latent frames of the video, R references, T = F + R,
h w latent size, L text tokens, D text width.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from diffusers import WanTransformer3DModel
from diffusers.models.cache_utils import CacheMixin

from procvid.phantom.guidance import Branch, Guidance
from procvid.phantom.precision import half_autocast
from procvid.stopping import stop_if_asked
from procvid.types import EXACT, Shortcuts

# Since diffusers 0.42; before, a cache context takes only a name.
_CONTEXT_TAKES_POSITION = "kwargs" in inspect.signature(CacheMixin.cache_context).parameters


@dataclass(frozen=True, eq=False)
class DenoisingStep:
    """A finished denoising step.

    Attributes:
        number: 1 for the first step, `total` for the last.
        total: Number of denoising steps.
        timestep: Noise level at the start of the step, 999 (noise) to 0 (clean).
        latents: State after the step, normalised, float32 `[1, C, F, h, w]`.
    """

    number: int
    total: int
    timestep: int
    latents: torch.Tensor


@dataclass(frozen=True, eq=False)
class LoopPosition:
    """Position in the denoising loop, which the step caches of diffusers use.

    Attributes:
        index: Index of the step, from 0.
        total: Number of denoising steps.
        sigma: Noise level of the step, 1 (noise) to 0.
    """

    index: int
    total: int
    sigma: float


@dataclass(frozen=True, eq=False)
class GuidedModel:
    """A transformer with guidance and references, which predicts velocities of noisy latents.

    Attributes:
        transformer: Takes `[B, C, T, h, w]` in its own dtype.
        guidance: Decides the branches and combines their predictions.
        reference_latents: `[B, C, R, h, w]`, normalised, in the dtype of the transformer.
        precise: Run under autocast, inside `procvid.phantom.precision.float32_layers`.
        shortcuts: Decides which branches share a call and what stands for references not seen.
    """

    transformer: WanTransformer3DModel
    guidance: Guidance
    reference_latents: torch.Tensor
    precise: bool = False
    shortcuts: Shortcuts = EXACT

    def predict(
        self,
        branches: Sequence[Branch],
        latents_BCFhw: torch.Tensor,
        timestep: torch.Tensor,
        text_BLD: Mapping[bool, torch.Tensor],
        position: LoopPosition,
    ) -> dict[str, torch.Tensor]:
        """Predict the velocities of the video frames for some branches.

        Args:
            branches: Some branches of the guidance.
            latents_BCFhw: The noisy video, float32.
            timestep: int64 scalar.
            text_BLD: Embeddings of the prompt (True) and of the negative prompt (False), as far as the
                branches need them.
            position: Position in the denoising loop.

        Returns:
            Velocities by name of the branch, float32 in the shape of the latents.
        """
        precision: AbstractContextManager[None] = nullcontext()
        if self.precise:
            precision = half_autocast(self.transformer, latents_BCFhw.device)
        # A batch needs its own cache context, because cached states have the size of the batch.
        calls = self._calls(branches)
        predictions: dict[str, torch.Tensor] = {}
        with precision:
            for call in calls:
                stop_if_asked()
                predictions |= self._call(call, latents_BCFhw, timestep, text_BLD, position)
        return predictions

    def _calls(self, branches: Sequence[Branch]) -> list[tuple[Branch, ...]]:
        """Return the branches of each call; those of one call have the same number of frames."""
        if not self.shortcuts.batched:
            return [(branch,) for branch in branches]
        if not self.shortcuts.drop_zero_references:
            return [tuple(branches)]
        groups = (tuple(b for b in branches if b.sees_references is sees) for sees in (False, True))
        return [group for group in groups if group]

    def _call(
        self,
        branches: tuple[Branch, ...],
        latents_BCFhw: torch.Tensor,
        timestep: torch.Tensor,
        text_BLD: Mapping[bool, torch.Tensor],
        position: LoopPosition,
    ) -> dict[str, torch.Tensor]:
        """Call the transformer once for one or more branches."""
        frames_BCThw = self.frames(branches, latents_BCFhw.to(self.reference_latents.dtype))
        texts_BLD = _batch([text_BLD[branch.sees_text] for branch in branches])
        name = "+".join(branch.name for branch in branches)
        with _cache_context(self.transformer, name, position):
            velocity_BCThw = self.transformer(
                hidden_states=frames_BCThw,
                # An integer, because bfloat16 would turn 999 into 1000.
                timestep=timestep.expand(frames_BCThw.shape[0]),
                encoder_hidden_states=texts_BLD,
                return_dict=False,
                **self.conditions(len(branches)),
            )[0]
        velocity_BCFhw = velocity_BCThw[:, :, : latents_BCFhw.shape[2]].float()
        parts = velocity_BCFhw.chunk(len(branches))
        return {branch.name: part for branch, part in zip(branches, parts, strict=True)}

    def frames(self, branches: Sequence[Branch], latents_BCFhw: torch.Tensor) -> torch.Tensor:
        """Return the frames that the transformer sees, `[B, C, T, h, w]`, the video's first."""
        return _batch(
            [torch.cat([latents_BCFhw, self._references_of(branch)], dim=2) for branch in branches]
        )

    def conditions(self, num_branches: int) -> dict[str, torch.Tensor]:
        """Return further arguments of the transformer for a batch of branches."""
        return {}

    def _references_of(self, branch: Branch) -> torch.Tensor:
        """Return the reference frames that a branch sees.

        Zeros in the normalised space differ from absent frames and from a black or white image.
        """
        if branch.sees_references:
            return self.reference_latents
        if self.shortcuts.drop_zero_references:
            return self.reference_latents[:, :, :0]
        return torch.zeros_like(self.reference_latents)


def _batch(tensors: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return tensors as one batch; a single tensor is not copied."""
    return torch.cat(list(tensors)) if len(tensors) > 1 else tensors[0]


def _cache_context(
    transformer: WanTransformer3DModel, name: str, position: LoopPosition
) -> AbstractContextManager[None]:
    """Return the context of a model call, in which the caches of diffusers keep its state."""
    if not _CONTEXT_TAKES_POSITION:
        return transformer.cache_context(name)
    return transformer.cache_context(
        name,
        step_index=position.index,
        sigma=position.sigma,
        num_inference_steps=position.total,
    )
