"""FID through torchmetrics and torch-fidelity: Fréchet distance of Inception features.

Source: Heusel et al., 2017.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch

from procvid.machine import best_device
from procvid.models.torch_checkpoints import fetch_checkpoint, installed_version
from procvid.phantom.load_alone import loading
from procvid.types import Frames, ModelInfo, Vectors

EXTRA = "pip install 'procvid[metrics]'"
DIM = 2048


class _PassThrough(torch.nn.Module):
    """Returns precomputed features unchanged."""

    num_features = DIM

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features


class InceptionDistance:
    """Computes features of single frames, and the distance of two sets. Loads at first use.

    Raises:
        UnavailableError: torchmetrics or torch-fidelity is not installed.
    """

    num_frames = 8
    """Frames per clip, evenly spaced."""

    def __init__(self) -> None:
        version = installed_version("torchmetrics", EXTRA)
        features = installed_version("torch-fidelity", EXTRA)
        self.info = ModelInfo(
            id=f"torchmetrics {version} FID", revision=f"torch-fidelity {features} Inception 2048"
        )

    @cached_property
    def _inception(self) -> torch.nn.Module:
        from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3
        from torchmetrics.image.fid import FrechetInceptionDistance

        file = fetch_checkpoint(URL_INCEPTION_V3)
        with loading():
            metric = FrechetInceptionDistance(feature=DIM, feature_extractor_weights_path=str(file))
        return metric.inception.to(best_device())

    def features(self, frames: Frames) -> Vectors:
        """Return float32 (T, 2048) for uint8 (T, H, W, 3) RGB frames of one clip.

        Raises:
            UnavailableError: The weights are not available.
        """
        inception = self._inception
        pixels = torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2)
        with torch.no_grad():
            return inception(pixels.to(best_device())).float().cpu().numpy()

    def distance(self, real: Vectors, made: Vectors) -> float:
        """Return the Fréchet distance of float32 (N, 2048) and (M, 2048), each of at least two rows."""
        from torchmetrics.image.fid import FrechetInceptionDistance

        metric = FrechetInceptionDistance(feature=_PassThrough())
        metric.update(torch.from_numpy(real), real=True)
        metric.update(torch.from_numpy(made), real=False)
        return float(metric.compute())
