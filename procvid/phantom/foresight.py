"""What a clip will be, guessed from the steps done so far: for previews."""

from __future__ import annotations

import torch

from procvid.phantom.denoising import DenoisingStep

NUM_TIMESTEPS = 1000
"""The noise level of a timestep is the timestep by this."""


class Foresight:
    """Takes the rest of the noise away at once, along the line of the last step but one.

    In flow matching the latents move along x(s) = (1 - s) clean + s noise, so two of them tell where
    the line ends at s = 0. Where a step ends is known when the next one has begun, hence the delay.
    """

    def __init__(self) -> None:
        self._seen: list[tuple[float, torch.Tensor]] = []
        self._latents: torch.Tensor | None = None

    def after(self, step: DenoisingStep) -> torch.Tensor | None:
        """The clean latents as foreseen after a step, `[1, C, F, h, w]`; None for the first two."""
        if self._latents is not None:
            # The state before this step is that after the last one, at the level where this began.
            self._seen = [*self._seen[-1:], (step.timestep / NUM_TIMESTEPS, self._latents)]
        self._latents = step.latents.clone()
        if len(self._seen) < 2:
            return None
        (before, old), (now, new) = self._seen
        if before <= now:
            return None
        return new - now * (new - old) / (now - before)
