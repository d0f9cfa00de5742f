"""The tiny open-vocabulary detector: a small convolutional grid, queried with CLIP text vectors."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn

from procvid.errors import UnavailableError
from procvid.media.image import resize
from procvid.media.keying import foreground_mask
from procvid.phantom.load_alone import loading
from procvid.protocols import Embedder
from procvid.storage.files import sha256_of
from procvid.types import Detection, Image, ModelInfo

SIZE = 96
WEIGHTS = "detector.safetensors"
KEYED = frozenset({"frying pan", "pot", "bowl", "cutting board", "plate", "baking tray"})
"""Objects that stand alone on the counter, so that colour keying gives their mask."""


class TextGridDetector(nn.Module):
    """Scores how well a text fits the cells of a 24x24 grid; each cell predicts the box's sides.

    Args:
        dim: Width of the text vectors.
        width: Channels of the grid.
    """

    def __init__(self, dim: int = 96, width: int = 96) -> None:
        super().__init__()
        self.fine = nn.Sequential(
            *_convolved(3, 32, 2), *_convolved(32, 64, 2), *_convolved(64, width)
        )
        self.coarse = nn.Sequential(*_convolved(width, 128, 2), *_convolved(128, width))
        self.grid = nn.Sequential(*_convolved(2 * width, width), *_convolved(width, width))
        side = SIZE // 4
        self.position = nn.Parameter(torch.zeros(1, side**2, width))
        self.ask = nn.Sequential(nn.Linear(dim, width), nn.SiLU(), nn.Linear(width, width))
        self.fit = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 5))
        middles = (torch.arange(side) + 0.5) / side
        x, y = torch.meshgrid(middles, middles, indexing="xy")
        centres = torch.stack([x, y, x, y], -1).flatten(0, 1)
        self.register_buffer("centres", centres, persistent=False)

    def forward(
        self, images: torch.Tensor, texts: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Images (B, 3, 96, 96) in -1..1, texts (B, Q, dim) -> logits (B, Q), xyxy (B, Q, 4) in 0..1."""
        fine = self.fine(images)
        around = nn.functional.interpolate(self.coarse(fine), scale_factor=2)
        grid = self.grid(torch.cat([fine, around], 1))
        cells = grid.flatten(2).transpose(1, 2) + self.position
        # unit vectors have small entries; the layer learns faster from entries of size 1
        asked = self.ask(texts * texts.shape[-1] ** 0.5)
        found = self.fit(cells[:, None] * asked[:, :, None])
        logits, distances = found[..., 0], nn.functional.softplus(found[..., 1:] - 2)
        signs = distances.new_tensor([-1, -1, 1, 1])
        boxes = self.get_buffer("centres") + signs * distances
        box = (logits.softmax(-1)[..., None] * boxes).sum(2)
        return logits.logsumexp(-1) - math.log(logits.shape[-1]), box


def _convolved(before: int, after: int, stride: int = 1) -> list[nn.Module]:
    return [nn.Conv2d(before, after, 3, stride, 1), nn.GroupNorm(8, after), nn.SiLU()]


class TinyDetector:
    """Finds named objects in images of the toy kitchen.

    Args:
        folder: With `config.json` and `detector.safetensors`.
        embedder: The CLIP model whose text vectors it was trained with.
    """

    def __init__(self, folder: Path, embedder: Embedder) -> None:
        if not (folder / WEIGHTS).is_file():
            raise UnavailableError(
                f"The detector's file {WEIGHTS} is missing.",
                "Install procvid again: its assets are incomplete.",
            )
        self._folder, self._embedder = folder, embedder
        self.info = ModelInfo(
            id=f"procvid/{folder.name}", revision=sha256_of(folder / WEIGHTS)[:16]
        )

    @cached_property
    def _model(self) -> TextGridDetector:
        config = json.loads((self._folder / "config.json").read_text())
        with loading():
            model = TextGridDetector(config["dim"], config["width"])
        model.load_state_dict({k: v.float() for k, v in load_file(self._folder / WEIGHTS).items()})
        return model.eval().requires_grad_(False)

    def detect(self, images: Sequence[Image], names: Sequence[str]) -> list[list[Detection]]:
        """Return per image one detection per name, best first, scores 0 to 1; vessels have a mask."""
        if not images or not names:
            return [[] for _ in images]
        small = np.stack([resize(image, SIZE, SIZE) for image in images])
        pixels = torch.from_numpy(small).permute(0, 3, 1, 2).float() / 127.5 - 1
        texts = torch.from_numpy(self._embedder.embed_texts(names))[None].expand(
            len(images), -1, -1
        )
        with torch.no_grad():
            logits, boxes = self._model(pixels, texts)
        found = []
        for image, scores, places in zip(
            images, logits.sigmoid().tolist(), boxes.tolist(), strict=True
        ):
            height, width = image.shape[:2]
            detections = []
            for name, score, (x0, y0, x1, y1) in zip(names, scores, places, strict=True):
                box = (
                    max(0.0, x0) * width,
                    max(0.0, y0) * height,
                    min(1.0, x1) * width,
                    min(1.0, y1) * height,
                )
                mask = foreground_mask(image) if name in KEYED else None
                detections.append(Detection(box, name, score, mask))
            found.append(sorted(detections, key=lambda d: -d.score))
        return found
