"""AdamW with a learning-rate schedule, and their state on disk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import torch
from diffusers.optimization import get_scheduler

from procvid.train.lora.state import load_state, save_state

BETAS = (0.9, 0.99)


class OptimiserSettings(Protocol):
    """The settings that the optimiser reads."""

    @property
    def learning_rate(self) -> float: ...
    @property
    def weight_decay(self) -> float: ...
    @property
    def warmup(self) -> int: ...
    @property
    def schedule(self) -> str: ...


class Optimiser:
    """Updates the parameters of a LoRA.

    Args:
        parameters: Trainable parameters by name.
        settings: Learning rate, weight decay, warm-up and schedule.
        total: Steps of the whole training.
        beside: Parameters that are saved with the state and not trained.
    """

    def __init__(
        self,
        parameters: Mapping[str, torch.nn.Parameter],
        settings: OptimiserSettings,
        total: int,
        beside: Mapping[str, torch.nn.Parameter] | None = None,
    ) -> None:
        self._parameters = {**parameters, **(beside or {})}
        self._adamw = torch.optim.AdamW(
            parameters.values(),
            lr=settings.learning_rate,
            betas=BETAS,
            weight_decay=settings.weight_decay,
        )
        self._schedule = get_scheduler(
            "linear" if settings.schedule == "linear" else "constant_with_warmup",
            self._adamw,
            num_warmup_steps=settings.warmup,
            num_training_steps=total,
        )

    def step(self, *, skip: bool = False) -> float:
        """Make a step with the present gradients, or only let it pass; return its learning rate."""
        if skip:
            # Without gradients AdamW leaves weights and moments as they are.
            self._adamw.zero_grad(set_to_none=True)
        self._adamw.step()
        self._adamw.zero_grad(set_to_none=True)
        rate = float(self._schedule.get_last_lr()[0])
        self._schedule.step()
        return rate

    def save(self, folder: Path, step: int, seconds: float) -> None:
        """Save the state after `step` steps; see `save_state`."""
        schedule = self._schedule.state_dict()
        save_state(folder, step, self._parameters, self._adamw, schedule, seconds)

    def load(self, folder: Path) -> tuple[int, float]:
        """Restore a saved state; return the next step and the seconds spent so far."""
        step, schedule, seconds = load_state(folder, self._parameters, self._adamw)
        self._schedule.load_state_dict(schedule)
        # The scheduler sets the rate only when it steps.
        for group, rate in zip(self._adamw.param_groups, self._schedule.get_last_lr(), strict=True):
            group["lr"] = rate
        return step, seconds
