"""Combine the rewards of a clip to one number: gates for stills and pastes, then a weighted mean."""

from __future__ import annotations

import math
from collections.abc import Mapping

from procvid.errors import InputError

DEFAULT_WEIGHING = "balanced"

WEIGHINGS: Mapping[str, Mapping[str, float]] = {
    "balanced": {
        "object_state": 1.0,
        "identity": 1.0,
        "text": 0.5,
        "motion": 0.5,
        "not_pasted": 0.5,
        "unchanged_look": 0.5,
    },
    "state": {
        "object_state": 2.0,
        "identity": 0.5,
        "text": 0.5,
        "motion": 0.5,
        "not_pasted": 0.5,
        "unchanged_look": 1.0,
    },
    "identity": {
        "object_state": 0.5,
        "identity": 2.0,
        "text": 0.5,
        "motion": 0.5,
        "not_pasted": 0.5,
        "unchanged_look": 1.0,
    },
}
"""Weights of the rewards by name of the weighing; each names every reward.

Where one judge weighs most, the look weighs more too: overexposure can raise a judge's value by more
than a weight of 0.5 takes away.
"""

GATES = ("motion", "not_pasted")
"""Rewards that make the result 0 if they are 0, whatever their weights are."""


def combined(values: Mapping[str, float | None], weights: Mapping[str, float]) -> float | None:
    """Return the weighted mean of the rewards that apply.

    Args:
        values: Value of each reward by id, 0 to 1; None and NaN mean that it does not apply. A reward
            that is not named does not apply.
        weights: Weight of each reward by id, 0 or more; a reward without a weight counts only as a gate.

    Returns:
        0 to 1; 0 for a still or a pasted reference; None if no reward with a weight applies.

    Raises:
        InputError: A weight is negative, infinite or of no reward, or all weights are 0.
    """
    check_weights(weights)
    known, _ = checked(values)
    if any(known.get(gate) == 0 for gate in GATES):
        return 0.0
    return weighed(known, weights)


def checked(
    values: Mapping[str, float | None],
) -> tuple[dict[str, float | None], tuple[str, ...]]:
    """Return the values with NaN replaced by None, and the names of the rewards that gave NaN."""
    broken = tuple(
        name for name, value in values.items() if value is not None and math.isnan(value)
    )
    return {name: None if name in broken else value for name, value in values.items()}, broken


def check_weights(weights: Mapping[str, float]) -> None:
    """Raise InputError if a weight is negative, infinite or of no reward, or if all weights are 0."""
    names = tuple(WEIGHINGS[DEFAULT_WEIGHING])
    for name, weight in weights.items():
        if name not in names:
            raise InputError(f"There is no reward {name!r}.", f"Choose from {', '.join(names)}.")
        if not 0 <= weight < math.inf:
            raise InputError(f"The weight of {name} is {weight:g}.", "Give 0 or a positive number.")
    if sum(weights.values()) == 0:
        raise InputError(
            "All weights of the rewards are 0.", "Give at least one a positive weight."
        )


def gated(values: Mapping[str, float | None]) -> dict[str, float | None]:
    """Return the rewards of a clip, without NaN; all are 0 for a still or a paste.

    Used where each reward is compared on its own, so that none makes up for a failed gate.
    """
    known, _ = checked(values)
    if any(known.get(gate) == 0 for gate in GATES):
        return {name: None if value is None else 0.0 for name, value in known.items()}
    return known


def weighed(values: Mapping[str, float | None], weights: Mapping[str, float]) -> float | None:
    """Return the weighted mean of the rewards that apply, without gates; None if none applies."""
    known = {name: value for name, value in values.items() if value is not None}
    total = sum(weights.get(name, 0.0) for name in known)
    if total == 0:
        return None
    return sum(weights.get(name, 0.0) * value for name, value in known.items()) / total
