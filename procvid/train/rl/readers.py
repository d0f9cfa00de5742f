"""Readers of states and looks for any footage, from the backbones of the metrics."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from procvid.evaluate.fidelity import GATE
from procvid.evaluate.vectors import unit
from procvid.media.image import crop_on_white
from procvid.memory.words import state_fit
from procvid.protocols import Detector, FrameEncoder, SceneReader
from procvid.types import Image, ModelInfo, SceneObject

ABSENT = "absent"
"""State of an object that is not there."""


class SceneStateReader:
    """Reads states with a scene reader, such as a vision model; answers are 0 or 1.

    Args:
        reader: Names the objects of a frame with their states. Each frame is asked once.
    """

    def __init__(self, reader: SceneReader) -> None:
        self._reader = reader
        self.info: ModelInfo = reader.info
        self._seen: dict[bytes, tuple[SceneObject, ...]] = {}

    def state_fit(self, images: Sequence[Image], name: str, state: str) -> list[float] | None:
        """Return 1 for each image that shows the object in the state, else 0."""
        return [self._fit(image, name, state) for image in images]

    def _fit(self, image: Image, name: str, state: str) -> float:
        key = image.tobytes()
        if key not in self._seen:
            self._seen = {
                **dict(list(self._seen.items())[-63:]),
                key: self._reader.read(image[None], ""),
            }
        found = [each.state for each in self._seen[key] if each.name == name]
        if state == ABSENT or not found:
            return float((state == ABSENT) == (not found))
        return float(any(state_fit("food", seen, state) > 0 for seen in found))


class CropLookReader:
    """Compares crops with references by a frame encoder such as DINO.

    Args:
        detector: Finds the object in a frame.
        encoder: Embeds crops.
    """

    def __init__(self, detector: Detector, encoder: FrameEncoder) -> None:
        self._detector, self._encoder = detector, encoder
        self.info = ModelInfo(
            f"{detector.info.id} + {encoder.info.id}",
            f"{detector.info.revision} {encoder.info.revision}",
        )

    def look_fit(self, images: Sequence[Image], name: str, reference: Image) -> list[float] | None:
        """Return the cosine of each frame's crop with the reference, 0 to 1; 0 where it is not found."""
        wanted = unit(self._encoder.embed_frames([reference])[0])
        fits = []
        for image, found in zip(images, self._detector.detect(images, [name]), strict=True):
            best = next((d for d in found if d.score >= GATE), None)
            if best is None:
                fits.append(0.0)
                continue
            crop = crop_on_white(image, best.box_xyxy, best.mask)
            vector = unit(self._encoder.embed_frames([crop])[0])
            fits.append(float(np.clip(vector @ wanted, 0, 1)))
        return fits
