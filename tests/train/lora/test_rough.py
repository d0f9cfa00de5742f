"""Disturbed references: noise, zero cells and moved cells, each as large as the settings say."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from procvid.train.lora.rough import CELL, roughened
from procvid.train.lora.settings import Roughness

LATENTS = torch.randn(4, 3, 12, 16, generator=torch.Generator().manual_seed(0)) * 2


def cells(latents: torch.Tensor) -> torch.Tensor:
    """Return `[cells, values]` of one reference `[C, h, w]`."""
    return torch.nn.functional.unfold(latents[None], CELL, stride=CELL)[0].T


def test_nothing_is_disturbed_by_default():
    assert roughened(LATENTS, Roughness(), 1) is LATENTS


def test_the_seed_decides_all_draws():
    rough = Roughness(noise=0.5, mask=0.3, shuffle=0.3)
    once = roughened(LATENTS, rough, 7)
    assert torch.equal(once, roughened(LATENTS, rough, 7))
    assert not torch.equal(once, roughened(LATENTS, rough, 8))
    assert not torch.equal(LATENTS, once) and once.shape == LATENTS.shape


def test_noise_is_uniform_up_to_its_deviation():
    deviations = []
    for seed in range(60):
        made = roughened(LATENTS, Roughness(noise=0.5), seed)
        for reference in range(3):
            change = (made - LATENTS)[:, reference]
            deviations.append(float(change.std() / LATENTS[:, reference].std()))
    assert max(deviations) == pytest.approx(0.5, abs=0.03)
    assert np.mean(deviations) == pytest.approx(0.25, abs=0.03)


def test_masked_cells_are_zero_and_others_are_as_before():
    shares = []
    for seed in range(60):
        made = roughened(LATENTS, Roughness(mask=0.4), seed)
        for before, after in zip(LATENTS.unbind(1), made.unbind(1), strict=True):
            zero = (cells(after) == 0).all(1)
            assert torch.equal(cells(after)[~zero], cells(before)[~zero])
            shares.append(float(zero.float().mean()))
    assert max(shares) <= 0.4 + 1 / 48 and np.mean(shares) == pytest.approx(0.2, abs=0.03)


def test_shuffled_cells_keep_their_values():
    moved = []
    for seed in range(60):
        made = roughened(LATENTS, Roughness(shuffle=0.6), seed)
        for before, after in zip(LATENTS.unbind(1), made.unbind(1), strict=True):
            assert {tuple(c.tolist()) for c in cells(after)} == {
                tuple(c.tolist()) for c in cells(before)
            }
            moved.append(float((cells(after) != cells(before)).any(1).float().mean()))
    assert max(moved) <= 0.6 + 1 / 48 and np.mean(moved) == pytest.approx(0.3, abs=0.05)
