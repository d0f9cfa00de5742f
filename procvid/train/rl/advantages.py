"""Turn rewards into advantages: within the group, for each reward, before they are weighed.

A reward that is large or spreads widely does not drown the others: each is divided by its own scale, a
running mean over iterations of its deviation within groups. (GRPO divides by the group's own deviation,
which turns the noise of a group without differences into full advantages; Dr. GRPO, arXiv 2503.20783.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

KEEP = 0.7
"""Share of a scale that an iteration keeps."""

LEAST = 1e-4
"""A deviation below this is no difference; such rewards give no advantage."""

Values = Mapping[str, "float | None"]
"""Value of each reward for one clip."""


@dataclass
class Scales:
    """Deviation of each reward within groups, a running mean over iterations."""

    by_reward: dict[str, float] = field(default_factory=dict)

    def update(self, groups: Sequence[Sequence[Values]], names: Sequence[str]) -> None:
        """Take in the groups of an iteration."""
        for name in names:
            spreads = [
                np.std(v) for v in (_column(group, name) for group in groups) if v is not None
            ]
            differ = [float(s) for s in spreads if s > LEAST]
            if differ:
                now = float(np.sqrt(np.mean(np.square(differ))))
                before = self.by_reward.get(name)
                self.by_reward[name] = now if before is None else KEEP * before + (1 - KEEP) * now


def advantages(
    group: Sequence[Values], weights: Mapping[str, float], scales: Scales
) -> NDArray[np.float64]:
    """Return the advantage of each clip of a group, mean 0; all 0 if the group does not differ.

    The advantage is the weighted mean of `(value - mean of the group) / scale` over the rewards that
    apply to every clip of the group.

    Args:
        group: Rewards of each clip.
        weights: Weight of each reward.
        scales: Deviations; `update` must have seen these groups.
    """
    total, weight = np.zeros(len(group)), 0.0
    for name, factor in weights.items():
        values = _column(group, name)
        if values is None or not factor:
            continue
        weight += factor
        if name in scales.by_reward and np.std(values) > LEAST:
            total += factor * (values - values.mean()) / scales.by_reward[name]
    return total / weight if weight else total


def _column(group: Sequence[Values], name: str) -> NDArray[np.float64] | None:
    values = [one.get(name) for one in group]
    if any(value is None for value in values):
        return None
    return np.array(values, np.float64)
