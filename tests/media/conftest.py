"""Small clips to write and read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from procvid.media.video import write_clip
from procvid.types import Frames


@pytest.fixture(scope="session")
def frames() -> Frames:
    """Nine frames of 32x32 px: colour blocks that move by a pixel a frame."""
    blocks = np.random.default_rng(0).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    still = blocks.repeat(8, axis=0).repeat(8, axis=1)
    return np.stack([np.roll(still, shift, axis=1) for shift in range(9)])


@pytest.fixture
def clip_at(tmp_path: Path, frames: Frames) -> Callable[..., Path]:
    """Write a clip and return its path."""

    def write(name: str, shown: Frames | None = None, fps: int = 6, scale: int = 4) -> Path:
        path = tmp_path / name
        write_clip(path, frames if shown is None else shown, fps, {"title": path.name}, scale=scale)
        return path

    return write
