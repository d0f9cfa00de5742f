"""Answers of the judge, kept: asked again, the same question gets the same answer.

They lie beside the scores, so that a second evaluation is comparable with the first, whatever a
language model would say the second time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from procvid.errors import UnavailableError
from procvid.media.files import write_text
from procvid.protocols import Judge
from procvid.types import Recipe, StateChange, Verdict

NUM_NEGATIVES, NUM_OTHER_DISHES = 5, 9
MAX_CHARS = 300


class Judgements:
    """A judge with a memory; its answers are checked before they count.

    Args:
        judge: Who is asked what is not known yet.
        known: Answers from before, by the hash of their question.
    """

    def __init__(self, judge: Judge, known: Mapping[str, Any] | None = None) -> None:
        self._judge = judge
        self._answers: dict[str, Any] = dict(known or {})
        self.info = judge.info

    @classmethod
    def from_file(cls, judge: Judge, file: Path) -> Judgements:
        """With the answers of an earlier evaluation; a file that is not there or damaged has none."""
        try:
            known = json.loads(file.read_text(encoding="utf-8"))["answers"]
        except (OSError, ValueError, KeyError, TypeError):
            known = {}
        return cls(judge, known if isinstance(known, dict) else {})

    def save(self, file: Path) -> None:
        """Write all answers. Raises OutputError."""
        told = {"judge": f"{self.info.id} {self.info.revision}".strip(), "answers": self._answers}
        write_text(file, json.dumps(told, indent=1, ensure_ascii=False) + "\n")

    def hard_negatives(self, step: str) -> tuple[str, ...]:
        """Five texts very like a step and none of them the step.

        Raises:
            UnavailableError: The judge did not give five usable ones.
        """
        said = self._ask(
            ("hard negatives", step),
            lambda: list(self._judge.hard_negatives(step, NUM_NEGATIVES)),
        )
        return _texts(said, NUM_NEGATIVES, "texts near a step", not_these=(step,))

    def goal(self, recipe: Recipe) -> str:
        """What the finished dish looks like. Raises UnavailableError."""
        said = self._ask(("goal", *recipe.steps), lambda: self._judge.goal(recipe))
        return _texts([said], 1, "sentence about the dish")[0]

    def other_goals(self, recipe: Recipe, goal: str) -> tuple[str, ...]:
        """Nine other dishes. Raises UnavailableError."""
        said = self._ask(
            ("other goals", *recipe.steps),
            lambda: list(self._judge.other_goals(recipe, NUM_OTHER_DISHES)),
        )
        return _texts(said, NUM_OTHER_DISHES, "other dishes", not_these=(goal,))

    def explains(self, change: StateChange) -> Verdict:
        """Whether the step explains the change. Raises UnavailableError."""

        def asked() -> dict[str, Any]:
            verdict = self._judge.explains(change)
            return {"explained": verdict.explained, "reason": verdict.reason}

        key = ("explains", change.name, change.state_before, change.state_after, change.step)
        said = self._ask(key, asked)
        if not isinstance(said, Mapping) or not isinstance(said.get("explained"), bool):
            raise UnavailableError("The judge did not answer yes or no.", "Ask it again.")
        return Verdict(said["explained"], " ".join(str(said.get("reason", "")).split())[:MAX_CHARS])

    def _ask(self, question: Sequence[str], answer: Callable[[], Any]) -> Any:
        words = [self.info.id, self.info.revision, *question]
        key = hashlib.sha256("\0".join(words).encode()).hexdigest()[:32]
        if key not in self._answers:
            self._answers[key] = answer()
        return self._answers[key]


def _texts(said: Any, count: int, what: str, not_these: Sequence[str] = ()) -> tuple[str, ...]:
    """Checked texts: of letters, not too long, different from each other and from `not_these`."""
    taken = {_folded(text) for text in not_these}
    usable: list[str] = []
    for text in said if isinstance(said, (list, tuple)) else ():
        if not isinstance(text, str) or len(text) > MAX_CHARS:
            continue
        text = " ".join(text.split())
        if not any(c.isalpha() for c in text) or _folded(text) in taken:
            continue
        taken.add(_folded(text))
        usable.append(text)
    if len(usable) < count:
        raise UnavailableError(
            f"the judge gave {len(usable)} of {count} usable {what}", "Ask another judge."
        )
    return tuple(usable[:count])


def _folded(text: str) -> str:
    return " ".join(text.lower().split()).rstrip(".!")
