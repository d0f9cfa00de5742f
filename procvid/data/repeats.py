"""Find steps that a video repeats, because they would teach a model to repeat itself."""

from __future__ import annotations

from collections.abc import Sequence

from procvid.data.source import Row
from procvid.plan.language.lexicon import words
from procvid.plan.recipe.transcript import deed

ALIKE = 0.8
"""Minimum share of common words of two texts that describe the same step."""


def same_step(one: str, two: str) -> bool:
    """Return True if two texts describe one step: similar words, or equal actions and foods."""
    first, second = ({word.text for word in words(text)} for text in (one, two))
    if first and len(first & second) >= ALIKE * len(first | second):
        return True
    actions, foods = deed(one)
    return bool(foods) and (actions, foods) == deed(two)


def repeats(pairs: Sequence[Row]) -> dict[int, float]:
    """Return the repeated pairs of one video: number of the pair -> start of the pair that stays.

    Pairs are in order of time. Of the clips of one action, the one with the largest overlap stays.
    Of equal steps directly after each other, the first stays.
    """
    gone: dict[int, float] = {}
    best: dict[str, int] = {}
    for number, pair in enumerate(pairs):
        for action in pair["actions"]:
            key = repr((action["start_s"], action["end_s"], action["text"]))
            other = best.get(key)
            if other is None or _iou(pairs[other], key) < action["iou"]:
                best[key] = number
    kept = set(best.values())
    before: int | None = None
    for number, pair in enumerate(pairs):
        if number not in kept:
            keys = (repr((a["start_s"], a["end_s"], a["text"])) for a in pair["actions"])
            gone[number] = pairs[best[next(keys)]]["start_s"]
        elif before is not None and same_step(pairs[before]["text"], pair["text"]):
            gone[number] = pairs[before]["start_s"]
        else:
            before = number
    return gone


def _iou(pair: Row, key: str) -> float:
    return max(
        float(action["iou"])
        for action in pair["actions"]
        if repr((action["start_s"], action["end_s"], action["text"])) == key
    )
