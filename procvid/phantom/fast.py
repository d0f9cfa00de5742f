"""The guided velocity of a denoising step, exact or with fewer and cheaper model calls.

Every shortcut is a field of `Shortcuts` and works alone or with the others. `docs/fast.md` has their
effect, measured by `python -m lab.fast`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from diffusers import WanTransformer3DModel

from procvid.phantom.attention import attention_in_8_bits
from procvid.phantom.denoising import GuidedModel, LoopPosition
from procvid.phantom.device_errors import MEMORY_ERRORS, ran_out
from procvid.phantom.precision import float32_layers
from procvid.phantom.step_cache import step_cache, without_cache
from procvid.types import Shortcuts


def check_shortcuts(shortcuts: Shortcuts, precise: bool = False) -> None:
    """Raise ValueError if a shortcut is not valid; the message has the value and the valid range."""
    if precise and shortcuts.attention_in_8_bits:
        # Its kernels take half precision only, and autocast does not reach them.
        raise ValueError("8-bit attention and the precise mode exclude each other: use only one.")
    if not 0 <= shortcuts.guided_share <= 1:
        raise ValueError(f"guided_share must be 0 to 1, but is {shortcuts.guided_share!r}.")
    if shortcuts.guided_every < 1:
        raise ValueError(f"guided_every must be at least 1, but is {shortcuts.guided_every!r}.")
    cache = shortcuts.cache
    if cache is None:
        return
    if not (math.isfinite(cache.strength) and cache.strength > 0):
        raise ValueError(f"The strength of a cache must be above 0, but is {cache.strength!r}.")
    if cache.kind == "taylor" and (cache.strength < 2 or cache.strength % 1):
        raise ValueError(
            f"The taylor cache computes every n-th call; n must be a whole number from 2, but is "
            f"{cache.strength!r}."
        )
    if cache.full_steps < 1:
        raise ValueError(f"full_steps must be at least 1, but is {cache.full_steps!r}.")


@contextmanager
def shortened(
    transformer: WanTransformer3DModel,
    shortcuts: Shortcuts,
    precise: bool,
    num_steps: int,
    num_video_frames: int,
    mag_ratios: Sequence[float] | None = None,
) -> Iterator[None]:
    """Run a transformer with the layers and shortcuts that change it, and restore it afterwards.

    Args:
        transformer: A transformer without a cache.
        shortcuts: Those of the run.
        precise: Keep upstream's float32 layers; see `float32_layers`.
        num_steps: Denoising steps of the run.
        num_video_frames: Latent frames of the video, without references.
        mag_ratios: See `step_cache`.
    """
    caching = step_cache(
        transformer,
        shortcuts.cache,
        num_steps=num_steps,
        num_video_frames=num_video_frames,
        mag_ratios=mag_ratios,
    )
    in_8_bits = attention_in_8_bits(transformer, shortcuts.attention_in_8_bits)
    with in_8_bits, float32_layers(transformer, precise), caching:
        yield


@dataclass
class FastModel:
    """A guided model that computes exact velocities, or with shortcuts fewer predictions.

    Attributes:
        model: The model of the predictions.
        shortcuts: Decides which branches are skipped, and when.
    """

    model: GuidedModel
    shortcuts: Shortcuts
    _kept_term: torch.Tensor | None = field(default=None, init=False)

    def velocity_in_room(
        self,
        make_room: Callable[[], bool] | None,
        latents_BCFhw: torch.Tensor,
        timestep: torch.Tensor,
        text_BLD: Mapping[bool, torch.Tensor],
        position: LoopPosition,
    ) -> torch.Tensor:
        """Return the `velocity`; after an out-of-memory error, make room and try again.

        A retry is safe, because the state of the solver changes only after the velocity is computed.

        Args:
            make_room: Returns True if there is more room now; None if nothing can be done.
            latents_BCFhw: As for `velocity`, like the rest.
        """
        while True:
            try:
                return self.velocity(latents_BCFhw, timestep, text_BLD, position)
            except MEMORY_ERRORS as error:
                if not ran_out(error):
                    raise
                # Without its traceback, which keeps tensors alive.
                failed = error.with_traceback(None)
            with without_cache(self.model.transformer):
                has_room = make_room is not None and make_room()
            if not has_room:
                raise failed

    def velocity(
        self,
        latents_BCFhw: torch.Tensor,
        timestep: torch.Tensor,
        text_BLD: Mapping[bool, torch.Tensor],
        position: LoopPosition,
    ) -> torch.Tensor:
        """Return the guided velocity of the video frames, float32 in the shape of the latents.

        Call it once per step, in order, with the arguments of `GuidedModel.predict`.
        """
        branches = self.model.guidance.branches
        *weaker, strongest = branches
        is_guided = position.index < self.shortcuts.num_guided(position.total)
        in_full = position.index % self.shortcuts.guided_every == 0 or self._kept_term is None
        needed = branches if weaker and is_guided and in_full else (strongest,)
        predictions = self.model.predict(needed, latents_BCFhw, timestep, text_BLD, position)
        velocity = predictions[strongest.name]
        if len(needed) > 1:
            guided = self.model.guidance.combine(predictions)
            if self.shortcuts.guided_every > 1:
                self._kept_term = guided - velocity
            return guided
        if weaker and is_guided:
            return velocity + self._kept_term
        return velocity
