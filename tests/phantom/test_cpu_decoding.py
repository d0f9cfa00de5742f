"""Small clips are decoded at once on a CPU, with the values of the autoencoder's own loop."""

from __future__ import annotations

import pytest
import torch
from diffusers import AutoencoderKLWan

from procvid.phantom.autoencoding import decode_video
from procvid.phantom.cpu_decoding import MOST_PIXELS, decode_at_once, is_small, use_onednn
from tests.phantom.conftest import build_vae


@pytest.mark.parametrize("later", [True, False], ids=["fourfold", "twofold"])
@pytest.mark.parametrize("frames", [1, 2, 3])
def test_the_same_values_as_frame_by_frame(later, frames):
    torch.manual_seed(1)
    scale = {"temperal_downsample": [True, later], "scale_factor_temporal": 4 if later else 2}
    facts = {key: value for key, value in build_vae().config.items() if not key.startswith("_")}
    vae = AutoencoderKLWan(**facts | scale).eval()
    latents = torch.randn(1, vae.config.z_dim, frames, 4, 6)
    with torch.no_grad():
        expected = vae.decode(latents).sample
        video = torch.rand(1, 3, 9, 32, 48) * 2 - 1
        encoded = vae.encode(video).latent_dist.mode()
        use_onednn(vae)
        found = decode_at_once(vae, latents)
        assert torch.allclose(found, expected, atol=1e-4) and found.shape == expected.shape
        assert torch.allclose(vae.encode(video).latent_dist.mode(), encoded, atol=1e-4)
    assert expected.std() > 0.01


def test_large_clips_and_tiles_use_the_autoencoder_s_own_loop():
    vae = build_vae()
    calls = []
    vae.decoder.register_forward_pre_hook(lambda _, inputs: calls.append(inputs[0].shape[2]))
    latents = torch.zeros(1, vae.config.z_dim, 3, 4, 4)
    decode_video(vae, latents, torch.device("cpu"))
    assert calls == [1, 2]
    calls.clear()
    decode_video(vae, latents, torch.device("cpu"), in_tiles=True)
    assert calls == [1, 1, 1]
    side = round((MOST_PIXELS / 4) ** 0.5 / 8) + 1
    assert not is_small(vae, torch.zeros(1, 1, 1, side, side)) and is_small(vae, latents)
