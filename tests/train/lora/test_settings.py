"""LoRA settings: options of the command line, ranges, and what a resumed training must keep."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields, replace

import pytest

from procvid.errors import InputError
from procvid.train.lora.settings import OPTIONS, LoraSettings

SETTINGS = LoraSettings(width=64, height=64, num_frames=9, fps=6, shift=2.0)


def test_every_option_has_a_help_text_and_a_default():
    made_by_hand = {
        "width", "height", "num_frames", "fps", "shift", "precision", "shuffle_references",
    }  # fmt: skip
    names = {option.name for option in OPTIONS}
    assert names | made_by_hand == {field.name for field in fields(LoraSettings)}
    assert not names & made_by_hand
    for option in OPTIONS:
        assert option.metadata["help"] and type(option.default) in (int, float, str, bool)
        choices = option.metadata["choices"]
        assert not choices or option.default in choices


def test_importing_the_settings_loads_no_torch():
    code = "import sys, procvid.train.lora.settings; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"rank": 0}, "rank is 0. Choose 1 or more"),
        ({"drop_text": 1.5}, "drop text is 1.5. Choose 0 to 1"),
        ({"learning_rate": float("nan")}, "learning rate is nan. Choose a number above 0"),
        ({"prior_weight": -1.0}, "prior weight is -1.0. Choose 0 or more"),
        ({"reference_mask": 1.1}, "reference mask is 1.1. Choose 0 to 1"),
        ({"reference_noise": float("inf")}, "reference noise is inf. Choose 0 or more"),
        ({"max_references": 5}, "max references is 5. Choose 0 to 4"),
        ({"schedule": "cosine"}, "schedule is 'cosine'. Choose constant or linear"),
        ({"targets": "none"}, "targets is 'none'. Choose attention or all"),
        ({"num_frames": 8}, r"num frames is 8. Choose 4n\+1"),
    ],
)
def test_values_out_of_range(changed, message):
    with pytest.raises(InputError, match=message):
        replace(SETTINGS, **changed)


def test_the_batch_may_change_if_the_examples_per_step_do_not():
    one, other = (
        replace(SETTINGS, batch_size=1, accumulate=8),
        replace(SETTINGS, batch_size=4, accumulate=1, checkpointing=True, save_every=7),
    )
    assert one.of_the_curve(1) == other.of_the_curve(2)
    assert one.of_the_curve(1) != other.of_the_curve(1)
    assert one.of_the_curve(1) != replace(one, seed=1).of_the_curve(1)
    assert LoraSettings(**one.as_json()) == one
