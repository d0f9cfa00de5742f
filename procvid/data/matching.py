"""Match clips and actions by their times: Algorithm 1 of CookGen (appendix E)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

Span = tuple[float, float]
"""Start and end in seconds."""


@dataclass(frozen=True)
class MatchRules:
    """The thresholds of Algorithm 1.

    Attributes:
        min_iou: Above this intersection over union a clip shows an action.
        min_iou_begun: The lower threshold for a clip that starts near the action and ends after it:
            0.2 in the algorithm, 0.25 in section 3.2 of the paper.
        max_start_diff_s: Largest difference of the starts, exclusive, that counts as near.
    """

    min_iou: float = 0.5
    min_iou_begun: float = 0.2
    max_start_diff_s: float = 5.0


PUBLISHED = MatchRules()


def iou(one: Span, two: Span) -> float:
    """Return the intersection of two spans over the time from first start to last end, 0 to 1."""
    both = max(0.0, min(one[1], two[1]) - max(one[0], two[0]))
    whole = max(one[1], two[1]) - min(one[0], two[0])
    return both / whole if whole > 0 else 0.0


def matches(clip: Span, action: Span, rules: MatchRules = PUBLISHED) -> bool:
    """Return True if a clip shows an action."""
    overlap = iou(clip, action)
    if overlap > rules.min_iou:
        return True
    begun = abs(clip[0] - action[0]) < rules.max_start_diff_s and clip[1] > action[1]
    return begun and overlap > rules.min_iou_begun


def match(
    clips: Iterable[Span], actions: Iterable[Span], rules: MatchRules = PUBLISHED
) -> Iterator[tuple[int, int]]:
    """Yield the numbers (from 0) of matching clips and actions of one video, in clip order."""
    spans = list(actions)
    for number, clip in enumerate(clips):
        for other, action in enumerate(spans):
            if matches(clip, action, rules):
                yield number, other
