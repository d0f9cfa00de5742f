"""Draw the examples, references and noise of each step.

Every draw depends on (seed, epoch, example) only. A resumed training repeats the same draws, and
the batch size and number of processes do not change them.
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
    """One example of a step.

    Attributes:
        example: The example.
        sigma: Noise level, 0 to 1.
        noise_seed: Seed of the noise.
        sees_text: True for its own text, False for the negative prompt.
        references: Crops of other examples, in the order of the latents.
        sees_references: True for their latents, False for zeros.
    """

    example: Example
    sigma: float
    noise_seed: int
    sees_text: bool
    references: tuple[Path, ...]
    sees_references: bool


class Draws:
    """Draws the order of the examples, and text, references and noise of each.

    Args:
        examples: Training examples.
        settings: Shares, seed and shift.
        examples_per_step: Examples per optimizer step over all processes.
        is_usable: Returns True if a crop can be read.
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
        self._is_usable = is_usable
        self._crops: dict[tuple[str, str], list[tuple[str, ReferenceCrop]]] = defaultdict(list)
        for example in self._examples:
            for crop in example.crops:
                if example.source_id and is_usable(crop.file):
                    self._crops[example.source_id, crop.name].append((example.key, crop))
        self.steps_per_epoch = -(-len(self._examples) // examples_per_step)
        self.total_steps = self.steps_per_epoch * settings.epochs

    def step(self, step: int) -> list[Draw]:
        """Return the draws of a step (from 0); the last step of an epoch may have fewer."""
        epoch, place = divmod(step, self.steps_per_epoch)
        seed = self._settings.seed
        order = np.random.default_rng([seed, epoch, _ORDER]).permutation(len(self._examples))
        chosen = order[place * self._per_step : (place + 1) * self._per_step]
        return [self.draw(int(index), epoch) for index in chosen]

    def draw(self, index: int, epoch: int) -> Draw:
        """Return the draw of an example in an epoch."""
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
        """Return the example's own references, or crops of other examples that it wants: the first few."""
        without = rng.random() < self._settings.no_references
        found = [one.file for one in example.references if self._is_usable(one.file)]
        for name, state in () if found else example.wants:
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
    """Return a noise level: logit-normal, one in seven uniform, then shifted towards noise."""
    uniform = rng.random() < 0.15
    u = float(rng.random()) if uniform else float(1 / (1 + np.exp(-rng.normal())))
    return shift * u / (1 + (shift - 1) * u)


def batches(
    draws: Sequence[Draw], size: int, shape: Callable[[Draw], tuple[int, ...]]
) -> list[list[Draw]]:
    """Split the draws of a step into batches of one shape and at most `size` examples."""
    ordered = sorted(draws, key=lambda draw: (shape(draw), draw.example.key))
    found = []
    for _, group in groupby(ordered, key=shape):
        same = list(group)
        found += [same[k : k + size] for k in range(0, len(same), size)]
    return found
