"""Handmade evidence, small enough to compute every metric on paper."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from procvid.evaluate.evidence import (
    CLIP,
    FRAMES,
    INCEPTION,
    JUDGE,
    LPIPS,
    OBJECTS,
    SCENE,
    SHOTS,
    VIDEO,
    ClipEvidence,
    RunEvidence,
    Sighting,
)

KINDS = (CLIP, FRAMES, JUDGE, OBJECTS, SCENE, SHOTS, LPIPS, INCEPTION, VIDEO)
BACKBONES = {kind: f"hand-made {kind} 1" for kind in KINDS}
PICTURE = np.zeros((4, 4, 3), np.uint8)


@pytest.fixture
def clip() -> Callable[..., ClipEvidence]:
    """Build a clip that moves, with any field set."""

    def make(number: int, **fields: Any) -> ClipEvidence:
        known: dict[str, Any] = {
            "text": f"Step {number}.",
            "num_frames": 3,
            "fps": 6.0,
            "width": 4,
            "height": 4,
            "sampled": (0, 1, 2),
            "pixel_motion": 5.0,
            "first_image": PICTURE,
            "last_image": PICTURE,
        }
        return ClipEvidence(number, **{**known, **fields})

    return make


@pytest.fixture
def run() -> Callable[..., RunEvidence]:
    """Build a run of such clips."""

    def make(*clips: ClipEvidence, **fields: Any) -> RunEvidence:
        return RunEvidence("run", clips, **{"backbones": BACKBONES, **fields})

    return make


@pytest.fixture
def sight() -> Callable[..., Sighting]:
    """Build a detected pan, with any field set."""

    def make(**fields: Any) -> Sighting:
        known: dict[str, Any] = {
            "name": "frying pan",
            "role": "vessel",
            "state": "in use",
            "changes": False,
            "likelihood": "highly_likely",
            "score": 0.9,
        }
        return Sighting(**{**known, **fields})

    return make


def unit(*numbers: float) -> np.ndarray:
    """A vector of length 1."""
    vector = np.array(numbers, np.float32)
    return vector / np.linalg.norm(vector)
