"""Forecast of the clean latents from the steps so far, for previews."""

from __future__ import annotations

import torch

from procvid.phantom.denoising import DenoisingStep

NUM_TIMESTEPS = 1000
"""The noise level of a timestep is the timestep divided by this number."""


class Foresight:
    """Forecasts the clean latents by extrapolating the last two states to noise level 0.

    In flow matching the latents move along x(s) = (1 - s) clean + s noise, so two states determine the
    end of the line at s = 0. The noise level after a step is known only when the next step has begun,
    so the forecast is one step late.
    """

    def __init__(self) -> None:
        self._states: list[tuple[float, torch.Tensor]] = []
        self._latents: torch.Tensor | None = None

    def after(self, step: DenoisingStep) -> torch.Tensor | None:
        """Return the forecast after a step, `[1, C, F, h, w]`; None for the first two steps."""
        if self._latents is not None:
            # The state before this step is the state after the last one.
            self._states = [*self._states[-1:], (step.timestep / NUM_TIMESTEPS, self._latents)]
        self._latents = step.latents.clone()
        if len(self._states) < 2:
            return None
        (before, old), (now, new) = self._states
        if before <= now:
            return None
        return new - now * (new - old) / (now - before)
