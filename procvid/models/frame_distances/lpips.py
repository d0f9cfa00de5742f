"""LPIPS through torchmetrics: distance in the layers of AlexNet, weighted by human judgements.

Source: Zhang et al., 2018.
"""

from __future__ import annotations

from functools import cached_property
from typing import Literal

import torch
from torchvision.models import AlexNet_Weights, SqueezeNet1_1_Weights

from procvid.machine import best_device
from procvid.media.image import resize
from procvid.models.torch_checkpoints import fetch_checkpoint, installed_version
from procvid.phantom.load_alone import loading
from procvid.types import Image, ModelInfo

EXTRA = "pip install 'procvid[metrics]'"
SIDE = 256
"""Both frames are compared at this size, in pixels."""

BACKBONES = {"alex": AlexNet_Weights.DEFAULT, "squeeze": SqueezeNet1_1_Weights.DEFAULT}


class LpipsDistance:
    """Perceptual distance of two frames. The network is loaded at first use.

    Args:
        net: The backbone; published figures use "alex".

    Raises:
        UnavailableError: torchmetrics is not installed.
    """

    def __init__(self, net: Literal["alex", "squeeze"] = "alex") -> None:
        version = installed_version("torchmetrics", EXTRA)
        self._net = net
        self.info = ModelInfo(id=f"torchmetrics {version} LPIPS", revision=net)

    @cached_property
    def _metric(self) -> torch.nn.Module:
        from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

        fetch_checkpoint(BACKBONES[self._net].url)
        with loading():
            metric = LearnedPerceptualImagePatchSimilarity(net_type=self._net, normalize=True)
        return metric.eval().requires_grad_(False).to(best_device())

    def distance(self, a: Image, b: Image) -> float:
        """Return the distance of two uint8 (H, W, 3) RGB frames: 0 if equal, rarely above 1.

        Raises:
            UnavailableError: The backbone's weights are not available.
        """
        with torch.no_grad():
            return float(self._metric(*(self._pixels(image) for image in (a, b))))

    def _pixels(self, image: Image) -> torch.Tensor:
        pixels = torch.from_numpy(resize(image, SIDE, SIDE)).permute(2, 0, 1)[None].float() / 255
        return pixels.to(best_device())
