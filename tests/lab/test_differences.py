"""Planted differences of toy clips: what is planted is true, and nothing else."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from lab.differences import READERS, ToyBench, is_planted, measured, page
from lab.planted import KINDS, planted_pairs, true_reading
from procvid.toykitchen.comparing import compared


def test_true_scenes_have_the_planted_differences_alone() -> None:
    kinds: Counter[str] = Counter()
    for place, pair in enumerate(planted_pairs(30)):
        found = compared(true_reading(pair.a), true_reading(pair.b)).found
        assert len(pair.planted) == place % 5
        for planted in pair.planted:
            assert any(is_planted(each, planted) for each in found), (planted, found)
            kinds[planted.kind] += 1
        if not pair.planted:
            assert found == () and pair.a.scene.seed != pair.b.scene.seed
        # Another action has another result and another tool, which are consequences.
        if all(planted.kind != "action" for planted in pair.planted):
            assert len(found) == len(pair.planted)
    assert set(kinds) == set(KINDS)


def test_the_measures_of_a_few_pairs() -> None:
    bench = ToyBench(2)
    figures = measured(bench)
    assert figures["pairs"] == 10
    true = figures["rates"][READERS[1]]
    assert true["none"]["value"] == 1.0
    assert all(row["recall"] == 1.0 for row in true["kinds"].values() if row["n"])
    assert figures["rank"][READERS[1]]["value"] > 0.5
    assert "| DiffRank, tau |" in page(figures)
    assert bench.embed(bench.spans(0)[0]) @ bench.embed(bench.spans(0)[1]) == pytest.approx(
        1, abs=0.3
    )
    assert np.isfinite(figures["tau"][READERS[0]]["low"])
