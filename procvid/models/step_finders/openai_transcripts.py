"""Find cooking steps in a transcript with a model behind the OpenAI protocol (paper, section 3.2).

The model refers to cues by number, so the times come from the transcript and are never invented.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from procvid.models.meter import Meter
from procvid.models.openai_client import OpenAIClient, Question
from procvid.plan.cast import Answer, clean_words
from procvid.plan.prompts import read_prompt
from procvid.types import ModelInfo, TimedText

CUES_AT_ONCE = 150
MAX_CUE_CHARS = 300
MAX_STEP_CHARS = 300
MAX_TITLE_CHARS = 200


class CueStepAnswer(Answer):
    """One step: its first and last cue, and what is done."""

    first: int
    last: int
    step: str


class CueStepsAnswer(Answer):
    """The answer to `transcript.txt`."""

    steps: list[CueStepAnswer]


class OpenAIStepFinder:
    """A step finder that asks a language model.

    Args:
        client: Asks the model.
        meter: Counts the requests of one run.
    """

    def __init__(self, client: OpenAIClient, meter: Meter) -> None:
        self._client, self._meter = client, meter
        self.info = ModelInfo(id="openai", revision=client.model, details={"host": client.host})

    def find(self, title: str, cues: Sequence[TimedText]) -> tuple[TimedText, ...]:
        """Return steps in the order of time.

        Raises:
            InputError: The model gave no usable answer about this transcript; another may succeed.
            ServiceError: The service is not available, or the budget is used up.
        """
        found: list[TimedText] = []
        for start in range(0, len(cues), CUES_AT_ONCE):
            found += self._part(title, cues[start : start + CUES_AT_ONCE])
        return tuple(found)

    def _part(self, title: str, cues: Sequence[TimedText]) -> list[TimedText]:
        material = {
            "title": title[:MAX_TITLE_CHARS],
            "cues": {str(n): cue.text[:MAX_CUE_CHARS] for n, cue in enumerate(cues, start=1)},
        }

        def problems(answer: CueStepsAnswer) -> list[str]:
            numbers = [(step.first, step.last) for step in answer.steps]
            if not all(1 <= first <= last <= len(cues) for first, last in numbers):
                return [f"first and last must be cues from 1 to {len(cues)}, first not after last"]
            if any(later[0] <= one[1] for one, later in pairwise(numbers)):
                return ["the steps must be in the order of their cues and share none"]
            if not all(any(c.isalpha() for c in clean_words(s.step, 9)) for s in answer.steps):
                return ["a step holds no words"]
            return []

        question = Question(read_prompt("transcript"), material)
        answer = self._client.ask_about_one(question, CueStepsAnswer, self._meter, problems)
        return [
            TimedText(
                cues[step.first - 1].start_s,
                cues[step.last - 1].end_s,
                clean_words(step.step, MAX_STEP_CHARS),
            )
            for step in answer.steps
        ]
