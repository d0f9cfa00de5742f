"""CLIP through open_clip: the tiny model of the package, or a published one from the Hub."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import SafetensorError

from procvid.errors import UnavailableError
from procvid.machine import best_device
from procvid.media.image import fit_on_white
from procvid.models.hub_files import fetch
from procvid.models.quiet import quiet_root
from procvid.phantom.load_alone import computing
from procvid.storage.files import sha256_of
from procvid.storage.pins import HubModel
from procvid.types import Image, ModelInfo, Vectors

CONFIG, WEIGHTS = "open_clip_config.json", "open_clip_model.safetensors"

BATCH = 64


class OpenClipEmbedder:
    """Images and texts as float32 (N, dim), L2-normalised. Loads at first use.

    Args:
        source: A folder with `open_clip_config.json` and `open_clip_model.safetensors`, or a model
            on the Hub with these files.
        device: Where it runs. By default the CPU for the small model of a folder, and a GPU, if
            there is one, for a model from the Hub.

    Raises:
        UnavailableError: The folder lacks one of the files.
    """

    def __init__(self, source: Path | HubModel, device: str | None = None) -> None:
        self._source = source
        if isinstance(source, HubModel):
            self._device = device or best_device()
            self.info = ModelInfo(id=source.repo, revision=source.revision)
            return
        for name in (CONFIG, WEIGHTS):
            if not (source / name).is_file():
                raise UnavailableError(
                    f"The CLIP model's file {name} is missing.",
                    "Install procvid again: its assets are incomplete.",
                )
        self._device = device or "cpu"
        self.info = ModelInfo(
            id=f"procvid/{source.name}", revision=sha256_of(source / WEIGHTS)[:16]
        )

    @cached_property
    def _folder(self) -> Path:
        return fetch(self._source) if isinstance(self._source, HubModel) else self._source

    @cached_property
    def _model(self) -> torch.nn.Module:
        import open_clip

        with quiet_root(), self._loading():
            model = open_clip.create_model(f"local-dir:{self._folder}")
        return model.float().eval().requires_grad_(False).to(self._device)

    @cached_property
    def _tokenizer(self):
        import open_clip

        with quiet_root(), self._loading():
            return open_clip.get_tokenizer(f"local-dir:{self._folder}")

    @contextmanager
    def _loading(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
            reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
            raise UnavailableError(
                f"The CLIP model in {self._folder} cannot be loaded: {reason}",
                "Download it again, or install procvid again; one of its files is damaged.",
            ) from error

    @property
    def dim(self) -> int:
        """Width of the vectors."""
        projection = self._model.text_projection
        weight = projection.weight.T if isinstance(projection, torch.nn.Linear) else projection
        return int(weight.shape[1])

    @property
    def logit_scale(self) -> float:
        """Learned factor of the cosines."""
        return float(self._model.logit_scale.exp())

    def embed_images(self, images: Sequence[Image]) -> Vectors:
        """Embed uint8 (H, W, 3) RGB images, letter-boxed on white, as float32 (N, dim)."""
        if not images:
            return np.zeros((0, self.dim), np.float32)
        # Loaded before `computing`, which loading waits for.
        visual = self._model.visual
        with computing():
            return self._embed_images(images, visual)

    def _embed_images(self, images: Sequence[Image], visual: torch.nn.Module) -> Vectors:
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
                vectors = self._model.encode_image(((pixels - mean) / std).to(self._device))
                rows.append(F.normalize(vectors, dim=-1).cpu().numpy())
        return np.concatenate(rows).astype(np.float32)

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        """Embed texts as float32 (N, dim); long texts are truncated."""
        if not texts:
            return np.zeros((0, self.dim), np.float32)
        rows = []
        for start in range(0, len(texts), BATCH):
            tokens = self._tokenizer(list(texts[start : start + BATCH])).to(self._device)
            with torch.no_grad():
                rows.append(F.normalize(self._model.encode_text(tokens), dim=-1).cpu().numpy())
        return np.concatenate(rows).astype(np.float32)
