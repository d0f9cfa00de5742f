"""The pair attention of the laboratory: a closed mask leaves each shot as it is alone."""

from __future__ import annotations

import pytest
import torch

from lab.coherence.pairs import Neighbours, seeing
from lab.command import ASSETS
from lab.weights import load_pipeline

TOKENS = 3 * 36


@pytest.fixture(scope="module")
def transformer():
    return load_pipeline(ASSETS / "tiny_phantom").transformer.double()


@pytest.fixture(scope="module")
def given(transformer):
    random = torch.Generator().manual_seed(0)
    config = transformer.config
    return {
        "hidden_states": torch.randn(2, config.in_channels, 4, 12, 12, generator=random).double(),
        "timestep": torch.tensor([500, 500]),
        "encoder_hidden_states": torch.randn(2, 8, config.text_dim, generator=random).double(),
        "return_dict": False,
    }


@torch.no_grad()
def test_a_closed_mask_equals_no_neighbour_and_an_open_one_does_not(transformer, given):
    plain = transformer(**given)[0]
    hidden = torch.zeros(TOKENS, dtype=torch.bool)
    shape = tuple(given["hidden_states"].shape[1:])
    for closed in (Neighbours(0, 0, TOKENS), Neighbours(1, 4, TOKENS, hidden)):
        with seeing(transformer, closed, shape):
            assert (transformer(**given)[0] - plain).abs().max() < 1e-6
    with seeing(transformer, Neighbours(1, 0, TOKENS), shape):
        first, second = transformer(**given)[0]
    assert (first - plain[0]).abs().max() < 1e-6 and (second - plain[1]).abs().max() > 1e-2
    assert torch.equal(transformer(**given)[0], plain)
