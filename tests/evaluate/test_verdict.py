"""What is said about two runs, from their results."""

from __future__ import annotations

import pytest

from procvid.evaluate.compare import few_pairs_difference
from procvid.evaluate.result import MetricItem, Result, from_items, not_applicable
from procvid.evaluate.verdict import contests, jump_sentence, ratio_words, verdict


def jumps(values: list[float], motion: float = 0.1, note: str = "") -> Result:
    facts = {"frozen": [1]} if note else {}
    items = [
        MetricItem(f"joint {n}-{n + 1}", value / motion, note, {"jump": value, **facts})
        for n, value in enumerate(values, start=1)
    ]
    return from_items("joint_ratio", "lower", items, backbone="b")


@pytest.mark.parametrize(
    ("one", "other", "sentence"),
    [
        (
            [0.4, 0.5, 0.4, 0.46],
            [0.9, 0.9, 0.8, 0.88],
            "With memory, the jumps between clips are half as large (0.44 against 0.87).",
        ),
        (
            [0.9, 0.9, 0.9, 0.9],
            [0.6, 0.5, 0.6, 0.7],
            "Without memory, the jumps between clips are a third smaller (0.60 against 0.90).",
        ),
        (
            [0.5],
            [0.51],
            "With memory, the jumps between clips are about the same (0.50 against 0.51).",
        ),
        (
            [0.5],
            [1.0],
            "With memory, the jumps between clips are half as large (0.50 against 1.00), but 1 cut is too "
            "few to be sure.",
        ),
        (
            [0.2, 1.0, 0.2, 1.0],
            [1.2, 0.9, 1.4, 0.9],
            "With memory, the jumps between clips are 45 % smaller (0.60 against 1.10), but the 4 cuts "
            "vary too much to be sure.",
        ),
    ],
)
def test_the_jumps_are_put_into_words(one: list[float], other: list[float], sentence: str) -> None:
    assert jump_sentence(jumps(one), jumps(other)) == sentence


def test_stills_and_missing_values_are_named() -> None:
    still = jumps([0.1], note="clip 1 frozen")
    assert "with memory, clip 1 frozen" in jump_sentence(still, jumps([0.9]))
    none = not_applicable("joint_ratio", "lower", "there is no joint")
    assert "without memory, there is no joint" in jump_sentence(jumps([0.9]), none)
    slow = jump_sentence(jumps([0.4, 0.5, 0.4, 0.46], 0.01), jumps([0.9, 0.9, 0.8, 0.88]))
    assert slow.endswith("but its clips also move less.")


def test_a_still_and_a_clip_of_another_world_win_nothing() -> None:
    def run(values: list[float], **facts: bool) -> dict[str, object]:
        items = [MetricItem(f"joint {n}", value) for n, value in enumerate(values)]
        result = from_items("dino_l2", "lower", items, backbone="b").to_json()
        clip = {"text": "Fry.", "known": True, "frozen": False, **facts}
        return {"settings": {}, "clips": [clip], "metrics": {"dino_l2": result}}

    usual = run([0.9, 1.0, 0.8, 0.9])
    for facts, better in (({}, 1), ({"frozen": True}, None), ({"known": False}, None)):
        found = contests([usual, run([0.4, 0.5, 0.4, 0.4], **facts)])
        assert [contest.better for contest in found] == [better]
    assert verdict([], ["A", "B"]) == "No metric applies to both videos."


def test_few_pairs_have_a_wide_interval_or_none() -> None:
    assert few_pairs_difference([], []).n == 0
    assert few_pairs_difference([1, 2, 3], [0, 0, 0]).low is None
    found = few_pairs_difference([0.0] * 4, [1.0, 2.0, 3.0, 4.0])
    assert found.mean == 2.5
    assert (found.low, found.high) == (
        pytest.approx(0.446, abs=0.001),
        pytest.approx(4.554, abs=0.001),
    )


@pytest.mark.parametrize(("ratio", "words"), [(0.1, "90 % smaller"), (0.75, "a quarter smaller")])
def test_ratios_have_words(ratio: float, words: str) -> None:
    assert ratio_words(ratio) == words
