"""Compare a clip with the steps of a plan by a vision model behind the OpenAI protocol."""

from __future__ import annotations

from procvid.errors import UnavailableError
from procvid.media.image import fit_within
from procvid.models.meter import Meter
from procvid.models.openai_client import OpenAIClient, Question
from procvid.plan.cast import Answer
from procvid.plan.prompts import read_prompt
from procvid.protocols import DifferenceReader
from procvid.types import ModelInfo, Plan, StepPlan
from procvid.types.difference import ClipDifferences, ClipView

NUM_FRAMES = 8
MAX_SIDE_PX = 512
BEST = 10
MAX_STEP_CHARS = 400


class StepFit(Answer):
    """How well the clip fits one step, 0 to 10."""

    number: int
    fit: int


class WhichStepAnswer(Answer):
    """The answer to `which_step.txt`."""

    seen: str
    fits: list[StepFit]


class OpenAICoach:
    """A coach that sees eight pictures of the clip, and compares it with the generated clip.

    Args:
        client: Asks the model.
        meter: Counts the requests.
        reader: Says what differs from the generated clip of the step.
    """

    least_fit = 0.5

    def __init__(self, client: OpenAIClient, meter: Meter, reader: DifferenceReader) -> None:
        self._client, self._meter, self._reader = client, meter, reader
        self.info = ModelInfo(id="openai", revision=client.model, details={"host": client.host})

    def fits(self, plan: Plan, clip: ClipView) -> tuple[float, ...]:
        """Return how well the clip fits each step, 0 to 1. See `CoachReader`.

        Raises:
            InputError: The model gave no usable answer about this clip.
            ServiceError: The service is not available, or the budget is used up.
        """
        numbers = {step.number for step in plan.steps}

        def problems(answer: WhichStepAnswer) -> list[str]:
            found = [each.number for each in answer.fits]
            wrong = [] if sorted(found) == sorted(numbers) else ["fits must have every step once"]
            if any(not 0 <= each.fit <= BEST for each in answer.fits):
                wrong.append(f"fit must be from 0 to {BEST}")
            return wrong

        steps = [{"number": s.number, "step": s.text[:MAX_STEP_CHARS]} for s in plan.steps]
        images = tuple(fit_within(frame, MAX_SIDE_PX) for frame in clip.spread(NUM_FRAMES).frames)
        question = Question(
            read_prompt("which_step"), {"title": plan.title, "steps": steps}, images
        )
        answer = self._client.ask_about_one(question, WhichStepAnswer, self._meter, problems)
        by_number = {each.number: each.fit / BEST for each in answer.fits}
        return tuple(by_number[step.number] for step in plan.steps)

    def against(self, step: StepPlan, clip: ClipView, made: ClipView | None) -> ClipDifferences:
        """Return what the clip does differently from the generated clip of a step.

        Raises:
            UnavailableError: The step has no clip.
            InputError: The model gave no usable answer about these clips.
            ServiceError: The service is not available, or the budget is used up.
        """
        if made is None:
            raise UnavailableError("The step has no generated clip to compare with.")
        return self._reader.differences(made, clip, step.text)
