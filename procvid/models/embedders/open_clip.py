"""A CLIP space through open_clip, from a folder with its config and safetensors weights."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from procvid.errors import UnavailableError
from procvid.media.image import fit_on_white
from procvid.models.files import file_sha256
from procvid.types import Image, ModelInfo, Vectors

WEIGHTS = "open_clip_model.safetensors"
BATCH = 64


class OpenClipEmbedder:
    """Images and texts as float32 (N, dim), L2-normalised. Loads at first use, on the CPU.

    Args:
        folder: Holds `open_clip_config.json` and `open_clip_model.safetensors`.

    Raises:
        UnavailableError: the folder lacks one of them.
    """

    def __init__(self, folder: Path) -> None:
        for name in ("open_clip_config.json", WEIGHTS):
            if not (folder / name).is_file():
                raise UnavailableError(
                    f"The CLIP model's file {name} is missing.",
                    "Install procvid again: its assets are incomplete.",
                )
        self._folder = folder
        self.info = ModelInfo(
            id=f"procvid/{folder.name}", revision=file_sha256(folder / WEIGHTS)[:16]
        )

    @cached_property
    def _model(self) -> torch.nn.Module:
        import open_clip

        # open_clip reports each step of loading on the root logger.
        logging.getLogger().disabled, before = True, logging.getLogger().disabled
        try:
            model = open_clip.create_model(f"local-dir:{self._folder}")
        finally:
            logging.getLogger().disabled = before
        return model.float().eval().requires_grad_(False)

    @cached_property
    def _tokenizer(self):
        import open_clip

        return open_clip.get_tokenizer(f"local-dir:{self._folder}")

    @property
    def dim(self) -> int:
        """Width of the vectors."""
        return int(self._model.text_projection.shape[1])

    @property
    def logit_scale(self) -> float:
        """The learned factor of the cosines."""
        return float(self._model.logit_scale.exp())

    def embed_images(self, images: Sequence[Image]) -> Vectors:
        """uint8 (H, W, 3) RGB images, letter-boxed on white, to float32 (N, dim)."""
        if not images:
            return np.zeros((0, self.dim), np.float32)
        visual = self._model.visual
        size = int(
            visual.image_size[0] if isinstance(visual.image_size, tuple) else visual.image_size
        )
        mean = torch.tensor(visual.image_mean or (0.5,) * 3).view(1, 3, 1, 1)
        std = torch.tensor(visual.image_std or (0.5,) * 3).view(1, 3, 1, 1)
        rows = []
        for start in range(0, len(images), BATCH):
            stack = np.stack(
                [fit_on_white(image, size, size) for image in images[start : start + BATCH]]
            )
            pixels = torch.from_numpy(stack).permute(0, 3, 1, 2).float() / 255
            with torch.no_grad():
                rows.append(
                    F.normalize(self._model.encode_image((pixels - mean) / std), dim=-1).numpy()
                )
        return np.concatenate(rows).astype(np.float32)

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        """Texts to float32 (N, dim); what is too long is cut."""
        if not texts:
            return np.zeros((0, self.dim), np.float32)
        with torch.no_grad():
            vectors = self._model.encode_text(self._tokenizer(list(texts)))
        return F.normalize(vectors, dim=-1).numpy().astype(np.float32)
