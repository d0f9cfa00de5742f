"""The judge that asks a language model behind the OpenAI protocol (paper, section 3.3).

Its answers are untrusted text: they must fit a schema, and markup, control characters and extra length
are removed. An answer that stays unusable after one repair request is an error here; then
`procvid.evaluate.judgements` uses the rules and records it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from pydantic import BaseModel

from procvid.models.meter import Meter
from procvid.models.openai_client import Check, OpenAIClient, Question
from procvid.plan.cast import Answer, clean_words
from procvid.plan.prompts import PromptName, read_prompt
from procvid.types import ModelInfo, Recipe, StateChange, Verdict

MAX_CHARS = 300
"""Limit of a text, a sentence or a reason; CLIP reads about this much."""

MAX_STEPS = 100
MAX_STEP_CHARS = 2000
Shape = TypeVar("Shape", bound=BaseModel)


class TextAnswer(Answer):
    """A caption that is wrong in one way."""

    differs: str
    text: str


class TextsAnswer(Answer):
    """The answer to `negatives.txt` and to `other_dishes.txt`."""

    texts: list[TextAnswer]


class DishAnswer(Answer):
    """The answer to `dish.txt`."""

    shown: str
    sentence: str


class VerdictAnswer(Answer):
    """The answer to `change.txt`."""

    reason: str
    explained: bool


class OpenAIJudge:
    """Judges with a model behind the OpenAI protocol.

    Args:
        client: Asks the model.
        meter: Counts the requests of one evaluation.
    """

    def __init__(self, client: OpenAIClient, meter: Meter) -> None:
        self._client, self._meter = client, meter
        self.info = ModelInfo(id="openai", revision=client.model, details={"host": client.host})

    def hard_negatives(self, step: str, count: int) -> tuple[str, ...]:
        """Return texts similar to a step that a clip of it does not show.

        Raises:
            InputError: The model gave no usable answer to this question; another may succeed.
            ServiceError: The service is not available, or the budget is used up.
        """
        material = {"step": step[:MAX_STEP_CHARS], "count": count}
        return self._texts("negatives", material, count, not_these=(step,))

    def goal(self, recipe: Recipe) -> str:
        """Describe the finished dish. Raises as `hard_negatives`."""
        answer = self._ask(
            "dish",
            _material_of(recipe),
            DishAnswer,
            lambda answer: [] if _has_words(answer.sentence) else ["sentence holds no words"],
        )
        return clean_words(answer.sentence, MAX_CHARS)

    def other_goals(self, recipe: Recipe, count: int) -> tuple[str, ...]:
        """Return other dishes, worded like `goal`, which is asked first. Raises as `hard_negatives`."""
        dish = self.goal(recipe)
        material = {**_material_of(recipe), "dish": dish, "count": count}
        return self._texts("other_dishes", material, count, not_these=(dish,))

    def explains(self, change: StateChange) -> Verdict:
        """Decide whether the step explains the change. Raises as `hard_negatives`."""
        answer = self._ask(
            "change",
            {
                "object": change.name,
                "before": change.state_before,
                "now": change.state_after,
                "step": change.step[:MAX_STEP_CHARS],
            },
            VerdictAnswer,
            lambda answer: [] if _has_words(answer.reason) else ["reason holds no words"],
        )
        return Verdict(answer.explained, clean_words(answer.reason, MAX_CHARS))

    def _texts(
        self,
        prompt: PromptName,
        material: dict[str, object],
        count: int,
        not_these: Sequence[str],
    ) -> tuple[str, ...]:
        def problems(answer: TextsAnswer) -> list[str]:
            usable = len(_distinct(answer, not_these))
            return (
                [] if usable >= count else [f"{usable} of {count} texts are different and usable"]
            )

        answer = self._ask(prompt, material, TextsAnswer, problems)
        return tuple(_distinct(answer, not_these)[:count])

    def _ask(
        self, prompt: PromptName, material: dict[str, object], shape: type[Shape], check: Check
    ) -> Shape:
        question = Question(read_prompt(prompt), material)
        return self._client.ask_about_one(question, shape, self._meter, check)


def _material_of(recipe: Recipe) -> dict[str, object]:
    steps = [step[:MAX_STEP_CHARS] for step in recipe.steps[:MAX_STEPS]]
    return {"title": recipe.title[:MAX_CHARS], "steps": steps}


def _has_words(text: str) -> bool:
    return any(c.isalpha() for c in clean_words(text, MAX_CHARS))


def _distinct(answer: TextsAnswer, not_these: Sequence[str]) -> list[str]:
    taken = {_folded(text) for text in not_these}
    found = []
    for candidate in answer.texts:
        text = clean_words(candidate.text, MAX_CHARS)
        if any(c.isalpha() for c in text) and _folded(text) not in taken:
            taken.add(_folded(text))
            found.append(text)
    return found


def _folded(text: str) -> str:
    return " ".join(text.lower().split()).rstrip(".!")
