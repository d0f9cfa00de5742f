"""Two settings on the same recipes: may they be compared, and by how much do they differ?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

RESAMPLES = 10_000
COMPARED = ("memory", "lora")
"""The settings that an ablation varies; all others must agree."""

NO_MATTER = ("generator",)
"""Answer but not compared: a LoRA makes another model, which is what is compared."""


@dataclass(frozen=True)
class Difference:
    """Paired difference to the base over recipes.

    Attributes:
        mean: Of other minus base; None without a pair.
        low, high: 95 % interval of the mean, by bootstrap over the recipes.
        n: Recipes in which both have a value.
        null_share: Share of the recipes in which one has none, 0 to 1.
    """

    mean: float | None
    low: float | None
    high: float | None
    n: int
    null_share: float


def paired_difference(
    base: Sequence[float | None],
    other: Sequence[float | None],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Difference:
    """Bootstrap over recipes of the paired difference; the same seed gives the same interval.

    Args:
        base, other: A value a recipe, in one order.
        resamples: How many samples are drawn.
        seed: Of the draw.

    Raises:
        ValueError: The two are not equally long.
    """
    if len(base) != len(other):
        raise ValueError(f"{len(base)} and {len(other)} values are no pairs")
    pairs = [(a, b) for a, b in zip(base, other, strict=True) if a is not None and b is not None]
    null_share = 1 - len(pairs) / len(base) if base else 0.0
    if not pairs:
        return Difference(None, None, None, 0, null_share)
    differences = np.array([b - a for a, b in pairs])
    rng = np.random.default_rng(seed)
    drawn = rng.integers(len(differences), size=(resamples, len(differences)))
    low, high = np.percentile(differences[drawn].mean(axis=1), [2.5, 97.5])
    mean = float(differences.mean())
    return Difference(mean, float(low), float(high), len(pairs), null_share)


def why_not_comparable(base: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """What differs besides what is compared, as one sentence; empty when nothing does."""
    keys = [k for k in dict.fromkeys([*base, *other]) if k not in COMPARED + NO_MATTER]
    told = [
        f"{key} {base.get(key)} and {other.get(key)}"
        for key in keys
        if base.get(key) != other.get(key)
    ]
    return f"not comparable: {'; '.join(told)}" if told else ""


def spearman(x: Sequence[float], y: Sequence[float]) -> float:
    """Rank correlation, -1 to 1; ties share their mean rank, a constant correlates with nothing."""
    a, b = _ranks(np.asarray(x, float)), _ranks(np.asarray(y, float))
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b / size) if size > 0 else 0.0


def _ranks(values: np.ndarray) -> np.ndarray:
    below = (values[None, :] < values[:, None]).sum(axis=1)
    equal = (values[None, :] == values[:, None]).sum(axis=1)
    return np.asarray(below + (equal + 1) / 2)
