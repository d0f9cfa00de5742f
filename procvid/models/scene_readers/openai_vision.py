"""Name the objects of a clip with a vision model behind the OpenAI protocol (paper, 3.6)."""

from __future__ import annotations

import numpy as np

from procvid.errors import InputError
from procvid.media.image import fit_within
from procvid.models.meter import Meter
from procvid.models.openai_client import NoUsableAnswerError, OpenAIClient, Question
from procvid.plan.cast import (
    MAX_LOOK_CHARS,
    SeenObjects,
    clean_name,
    clean_state,
    clean_words,
    role_of,
)
from procvid.plan.prompts import read_prompt
from procvid.types import Frames, Image, ModelInfo, SceneObject

NUM_FRAMES = 3
MAX_SIDE_PX = 512
MAX_OBJECTS = 16
MAX_TEXT_CHARS = 2000


class OpenAISceneReader:
    """A scene reader that sees the first, the middle and the last frame of a clip.

    Args:
        client: Asks the model.
        meter: Counts the requests of one run: a store's build, or an evaluation.
    """

    def __init__(self, client: OpenAIClient, meter: Meter) -> None:
        self._client, self._meter = client, meter
        self.info = ModelInfo(id="openai", revision=client.model, details={"host": client.host})

    def read(self, frames: Frames, text: str) -> tuple[SceneObject, ...]:
        """Return the visible objects, in the state at the end of the clip.

        Raises:
            InputError: The model gave no usable answer about this clip; another may succeed.
            ServiceError: The service is not available, or the budget is used up.
        """
        question = Question(
            read_prompt("scene"), {"text": text[:MAX_TEXT_CHARS]}, images=_picked(frames)
        )
        try:
            answer = self._client.ask(
                question, SeenObjects, self._meter, repair=read_prompt("repair")
            )
        except NoUsableAnswerError as error:
            raise InputError(error.message) from None
        found: dict[str, SceneObject] = {}
        for seen in answer.objects:
            name = clean_name(seen.name)
            if name is None or name in found or len(found) >= MAX_OBJECTS:
                continue
            role = role_of(name, seen.role)
            look = clean_words(seen.description, MAX_LOOK_CHARS).lower().rstrip(".")
            state = clean_state(seen.state)
            if role != "food":
                state = state if state in ("clean", "in use") else "in use"
            found[name] = SceneObject(
                name=name,
                role=role,
                description=look or name,
                state=state or "whole",
                likelihood=seen.likelihood,
            )
        return tuple(found.values())


def _picked(frames: Frames) -> tuple[Image, ...]:
    """Return a few small frames, spread over the clip."""
    rows = np.unique(np.linspace(0, len(frames) - 1, min(len(frames), NUM_FRAMES)).round())
    return tuple(fit_within(frames[int(row)], MAX_SIDE_PX) for row in rows)
