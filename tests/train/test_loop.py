"""The training loop: stopped and resumed is uninterrupted, and Muon orthogonalises."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from lab.pretrain.transformer import attention_of
from procvid.train.loop import Schedule, train
from procvid.train.optim import muon_and_adamw, orthogonalise

SCHEDULE = Schedule(steps=12, ema=0.9, save_every=5, seed=4)


def draw(rng: np.random.Generator, step: int) -> dict[str, torch.Tensor]:
    return {"x": torch.from_numpy(rng.normal(size=(32, 8))).float()}


def model_and_losses():
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 8))

    def losses(batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        x = batch["x"] + 0.01 * torch.randn_like(batch["x"])
        return {"mse": (model(x) - x.flip(1)).square().mean()}

    return model, losses


def test_stopped_and_resumed_is_uninterrupted(tmp_path):
    model, losses = model_and_losses()
    whole = train(model, draw, losses, SCHEDULE, tmp_path / "a", "m").state_dict()

    class StoppedError(Exception):
        pass

    cut, cut_losses = model_and_losses()

    def until_7(rng: np.random.Generator, step: int) -> dict[str, torch.Tensor]:
        if step == 7:
            raise StoppedError
        return draw(rng, step)

    with pytest.raises(StoppedError):
        train(cut, until_7, cut_losses, SCHEDULE, tmp_path / "b", "m")
    again, again_losses = model_and_losses()
    resumed = train(again, draw, again_losses, SCHEDULE, tmp_path / "b", "m").state_dict()
    assert all(torch.equal(whole[k], resumed[k]) for k in whole)


def test_it_learns_and_keeps_its_curve(tmp_path):
    model, losses = model_and_losses()
    held_out = draw(np.random.default_rng(9), 0)
    before = float(losses(held_out)["mse"].detach())
    train(model, draw, losses, replace(SCHEDULE, steps=150, ema=0.0), tmp_path, "m")
    after = float(losses(held_out)["mse"].detach())
    assert after < 0.5 * before
    assert (tmp_path / "m.csv").read_text().startswith("step,seconds,mse")


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


@pytest.mark.parametrize("masked", [False, True])
def test_the_attention_to_train_with_is_torchs_own(masked: bool) -> None:
    query, key, value = torch.randn(3, 2, 4, 9, 8).unbind()
    mask = torch.randn(2, 1, 9, 9) if masked else None
    attend = torch.nn.functional.scaled_dot_product_attention
    with attention_of(torch.device("cpu")):
        plain = torch.nn.functional.scaled_dot_product_attention
        assert plain is not attend
        found = plain(query, key, value, attn_mask=mask, dropout_p=0.0, is_causal=False)
    assert torch.allclose(found, attend(query, key, value, attn_mask=mask), atol=1e-5)
