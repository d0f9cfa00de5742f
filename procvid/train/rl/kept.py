"""What a reinforcement keeps beside the LoRA, and saves with its state."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from procvid.train.rl.advantages import Scales, Values
from procvid.train.rl.policy import Policy

OLD, SCALE = "old.", "scale."


class Kept:
    """The old policy, which makes the clips, and the scales of the rewards.

    Args:
        policy: The policy at its start.
        rewards: Ids of the rewards.
    """

    def __init__(self, policy: Policy, rewards: Sequence[str]) -> None:
        self._policy = policy
        self._old = {
            f"{OLD}{name}": torch.nn.Parameter(p.detach().clone(), requires_grad=False)
            for name, p in policy.parameters.items()
        }
        self._scales = {
            f"{SCALE}{name}": torch.nn.Parameter(
                torch.zeros((), dtype=torch.float64), requires_grad=False
            )
            for name in rewards
        }

    @property
    def parameters(self) -> dict[str, torch.nn.Parameter]:
        """What is saved with the state."""
        return {**self._old, **self._scales}

    @property
    def scales(self) -> Scales:
        """The scales of the rewards so far."""
        values = {name.removeprefix(SCALE): float(v) for name, v in self._scales.items()}
        return Scales({name: value for name, value in values.items() if value > 0})

    def old(self) -> dict[str, torch.Tensor]:
        """Return a copy of the old policy's weights."""
        return {name.removeprefix(OLD): p.detach().clone() for name, p in self._old.items()}

    @torch.no_grad()
    def follow(self, decay: float) -> None:
        """Move the old policy towards the new one; it keeps `decay`, 0 to 1, of itself."""
        for name, parameter in self._policy.parameters.items():
            self._old[f"{OLD}{name}"].lerp_(parameter.detach(), 1 - decay)

    @torch.no_grad()
    def update(self, groups: Sequence[Sequence[Values]], names: Sequence[str]) -> None:
        """Take the rewards of an iteration into the scales."""
        scales = self.scales
        scales.update(groups, names)
        for name, value in scales.by_reward.items():
            self._scales[f"{SCALE}{name}"].fill_(value)
