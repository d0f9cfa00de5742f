"""Between pixels and normalised latents, with the Wan autoencoder.

Shape suffixes: B batch, C latent channels, F latent frames, R references, h w latent size,
T H W video frames and pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from diffusers import AutoencoderKLWan

from procvid.phantom.references import ReferenceImage, reference_pixels
from procvid.stopping import stop_if_asked


def encode_references(
    vae: AutoencoderKLWan,
    images: Sequence[ReferenceImage],
    height: int,
    width: int,
    device: torch.device,
) -> torch.Tensor:
    """Letter-box images on white and encode each as a video of one frame.

    Each alone, because the autoencoder would take several for the frames of one video and join
    four of them into one latent frame.

    Args:
        vae: Its config holds the latent statistics.
        images: One or more PIL images or uint8 RGB arrays.
        height: Of the video, px.
        width: Of the video, px.
        device: Where the autoencoder runs.

    Returns:
        float32 `[1, C, R, h, w]`: posterior means, normalised to zero mean and unit variance.
    """
    mean, std = _latent_statistics(vae, device)
    encoded = []
    for image in images:
        stop_if_asked()
        pixels_CHW = torch.from_numpy(reference_pixels(image, width, height))
        frame_BCTHW = pixels_CHW[None, :, None].to(device, vae.dtype)
        encoded.append(vae.encode(frame_BCTHW).latent_dist.mode().float())
    return (torch.cat(encoded, dim=2) - mean) / std


def decode_video(
    vae: AutoencoderKLWan,
    latents_BCFhw: torch.Tensor,
    device: torch.device,
    *,
    in_tiles: bool = False,
) -> torch.Tensor:
    """Decode normalised latents.

    Args:
        vae: Its config holds the latent statistics.
        latents_BCFhw: Normalised latents of video frames alone.
        device: Where the autoencoder runs.
        in_tiles: A tile after another, which takes less memory. References are never encoded so:
            the seams would be shown to the model.

    Returns:
        `[B, 3, T, H, W]` RGB in [-1, 1], in the dtype of the autoencoder.
    """
    mean, std = _latent_statistics(vae, device)
    latents_BCFhw = latents_BCFhw.to(device, torch.float32) * std + mean
    before, vae.use_tiling = vae.use_tiling, vae.use_tiling or in_tiles
    # The decoder is called for one latent frame, or one tile of it, after another.
    asking = vae.decoder.register_forward_pre_hook(lambda *_: stop_if_asked())
    try:
        return vae.decode(latents_BCFhw.to(vae.dtype), return_dict=False)[0]
    finally:
        asking.remove()
        vae.use_tiling = before


def _latent_statistics(
    vae: AutoencoderKLWan, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    mean, std = (
        torch.tensor(values, device=device).view(1, -1, 1, 1, 1)
        for values in (vae.config.latents_mean, vae.config.latents_std)
    )
    return mean, std
