"""Names the objects of a frame by looking: an open-vocabulary detector, then CLIP for the state.

It knows the words it was given and no others; what it says depends on the picture alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from procvid.media.image import crop_on_white
from procvid.protocols import Detector, Embedder
from procvid.types import Frames, ModelInfo, Role, SceneObject

GATE = 0.5
"""Least detector score of an object that counts as seen."""

FOOD_STATE_FREE = "whole"
"""The state that goes without saying: the bare name stands for it."""


class ZeroShotSceneReader:
    """A scene reader for a closed list of words.

    Args:
        detector: Finds the named objects.
        embedder: Tells the states of foods apart.
        roles: Object names with their roles.
        states: States that a food can be in.
    """

    def __init__(
        self,
        detector: Detector,
        embedder: Embedder,
        roles: Mapping[str, Role],
        states: Sequence[str],
    ) -> None:
        self._detector, self._embedder = detector, embedder
        self._roles, self._states = dict(roles), tuple(states)
        self.info = ModelInfo(
            id=f"zero-shot: {detector.info.id} + {embedder.info.id}",
            revision=f"{detector.info.revision} {embedder.info.revision}",
        )

    def read(self, frames: Frames, text: str) -> tuple[SceneObject, ...]:
        """The objects in the middle frame, best detection first; the text is not read."""
        frame = frames[len(frames) // 2]
        seen = self._detector.detect([frame], list(self._roles))[0]
        found = []
        for detection in seen:
            x0, y0, x1, y1 = detection.box_xyxy
            if detection.score < GATE or x1 - x0 < 1 or y1 - y0 < 1:
                continue
            name, role = detection.label, self._roles[detection.label]
            state = ""
            if role == "food":
                crop = crop_on_white(frame, detection.box_xyxy, detection.mask)
                words = [name if s == FOOD_STATE_FREE else f"{s} {name}" for s in self._states]
                fit = self._embedder.embed_texts(words) @ self._embedder.embed_images([crop])[0]
                state = self._states[int(np.argmax(fit))]
            found.append(SceneObject(name, role, name, state, "likely"))
        return tuple(found)
