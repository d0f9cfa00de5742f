"""Rewards are combined to one number; wrong weights are refused."""

from __future__ import annotations

import pytest

from procvid.errors import InputError
from procvid.train.rl.rewards import weighing

EQUAL = {"object_state": 1.0, "identity": 1.0}


def test_the_result_is_the_weighted_mean_of_what_applies() -> None:
    weights = {"object_state": 3.0, "identity": 1.0, "text": 5.0}
    values = {"object_state": 0.8, "identity": 0.4, "text": None, "motion": 0.2}
    assert weighing.combined(values, weights) == pytest.approx(0.7)
    assert weighing.combined({"text": None, "motion": 0.9}, weights) is None
    assert weighing.combined({}, weights) is None


@pytest.mark.parametrize("gate", weighing.GATES)
def test_a_still_or_a_paste_gets_nothing(gate: str) -> None:
    good = {"object_state": 1.0, "identity": 1.0, gate: 0.01}
    assert weighing.combined(good, EQUAL) == 1.0
    assert weighing.combined({**good, gate: 0.0}, EQUAL) == 0.0
    assert weighing.combined({**good, gate: None}, EQUAL) == 1.0


def test_nan_does_not_apply_and_is_named() -> None:
    values = {"object_state": float("nan"), "identity": 0.4, "motion": float("nan"), "text": None}
    assert weighing.combined(values, EQUAL) == pytest.approx(0.4)
    clean, broken = weighing.checked(values)
    assert clean == {"object_state": None, "identity": 0.4, "motion": None, "text": None}
    assert broken == ("object_state", "motion")


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"object_state": -1.0}, "The weight of object_state is -1"),
        ({"object_state": float("nan")}, "The weight of object_state is nan"),
        ({"object_state": float("inf")}, "The weight of object_state is inf"),
        ({"beauty": 1.0}, "There is no reward 'beauty'"),
        ({"object_state": 0.0}, "All weights of the rewards are 0"),
        ({}, "All weights of the rewards are 0"),
    ],
)
def test_wrong_weights_are_refused(weights: dict[str, float], message: str) -> None:
    with pytest.raises(InputError) as caught:
        weighing.combined({"object_state": 0.5}, weights)
    assert message in caught.value.message and caught.value.hint
