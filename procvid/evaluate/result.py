"""The result of a metric: its value, its items, and what is needed to interpret them.

A metric that could not be computed has no value: never 0, 1 or a guess.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

Direction = Literal["lower", "higher"]
RUN_COVERAGE = "run_coverage"


@dataclass(frozen=True)
class MetricItem:
    """One step, joint or object of a metric.

    Attributes:
        key: "step 3", "joint 3-4" or "step 3, frying pan".
        value: In the metric's unit, or None with the reason in `note`.
        note: One sentence, or empty.
        facts: Further numbers and words by name.
    """

    key: str
    value: float | None
    note: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """The result of one metric.

    Attributes:
        metric: Id of the metric.
        direction: Which way is better.
        value: None unless the state is "ok".
        state: "ok", "not applicable: why" or "unavailable: why".
        n: Number of items with a value.
        items: One for each step, joint or object, including those without a value.
        parts: Further scores, such as coverage.
        chance: Score of a random guess, or None.
        backbone: Id and revision of the model that computed the values.
        std: Standard deviation over recipes, if several were pooled.
    """

    metric: str
    direction: Direction
    value: float | None
    state: str = "ok"
    n: int = 0
    items: tuple[MetricItem, ...] = ()
    parts: Mapping[str, float | None] = field(default_factory=dict)
    chance: float | None = None
    backbone: str = ""
    std: float | None = None

    @property
    def null_share(self) -> float:
        """Share of items without a value, 0 to 1. It does not use `n`, which may count other things."""
        if not self.items:
            return float(self.value is None)
        return sum(item.value is None for item in self.items) / len(self.items)

    def to_json(self) -> dict[str, Any]:
        """Return the result as JSON; a number that is not finite is null."""
        return {
            "metric": self.metric,
            "direction": self.direction,
            "value": finite(self.value),
            "std": finite(self.std),
            "state": self.state,
            "n": self.n,
            "null_share": round(self.null_share, 4),
            "chance": finite(self.chance),
            "parts": {key: finite(value) for key, value in self.parts.items()},
            "backbone": self.backbone,
            "items": [
                {
                    "key": item.key,
                    "value": finite(item.value),
                    "note": item.note,
                    "facts": dict(item.facts),
                }
                for item in self.items
            ],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Result:
        """Return the result of such JSON. Raise KeyError or TypeError if it is not a result."""
        known = {
            key: value[key]
            for key in (
                "metric", "direction", "value", "std", "state", "n", "chance", "parts", "backbone",
            )
        }  # fmt: skip
        return cls(**known, items=tuple(MetricItem(**item) for item in value["items"]))


def finite(value: float | None) -> float | None:
    """Return the value rounded to 6 decimals, or None if it is None or not finite."""
    return None if value is None or not math.isfinite(value) else round(float(value), 6)


def not_applicable(
    metric: str, direction: Direction, why: str, items: Sequence[MetricItem] = ()
) -> Result:
    """Return the result of a metric that does not apply to this video."""
    return Result(metric, direction, None, f"not applicable: {why}", items=tuple(items))


def unavailable(metric: str, direction: Direction, why: str) -> Result:
    """Return the result of a metric whose backbone is not available here."""
    return Result(metric, direction, None, f"unavailable: {why}")


def from_items(
    metric: str,
    direction: Direction,
    items: Sequence[MetricItem],
    *,
    backbone: str,
    chance: float | None = None,
    parts: Mapping[str, float | None] | None = None,
    why_none: str = "nothing could be measured",
) -> Result:
    """Return the mean over the items with a value; "not applicable" if none has one."""
    values = [item.value for item in items if item.value is not None]
    if not values:
        result = not_applicable(metric, direction, why_none, items)
        return replace(result, parts=dict(parts or {}), backbone=backbone)
    return Result(
        metric,
        direction,
        float(np.mean(values)),
        n=len(values),
        items=tuple(items),
        parts=dict(parts or {}),
        chance=chance,
        backbone=backbone,
    )


def pooled(results: Sequence[tuple[str, Result]]) -> Result:
    """Return the mean and standard deviation (n in the denominator) over recipes, with all items.

    Recipes without a value stay visible. Their parts count (also a coverage of 0). A recipe without
    items becomes one item with its state as the reason. The part `run_coverage` is the share of recipes
    with a value; it is given if it is not 1.

    Args:
        results: Name and result of each recipe, all of one metric.
    """
    first = results[0][1]
    if len(results) == 1:
        return first
    ok = [result for _, result in results if result.value is not None]
    values = [result.value for result in ok if result.value is not None]
    names = dict.fromkeys(key for _, result in results for key in result.parts)
    parts = {name: mean_of([r.parts.get(name) for _, r in results]) for name in names}
    if len(ok) < len(results):
        parts[RUN_COVERAGE] = len(ok) / len(results)
    return replace(
        ok[0] if ok else first,
        value=float(np.mean(values)) if ok else None,
        std=float(np.std(values)) if ok else None,
        n=sum(result.n for result in ok),
        items=tuple(item for name, result in results for item in _named(name, result)),
        parts=parts,
        chance=mean_of([result.chance for result in ok]),
    )


def _named(name: str, result: Result) -> list[MetricItem]:
    """Return the items of a recipe under its name; without items, one with the reason."""
    if result.value is None and not result.items:
        return [MetricItem(name, None, result.state)]
    return [replace(item, key=f"{name}: {item.key}") for item in result.items]


def mean_of(values: Sequence[float | None]) -> float | None:
    """Return the mean of the values that are not None, or None if all are."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
