"""Conversion between pixels and normalised latents with the Wan autoencoder.

Shape suffixes: B batch, C latent channels, F latent frames, R references, h w latent size,
T H W video frames and pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from diffusers import AutoencoderKLWan
from PIL import Image

from procvid.phantom.cpu_decoding import decode_at_once, is_small
from procvid.phantom.references import ReferenceImage, reference_pixels
from procvid.stopping import stop_if_asked

DecodedFrames = np.ndarray | torch.Tensor | list[list[Image.Image]]


def encode_references(
    vae: AutoencoderKLWan,
    images: Sequence[ReferenceImage],
    height: int,
    width: int,
    device: torch.device,
) -> torch.Tensor:
    """Letter-box images on white and encode each as a video of one frame.

    Each image is encoded alone, because the autoencoder would treat several as frames of one video and
    join four of them into one latent frame.

    Args:
        vae: The autoencoder; its config has the latent statistics.
        images: One or more PIL images or uint8 RGB arrays.
        height: Height of the video, px.
        width: Width of the video, px.
        device: Device of the autoencoder.

    Returns:
        float32 `[1, C, R, h, w]`: posterior means, normalised to zero mean and unit variance.
    """
    mean, std = _latent_statistics(vae, device)
    encoded = []
    try:
        for image in images:
            stop_if_asked()
            pixels_CHW = torch.from_numpy(reference_pixels(image, width, height))
            frame_BCTHW = pixels_CHW[None, :, None].to(device, vae.dtype)
            encoded.append(vae.encode(frame_BCTHW).latent_dist.mode().float())
    finally:
        forget_frames(vae)
    return (torch.cat(encoded, dim=2) - mean) / std


def encode_last_frames(
    vae: AutoencoderKLWan,
    frames: np.ndarray,
    num_latent_frames: int,
    device: torch.device,
) -> torch.Tensor:
    """Encode the end of a video and return its last latent frames.

    Args:
        vae: The autoencoder; its config has the latent statistics.
        frames: uint8 RGB (T, H, W, 3), in the size of the video that will see them.
        num_latent_frames: Latent frames to return, K; fewer if the video is shorter.
        device: Device of the autoencoder.

    Returns:
        float32 `[1, C, K, h, w]`: posterior means, normalised to zero mean and unit variance.
    """
    mean, std = _latent_statistics(vae, device)
    temporal = vae.config.scale_factor_temporal
    # One frame more: the first latent frame of a video holds a single frame.
    count = min(num_latent_frames, (len(frames) - 1) // temporal)
    end_THWC = torch.from_numpy(np.ascontiguousarray(frames[-(count * temporal + 1) :]))
    unit_TCHW = end_THWC.permute(0, 3, 1, 2).float().div(127.5).sub(1)
    try:
        stop_if_asked()
        video_BCTHW = unit_TCHW.transpose(0, 1)[None].to(device, vae.dtype)
        latents = vae.encode(video_BCTHW).latent_dist.mode().float()
    finally:
        forget_frames(vae)
    return ((latents - mean) / std)[:, :, -max(1, count) :]


def decode_video(
    vae: AutoencoderKLWan,
    latents_BCFhw: torch.Tensor,
    device: torch.device,
    *,
    in_tiles: bool = False,
) -> torch.Tensor:
    """Decode normalised latents.

    Args:
        vae: The autoencoder; its config has the latent statistics.
        latents_BCFhw: Normalised latents of the video frames, without references.
        device: Device of the autoencoder.
        in_tiles: Decode one tile after another, which needs less VRAM. References are never encoded in
            tiles, because the model would see the seams.

    Returns:
        `[B, 3, T, H, W]` RGB in [-1, 1], in the dtype of the autoencoder.
    """
    mean, std = _latent_statistics(vae, device)
    latents_BCFhw = (latents_BCFhw.to(device, torch.float32) * std + mean).to(vae.dtype)
    before, vae.use_tiling = vae.use_tiling, vae.use_tiling or in_tiles
    # The decoder is called once for each latent frame or each tile of it, for a small clip twice.
    stop_check = vae.decoder.register_forward_pre_hook(lambda *_: stop_if_asked())
    try:
        if not vae.use_tiling and is_small(vae, latents_BCFhw):
            return decode_at_once(vae, latents_BCFhw)
        return vae.decode(latents_BCFhw, return_dict=False)[0]
    finally:
        stop_check.remove()
        vae.use_tiling = before
        forget_frames(vae)


def forget_frames(vae: AutoencoderKLWan) -> None:
    """Drop the frames that the autoencoder keeps for the next ones; a stop or an error leaves them."""
    vae.clear_cache()


def to_frames(video_BCTHW: torch.Tensor, output_type: str) -> DecodedFrames:
    """Convert a decoded video.

    Args:
        video_BCTHW: `[B, 3, T, H, W]` RGB; values outside [-1, 1] are clamped.
        output_type: "pt", "np" or "pil".

    Returns:
        "pt": float32 `[B, T, 3, H, W]` in [0, 1], on the device of the video.
        "np": float32 `(B, T, H, W, 3)` in [0, 1].
        "pil": a list of B lists of T RGB images; values are truncated to uint8, not rounded, as by
        upstream's writer.
    """
    unit_BTCHW = (video_BCTHW.float().clamp(-1, 1) + 1).div(2).transpose(1, 2)
    if output_type == "pt":
        return unit_BTCHW.contiguous()
    unit_BTHWC = unit_BTCHW.permute(0, 1, 3, 4, 2)
    if output_type == "np":
        return np.ascontiguousarray(unit_BTHWC.cpu().numpy())
    pixels_BTHWC = (unit_BTHWC * 255).to(torch.uint8).cpu().numpy()
    return [[Image.fromarray(frame) for frame in clip] for clip in pixels_BTHWC]


def _latent_statistics(
    vae: AutoencoderKLWan, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    mean, std = (
        torch.tensor(values, device=device).view(1, -1, 1, 1, 1)
        for values in (vae.config.latents_mean, vae.config.latents_std)
    )
    return mean, std
