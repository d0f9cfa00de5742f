"""The guided velocity of a denoising step, exact or with fewer and cheaper model calls.

Every shortcut is a field of `Shortcuts` and works alone or with the others. What each is worth stands
in `docs/fast.md`, which `python -m lab.fast` measures.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch

from procvid.phantom.denoising import GuidedModel, LoopPosition
from procvid.types import Shortcuts


def check_shortcuts(shortcuts: Shortcuts, precise: bool = False) -> None:
    """Raise ValueError when a shortcut cannot be taken, with the value and what works."""
    if precise and shortcuts.cache is not None:
        # The float32 head computes from layers that a cache has skipped.
        raise ValueError("A step cache and the precise mode exclude each other: leave one out.")
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
            f"The taylor cache computes every n-th call, n a whole number from 2, not "
            f"{cache.strength!r}."
        )
    if cache.full_steps < 1:
        raise ValueError(f"full_steps must be at least 1, but is {cache.full_steps!r}.")


@dataclass
class FastModel:
    """Guided velocities, by default exact; with shortcuts, from fewer predictions.

    Attributes:
        model: Makes the predictions.
        shortcuts: Which branches are left out, and when.
    """

    model: GuidedModel
    shortcuts: Shortcuts
    _kept_term: torch.Tensor | None = field(default=None, init=False)

    def velocity(
        self,
        latents_BCFhw: torch.Tensor,
        timestep: torch.Tensor,
        text_BLD: Mapping[bool, torch.Tensor],
        position: LoopPosition,
    ) -> torch.Tensor:
        """The guided velocity of the video frames, float32 in the shape of the latents.

        Called once a step, in order; the arguments are those of `GuidedModel.predict`.
        """
        branches = self.model.guidance.branches
        *weaker, strongest = branches
        num_guided = math.ceil(self.shortcuts.guided_share * position.total)
        is_guided = position.index < num_guided
        in_full = position.index % self.shortcuts.guided_every == 0 or self._kept_term is None
        asked = branches if weaker and is_guided and in_full else (strongest,)
        predictions = self.model.predict(asked, latents_BCFhw, timestep, text_BLD, position)
        velocity = predictions[strongest.name]
        if len(asked) > 1:
            guided = self.model.guidance.combine(predictions)
            if self.shortcuts.guided_every > 1:
                self._kept_term = guided - velocity
            return guided
        if weaker and is_guided:
            return velocity + self._kept_term
        return velocity
