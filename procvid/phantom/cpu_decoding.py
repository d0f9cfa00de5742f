"""Decode small clips on a CPU in half of the time, with the same values.

diffusers decodes one latent frame after another, which bounds the memory of large videos. For a small
clip this costs more than it saves, and in chunks of one frame torch runs most convolutions with its
slow kernel: it takes oneDNN's only from a batch of two or from 20,480 values on. Here all frames
after the first are decoded at once, and oneDNN is called directly. Outputs differ by rounding only.
"""

from __future__ import annotations

from types import MethodType

import torch
from diffusers import AutoencoderKLWan
from diffusers.models.autoencoders.autoencoder_kl_wan import WanCausalConv3d, unpatchify
from torch.nn import functional

MOST_PIXELS = 1_000_000
"""Largest clip, in T*H*W pixels, that is decoded at once; activations take about 1.5 kB a pixel."""


def is_small(vae: AutoencoderKLWan, latents_BCFhw: torch.Tensor) -> bool:
    """Return True if these latents are on a CPU and their video has at most `MOST_PIXELS`."""
    _, _, frames, height, width = latents_BCFhw.shape
    scale = vae.config.scale_factor_temporal * vae.config.scale_factor_spatial**2
    return latents_BCFhw.device.type == "cpu" and frames * height * width * scale <= MOST_PIXELS


def decode_at_once(vae: AutoencoderKLWan, latents_BCFhw: torch.Tensor) -> torch.Tensor:
    """Return `vae.decode(latents)`: `[B, 3, T, H, W]` RGB, clamped to [-1, 1].

    The first latent frame makes one frame, so it is a chunk of its own.

    Args:
        vae: On the CPU.
        latents_BCFhw: Latents as the autoencoder makes them, not normalised.
    """
    vae.clear_cache()
    latents_BCFhw = vae.post_quant_conv(latents_BCFhw)
    parts: list[torch.Tensor] = []
    for chunk in (latents_BCFhw[:, :, :1], latents_BCFhw[:, :, 1:]):
        if chunk.shape[2]:
            vae._conv_idx = [0]
            parts.append(
                vae.decoder(
                    chunk,
                    feat_cache=vae._feat_map,
                    feat_idx=vae._conv_idx,
                    first_chunk=not parts,
                )
            )
    vae.clear_cache()
    video = torch.cat(parts, 2)
    if vae.config.patch_size is not None:
        video = unpatchify(video, patch_size=vae.config.patch_size)
    return video.clamp(-1, 1)


def use_onednn(vae: AutoencoderKLWan) -> None:
    """Let the causal convolutions of an autoencoder call oneDNN on a CPU in float32."""
    if torch.backends.mkldnn.is_available():
        for module in vae.modules():
            if isinstance(module, WanCausalConv3d):
                module.forward = MethodType(_forward, module)


def _forward(
    self: WanCausalConv3d, x: torch.Tensor, cache_x: torch.Tensor | None = None
) -> torch.Tensor:
    if x.device.type != "cpu" or x.dtype != torch.float32 or self.weight.dtype != torch.float32:
        return WanCausalConv3d.forward(self, x, cache_x)
    right, _, bottom, _, before, _ = self._padding
    if before and cache_x is not None:
        x = torch.cat([cache_x, x], dim=2)
        before -= cache_x.shape[2]
    if before > 0:
        x = functional.pad(x, (0, 0, 0, 0, before, 0))
    return torch.ops.aten.mkldnn_convolution.default(
        x, self.weight, self.bias, (0, bottom, right), self.stride, self.dilation, self.groups
    )
