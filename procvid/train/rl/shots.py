"""What clips are conditioned on: a planned step with its prompt and references."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from procvid.train.rl.rewards.reward import Shown
from procvid.types import Frames, Image, StepPlan

_DRAW, _CLIP = 7, 8


@dataclass(frozen=True, eq=False)
class Shot:
    """One conditioning of the product.

    Attributes:
        key: Unique name.
        step: The planned step.
        prompt: Text of the model.
        references: Object names with their images, uint8 (h, w, 3) RGB, in the order of the slots.
    """

    key: str
    step: StepPlan
    prompt: str
    references: tuple[tuple[str, Image], ...]

    @property
    def images(self) -> Mapping[str, Image]:
        """The references by object name."""
        return dict(self.references)

    def shown(self, frames: Frames) -> Shown:
        """Return a clip of this shot as rewards see it."""
        return Shown(frames, self.step, self.images)


def drawn_shots(
    shots: Sequence[Shot], seed: int, iteration: int, count: int, usefulness: Mapping[str, float]
) -> list[Shot]:
    """Return the shots of an iteration without repetition, as far as there are enough.

    Args:
        shots: All training shots.
        seed: Seed of the training.
        iteration: From 0.
        count: Number of shots.
        usefulness: Weight of a shot by its action; 1 where it is missing.
    """
    rng = np.random.default_rng([seed, iteration, _DRAW])
    weights = np.array([usefulness.get(shot.step.action, 1.0) for shot in shots], np.float64)
    count = min(count, len(shots))
    places = rng.choice(len(shots), count, replace=False, p=weights / weights.sum())
    return [shots[int(place)] for place in places]


def clip_seed(seed: int, iteration: int, place: int, number: int) -> int:
    """Return the seed of the noise of a clip: iteration, place of its shot and number in its group."""
    rng = np.random.default_rng([seed, iteration, place, number, _CLIP])
    return int(rng.integers(2**62))
