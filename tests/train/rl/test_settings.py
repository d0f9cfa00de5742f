"""Settings out of range are refused with one sentence."""

from __future__ import annotations

import pytest

from procvid.cli.train.rl import weights_of
from procvid.errors import InputError
from procvid.train.rl.settings import RlSettings


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"group": 1}, "A group of 1 clip has nothing to compare"),
        ({"iterations": 0}, "iterations is 0"),
        ({"algorithm": "ppo"}, "algorithm is 'ppo'"),
        ({"learning_rate": float("nan")}, "learning rate is nan"),
        ({"kl": -1.0}, "kl is -1.0"),
        ({"old_decay": 1.5}, "old decay is 1.5"),
        ({"algorithm": "grpo", "kl": 0.0}, "grpo without a distance from the base model"),
    ],
)
def test_values_out_of_range_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        RlSettings(rewards={"text": 1.0}, **changes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("text=0", "All weights of the rewards are 0"),
        ("beauty=1", "There is no reward 'beauty'"),
        ("text", "neither a weighing nor a reward with its weight"),
        ("text=-1", "The weight of text is -1"),
        ("text=nan", "The weight of text is nan"),
    ],
)
def test_wrong_weights_are_refused(text, message):
    with pytest.raises(InputError, match=message):
        weights_of(text)


def test_weights_are_a_weighing_or_numbers():
    assert weights_of("balanced")["object_state"] == 1.0
    assert weights_of("text=1, motion=.5") == {"text": 1.0, "motion": 0.5}
