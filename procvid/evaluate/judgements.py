"""Stored answers of the judge: the same question always gets the same answer.

They are stored with the scores, so that a second evaluation is comparable with the first even if a
language model would answer differently. If the judge gives no usable answer, a stand-in answers that
question; its name is stored with the answer and shown to the user.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from procvid.errors import InputError, ServiceError, UnavailableError
from procvid.evaluate.parts import EvaluationParts
from procvid.protocols import Judge
from procvid.storage.atomic import write_text
from procvid.types import ModelInfo, Recipe, StateChange, Verdict

NUM_NEGATIVES, NUM_OTHER_DISHES = 5, 9
MAX_CHARS = 300
Parsed = TypeVar("Parsed")


@dataclass(frozen=True)
class Judgement:
    """An answer with its question; `by` is the id and revision of the model that gave it."""

    question: tuple[str, ...]
    answer: Any
    by: str


class Judgements:
    """A judge with its stored answers; every answer is checked before it is used.

    Args:
        judge: Answers new questions.
        known: Earlier answers, by the hash of their question.
        stand_in: Answers if the judge gives no usable answer.
        strict: Raise an error of the judge's service that only a person can fix.
    """

    def __init__(
        self,
        judge: Judge,
        known: Mapping[str, Judgement] | None = None,
        stand_in: Judge | None = None,
        strict: bool = False,
    ) -> None:
        self._judge, self._stand_in, self._strict = judge, stand_in, strict
        self._answers = dict(known or {})
        self._gone = ""
        self._stood_in: dict[str, str] = {}
        self.info = judge.info

    @classmethod
    def of(cls, parts: EvaluationParts, file: Path | None = None) -> Judgements | None:
        """Return the judge of an evaluation with the answers stored in a file; None without a judge."""
        if parts.judge is None:
            return None
        known = read_answers(file) if file is not None else {}
        return cls(parts.judge, known, parts.stand_in, parts.strict_judge)

    @property
    def answers(self) -> Mapping[str, Judgement]:
        """All answers so far, by the hash of their question."""
        return self._answers

    def add(self, answers: Mapping[str, Judgement]) -> None:
        """Take over answers of another process."""
        self._answers.update(answers)

    def save(self, file: Path, *, stand_ins: bool = True) -> None:
        """Write all answers, or only those of the judge itself. Raises OutputError.

        The order of the file does not depend on the order of the questions.
        """
        own = _name(self.info)
        ordered = sorted(self._answers.items(), key=lambda item: (item[1].question, item[0]))
        content = {
            "judge": own,
            "answers": {
                key: {"question": list(each.question), "answer": each.answer, "by": each.by}
                for key, each in ordered
                if stand_ins or each.by == own
            },
        }
        write_text(file, json.dumps(content, indent=1, ensure_ascii=False) + "\n")

    def take_note(self) -> str:
        """Return a note on the answers of the stand-in since the last call, or ""."""
        count, why = len(self._stood_in), next(iter(self._stood_in.values()), "")
        self._stood_in = {}
        if not count or self._stand_in is None:
            return ""
        what = "one question" if count == 1 else f"{count} questions"
        return f"{_name(self._stand_in.info)} answered {what} for the judge, because {why}"

    def hard_negatives(self, step: str) -> tuple[str, ...]:
        """Return five texts that are very similar to a step but differ from it.

        Raises:
            UnavailableError: Neither the judge nor the stand-in gave five usable texts.
        """
        return self._ask(
            ("hard negatives", step),
            lambda judge: list(judge.hard_negatives(step, NUM_NEGATIVES)),
            lambda answer: _texts(answer, NUM_NEGATIVES, "texts near a step", not_these=(step,)),
        )

    def dishes(self, recipe: Recipe) -> tuple[str, ...]:
        """Return a description of the finished dish and of nine others, all by the same model.

        Raises:
            UnavailableError: Neither the judge nor the stand-in gave ten usable sentences.
        """
        return self._ask(
            ("dishes", recipe.title, *recipe.steps),
            lambda judge: [judge.goal(recipe), *judge.other_goals(recipe, NUM_OTHER_DISHES)],
            lambda answer: _texts(answer, 1 + NUM_OTHER_DISHES, "dishes", first_counts=True),
        )

    def explains(self, change: StateChange) -> Verdict:
        """Return the verdict whether the step explains the change. Raises UnavailableError."""

        def ask(judge: Judge) -> dict[str, Any]:
            verdict = judge.explains(change)
            return {"explained": verdict.explained, "reason": verdict.reason}

        question = ("explains", change.name, change.state_before, change.state_after, change.step)
        return self._ask(question, ask, _verdict)

    def _ask(
        self,
        question: tuple[str, ...],
        ask: Callable[[Judge], Any],
        parse: Callable[[Any], Parsed],
    ) -> Parsed:
        """Return the stored answer, or that of the judge or its stand-in; store what can be parsed."""
        words = [self.info.id, self.info.revision, *question]
        key = hashlib.sha256("\0".join(words).encode()).hexdigest()[:32]
        stored, own = self._answers.get(key), _name(self.info)
        if stored is not None:
            try:
                parsed = parse(stored.answer)
            except UnavailableError:
                del self._answers[key]
            else:
                if stored.by != own:
                    self._stood_in[key] = (
                        f"{own} gave no usable answer before (see judgements.json)"
                    )
                return parsed
        why = self._gone
        if not why:
            try:
                answer = ask(self._judge)
                parsed = parse(answer)
            except (UnavailableError, InputError) as error:
                if self._stand_in is None or self._must_stop(error):
                    raise
                why = _because(error)
            else:
                self._answers[key] = Judgement(question, answer, own)
                return parsed
        assert self._stand_in is not None
        answer = ask(self._stand_in)
        parsed = parse(answer)
        self._answers[key] = Judgement(question, answer, _name(self._stand_in.info))
        self._stood_in[key] = why
        return parsed

    def _must_stop(self, error: UnavailableError | InputError) -> bool:
        """Return True if the stand-in may not answer. A failed service is not asked again."""
        if not isinstance(error, ServiceError):
            return False
        if error.lasting and self._strict:
            return True
        self._gone = _because(error)
        return False


def read_answers(file: Path) -> dict[str, Judgement]:
    """Return the answers in a file by the hash of their question; {} if it is missing or damaged."""
    try:
        answers = json.loads(file.read_text(encoding="utf-8"))["answers"]
        return {
            str(key): Judgement(tuple(map(str, each["question"])), each["answer"], str(each["by"]))
            for key, each in answers.items()
        }
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return {}


def _name(info: ModelInfo) -> str:
    return f"{info.id} {info.revision}".strip()


def _because(error: UnavailableError | InputError) -> str:
    reason = error.message.rstrip(".")
    return reason[:1].lower() + reason[1:] if reason.startswith(("The ", "There ")) else reason


def _verdict(answer: Any) -> Verdict:
    if not isinstance(answer, Mapping) or not isinstance(answer.get("explained"), bool):
        raise UnavailableError("the judge did not answer yes or no", "Choose another judge.")
    return Verdict(answer["explained"], " ".join(str(answer.get("reason", "")).split())[:MAX_CHARS])


def _texts(
    answer: Any,
    count: int,
    what: str,
    not_these: Sequence[str] = (),
    *,
    first_counts: bool = False,
) -> tuple[str, ...]:
    """Return usable texts: with letters, not too long, and different from each other and `not_these`.

    With `first_counts`, the first text has a meaning of its own and must be usable.
    """
    taken = {_folded(text) for text in not_these}
    usable: list[str] = []
    for place, text in enumerate(answer if isinstance(answer, (list, tuple)) else ()):
        good = isinstance(text, str) and len(text) <= MAX_CHARS and any(c.isalpha() for c in text)
        if good and _folded(text) not in taken:
            taken.add(_folded(text))
            usable.append(" ".join(text.split()))
        elif first_counts and place == 0:
            break
    if len(usable) < count:
        raise UnavailableError(
            f"the judge gave {len(usable)} of {count} usable {what}", "Choose another judge."
        )
    return tuple(usable[:count])


def _folded(text: str) -> str:
    return " ".join(text.lower().split()).rstrip(".!")
