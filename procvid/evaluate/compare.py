"""Comparison of two settings on the same recipes: paired differences and comparability."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

RESAMPLES = 10_000
COMPARED = ("memory", "lora")
"""Settings that an ablation varies; all others must agree."""

IGNORED = ("generator",)
"""Settings that may differ: a LoRA changes the id of the generator."""


@dataclass(frozen=True)
class Difference:
    """Paired difference between a setting and the base over recipes.

    Attributes:
        mean: Mean of other minus base; None without a pair.
        low, high: 95 % interval of the mean, by bootstrap over the recipes.
        n: Number of recipes in which both have a value.
        null_share: Share of the recipes in which a value is missing, 0 to 1.
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
    """Return the paired difference with a bootstrap interval; the same seed gives the same interval.

    Args:
        base, other: One value per recipe, in the same order.
        resamples: Number of bootstrap samples.
        seed: Seed of the bootstrap.

    Raises:
        ValueError: The two have different lengths.
    """
    if len(base) != len(other):
        raise ValueError(f"{len(base)} and {len(other)} values cannot be paired.")
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
    """Return which settings differ although they must agree, as one sentence, or ""."""
    keys = [k for k in dict.fromkeys([*base, *other]) if k not in COMPARED + IGNORED]
    differences = [
        f"{key} {base.get(key)} and {other.get(key)}"
        for key in keys
        if base.get(key) != other.get(key)
    ]
    return f"not comparable: {'; '.join(differences)}" if differences else ""


def spearman(x: Sequence[float], y: Sequence[float]) -> float:
    """Return the rank correlation, -1 to 1. Ties share their mean rank; a constant gives 0."""
    a, b = _ranks(np.asarray(x, float)), _ranks(np.asarray(y, float))
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b / size) if size > 0 else 0.0


def _ranks(values: np.ndarray) -> np.ndarray:
    below = (values[None, :] < values[:, None]).sum(axis=1)
    equal = (values[None, :] == values[:, None]).sum(axis=1)
    return np.asarray(below + (equal + 1) / 2)
