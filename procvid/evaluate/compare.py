"""Comparison of two settings on the same recipes: paired differences and comparability."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

RESAMPLES = 10_000
MIN_PAIRS = 4
"""Fewest pairs that get an interval of `few_pairs_difference`."""
T_975 = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145,
    2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048,
    2.045, 2.042,
)  # fmt: skip
"""97.5 % quantiles of Student's t for 1 to 30 degrees of freedom."""
COMPARED = ("memory", "lora")
"""Settings that an ablation varies; all others must agree."""

IGNORED = ("generator",)
"""Settings that may differ: a LoRA changes the id of the generator."""


@dataclass(frozen=True)
class PairedDifference:
    """Paired difference between a setting and the base over recipes, or over the items of one.

    Attributes:
        mean: Mean of other minus base; None without a pair.
        low, high: 95 % interval of the mean; None without one.
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
) -> PairedDifference:
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
        return PairedDifference(None, None, None, 0, null_share)
    differences = np.array([b - a for a, b in pairs])
    rng = np.random.default_rng(seed)
    drawn = rng.integers(len(differences), size=(resamples, len(differences)))
    low, high = np.percentile(differences[drawn].mean(axis=1), [2.5, 97.5])
    mean = float(differences.mean())
    return PairedDifference(mean, float(low), float(high), len(pairs), null_share)


def few_pairs_difference(base: Sequence[float], other: Sequence[float]) -> PairedDifference:
    """Return the paired difference with Student's interval; no interval below `MIN_PAIRS`.

    It is for the joints or steps of one recipe. A bootstrap over so few pairs is too narrow.

    Args:
        base, other: One value per item, in the same order.

    Raises:
        ValueError: The two have different lengths.
    """
    differences = np.array([b - a for a, b in zip(base, other, strict=True)])
    n = len(differences)
    if n == 0:
        return PairedDifference(None, None, None, 0, 0.0)
    mean = float(differences.mean())
    if n < MIN_PAIRS:
        return PairedDifference(mean, None, None, n, 0.0)
    quantile = T_975[min(n - 1, len(T_975)) - 1]
    reach = quantile * float(differences.std(ddof=1)) / n**0.5
    return PairedDifference(mean, mean - reach, mean + reach, n, 0.0)


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
