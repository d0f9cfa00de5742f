"""Widened models compute the same function, and the copies in a wide VAE can diverge."""

from __future__ import annotations

import pytest
import torch
from diffusers import AutoencoderKLWan

from lab.pretrain.transformer import TinyPhantom, odds_of, take_over
from lab.pretrain.vae import CONFIG, moving_weights, twofold
from lab.pretrain.widen import widened
from procvid.errors import InputError


@pytest.fixture(scope="module")
def narrow() -> AutoencoderKLWan:
    """Make an untrained VAE without zeros, so that every weight matters."""
    torch.manual_seed(3)
    vae = AutoencoderKLWan(
        **{**CONFIG, "base_dim": 8, "z_dim": 4, "latents_mean": [0.0] * 4, "latents_std": [1.0] * 4}
    )
    with torch.no_grad():
        for param in vae.parameters():
            param.add_(0.05 * torch.randn_like(param))
    return vae.eval()


@pytest.mark.parametrize("base_dim", [16, 24])
def test_a_wider_model_gives_the_same_latents_and_the_same_video(narrow, base_dim):
    wide = widened(narrow, base_dim).eval()
    video = torch.rand(1, 3, 9, 32, 32) * 2 - 1
    with torch.no_grad():
        one, other = (vae.encode(video).latent_dist for vae in (narrow, wide))
        assert torch.allclose(one.parameters, other.parameters, atol=1e-4)
        z = one.mode()
        assert torch.allclose(narrow.decode(z).sample, wide.decode(z).sample, atol=1e-4)
    assert wide.config["base_dim"] == base_dim and one.parameters.std() > 0.1


def test_the_copies_of_a_channel_get_different_gradients(narrow):
    wide = widened(narrow, 16)
    video = torch.rand(1, 3, 5, 32, 32) * 2 - 1
    wide.decode(wide.encode(video).latent_dist.mode()).sample.square().mean().backward()
    learnt = wide.decoder.conv_in.weight.grad
    half = len(learnt) // 2
    assert not torch.allclose(learnt[:half], learnt[half:], rtol=0.01)


def test_another_multiple_is_refused(narrow):
    with pytest.raises(InputError, match="base_dim 8 cannot widen to 12"):
        widened(narrow, 12)


def test_twofold_compression_takes_over_all_weights_that_it_has(narrow):
    found = twofold(narrow)
    mine, known = found.state_dict(), narrow.state_dict()
    assert 0 < len(known) - len(mine) <= 4
    assert all(torch.equal(value, known[key]) for key, value in mine.items())
    assert found.encode(torch.zeros(1, 3, 9, 32, 32)).latent_dist.mode().shape[2] == 5


def test_moving_pixels_weigh_more():
    video = torch.zeros(1, 3, 5, 16, 16)
    video[:, :, 2:, 4:6, 4:6] = 1
    weights = moving_weights(video, 3.0)
    moving = weights[0, 0] > weights.min()
    assert weights.mean() == pytest.approx(1) and weights.max() / weights.min() == pytest.approx(3)
    assert moving[1:3, 3:7, 3:7].all() and moving.sum() == 2 * 16


def test_a_transformer_starts_from_trained_weights(tmp_path):
    model, known = TinyPhantom(32), TinyPhantom(32)
    known.transformer.save_pretrained(tmp_path / "transformer")
    known.text_encoder.save_pretrained(tmp_path / "text_encoder")
    take_over(model, tmp_path)
    mine, trained = model.state_dict(), known.state_dict()
    assert all(torch.equal(mine[key], trained[key]) for key in trained)


def test_half_of_the_draws_follow_the_actions_of_recipes():
    # Recipes add a food in 13 of 44 steps and flip it in one.
    odds = odds_of(["add"] * 10 + ["flip"] * 10)
    assert odds.sum() == pytest.approx(1)
    assert odds[:10].sum() == pytest.approx(0.25 + 0.5 * 13 / 14)
    assert odds[10:].sum() == pytest.approx(0.25 + 0.5 * 1 / 14)
