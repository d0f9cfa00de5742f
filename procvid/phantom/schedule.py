"""The noise schedule of upstream's Phantom-Wan."""

from __future__ import annotations

import numpy as np
import torch
from diffusers import UniPCMultistepScheduler


def unshifted_sigmas(num_steps: int) -> np.ndarray:
    """Return upstream's noise levels before the flow shift: float64 `(num_steps,)` from 0.999 down.

    Up to diffusers 0.36 `set_timesteps(N)` gave this grid. Since 0.37 (pull request 12109) the default
    is `linspace(1, 0.001, N + 1)[:-1]`, whose first level is nearly pure noise; the final latents then
    differ by 6 to 10 %, and half of the integer timesteps differ. So the grid is always passed
    explicitly. This needs diffusers >= 0.37, because UniPC takes no explicit levels before.
    """
    return np.linspace(0.999, 0.0, num_steps + 1)[:-1]


def check_scheduler(scheduler: object) -> None:
    """Check that the scheduler is UniPC for flow matching, as upstream's.

    Raises:
        ValueError: The scheduler is not UniPC with flow prediction and flow sigmas.
    """
    config = getattr(scheduler, "config", {})
    if (
        not isinstance(scheduler, UniPCMultistepScheduler)
        or config.get("prediction_type") != "flow_prediction"
        or not config.get("use_flow_sigmas")
    ):
        raise ValueError(
            f"Phantom-Wan needs UniPCMultistepScheduler(prediction_type='flow_prediction', "
            f"use_flow_sigmas=True, flow_shift=5.0), but the scheduler is "
            f"{type(scheduler).__name__} with prediction_type="
            f"{config.get('prediction_type')!r} and use_flow_sigmas="
            f"{config.get('use_flow_sigmas')!r}."
        )


def set_upstream_timesteps(
    scheduler: UniPCMultistepScheduler, num_steps: int, device: torch.device
) -> torch.Tensor:
    """Start a run of the scheduler on upstream's grid.

    The scheduler applies the `flow_shift` of its config, so the levels are passed unshifted.

    Args:
        scheduler: UniPC with flow sigmas (see `check_scheduler`).
        num_steps: Number of denoising steps.
        device: Device of the timesteps.

    Returns:
        The timesteps, int64 `[num_steps]`, descending: `trunc(1000 * sigma)`.
    """
    scheduler.set_timesteps(sigmas=unshifted_sigmas(num_steps), device=device)
    # Otherwise the scheduler searches for the index on the device at the first step.
    scheduler.set_begin_index(0)
    return scheduler.timesteps
