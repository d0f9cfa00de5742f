"""Approximate colours of latents without the decoder, for previews.

A colour is nearly linear in a latent. The linear map is fitted by least squares to a colour chart that
the model's own autoencoder encodes. A preview then takes one multiplication, where decoding takes
seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import DiffusionPipeline

from procvid.phantom.autoencoding import encode_references
from procvid.types import Image

CHART_PX = 256
FIELDS = (2, 4, 8, 16)
"""Colour fields along each side of a quarter of the chart."""

SHOWN_PX = 320
"""Longest side of a preview."""


@dataclass(frozen=True, eq=False)
class LatentColours:
    """A linear map from latents to colours.

    Attributes:
        weights: float32 `[C + 1, 3]`, the last row the constant; colours are 0 to 1.
    """

    weights: torch.Tensor

    @classmethod
    def fit(cls, pipeline: DiffusionPipeline) -> LatentColours:
        """Fit the map to the autoencoder of a pipeline on any device; the fit is deterministic."""
        chart = colour_chart()
        device = pipeline._execution_device
        with torch.no_grad():
            latents_BCFhw = encode_references(pipeline.vae, [chart], CHART_PX, CHART_PX, device)
        height, width = latents_BCFhw.shape[-2:]
        pixels = torch.from_numpy(chart).permute(2, 0, 1)[None].float() / 255
        colours = F.adaptive_avg_pool2d(pixels, (height, width))[0].flatten(1).T
        inputs = _with_constant(latents_BCFhw[0, :, 0].float().cpu())
        return cls(torch.linalg.lstsq(inputs, colours).solution)

    def picture(self, latents_BCFhw: torch.Tensor) -> Image:
        """Return the first frame of latents `[1, C, F, h, w]`, uint8 (H, W, 3) RGB, `SHOWN_PX` long."""
        first = latents_BCFhw[0, :, 0].float().cpu()
        height, width = first.shape[-2:]
        colours = (_with_constant(first) @ self.weights).clamp(0, 1)
        picture = colours.T.reshape(1, 3, height, width)
        scale = SHOWN_PX / max(height, width)
        size = round(height * scale), round(width * scale)
        shown = F.interpolate(picture, size, mode="bilinear", align_corners=False)
        return (shown[0].permute(1, 2, 0).numpy() * 255).astype(np.uint8)


def colour_chart() -> Image:
    """Return seeded random colours in fields of four sizes, uint8 (CHART_PX, CHART_PX, 3) RGB."""
    draw = np.random.default_rng(0)
    half = CHART_PX // 2
    quarters = []
    for fields in FIELDS:
        colours = draw.integers(0, 256, (fields, fields, 3), dtype=np.uint8)
        quarters.append(np.kron(colours, np.ones((half // fields, half // fields, 1), np.uint8)))
    return np.vstack([np.hstack(quarters[:2]), np.hstack(quarters[2:])])


def _with_constant(latents_Chw: torch.Tensor) -> torch.Tensor:
    flat = latents_Chw.flatten(1).T
    return torch.cat([flat, torch.ones(len(flat), 1)], dim=1)
