"""Describe clips and write questions about pairs with a model behind the OpenAI protocol.

The questions are those of Step Differences in Instructional Video, S1. One request describes a clip,
one compares a pair. Answers are cached, so an interrupted curation of pairs continues without cost.
"""

from __future__ import annotations

from procvid.models.meter import Meter
from procvid.models.openai_client import OpenAIClient, Question
from procvid.plan.cast import Answer, clean_words
from procvid.plan.prompts import read_prompt
from procvid.types import ModelInfo
from procvid.types.difference import (
    LEAST_SEVERE,
    MOST_SEVERE,
    Category,
    ClipWords,
    Difference,
    PairAnswers,
    PairQuestion,
    by_category,
)

MAX_CHARS = 600
MAX_QUESTIONS = 3
SAME_ACTION = "Do both videos show a similar main action?"


class DescriptionAnswer(Answer):
    """The answer to `pair_description.txt`."""

    description: str


class AskedDifference(Answer):
    """A difference with its question."""

    category: Category
    text: str
    severity: int
    question: str
    answer: str


class AskedWhich(Answer):
    """A question that one of the videos answers."""

    question: str
    answer: int


class PairQuestionsAnswer(Answer):
    """The answer to `pair_questions.txt`."""

    differences: list[AskedDifference]
    which: list[AskedWhich]
    same_action: bool


class OpenAIPairWriter:
    """A writer that asks a language model.

    Args:
        client: Asks the model.
        meter: Counts the requests.
    """

    def __init__(self, client: OpenAIClient, meter: Meter) -> None:
        self._client, self._meter = client, meter
        self.info = ModelInfo(id="openai", revision=client.model, details={"host": client.host})

    def describe(self, words: ClipWords) -> str:
        """Return one sentence. See `PairWriter`.

        Raises:
            InputError: The model gave no usable answer about this clip.
            ServiceError: The service is not available, or the budget is used up.
        """
        material = {
            "narration": words.narration[:MAX_CHARS],
            "caption": words.caption[:MAX_CHARS],
            "objects": list(words.objects),
        }
        question = Question(read_prompt("pair_description"), material)
        answer = self._client.ask_about_one(question, DescriptionAnswer, self._meter, _undescribed)
        return clean_words(answer.description, MAX_CHARS)

    def compare(
        self, first: ClipWords, second: ClipWords, descriptions: tuple[str, str]
    ) -> PairAnswers:
        """Return differences and questions. See `PairWriter`; raises as `describe`."""
        material = dict(zip(("video_1", "video_2"), descriptions, strict=True))
        question = Question(read_prompt("pair_questions"), material)
        answer = self._client.ask_about_one(question, PairQuestionsAnswer, self._meter, _unasked)
        found = [
            Difference(each.category, clean_words(each.text, MAX_CHARS).rstrip("."), each.severity)
            for each in answer.differences
        ]
        asked = [
            PairQuestion("difference", _line(each.question), _line(each.answer))
            for each in answer.differences
        ]
        asked += [
            PairQuestion("which", _line(each.question), f"Video {each.answer}")
            for each in answer.which
        ]
        asked.append(
            PairQuestion("same action", SAME_ACTION, "YES" if answer.same_action else "NO")
        )
        return PairAnswers(by_category(found), tuple(asked))


def _line(text: str) -> str:
    return clean_words(text, MAX_CHARS)


def _undescribed(answer: DescriptionAnswer) -> list[str]:
    return [] if _line(answer.description) else ["description holds no words"]


def _unasked(answer: PairQuestionsAnswer) -> list[str]:
    problems = [
        f"{name} must hold at most {MAX_QUESTIONS} entries"
        for name, entries in (("differences", answer.differences), ("which", answer.which))
        if len(entries) > MAX_QUESTIONS
    ]
    if any(not LEAST_SEVERE <= each.severity <= MOST_SEVERE for each in answer.differences):
        problems.append("severity must be from 1 to 5")
    texts = [t for each in answer.differences for t in (each.text, each.question, each.answer)]
    if not all(_line(text) for text in (*texts, *(each.question for each in answer.which))):
        problems.append("a text, question or answer holds no words")
    if any(each.answer not in (1, 2) for each in answer.which):
        problems.append("the answer of which must be 1 or 2")
    return problems
