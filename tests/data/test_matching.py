"""Algorithm 1 of CookGen against a brute-force reading of it."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from procvid.data.matching import MatchRules, match, matches


def covered(span: tuple[int, int]) -> set[int]:
    """List the eighths of a second in a span."""
    return set(range(*span))


def read_by_hand(clip: tuple[int, int], action: tuple[int, int], least: Fraction) -> bool:
    """Apply the conditions of the appendix literally, in eighths of a second and exact fractions."""
    both = covered(clip) & covered(action)
    whole = covered((min(clip[0], action[0]), max(clip[1], action[1])))
    share = Fraction(len(both), len(whole)) if whole else Fraction(0)
    if share > Fraction(1, 2):
        return True
    return abs(clip[0] - action[0]) < 40 and clip[1] > action[1] and share > least


@pytest.mark.parametrize("least", [Fraction(1, 5), Fraction(1, 4)])
def test_ten_thousand_intervals(least: Fraction) -> None:
    rng = np.random.default_rng(int(100 * least))
    rules = MatchRules(min_iou_begun=float(least))
    kinds = {True: 0, False: 0}
    for _ in range(5_000):
        starts, lengths = rng.integers(0, 200, 2), rng.integers(0, 120, 2)
        clip, action = ((int(s), int(s + n)) for s, n in zip(starts, lengths, strict=True))
        wanted = read_by_hand(clip, action, least)
        kinds[wanted] += 1
        # Eighths are exact in binary, so ties are exact.
        seconds = [(start / 8, end / 8) for start, end in (clip, action)]
        assert matches(*seconds, rules) == wanted, (clip, action)
    assert min(kinds.values()) > 400, kinds


@pytest.mark.parametrize(
    ("clip", "action", "shown"),
    [
        ((0, 10), (0, 10), True),
        ((0, 10), (0, 6), True),
        # Above 0.2, near its start, and the clip goes on after the action.
        ((0, 10), (4, 7), True),
        # Above 0.5 the clip need not end after the action. Below it must.
        ((0, 10), (4, 10), True),
        ((4, 7), (0, 10), False),
        ((0, 10), (6, 10), False),
        # Five seconds are not less than five.
        ((0, 10), (5, 9), False),
        ((0, 100), (0, 20), False),
        ((0, 100), (0, 20.5), True),
        ((0, 0), (0, 0), False),
        ((0, 5), (5, 9), False),
    ],
)
def test_the_edges(clip, action, shown) -> None:
    assert matches(clip, action) is shown


def test_the_main_text_says_a_quarter() -> None:
    clip, action = (0.0, 10.0), (3.0, 5.2)
    assert matches(clip, action)
    assert not matches(clip, action, MatchRules(min_iou_begun=0.25))


def test_one_clip_may_show_several_actions_and_one_action_stand_in_several_clips() -> None:
    clips, actions = [(0.0, 10.0), (10.0, 20.0)], [(0.0, 4.0), (4.0, 8.0), (10.0, 19.0)]
    assert list(match(clips, actions)) == [(0, 0), (0, 1), (1, 2)]
    assert list(match([(0.0, 6.0), (4.0, 10.0)], [(1.0, 9.0)])) == [(0, 0), (1, 0)]
