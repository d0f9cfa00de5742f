"""DINO ViT-S/16 through transformers: the CLS embedding of the last layer (Caron et al., 2021)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image as Pillow

from procvid.errors import UnavailableError
from procvid.machine import best_device
from procvid.models.hub_files import fetch
from procvid.models.quiet import quiet_loading
from procvid.storage.pins import DINO_VIT_S_16, HubModel
from procvid.types import Image, ModelInfo, Vectors

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
RESIZE, CROP = 256, 224
BATCH = 32


class DinoFrameEncoder:
    """Frames as float32 (N, 384), L2-normalised. Loads at first use.

    Args:
        source: The model on the Hub, or a folder in the transformers layout.
    """

    def __init__(self, source: HubModel | Path = DINO_VIT_S_16) -> None:
        self._source = source
        if isinstance(source, HubModel):
            self.info = ModelInfo(id=source.repo, revision=source.revision)
        else:
            self.info = ModelInfo(id=source.name, revision="")

    @cached_property
    def _model(self) -> torch.nn.Module:
        from transformers import ViTModel

        folder = fetch(self._source) if isinstance(self._source, HubModel) else self._source
        try:
            # The published weights are a pickle; only tensors are read from it.
            with quiet_loading():
                model = ViTModel.from_pretrained(
                    folder, add_pooling_layer=False, weights_only=True, local_files_only=True
                )
        except (OSError, ValueError, RuntimeError) as error:
            raise UnavailableError(
                f"The frame encoder {self.info.id} cannot be loaded: "
                f"{str(error).splitlines()[0][:160]}",
                "Connect this machine to the Hugging Face Hub once, or use the tiny profile.",
            ) from error
        return model.float().eval().requires_grad_(False).to(best_device())

    def embed_frames(self, images: Sequence[Image]) -> Vectors:
        """Embed the middle 224x224 px of images resized to a shorter side of 256 px (bicubic)."""
        model = self._model
        device = next(model.parameters()).device
        mean = torch.tensor(MEAN, device=device).view(1, 3, 1, 1)
        std = torch.tensor(STD, device=device).view(1, 3, 1, 1)
        rows = [np.zeros((0, int(model.config.hidden_size)), np.float32)]
        for start in range(0, len(images), BATCH):
            stack = np.stack([_middle(image) for image in images[start : start + BATCH]])
            pixels = torch.from_numpy(stack).to(device).permute(0, 3, 1, 2).float() / 255
            with torch.no_grad():
                tokens = model(pixel_values=(pixels - mean) / std).last_hidden_state
            rows.append(F.normalize(tokens[:, 0], dim=-1).cpu().numpy())
        return np.concatenate(rows).astype(np.float32)


def _middle(image: Image) -> Image:
    height, width = image.shape[:2]
    share = RESIZE / min(height, width)
    size = (max(RESIZE, round(width * share)), max(RESIZE, round(height * share)))
    large = np.asarray(Pillow.fromarray(image).resize(size, Pillow.Resampling.BICUBIC))
    top, left = (large.shape[0] - CROP) // 2, (large.shape[1] - CROP) // 2
    return large[top : top + CROP, left : left + CROP]
