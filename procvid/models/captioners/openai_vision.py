"""Describe clips and rate captions with a vision model behind the OpenAI protocol (CookGen, C)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from procvid.media.image import fit_within
from procvid.models.meter import Meter
from procvid.models.openai_client import Check, OpenAIClient, Question
from procvid.plan.cast import Answer, clean_words
from procvid.plan.prompts import PromptName, read_prompt
from procvid.types import Frames, ModelInfo

NUM_FRAMES = 10
MAX_SIDE_PX = 512
MAX_WORDS = 80
MAX_CHARS = 800
MAX_ACTION_CHARS = 600
BEST = 6
Shape = TypeVar("Shape", bound=Answer)


class CaptionAnswer(Answer):
    """The answer to `caption.txt`."""

    seen: str
    caption: str


class RatingAnswer(Answer):
    """The answer to `rating.txt`."""

    explanation: str
    rating: int


class OpenAICaptioner:
    """A captioner that sees ten frames of a clip, including the first and the last.

    Args:
        client: Asks the model.
        meter: Counts the requests of one run.
    """

    def __init__(self, client: OpenAIClient, meter: Meter) -> None:
        self._client, self._meter = client, meter
        self.info = ModelInfo(id="openai", revision=client.model, details={"host": client.host})

    def caption(self, frames: Frames, action: str) -> str:
        """Describe what the frames show.

        Raises:
            InputError: The model gave no usable answer about this clip; another may succeed.
            ServiceError: The service is not available, or the budget is used up.
        """
        answer = self._ask(
            "caption", {"said": action[:MAX_ACTION_CHARS]}, frames, CaptionAnswer, _unfit
        )
        return clean_words(answer.caption, MAX_CHARS)

    def rate(self, frames: Frames, caption: str) -> int:
        """Rate a caption from 0 to 6. Raises as `caption`."""

        def problems(answer: RatingAnswer) -> list[str]:
            return [] if 0 <= answer.rating <= BEST else [f"rating must be from 0 to {BEST}"]

        material = {"caption": caption[:MAX_CHARS]}
        return self._ask("rating", material, frames, RatingAnswer, problems).rating

    def _ask(
        self,
        prompt: PromptName,
        material: dict[str, object],
        frames: Frames,
        shape: type[Shape],
        check: Check,
    ) -> Shape:
        rows = np.unique(np.linspace(0, len(frames) - 1, min(len(frames), NUM_FRAMES)).round())
        images = tuple(fit_within(frames[int(row)], MAX_SIDE_PX) for row in rows)
        question = Question(read_prompt(prompt), material, images)
        return self._client.ask_about_one(question, shape, self._meter, check)


def _unfit(answer: CaptionAnswer) -> Sequence[str]:
    text = clean_words(answer.caption, 10 * MAX_CHARS)
    if not any(c.isalpha() for c in text):
        return ["caption holds no words"]
    if len(text.split()) > MAX_WORDS:
        return [f"caption has {len(text.split())} words, more than {MAX_WORDS}"]
    if re.search(r"\bframes?\b", text, re.IGNORECASE):
        return ["caption speaks of frames and not of the video"]
    return []
