"""Paired differences and comparability."""

from __future__ import annotations

import numpy as np
import pytest

from procvid.evaluate.compare import paired_difference, spearman, why_not_comparable


def test_the_difference_is_paired_and_its_interval_contains_the_mean():
    base = [0.1, 0.9, 0.5, 0.3]
    difference = paired_difference(base, [value + 0.1 for value in base])
    assert difference.mean == pytest.approx(0.1)
    assert difference.low == pytest.approx(0.1) and difference.high == pytest.approx(0.1)
    assert (difference.n, difference.null_share) == (4, 0.0)


def test_the_interval_equals_a_bootstrap_written_independently():
    rng = np.random.default_rng(5)
    base, other = rng.random(12), rng.random(12)
    found = paired_difference(list(base), list(other), resamples=500, seed=9)
    draws = np.random.default_rng(9).integers(12, size=(500, 12))
    means = sorted(np.mean([(other - base)[i] for i in draw]) for draw in draws)
    assert found.low == pytest.approx(np.percentile(means, 2.5), abs=1e-9)
    assert found.high == pytest.approx(np.percentile(means, 97.5), abs=1e-9)


def test_a_pair_without_a_value_is_left_out_and_counted():
    difference = paired_difference([None, 0.5, 0.2], [0.1, None, 0.4])
    assert difference.n == 1 and difference.mean == pytest.approx(0.2)
    assert difference.null_share == pytest.approx(2 / 3)
    nothing = paired_difference([None], [1.0])
    assert (nothing.mean, nothing.low, nothing.n) == (None, None, 0)


def test_settings_that_are_not_compared_must_agree():
    base = {"frames": 9, "seed": 0, "memory": "none", "lora": "none", "generator": "a"}
    assert why_not_comparable(base, {**base, "memory": "default", "generator": "b"}) == ""
    assert why_not_comparable(base, {**base, "seed": 1}) == "not comparable: seed 0 and 1"
    assert "frames 9 and None" in why_not_comparable(base, {"seed": 0})


@pytest.mark.parametrize(
    ("y", "wanted"), [([1, 2, 3, 4], 1), ([4, 3, 2, 1], -1), ([1, 3, 2, 4], 0.8), ([1, 1, 1, 1], 0)]
)
def test_spearman(y, wanted):
    assert spearman([0, 1, 2, 3], y) == pytest.approx(wanted)
