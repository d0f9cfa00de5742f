"""Differences of two clips, by a vision model behind the OpenAI protocol.

First the model describes the action and the objects of each clip; objects that a detector does not find
are left out (Step Differences in Instructional Video, S1). Then it compares the clips, whose pictures
are sent in turns, and once more with the clips turned round. A difference counts if both answers have
it, each with the sides the right way round.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from itertools import chain
from typing import Any

from procvid.errors import InputError
from procvid.media.image import fit_within
from procvid.models.meter import Meter
from procvid.models.openai_client import NoUsableAnswerError, OpenAIClient, Question
from procvid.plan.cast import Answer, clean_name, clean_words
from procvid.plan.prompts import read_prompt
from procvid.types import Image, ModelInfo
from procvid.types.difference import Category, ClipDifferences, ClipView, Difference, by_category

NUM_FRAMES = 4
MAX_SIDE_PX = 512
MAX_DIFFERENCES = 12
MAX_OBJECTS = 12
MAX_ALIKE = 8
MAX_TEXT_CHARS = 2000
MAX_WORDS_CHARS = 160
SEVERITIES = range(1, 6)

Found = Callable[[Image, Sequence[str]], Collection[str] | None]
"""Returns which of the names are seen in an image, or None if that cannot be checked."""

UNCHECKED = "the named objects were not checked by a detector"
SMALL_WORDS = frozenset({"a", "an", "the", "of", "with", "in", "on", "and", "is"})


class ObjectWatched(Answer):
    """One object of a clip."""

    name: str
    look: str


class WatchedAnswer(Answer):
    """The answer to `watched.txt`."""

    action: str
    objects: list[ObjectWatched]


class DifferenceAnswer(Answer):
    """One difference."""

    category: Category
    subject: str
    in_first: str
    in_second: str
    text: str
    severity: int
    moment: int


class DifferencesAnswer(Answer):
    """The answer to `differences.txt`."""

    differences: list[DifferenceAnswer]
    alike: list[str]


class OpenAIDifferenceReader:
    """A reader that sees four pictures of each clip. It asks four questions for two clips.

    Args:
        client: Asks the model.
        meter: Counts the requests of one comparison.
        found: Checks which named objects a picture shows.
    """

    def __init__(self, client: OpenAIClient, meter: Meter, found: Found) -> None:
        self._client, self._meter, self._found = client, meter, found
        self.info = ModelInfo(id="openai", revision=client.model, details={"host": client.host})

    def differences(self, a: ClipView, b: ClipView, text: str) -> ClipDifferences:
        """Return what `b` shows instead of `a`. See `DifferenceReader`.

        Raises:
            InputError: The model gave no usable answer about these clips; others may succeed.
            ServiceError: The service is not available, or the budget is used up.
        """
        text = text[:MAX_TEXT_CHARS]
        count = min(NUM_FRAMES, len(a.frames), len(b.frames))
        one, two = a.spread(count), b.spread(count)
        try:
            (first, no_a), (second, no_b) = self._watched(one, text), self._watched(two, text)
            forth = self._compared(one, two, {"step": text, "first": first, "second": second})
            back = self._compared(two, one, {"step": text, "first": second, "second": first})
        except NoUsableAnswerError as error:
            raise InputError(error.message) from None
        kept: list[Difference] = []
        missing = 0
        for said in forth.differences:
            again = next((other for other in back.differences if _same(said, other)), None)
            if again is None:
                missing += 1
                continue
            kept.append(_difference(said, again, one, two))
        dropped = missing + sum(
            not any(_same(s, o) for s in forth.differences) for o in back.differences
        )
        what, them = ("difference was", "it") if dropped == 1 else ("differences were", "them")
        notes = [f"{dropped} {what} dropped, because only one of two answers has {them}"]
        lost = [name for names in (no_a, no_b) if names is not None for name in names]
        if lost:
            notes.append(f"not found by the detector: {', '.join(dict.fromkeys(lost))}")
        if no_a is None or no_b is None:
            notes.append(UNCHECKED)
        if count < NUM_FRAMES:
            notes.append(
                f"only {count} picture{'s' * (count > 1)} of each clip, as one is so short"
            )
        alike = [clean_words(each, MAX_WORDS_CHARS) for each in forth.alike[:MAX_ALIKE]]
        return ClipDifferences(
            found=by_category(kept),
            alike=tuple(each for each in alike if each),
            dropped=dropped,
            notes=tuple(notes if dropped else notes[1:]),
        )

    def _watched(self, view: ClipView, text: str) -> tuple[dict[str, Any], list[str] | None]:
        """Return what a clip shows, and the names that were left out; None if none was checked."""
        images = tuple(fit_within(frame, MAX_SIDE_PX) for frame in view.frames)
        question = Question(read_prompt("watched"), {"step": text}, images)
        answer = self._client.ask(
            question, WatchedAnswer, self._meter, repair=read_prompt("repair"), check=_unwatched
        )
        looks: dict[str, str] = {}
        for seen in answer.objects[:MAX_OBJECTS]:
            name = clean_name(seen.name)
            if name is not None:
                looks.setdefault(name, clean_words(seen.look, MAX_WORDS_CHARS))
        there = self._found(view.frames[len(view.frames) // 2], tuple(looks)) if looks else ()
        kept = looks if there is None else {n: look for n, look in looks.items() if n in there}
        lost = None if there is None else [name for name in looks if name not in there]
        action = clean_words(answer.action, 2 * MAX_WORDS_CHARS)
        return {"action": action, "objects": kept}, lost

    def _compared(
        self, first: ClipView, second: ClipView, material: dict[str, Any]
    ) -> DifferencesAnswer:
        turns = chain.from_iterable(zip(first.frames, second.frames, strict=True))
        images = tuple(fit_within(frame, MAX_SIDE_PX) for frame in turns)
        return self._client.ask(
            Question(read_prompt("differences"), material, images),
            DifferencesAnswer,
            self._meter,
            repair=read_prompt("repair"),
            check=_undifferent,
        )


def _unwatched(answer: WatchedAnswer) -> list[str]:
    return [] if clean_words(answer.action, MAX_TEXT_CHARS) else ["action holds no words"]


def _undifferent(answer: DifferencesAnswer) -> list[str]:
    problems: list[str] = []
    if len(answer.differences) > MAX_DIFFERENCES:
        problems.append(f"differences must hold at most {MAX_DIFFERENCES} entries")
    if any(each.severity not in SEVERITIES for each in answer.differences):
        problems.append("severity must be from 1 to 5")
    if any(not clean_words(each.text, MAX_WORDS_CHARS) for each in answer.differences):
        problems.append("text holds no words")
    if any(_plain(each.in_first) == _plain(each.in_second) for each in answer.differences):
        problems.append("in_first and in_second must differ")
    return problems


def _plain(text: str) -> str:
    return clean_words(text, MAX_WORDS_CHARS).lower().replace(",", " ")


def _words(text: str) -> frozenset[str]:
    return frozenset(_plain(text).split()) - SMALL_WORDS


def _same(said: DifferenceAnswer, turned: DifferenceAnswer) -> bool:
    """Return True if an answer about the turned clips says the same, with the sides turned too."""
    if said.category != turned.category:
        return False
    one, two = _words(said.in_first), _words(said.in_second)
    first, second = _words(turned.in_first), _words(turned.in_second)
    right = len(one & second) + len(two & first)
    wrong = len(one & first) + len(two & second)
    return right > wrong


def _difference(
    said: DifferenceAnswer, again: DifferenceAnswer, one: ClipView, two: ClipView
) -> Difference:
    pair = said.moment - 1 if 1 <= said.moment <= len(one.times_s) else None
    return Difference(
        category=said.category,
        text=clean_words(said.text, MAX_WORDS_CHARS).rstrip("."),
        severity=(said.severity + again.severity + 1) // 2,
        subject=clean_words(said.subject, MAX_WORDS_CHARS),
        a=clean_words(said.in_first, MAX_WORDS_CHARS),
        b=clean_words(said.in_second, MAX_WORDS_CHARS),
        a_s=None if pair is None else one.times_s[pair],
        b_s=None if pair is None else two.times_s[pair],
    )
