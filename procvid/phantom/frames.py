"""From decoded video to what the caller asked for: arrays, tensors or PIL images."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image

Frames = np.ndarray | torch.Tensor | list[list[Image.Image]]


def to_frames(video_BCTHW: torch.Tensor, output_type: str) -> Frames:
    """Convert a decoded video.

    Args:
        video_BCTHW: `[B, 3, T, H, W]` RGB, values beyond [-1, 1] are clamped.
        output_type: "pt", "np" or "pil".

    Returns:
        "pt": float32 `[B, T, 3, H, W]` in [0, 1], on the device of the video.
        "np": float32 `(B, T, H, W, 3)` in [0, 1].
        "pil": a list of B lists of T RGB images; values are truncated to uint8, as upstream's
        writer does, and not rounded.
    """
    unit_BTCHW = (video_BCTHW.float().clamp(-1, 1) + 1).div(2).transpose(1, 2)
    if output_type == "pt":
        return unit_BTCHW.contiguous()
    unit_BTHWC = unit_BTCHW.permute(0, 1, 3, 4, 2)
    if output_type == "np":
        return np.ascontiguousarray(unit_BTHWC.cpu().numpy())
    pixels_BTHWC = (unit_BTHWC * 255).to(torch.uint8).cpu().numpy()
    return [[Image.fromarray(frame) for frame in clip] for clip in pixels_BTHWC]
