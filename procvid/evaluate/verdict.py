"""Two runs of the same recipe side by side: which value is better, and the same in words.

A value is better only if the interval of the paired difference excludes 0. The pairs are the items of
the metric: the same joint, step or object of both runs. A metric whose value is not the mean of its
items has no pairs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from procvid.evaluate.compare import PairedDifference, few_pairs_difference, why_not_comparable
from procvid.evaluate.metrics import METRICS, title_of
from procvid.evaluate.result import Result

JUMPS = "joint_ratio"
"""The corrected metric of the jumps between clips; its items hold each jump as a fact."""

WORDS = (
    (0.22, 0.28, "a quarter as large"),
    (0.30, 0.37, "a third as large"),
    (0.46, 0.54, "half as large"),
    (0.62, 0.71, "a third smaller"),
    (0.71, 0.79, "a quarter smaller"),
)
SAME = 0.95
"""Ratio from which two values are about the same."""


@dataclass(frozen=True)
class Contest:
    """One metric of two runs.

    Attributes:
        metric: Id of the metric.
        values: The value of each run.
        difference: Second minus first, paired by item; its n is 0 without pairs.
        better: 0 or 1, the run whose value is better; None if the interval does not say.
    """

    metric: str
    values: tuple[float, float]
    difference: PairedDifference
    better: int | None

    @property
    def ahead(self) -> int | None:
        """Return the run with the better value, whether the difference is clear or not."""
        one, other = self.values
        if one == other:
            return None
        return int((other > one) == (METRICS[self.metric].direction == "higher"))

    @property
    def share(self) -> float:
        """Return the difference of the values as a share of the larger one, 0 to 1 or more."""
        one, other = self.values
        return abs(one - other) / max(abs(one), abs(other), 1e-9)


def contests(runs: Sequence[Mapping[str, Any]]) -> list[Contest]:
    """Compare two runs of `scores.json`; metrics without two values are left out.

    Runs of different texts or settings are not comparable: no value is better.
    """
    one, other = runs
    fair = not why_not_compared(runs)
    found = []
    for name in one["metrics"]:
        results = [Result.from_json(run["metrics"][name]) for run in (one, other)]
        first, second = (result.value for result in results)
        if first is None or second is None:
            continue
        difference = _paired(*results) if fair else PairedDifference(None, None, None, 0, 0.0)
        better = _better(results[0].direction, difference)
        if better is not None and not _deserved(name, runs[better], runs[1 - better]):
            better = None
        found.append(Contest(name, (first, second), difference, better))
    return found


def why_not_compared(runs: Sequence[Mapping[str, Any]]) -> str:
    """Return why the values of two runs are not compared, as a sentence, or ""."""
    one, other = ([clip["text"] for clip in run["clips"]] for run in runs)
    if one != other:
        return "The videos show different steps, so their values are not compared."
    why = why_not_comparable(runs[0]["settings"], runs[1]["settings"])
    return f"The videos are {why}." if why else ""


def _paired(one: Result, other: Result) -> PairedDifference:
    first, second = (_by_key(result) for result in (one, other))
    keys = [key for key in first if key in second]
    return few_pairs_difference([first[key] for key in keys], [second[key] for key in keys])


def _by_key(result: Result) -> dict[str, float]:
    """Return the values of the items; {} if the value of the metric is not their mean."""
    values = {item.key: item.value for item in result.items if item.value is not None}
    if not values or result.value is None:
        return {}
    return values if abs(float(np.mean(list(values.values()))) - result.value) < 1e-4 else {}


def _better(direction: str, difference: PairedDifference) -> int | None:
    if difference.low is None or difference.high is None:
        return None
    if difference.low <= 0 <= difference.high:
        return None
    return int((difference.low > 0) == (direction == "higher"))


def _deserved(name: str, winner: Mapping[str, Any], loser: Mapping[str, Any]) -> bool:
    """Return False for a clip of another world, and for a still that wins a published metric."""
    if any(clip["known"] is False for clip in winner["clips"]):
        return False
    if METRICS[name].group != "paper":
        return True
    stills = [sum(clip["frozen"] for clip in run["clips"]) for run in (winner, loser)]
    return bool(stills[0] <= stills[1])


def verdict(found: Sequence[Contest], names: Sequence[str]) -> str:
    """Return a sentence about all metrics of two runs.

    Args:
        found: The contests.
        names: The two runs as subjects of a sentence, such as "With memory".
    """
    if not found:
        return "No metric applies to both videos."
    wins = [[c for c in found if c.better == place] for place in (0, 1)]
    total = (
        "1 metric that applies to both"
        if len(found) == 1
        else f"{len(found)} metrics that apply to both"
    )
    if not any(wins):
        ahead = [sum(c.ahead == place for c in found) for place in (0, 1)]
        return (
            f"No clear difference in {total}. The better value is {_lower(names[0])} in {ahead[0]} and "
            f"{_lower(names[1])} in {ahead[1]}, but all differences are within the noise."
        )
    first = 0 if len(wins[0]) >= len(wins[1]) else 1
    widest = max(wins[first], key=lambda contest: contest.share)
    mine, its = widest.values[first], widest.values[1 - first]
    worse = len(wins[1 - first]) or "none"
    return (
        f"{names[first]} is better in {len(wins[first])} of {total}, worse in {worse}; the largest "
        f"difference: {title_of(widest.metric)}, {mine:.2f} against {its:.2f}."
    )


def _lower(name: str) -> str:
    return name[:1].lower() + name[1:]


def jump_sentence(with_memory: Result, without: Result) -> str:
    """Return a sentence about the jumps between clips, from the results of `JUMPS`."""
    for result, name in ((with_memory, "with memory"), (without, "without memory")):
        if result.value is None:
            return f"The jumps between clips cannot be compared: {name}, {_reason(result)}."
        uncredited = [item for item in result.items if "frozen" in item.facts]
        if uncredited:
            return f"The jumps between clips cannot be compared: {name}, {uncredited[0].note}."
    first, second = _jumps(with_memory), _jumps(without)
    keys = [key for key in first if key in second]
    one, other = ([jumps[key] for key in keys] for jumps in (first, second))
    difference = few_pairs_difference(one, other)
    means = float(np.mean(one)), float(np.mean(other))
    assert with_memory.value is not None and without.value is not None
    agreed = (means[1] > means[0]) == (without.value > with_memory.value)
    return _in_words(means, difference, agreed=agreed)


def _reason(result: Result) -> str:
    return result.state.partition(": ")[2] or result.state


def _jumps(result: Result) -> dict[str, float]:
    return {item.key: float(item.facts["jump"]) for item in result.items if "jump" in item.facts}


def _in_words(means: tuple[float, float], difference: PairedDifference, *, agreed: bool) -> str:
    """Return the sentence.

    Args:
        means: The mean jump with memory and without.
        difference: Without minus with, paired by joint.
        agreed: False if the jumps in units of motion say the opposite.
    """
    less, more = sorted(means)
    subject = "With memory" if means[0] <= means[1] else "Without memory"
    ratio = less / max(more, 1e-9)
    figures = f"({less:.2f} against {more:.2f})"
    if ratio > SAME:
        figures = f"({means[0]:.2f} against {means[1]:.2f})"
        return f"With memory, the jumps between clips are about the same {figures}."
    claim = f"{subject}, the jumps between clips are {ratio_words(ratio)} {figures}"
    if difference.low is None or difference.high is None:
        cuts = "1 cut is" if difference.n == 1 else f"{difference.n} cuts are"
        return f"{claim}, but {cuts} too few to be sure."
    if difference.low <= 0 <= difference.high:
        return f"{claim}, but the {difference.n} cuts vary too much to be sure."
    if not agreed:
        return f"{claim}, but its clips also move less."
    return f"{claim}."


def ratio_words(ratio: float) -> str:
    """Return how much smaller a value is: 0.5 -> "half as large", 0.6 -> "40 % smaller"."""
    for low, high, words in WORDS:
        if low <= ratio < high:
            return words
    return f"{round(100 * (1 - ratio))} % smaller"
