"""The estimate of `train rl --dry-run`, and its command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from procvid.cli import main
from procvid.phantom.flops import clip_tflop
from procvid.phantom.layout import CONFIGS
from procvid.settings import PHANTOM_1_3B
from procvid.train.rl.cost import rl_cost
from procvid.train.rl.settings import RlSettings

SAMPLING = PHANTOM_1_3B.sampling


def cost(**changes):
    settings = RlSettings(rewards={"text": 1.0}, batch_size=1, checkpointing=True, **changes)
    return rl_cost(settings, SAMPLING, "phantom-1.3b", Path("nowhere"), 4)


def test_clips_and_updates_are_counted():
    one = cost(iterations=1, shots=2, group=4)
    assert one.clips == 8
    assert one.sampling_tflop == pytest.approx(
        8 * clip_tflop(CONFIGS["phantom-1.3b"], SAMPLING, 4), abs=0.1
    )
    twice = cost(iterations=2, shots=2, group=4)
    assert twice.learning_tflop == pytest.approx(2 * one.learning_tflop, rel=1e-6)
    assert twice.peak_bytes == one.peak_bytes


def test_an_old_policy_and_more_levels_cost_more():
    plain = cost(old_decay=0.0, levels=1)
    assert cost(old_decay=0.3, levels=1).learning_tflop > plain.learning_tflop
    assert cost(old_decay=0.0, levels=4).learning_tflop == pytest.approx(
        4 * plain.learning_tflop, rel=1e-6
    )
    assert cost(algorithm="grpo", sde_steps=1).learning_tflop == plain.learning_tflop


def test_a_dry_run_trains_nothing(tmp_path, capsys):
    command = ["train", "rl", "toykitchen", "--out", str(tmp_path / "out"), "--dry-run"]
    assert main([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["clips"] == 40 * 8 * 8
    assert main(command) == 0
    assert "2,560 clips, 40 optimizer steps." in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--group", "1"], "A group of 1 clip has nothing to compare"),
        (["--rewards", "text=0"], "All weights of the rewards are 0"),
        (["--algorithm", "grpo", "--kl", "0"], "grpo without a distance"),
        (["--size", "640x480"], "640x480"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_made(tmp_path, capsys, options, message):
    out = tmp_path / "out"
    assert main(["train", "rl", "toykitchen", "--out", str(out), "--dry-run", *options]) == 2
    assert message in capsys.readouterr().err and not out.exists()
