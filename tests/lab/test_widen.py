"""Widened models compute the same function, and the copies in a wide VAE can diverge."""

from __future__ import annotations

import pytest
import torch
from diffusers import AutoencoderKLWan, WanTransformer3DModel

from lab.pretrain.transformer import TRANSFORMER, TinyPhantom, take_over
from lab.pretrain.vae import CONFIG, SHARP_CHANNELS, moving_weights, opened
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


def test_more_latent_channels_change_nothing_at_first(narrow):
    facts = {k: v for k, v in narrow.config.items() if not k.startswith("_")}
    twofold = AutoencoderKLWan(**facts | {"temperal_downsample": [True, False]})
    twofold.load_state_dict(narrow.state_dict(), strict=False)
    more = opened(narrow, 6).eval()
    video = torch.rand(1, 3, 9, 32, 32) * 2 - 1
    with torch.no_grad():
        one, other = (v.eval().encode(video).latent_dist.mode() for v in (twofold, more))
        assert one.shape[2] == 5 and torch.allclose(one, other[:, :4], atol=1e-5)
        assert torch.allclose(twofold.decode(one).sample, more.decode(other).sample, atol=1e-5)


def test_moving_pixels_weigh_more():
    video = torch.zeros(1, 3, 5, 16, 16)
    video[:, :, 2:, 4:6, 4:6] = 1
    weights = moving_weights(video, 3.0)
    moving = weights[0, 0] > weights.min()
    assert weights.mean() == pytest.approx(1) and weights.max() / weights.min() == pytest.approx(3)
    assert moving[1:3, 3:7, 3:7].all() and moving.sum() == 2 * 16


def test_a_transformer_with_more_channels_begins_as_the_trained_one(tmp_path):
    model = TinyPhantom(32)
    facts = dict(TRANSFORMER, in_channels=4, out_channels=4)
    known = WanTransformer3DModel(**facts).eval()
    known.save_pretrained(tmp_path / "transformer")
    model.text_encoder.save_pretrained(tmp_path / "text_encoder")
    take_over(model, tmp_path)
    few, many = torch.randn(1, 4, 2, 4, 4), torch.randn(1, SHARP_CHANNELS, 2, 4, 4)
    many[:, :4] = few
    texts = {"timestep": torch.tensor([500.0]), "encoder_hidden_states": torch.randn(1, 3, 96)}
    with torch.no_grad():
        one = known(hidden_states=few, **texts).sample
        other = model.transformer.eval()(hidden_states=many, **texts).sample
    assert torch.allclose(one, other[:, :4], atol=1e-5) and not other[:, 4:].any()
