"""Rewards are compared within their group, each on its own scale."""

from __future__ import annotations

import numpy as np
import pytest

from procvid.train.rl.advantages import Scales, advantages


def seen(*groups, names=("a", "b")):
    scales = Scales()
    scales.update(groups, names)
    return scales


def test_each_reward_counts_alike_whatever_its_spread():
    group = [{"a": 0.0, "b": 0.50}, {"a": 1.0, "b": 0.49}]
    found = advantages(group, {"a": 1.0, "b": 1.0}, seen(group))
    assert found == pytest.approx([0, 0], abs=1e-9)
    assert advantages(group, {"a": 1.0}, seen(group)) == pytest.approx([-1, 1])


def test_a_group_without_differences_teaches_nothing():
    group = [{"a": 0.7, "b": None}] * 3
    assert not advantages(group, {"a": 1.0, "b": 1.0}, seen(group)).any()
    nothing = [{"a": None}] * 3
    assert not advantages(nothing, {"a": 1.0}, seen(nothing)).any()


def test_a_reward_that_misses_a_clip_of_the_group_is_left_out():
    group = [{"a": 0.0, "b": 1.0}, {"a": 1.0, "b": None}]
    assert advantages(group, {"a": 1.0, "b": 3.0}, seen(group)) == pytest.approx([-1, 1])


def test_a_group_with_small_differences_gets_small_advantages():
    wide, narrow = [{"a": 0.0}, {"a": 1.0}], [{"a": 0.50}, {"a": 0.51}]
    scales = seen(wide, narrow, names=("a",))
    assert np.abs(advantages(narrow, {"a": 1.0}, scales)).max() < 0.05
    assert np.abs(advantages(wide, {"a": 1.0}, scales)).max() > 1


def test_scales_follow_slowly():
    scales = seen([{"a": 0.0}, {"a": 1.0}], names=("a",))
    scales.update([[{"a": 0.0}, {"a": 0.1}]], ("a",))
    assert scales.by_reward["a"] == pytest.approx(0.7 * 0.5 + 0.3 * 0.05)
