"""What a metric answers: a value with everything that is needed to judge it.

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
class Item:
    """One step, joint or object of a metric.

    Attributes:
        key: "step 3", "joint 3-4" or "step 3, frying pan".
        value: As the metric's, or None with a `note` that says why.
        note: One sentence, or empty.
        facts: More numbers and words of this item.
    """

    key: str
    value: float | None
    note: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """The answer of one metric.

    Attributes:
        metric: Its id.
        direction: Which way is better.
        value: None unless the state is "ok".
        state: "ok", "not applicable: why" or "unavailable: why".
        n: How many items have a value.
        items: Per step, joint or object, those without a value among them.
        parts: Further figures, such as coverage.
        chance: What a guess would score, or None.
        backbone: Id and revision of the model that gave the numbers.
        std: Over recipes, when several were pooled.
    """

    metric: str
    direction: Direction
    value: float | None
    state: str = "ok"
    n: int = 0
    items: tuple[Item, ...] = ()
    parts: Mapping[str, float | None] = field(default_factory=dict)
    chance: float | None = None
    backbone: str = ""
    std: float | None = None

    @property
    def null_share(self) -> float:
        """Share of the items without a value, 0 to 1; `n` may count something else than items."""
        if not self.items:
            return float(self.value is None)
        return sum(item.value is None for item in self.items) / len(self.items)

    def to_json(self) -> dict[str, Any]:
        """JSON-ready; what is not finite is null."""
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
        """Raises KeyError or TypeError when it is not a result."""
        known = {
            key: value[key]
            for key in (
                "metric", "direction", "value", "std", "state", "n", "chance", "parts", "backbone",
            )
        }  # fmt: skip
        return cls(**known, items=tuple(Item(**item) for item in value["items"]))


def finite(value: float | None) -> float | None:
    """The value rounded to 6 digits behind the point, or None when it is none or no number."""
    return None if value is None or not math.isfinite(value) else round(float(value), 6)


def not_applicable(
    metric: str, direction: Direction, why: str, items: Sequence[Item] = ()
) -> Result:
    """The metric does not apply to this video."""
    return Result(metric, direction, None, f"not applicable: {why}", items=tuple(items))


def unavailable(metric: str, direction: Direction, why: str) -> Result:
    """Something that the metric needs cannot be had here."""
    return Result(metric, direction, None, f"unavailable: {why}")


def from_items(
    metric: str,
    direction: Direction,
    items: Sequence[Item],
    *,
    backbone: str,
    chance: float | None = None,
    parts: Mapping[str, float | None] | None = None,
    why_none: str = "nothing could be measured",
) -> Result:
    """The mean over the items that have a value; not applicable when none has."""
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
    """Mean and standard deviation (n in the denominator) over recipes; the items of all of them.

    What has no value stays in sight: its parts count (a coverage of 0 too), a recipe that has not
    even items becomes one with its state as the reason, and the part `run_coverage`, told when it
    is not 1, is the share of the recipes with a value.

    Args:
        results: The name of each recipe with its result; all of one metric.
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


def _named(name: str, result: Result) -> list[Item]:
    """The items of a recipe under its name; what has no value says at least why."""
    if result.value is None and not result.items:
        return [Item(name, None, result.state)]
    return [replace(item, key=f"{name}: {item.key}") for item in result.items]


def mean_of(values: Sequence[float | None]) -> float | None:
    """The mean of those that are there, or None."""
    there = [value for value in values if value is not None]
    return float(np.mean(there)) if there else None
