"""Judges of results that no reward uses: crops against references and state words, by another CLIP."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from procvid.evaluate.fidelity import GATE
from procvid.media.image import crop_on_white
from procvid.memory.words import crop_text
from procvid.protocols import Detector, Embedder
from procvid.train.rl.rewards.clips import role_in, spread_frames
from procvid.train.rl.rewards.reward import Shown
from procvid.types import Image, ModelInfo

FRAMES = 3


class CropIdentity:
    """Mean cosine, 0 to 1, of the crops of vessels and tools with their references; 0 if one is lost.

    Args:
        detector: Finds the objects. It decides where to look, not what is right.
        embedder: CLIP of the memory.
    """

    id = "crop_identity"

    def __init__(self, detector: Detector, embedder: Embedder) -> None:
        self._detector, self._embedder = detector, embedder
        self.models: tuple[ModelInfo, ...] = (embedder.info,)

    def __call__(self, clip: Shown) -> float | None:
        """Return the mean, or None without a reference of a vessel."""
        names = [name for name in clip.references if role_in(clip.step, name) == "vessel"]
        if not names:
            return None
        images = spread_frames(clip.frames, FRAMES)
        values = []
        for name in names:
            crops = crops_of(self._detector, images, name)
            if not crops:
                values.append(0.0)
                continue
            vectors = self._embedder.embed_images([clip.references[name], *crops])
            values.append(float(np.clip(vectors[1:] @ vectors[0], 0, 1).mean()))
        return float(np.mean(values))


class CropState:
    """Probability, 0 to 1, that the crop of each food in the last frames shows its state after the step.

    Args:
        detector: Finds the foods.
        embedder: CLIP of the memory.
        states: The states to choose from.
        scale: Logit scale of the softmax over states.
    """

    id = "crop_state"

    def __init__(
        self, detector: Detector, embedder: Embedder, states: Sequence[str], scale: float = 20.0
    ) -> None:
        self._detector, self._embedder = detector, embedder
        self._states, self._scale = tuple(states), scale
        self.models: tuple[ModelInfo, ...] = (embedder.info,)

    def __call__(self, clip: Shown) -> float | None:
        """Return the mean over foods, or None without a food in a known state."""
        foods = {
            item.name: item.state_after
            for item in clip.step.objects
            if item.role == "food" and item.state_after in self._states
        }
        if not foods:
            return None
        return float(np.mean([self._fit(list(clip.frames[-2:]), *each) for each in foods.items()]))

    def _fit(self, images: Sequence[Image], name: str, state: str) -> float:
        crops = crops_of(self._detector, images, name)
        if not crops:
            return 0.0
        texts = [crop_text(name, "food", name, each) for each in self._states]
        logits = (
            self._scale * self._embedder.embed_images(crops) @ self._embedder.embed_texts(texts).T
        )
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return float(
            (odds / odds.sum(axis=1, keepdims=True)).mean(axis=0)[self._states.index(state)]
        )


def crops_of(detector: Detector, images: Sequence[Image], name: str) -> list[Image]:
    """Return the crops of an object in the images in which it is found."""
    crops = []
    for image, found in zip(images, detector.detect(images, [name]), strict=True):
        best = next((d for d in found if d.score >= GATE), None)
        if best is not None:
            crops.append(crop_on_white(image, best.box_xyxy, best.mask))
    return crops
