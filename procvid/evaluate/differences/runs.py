"""What differs between two runs, step by step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

from procvid.errors import InputError, UnavailableError
from procvid.evaluate.differences.clips import Comparer
from procvid.evaluate.inputs import ClipInput, RunInput
from procvid.types import Recipe
from procvid.types.difference import ClipDifferences


@dataclass(frozen=True)
class StepDifferences:
    """Two steps that belong together, or a step that only one run has.

    Attributes:
        a: Number of the step in run A, from 1; 0 if only B has it.
        b: Number of the step in run B; 0 if only A has it.
        text: The words of the step in B, or in A if only A has it.
        before: Its words in A, if they differ.
        found: What differs between the clips; None if they were not compared.
        why: Why not.
        names: What people call the step in A and in B, such as "2b"; "" for none.
    """

    a: int
    b: int
    text: str
    before: str = ""
    found: ClipDifferences | None = None
    why: str = ""
    names: tuple[str, str] = ("", "")

    @property
    def name(self) -> str:
        """What people call the step in B, or in A if only A has it."""
        return self.names[1] or self.names[0] or str(self.b or self.a)


def step_pairs(a: Sequence[str], b: Sequence[str]) -> list[tuple[int, int]]:
    """Return which steps of two recipes belong together, in order; 0 stands for none.

    Steps with the same words belong together. Between them the steps are paired in order.
    """
    pairs: list[tuple[int, int]] = []
    matcher = SequenceMatcher(None, list(a), list(b), autojunk=False)
    for _, a0, a1, b0, b1 in matcher.get_opcodes():
        both = min(a1 - a0, b1 - b0)
        pairs += [(a0 + k + 1, b0 + k + 1) for k in range(both)]
        pairs += [(k + 1, 0) for k in range(a0 + both, a1)]
        pairs += [(0, k + 1) for k in range(b0 + both, b1)]
    return pairs


def run_differences(a: RunInput, b: RunInput, comparer: Comparer) -> Iterator[StepDifferences]:
    """Yield what differs in each step. A clip that cannot be compared does not stop the others.

    Raises:
        ServiceError: A service is not available.
    """
    clips_a, clips_b = _by_number(a), _by_number(b)
    for one, two in step_pairs(_steps(a.recipe), _steps(b.recipe)):
        before, text = a.text(one), b.text(two)
        names = _name(a, one), _name(b, two)
        if not (one and two):
            side = "A" if one else "B"
            yield StepDifferences(
                one, two, text or before, why=f"only {side} has this step", names=names
            )
            continue
        pair = StepDifferences(one, two, text, before if before != text else "", names=names)
        yield _compared(pair, clips_a.get(one), clips_b.get(two), comparer)


def _compared(
    pair: StepDifferences, a: ClipInput | None, b: ClipInput | None, comparer: Comparer
) -> StepDifferences:
    found, why = None, ""
    if a is None or b is None:
        why = f"the clip of {'A' if a is None else 'B'} is missing"
    else:
        try:
            found = comparer.compare(a, b, pair.text)
        except (InputError, UnavailableError) as error:
            why = error.message
    return replace(pair, found=found, why=why)


def _by_number(run: RunInput) -> dict[int, ClipInput]:
    return {clip.number: clip for clip in run.clips}


def _name(run: RunInput, number: int) -> str:
    """Return what people call a step, "2b" for a shot; "" for none."""
    if not number:
        return ""
    return run.plan.names.get(number, str(number)) if run.plan else str(number)


def _steps(recipe: Recipe | None) -> tuple[str, ...]:
    return recipe.steps if recipe else ()
