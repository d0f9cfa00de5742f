"""Read how long a step takes from its text."""

from __future__ import annotations

import re

MINUTES = {"second": 1 / 60, "sec": 1 / 60, "minute": 1.0, "min": 1.0, "hour": 60.0, "hr": 60.0}
OVERNIGHT_MIN = 480.0
FEW, SEVERAL = 3.0, 4.0
"""What "a few" and "several" hours or minutes count."""
MOST_MIN = 10_080.0
"""A week; more is an error of the text."""
UNSAID_MIN = 2.0
"""Minutes of a step that names no time."""

_NUMBER = r"(?:\d+\s+\d/\d|\d/\d|\d+\s*[½¼¾]|\d+[.,]\d+|\d+|[½¼¾]|an?|one|two|three|half an?|a few|several)"
_TIME = re.compile(
    rf"(?<![\w/])({_NUMBER})(?:\s*(?:-|–|to|or)\s*({_NUMBER}))?[\s-]*"
    r"(seconds?|secs?|minutes?|mins?|hours?|hrs?)\b",
    re.I,
)
_WORDS = {
    "a few": FEW,
    "several": SEVERAL,
    "a": 1.0,
    "an": 1.0,
    "one": 1.0,
    "two": 2.0,
    "three": 3.0,
    "half a": 0.5,
    "half an": 0.5,
}
_PARTS = {"½": 0.5, "¼": 0.25, "¾": 0.75}


def minutes_of(text: str) -> float | None:
    """Return the minutes that a step names, or None. A range counts with its middle, times add up."""
    found = [_minutes(*match.groups()) for match in _TIME.finditer(text)]
    if re.search(r"\bovernight\b", text, re.I):
        found.append(OVERNIGHT_MIN)
    return sum(found) if found else None


def _minutes(low: str, high: str | None, unit: str) -> float:
    first = _value(low)
    middle = first if high is None else (first + _value(high)) / 2
    return min(MOST_MIN, middle * MINUTES[unit.lower().rstrip("s")])


def _value(text: str) -> float:
    text = " ".join(text.lower().split())
    if text in _WORDS:
        return _WORDS[text]
    *whole_words, last = text.split()
    if "/" in last:
        above, _, below = last.partition("/")
        share = float(above) / float(below) if float(below) else 0.0
        return share + sum(map(float, whole_words))
    part = _PARTS.get(text[-1], 0.0)
    whole = text[:-1] if part else text
    return part + (float(whole.replace(",", ".")) if whole.strip() else 0.0)
