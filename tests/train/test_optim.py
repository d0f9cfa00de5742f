"""Muon orthogonalises the momentum of matrices; AdamW takes the other parameters."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from procvid.train.optim import Muon, muon_and_adamw, orthogonalise


def test_newton_schulz_gives_singular_values_near_one():
    torch.manual_seed(0)
    for shape in ((16, 48), (48, 16), (24, 24)):
        values = torch.linalg.svdvals(orthogonalise(torch.randn(shape)))
        assert float(values.min()) > 0.3 and float(values.max()) < 1.4


def test_tables_and_biases_are_not_for_muon():
    model = nn.ModuleDict({"embedding": nn.Embedding(10, 8), "linear": nn.Linear(8, 8)})
    muon, adamw = muon_and_adamw(model)
    of_muon = {id(p) for g in muon.param_groups for p in g["params"]}
    assert of_muon == {id(model["linear"].weight)}
    assert len(adamw.param_groups[0]["params"]) == 2


def test_frozen_parameters_have_no_optimiser():
    model = nn.Linear(8, 8)
    model.weight.requires_grad_(False)
    (adamw,) = muon_and_adamw(model)
    assert isinstance(adamw, torch.optim.AdamW)


@pytest.mark.parametrize("shape", [(8, 8), (16, 4, 3)])
def test_a_muon_step_moves_all_directions_alike(shape):
    torch.manual_seed(1)
    parameter = nn.Parameter(torch.zeros(shape))
    optimiser = Muon([parameter], lr=0.1)
    # One direction has a thousandfold gradient.
    parameter.grad = torch.randn(shape)
    parameter.grad[0] *= 1000
    optimiser.step()
    values = torch.linalg.svdvals(parameter.detach().reshape(shape[0], -1))
    assert values.max() < 0.25 and values.max() / values.median() < 10


def test_muon_leaves_parameters_without_gradient():
    parameter = nn.Parameter(torch.ones(4, 4))
    Muon([parameter]).step()
    assert torch.equal(parameter, torch.ones(4, 4))
