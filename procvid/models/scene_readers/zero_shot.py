"""Name the objects of a frame with an open-vocabulary detector, and food states with CLIP.

It knows a closed list of words; its answer depends on the frame alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from procvid.protocols import Detector, Embedder
from procvid.types import Frames, Image, ModelInfo, Role, SceneObject

GATE = 0.5
"""Minimum detector score of a visible object."""

Captions = Callable[[str, str], Sequence[tuple[str, str]]]
"""Maps a food and its vessel to all possible captions of the frame, each with the food's state after
the step."""


class ZeroShotSceneReader:
    """A scene reader for a closed list of words.

    Args:
        detector: Finds the named objects.
        embedder: Scores captions against the frame, which gives the states of foods.
        roles: Object names with their roles.
        captions: The captions to choose from.
    """

    def __init__(
        self,
        detector: Detector,
        embedder: Embedder,
        roles: Mapping[str, Role],
        captions: Captions,
    ) -> None:
        self._detector, self._embedder = detector, embedder
        self._roles, self._captions = dict(roles), captions
        self.info = ModelInfo(
            id=f"zero-shot: {detector.info.id} + {embedder.info.id}",
            revision=f"{detector.info.revision} {embedder.info.revision}",
        )

    def read(self, frames: Frames, text: str) -> tuple[SceneObject, ...]:
        """Return the objects in the middle frame, best detection first; ignores the text."""
        frame = frames[len(frames) // 2]
        seen = [
            detection.label
            for detection in self._detector.detect([frame], list(self._roles))[0]
            if detection.score >= GATE
        ]
        vessel = next((name for name in seen if self._roles[name] == "vessel"), "")
        return tuple(
            SceneObject(name, role, name, self._state(frame, name, vessel, role), "likely")
            for name, role in ((name, self._roles[name]) for name in seen)
        )

    def _state(self, frame: Image, name: str, vessel: str, role: Role) -> str:
        """Return the state of the caption that fits the whole frame best: a crop hides the action."""
        if role != "food":
            return ""
        texts, states = zip(*self._captions(name, vessel), strict=True)
        fit = self._embedder.embed_texts(texts) @ self._embedder.embed_images([frame])[0]
        return str(states[int(np.argmax(fit))])
