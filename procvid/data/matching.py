"""Which clip shows which action: Algorithm 1 of CookGen (appendix E), by their times alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

Span = tuple[float, float]
"""Start and end in seconds."""


@dataclass(frozen=True)
class MatchRules:
    """The numbers of Algorithm 1.

    Attributes:
        min_iou: Above this intersection over union a clip shows an action whatever else.
        min_iou_begun: Above this it does so where it also begins near the action and ends after it:
            0.2 in the algorithm, 0.25 in section 3.2 of the same paper.
        max_start_diff_s: "Near" is less than this.
    """

    min_iou: float = 0.5
    min_iou_begun: float = 0.2
    max_start_diff_s: float = 5.0


PUBLISHED = MatchRules()


def iou(one: Span, two: Span) -> float:
    """Intersection of two spans over what they cover from the first start to the last end, 0 to 1."""
    both = max(0.0, min(one[1], two[1]) - max(one[0], two[0]))
    whole = max(one[1], two[1]) - min(one[0], two[0])
    return both / whole if whole > 0 else 0.0


def matches(clip: Span, action: Span, rules: MatchRules = PUBLISHED) -> bool:
    """Whether a clip shows an action."""
    overlap = iou(clip, action)
    if overlap > rules.min_iou:
        return True
    begun = abs(clip[0] - action[0]) < rules.max_start_diff_s and clip[1] > action[1]
    return begun and overlap > rules.min_iou_begun


def match(
    clips: Iterable[Span], actions: Iterable[Span], rules: MatchRules = PUBLISHED
) -> Iterator[tuple[int, int]]:
    """Numbers (from 0) of the clips and actions of one video that belong together, clip after clip."""
    told = list(actions)
    for number, clip in enumerate(clips):
        for other, action in enumerate(told):
            if matches(clip, action, rules):
                yield number, other
