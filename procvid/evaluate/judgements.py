"""Answers of the judge, kept: asked again, the same question gets the same answer.

They lie beside the scores, so that a second evaluation is comparable with the first, whatever a
language model would say the second time. Where the judge gives nothing of use, another stands in for
that question; who answered is kept with the answer, and the user is told.
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
Read = TypeVar("Read")


@dataclass(frozen=True)
class Kept:
    """An answer with its question and who gave it."""

    question: tuple[str, ...]
    answer: Any
    by: str


class Judgements:
    """A judge with a memory; its answers are checked before they count.

    Args:
        judge: Who is asked what is not known yet.
        known: Answers from before, by the hash of their question.
        stand_in: Who is asked where the judge gives nothing of use.
        strict: Whether what only a person can mend at the judge's service is an error.
    """

    def __init__(
        self,
        judge: Judge,
        known: Mapping[str, Kept] | None = None,
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
        """The judge of an evaluation, with the answers of an earlier one; None without a judge."""
        if parts.judge is None:
            return None
        known = _known(file) if file is not None else {}
        return cls(parts.judge, known, parts.stand_in, parts.strict_judge)

    def save(self, file: Path, *, stand_ins: bool = True) -> None:
        """Write all answers, or only the judge's own. Raises OutputError."""
        own = _name(self.info)
        told = {
            "judge": own,
            "answers": {
                key: {"question": list(kept.question), "answer": kept.answer, "by": kept.by}
                for key, kept in self._answers.items()
                if stand_ins or kept.by == own
            },
        }
        write_text(file, json.dumps(told, indent=1, ensure_ascii=False) + "\n")

    def take_note(self) -> str:
        """What the user should know of the answers since the last call; "" when nothing."""
        count, why = len(self._stood_in), next(iter(self._stood_in.values()), "")
        self._stood_in = {}
        if not count or self._stand_in is None:
            return ""
        what = "one question" if count == 1 else f"{count} questions"
        return f"{_name(self._stand_in.info)} answered {what} for the judge, because {why}"

    def hard_negatives(self, step: str) -> tuple[str, ...]:
        """Five texts very like a step and none of them the step.

        Raises:
            UnavailableError: Nobody gave five usable ones.
        """
        return self._ask(
            ("hard negatives", step),
            lambda judge: list(judge.hard_negatives(step, NUM_NEGATIVES)),
            lambda said: _texts(said, NUM_NEGATIVES, "texts near a step", not_these=(step,)),
        )

    def dishes(self, recipe: Recipe) -> tuple[str, ...]:
        """What the finished dish looks like, then nine other dishes, all in one judge's words.

        Raises:
            UnavailableError: Nobody gave ten usable sentences.
        """
        return self._ask(
            ("dishes", recipe.title, *recipe.steps),
            lambda judge: [judge.goal(recipe), *judge.other_goals(recipe, NUM_OTHER_DISHES)],
            lambda said: _texts(said, 1 + NUM_OTHER_DISHES, "dishes", first_counts=True),
        )

    def explains(self, change: StateChange) -> Verdict:
        """Whether the step explains the change. Raises UnavailableError."""

        def asked(judge: Judge) -> dict[str, Any]:
            verdict = judge.explains(change)
            return {"explained": verdict.explained, "reason": verdict.reason}

        question = ("explains", change.name, change.state_before, change.state_after, change.step)
        return self._ask(question, asked, _verdict)

    def _ask(
        self,
        question: tuple[str, ...],
        ask: Callable[[Judge], Any],
        read: Callable[[Any], Read],
    ) -> Read:
        """The kept answer, the judge's or its stand-in's; the first that can be read is kept."""
        words = [self.info.id, self.info.revision, *question]
        key = hashlib.sha256("\0".join(words).encode()).hexdigest()[:32]
        kept, own = self._answers.get(key), _name(self.info)
        if kept is not None:
            try:
                answer = read(kept.answer)
            except UnavailableError:
                del self._answers[key]
            else:
                if kept.by != own:
                    self._stood_in[key] = f"{own} gave nothing of use before (kept with the scores)"
                return answer
        why = self._gone
        if not why:
            try:
                said = ask(self._judge)
                answer = read(said)
            except (UnavailableError, InputError) as error:
                if self._stand_in is None or self._must_stop(error):
                    raise
                why = _because(error)
            else:
                self._answers[key] = Kept(question, said, own)
                return answer
        assert self._stand_in is not None
        said = ask(self._stand_in)
        answer = read(said)
        self._answers[key] = Kept(question, said, _name(self._stand_in.info))
        self._stood_in[key] = why
        return answer

    def _must_stop(self, error: UnavailableError | InputError) -> bool:
        """Whether nobody may stand in; a service that is gone is not asked again."""
        if not isinstance(error, ServiceError):
            return False
        if error.lasting and self._strict:
            return True
        self._gone = _because(error)
        return False


def _known(file: Path) -> dict[str, Kept]:
    """The answers in a file; one that is not there or damaged has none."""
    try:
        told = json.loads(file.read_text(encoding="utf-8"))["answers"]
        return {
            str(key): Kept(tuple(map(str, kept["question"])), kept["answer"], str(kept["by"]))
            for key, kept in told.items()
        }
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return {}


def _name(info: ModelInfo) -> str:
    return f"{info.id} {info.revision}".strip()


def _because(error: UnavailableError | InputError) -> str:
    reason = error.message.rstrip(".")
    return reason[:1].lower() + reason[1:] if reason.startswith(("The ", "There ")) else reason


def _verdict(said: Any) -> Verdict:
    if not isinstance(said, Mapping) or not isinstance(said.get("explained"), bool):
        raise UnavailableError("the judge did not answer yes or no", "Ask another judge.")
    return Verdict(said["explained"], " ".join(str(said.get("reason", "")).split())[:MAX_CHARS])


def _texts(
    said: Any,
    count: int,
    what: str,
    not_these: Sequence[str] = (),
    *,
    first_counts: bool = False,
) -> tuple[str, ...]:
    """Checked texts: of letters, not too long, different from each other and from `not_these`.

    Where the first has a meaning of its own, it must be among the usable ones.
    """
    taken = {_folded(text) for text in not_these}
    usable: list[str] = []
    for place, text in enumerate(said if isinstance(said, (list, tuple)) else ()):
        good = isinstance(text, str) and len(text) <= MAX_CHARS and any(c.isalpha() for c in text)
        if good and _folded(text) not in taken:
            taken.add(_folded(text))
            usable.append(" ".join(text.split()))
        elif first_counts and place == 0:
            break
    if len(usable) < count:
        raise UnavailableError(
            f"the judge gave {len(usable)} of {count} usable {what}", "Ask another judge."
        )
    return tuple(usable[:count])


def _folded(text: str) -> str:
    return " ".join(text.lower().split()).rstrip(".!")
