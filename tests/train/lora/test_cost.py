"""The estimate of a training's arithmetic and GPU memory."""

from __future__ import annotations

import pytest

from procvid.phantom.layout import CONFIGS
from procvid.train.lora.cost import model_sizes, tflop
from procvid.train.lora.settings import LoraSettings

HD = {"width": 832, "height": 480, "num_frames": 81, "fps": 16, "shift": 5.0, "precision": "bf16"}


def test_the_forward_pass_of_the_published_sizes():
    """Against the spec's figures for 25 latent frames of 1,560 tokens: linear 97.7, attention 284.1."""
    plain, again = LoraSettings(**HD), LoraSettings(**HD, checkpointing=True)
    config = CONFIGS["phantom-1.3b"]
    forward = tflop(config, again, 21, 4) - tflop(config, plain, 21, 4)
    assert forward == pytest.approx(381.7, rel=0.002)
    assert tflop(config, plain, 21, 4) == pytest.approx(2 * 97.7 + 3.5 * 284.1, rel=0.01)


def test_trained_parameters_and_kept_activations():
    config, plain = CONFIGS["phantom-1.3b"], LoraSettings(**HD)
    weights, numbers, kept = model_sizes(config, plain, 1, 0)
    # Eight matrices of 1536 x 1536 a block, rank 16, thirty blocks.
    assert numbers == 30 * 8 * 2 * 16 * 1536
    assert weights == pytest.approx(2 * 1.419e9, rel=0.04)
    less = model_sizes(config, LoraSettings(**HD, checkpointing=True), 1, 0)[2]
    assert less < 0.15 * kept
    twice = model_sizes(config, LoraSettings(**HD, batch_size=2), 1, 0)[2]
    assert twice == pytest.approx(2 * kept, rel=0.02)
