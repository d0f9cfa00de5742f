"""What each step sees: which examples, references and noise.

Every draw comes from (seed, epoch, example) alone. So a training that was cut off goes on with the
very same draws, and neither the batch size nor the number of processes changes them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from procvid.train.lora.folder import Example, ReferenceCrop
from procvid.train.lora.settings import LoraSettings

_ORDER, _EXAMPLE = 1, 2


@dataclass(frozen=True)
class Draw:
    """One example as one step sees it.

    Attributes:
        example: Which.
        sigma: Noise level, 0 to 1.
        noise_seed: Of the noise.
        sees_text: Whether it gets its own text, or the negative prompt.
        references: Crops of other examples, in the order of the latents.
        sees_references: Whether their latents are shown, or zeros in their place.
    """

    example: Example
    sigma: float
    noise_seed: int
    sees_text: bool
    references: tuple[Path, ...]
    sees_references: bool


class Draws:
    """The order of the examples, and what each one is shown.

    Args:
        examples: To train on.
        settings: Shares, seed and shift.
        examples_per_step: Over all processes.
        is_usable: Whether a crop can be read.
    """

    def __init__(
        self,
        examples: Sequence[Example],
        settings: LoraSettings,
        examples_per_step: int,
        is_usable: Callable[[Path], bool] = lambda _: True,
    ) -> None:
        self._examples = tuple(examples)
        self._settings = settings
        self._per_step = examples_per_step
        self._crops: dict[tuple[str, str], list[tuple[str, ReferenceCrop]]] = defaultdict(list)
        for example in self._examples:
            for crop in example.crops:
                if example.source_id and is_usable(crop.file):
                    self._crops[example.source_id, crop.name].append((example.key, crop))
        self.steps_per_epoch = -(-len(self._examples) // examples_per_step)
        self.total_steps = self.steps_per_epoch * settings.epochs

    def step(self, step: int) -> list[Draw]:
        """The examples of a step, from 0; the last of an epoch may have fewer."""
        epoch, place = divmod(step, self.steps_per_epoch)
        seed = self._settings.seed
        order = np.random.default_rng([seed, epoch, _ORDER]).permutation(len(self._examples))
        chosen = order[place * self._per_step : (place + 1) * self._per_step]
        return [self.draw(int(index), epoch) for index in chosen]

    def draw(self, index: int, epoch: int) -> Draw:
        """One example of an epoch."""
        settings, example = self._settings, self._examples[index]
        rng = np.random.default_rng([settings.seed, epoch, _EXAMPLE, index])
        return Draw(
            example=example,
            sigma=draw_sigma(rng, settings.shift),
            noise_seed=int(rng.integers(2**62)),
            sees_text=bool(rng.random() >= settings.drop_text),
            references=self._references(rng, example),
            sees_references=bool(rng.random() >= settings.drop_references),
        )

    def _references(self, rng: np.random.Generator, example: Example) -> tuple[Path, ...]:
        """Crops of other examples of the same source: the first few that the example wants."""
        without = rng.random() < self._settings.no_references
        found = []
        for name, state in example.wants:
            others = [
                crop.file
                for key, crop in self._crops.get((example.source_id, name), ())
                if key != example.key and (not state or crop.state == state)
            ]
            if others:
                found.append(others[int(rng.integers(len(others)))])
        found = found[: self._settings.max_references]
        if without or not found:
            return ()
        found = found[: int(rng.integers(1, len(found) + 1))]
        if rng.random() < self._settings.shuffle_references:
            found = [found[k] for k in rng.permutation(len(found))]
        return tuple(found)


def draw_sigma(rng: np.random.Generator, shift: float) -> float:
    """A noise level: logit-normal, one in seven uniform, then shifted towards noise."""
    uniform = rng.random() < 0.15
    u = float(rng.random()) if uniform else float(1 / (1 + np.exp(-rng.normal())))
    return shift * u / (1 + (shift - 1) * u)


def batches(
    draws: Sequence[Draw], size: int, shape: Callable[[Draw], tuple[int, ...]]
) -> list[list[Draw]]:
    """Cut the draws of a step into batches of one shape and at most `size` examples."""
    ordered = sorted(draws, key=lambda draw: (shape(draw), draw.example.key))
    found = []
    for _, group in groupby(ordered, key=shape):
        same = list(group)
        found += [same[k : k + size] for k in range(0, len(same), size)]
    return found
