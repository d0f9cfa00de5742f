"""The image tower of an open_clip model as a frame encoder: the mean of its patch tokens.

The pooled token follows words; the patches keep colour and shape, which is what DINO measures.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from procvid.errors import UnavailableError
from procvid.media.image import fit_on_white
from procvid.models.quiet import quiet_root
from procvid.storage.files import sha256_of
from procvid.types import Image, ModelInfo, Vectors

WEIGHTS = "open_clip_model.safetensors"
BATCH = 64
TEXTURE_BLOCKS = 2
"""Blocks whose patch tokens make up a texture: early ones tell drawings from photographs."""


class ClipTowerFrameEncoder:
    """Frames as float32 (N, width), L2-normalised. Loads at first use, on the CPU.

    Args:
        folder: With `open_clip_config.json` and `open_clip_model.safetensors`.

    Raises:
        UnavailableError: The folder lacks the weights.
    """

    def __init__(self, folder: Path) -> None:
        if not (folder / WEIGHTS).is_file():
            raise UnavailableError(
                f"The frame encoder's file {WEIGHTS} is missing.",
                "Install procvid again: its assets are incomplete.",
            )
        self._folder = folder
        self.info = ModelInfo(
            id=f"procvid/{folder.name} image tower",
            revision=sha256_of(folder / WEIGHTS)[:16],
        )

    @cached_property
    def _tower(self) -> torch.nn.Module:
        import open_clip

        with quiet_root():
            tower = open_clip.create_model(f"local-dir:{self._folder}").visual
        tower.output_tokens = True
        return tower.float().eval().requires_grad_(False)

    def embed_frames(self, images: Sequence[Image]) -> Vectors:
        """Embed uint8 (H, W, 3) RGB images, letter-boxed on white, as float32 (N, width)."""
        rows = [np.zeros((0, int(self._tower.conv1.out_channels)), np.float32)]
        for pixels in self._batches(images):
            with torch.no_grad():
                _, tokens = self._tower(pixels)
            rows.append(F.normalize(tokens.mean(1), dim=-1).numpy())
        return np.concatenate(rows).astype(np.float32)

    def describe_textures(self, images: Sequence[Image]) -> Vectors:
        """Return float32 (N, 4 * width): mean and spread of the patch tokens of the first two blocks.

        They say whether a picture is of the kind that the model was trained on; its embedding does not.
        """
        tower, seen = self._tower, list[torch.Tensor]()
        blocks = tower.transformer.resblocks[:TEXTURE_BLOCKS]
        rows = [np.zeros((0, 2 * len(blocks) * int(tower.conv1.out_channels)), np.float32)]
        hooks = [block.register_forward_hook(lambda *at: seen.append(at[-1])) for block in blocks]
        try:
            for pixels in self._batches(images):
                seen.clear()
                with torch.no_grad():
                    tower(pixels)
                patches = [tokens[:, 1:] for tokens in seen]
                moments = [each for p in patches for each in (p.mean(1), p.std(1))]
                rows.append(torch.cat(moments, dim=1).numpy())
        finally:
            for hook in hooks:
                hook.remove()
        return np.concatenate(rows).astype(np.float32)

    def _batches(self, images: Sequence[Image]) -> Iterator[torch.Tensor]:
        """Yield normalised pixels, float32 (B, 3, H, W)."""
        tower = self._tower
        size = int(tower.image_size[0])
        mean = torch.tensor(tower.image_mean or (0.5,) * 3).view(1, 3, 1, 1)
        std = torch.tensor(tower.image_std or (0.5,) * 3).view(1, 3, 1, 1)
        for start in range(0, len(images), BATCH):
            stack = np.stack([fit_on_white(i, size, size) for i in images[start : start + BATCH]])
            yield (torch.from_numpy(stack).permute(0, 3, 1, 2).float() / 255 - mean) / std
