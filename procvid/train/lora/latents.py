"""Compute latents and text embeddings once and cache each in a small file on disk.

A file is named by a hash of its inputs: the encoders, the size, and the bytes or the text. A cache
can therefore be shared and resumed, and is never stale.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from PIL import Image as Pillow
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from procvid.errors import InputError
from procvid.media.image import load_image
from procvid.media.video import stream_frames
from procvid.phantom.pipeline_phantom_wan import PhantomWanPipeline
from procvid.phantom.text import DEFAULT_NEGATIVE_PROMPT, zero_padded
from procvid.storage.atomic import write_bytes
from procvid.train.lora.folder import PICTURES, Example, TrainingFolder
from procvid.train.lora.settings import LoraSettings
from procvid.types import Frames, Image

LOADED_FILES = 4096
"""Files kept in RAM for the next epoch."""


class TrainingShape(Protocol):
    """Size in pixels, number of frames and frames per second of training clips."""

    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...
    @property
    def num_frames(self) -> int: ...
    @property
    def fps(self) -> int: ...


@dataclass(frozen=True)
class Encoded:
    """Progress: `done` of `total` examples are encoded; `skipped` of them cannot be used."""

    done: int
    total: int
    skipped: int


@dataclass
class LatentCache:
    """Latents and text embeddings of one training.

    Args:
        folder: Folder of the cached files.
        data: Examples to encode.
        settings: Size, frames and frame rate.
        encoders_sha256: Hashes of the autoencoder and the text encoder.

    Attributes:
        skipped: Reason for each example that cannot be used, by key.
        broken_crops: Reason for each crop that cannot be used.
    """

    folder: Path
    data: TrainingFolder
    settings: LoraSettings
    encoders_sha256: str
    skipped: dict[str, str] = field(default_factory=dict)
    broken_crops: dict[Path, str] = field(default_factory=dict)

    def encode(
        self,
        pipeline: PhantomWanPipeline,
        examples: Sequence[Example],
        device: torch.device,
    ) -> Iterator[Encoded]:
        """Encode what the cache lacks; yield after each example.

        Unusable examples go to `skipped`, unusable crops to `broken_crops`.

        Raises:
            OutputError: The cache cannot be written.
        """
        self._encode_text(pipeline, DEFAULT_NEGATIVE_PROMPT)
        for done, example in enumerate(examples, start=1):
            try:
                self._encode_video(pipeline, example, device)
                self._encode_text(pipeline, example.text)
            except InputError as error:
                self.skipped[example.key] = error.message
            for crop in example.pictures:
                try:
                    self._encode_crop(pipeline, crop.file, device)
                except InputError as error:
                    self.broken_crops[crop.file] = error.message
            yield Encoded(done, len(examples), len(self.skipped))

    def has(self, example: Example) -> bool:
        """Return True if an example can be used."""
        return self._video_file(example).is_file() and self._text_file(example.text).is_file()

    def has_crop(self, crop: Path) -> bool:
        """Return True if a crop can be used."""
        return self._crop_file(crop).is_file()

    def video(self, example: Example) -> torch.Tensor:
        """Return normalised latents of an example: float32 `[C, F, h, w]`."""
        return _load(self._video_file(example))["latents"].float()

    def crop(self, crop: Path) -> torch.Tensor:
        """Return normalised latents of a crop: float32 `[C, 1, h, w]`."""
        return _load(self._crop_file(crop))["latents"].float()

    def text(self, text: str, length: int) -> torch.Tensor:
        """Return embeddings of a text: `[L, D]`, padded with zeros to `length` rows."""
        return zero_padded(_load(self._text_file(text))["embeds"][None], length)[0]

    def _encode_video(
        self, pipeline: PhantomWanPipeline, example: Example, device: torch.device
    ) -> None:
        file = self._video_file(example)
        if file.is_file():
            return
        frames = read_frames(example, self.settings)
        self._store(file, "latents", encode_clip(pipeline, frames, device), example.key)

    def _encode_crop(self, pipeline: PhantomWanPipeline, crop: Path, device: torch.device) -> None:
        file = self._crop_file(crop)
        if file.is_file():
            return
        if crop in self.data.missing:
            raise InputError(f"Crop not found: {crop.name}.")
        picture = load_image(crop)
        size = (self.settings.height, self.settings.width)
        latents = pipeline.prepare_reference_latents([Pillow.fromarray(picture)], *size)[0]
        self._store(file, "latents", latents, crop.name)

    def _encode_text(self, pipeline: PhantomWanPipeline, text: str) -> None:
        file = self._text_file(text)
        if file.is_file():
            return
        with torch.no_grad():
            rows = pipeline.encode_prompt(text, do_classifier_free_guidance=False)[0][0]
        used = int(rows.abs().amax(1).nonzero().max()) + 1
        self._store(file, "embeds", rows[:used], text[:40], dtype=rows.dtype)

    def _store(
        self,
        file: Path,
        name: str,
        value: torch.Tensor,
        label: str,
        dtype: torch.dtype = torch.float16,
    ) -> None:
        value = value.detach().to("cpu", dtype).contiguous()
        if not value.isfinite().all():
            raise InputError(f"{label} has latents or embeddings that are not finite.")
        write_bytes(file, save({name: value}))

    def _video_file(self, example: Example) -> Path:
        settings = self.settings
        size = f"{settings.width}x{settings.height}x{settings.num_frames}@{settings.fps}"
        span = f"{example.start_s}-{example.end_s}"
        return self._file("video", size, span, self.data.hashes.get(example.file, ""))

    def _crop_file(self, crop: Path) -> Path:
        size = f"{self.settings.width}x{self.settings.height}"
        return self._file("crop", size, self.data.hashes.get(crop, ""))

    def _text_file(self, text: str) -> Path:
        return self._file("text", text)

    def _file(self, *facts: str) -> Path:
        text = "\0".join((self.encoders_sha256, *facts))
        name = hashlib.sha256(text.encode()).hexdigest()
        return self.folder / name[:2] / f"{name}.safetensors"


@lru_cache(LOADED_FILES)
def _load(file: Path) -> Mapping[str, torch.Tensor]:
    try:
        return load_file(file)
    except (OSError, SafetensorError) as error:
        raise InputError(
            f"The cached file {file.name} is missing or damaged.", "Delete the cache folder."
        ) from error


@torch.no_grad()
def encode_clip(pipeline: PhantomWanPipeline, frames: Frames, device: torch.device) -> torch.Tensor:
    """Return the normalised posterior mean of frames, uint8 (T, H, W, 3): float32 `[C, F, h, w]`."""
    vae = pipeline.vae
    pixels_BCTHW = torch.from_numpy(frames).permute(3, 0, 1, 2)[None].float() / 127.5 - 1
    latents = vae.encode(pixels_BCTHW.to(device, vae.dtype)).latent_dist.mode()[0].float()
    mean, std = (
        torch.tensor(values, device=latents.device).view(-1, 1, 1, 1)
        for values in (vae.config.latents_mean, vae.config.latents_std)
    )
    return (latents - mean) / std


def read_frames(example: Example, settings: TrainingShape) -> Frames:
    """Return the frames of an example: uint8 `(T, H, W, 3)`, T = 4n+1, at most `num_frames`.

    Raises:
        InputError: The file is missing, broken or has no frames.
    """
    if example.file.suffix.lower() in PICTURES:
        return _fitted(load_image(example.file), settings)[None]
    frames = []
    span = (example.start_s, example.end_s)
    for _, frame in stream_frames(example.file, *span, sample_fps=settings.fps):
        frames.append(_fitted(frame, settings))
        if len(frames) == settings.num_frames:
            break
    if not frames:
        raise InputError(f"The video {example.file.name} has no frames.")
    return np.stack(frames[: (len(frames) - 1) // 4 * 4 + 1])


def _fitted(image: Image, settings: TrainingShape) -> Image:
    """Resize an image to cover the training size and crop its centre."""
    width, height = settings.width, settings.height
    own_height, own_width = image.shape[:2]
    if (own_height, own_width) == (height, width):
        return image
    share = max(width / own_width, height / own_height)
    size = (max(width, round(own_width * share)), max(height, round(own_height * share)))
    # BOX averages, so an enlarged toy clip shrinks back to its exact pixels.
    how = Pillow.Resampling.BOX if share < 1 else Pillow.Resampling.LANCZOS
    resized = np.array(Pillow.fromarray(image).resize(size, how))
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    return resized[top : top + height, left : left + width]
