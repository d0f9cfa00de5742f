"""Describe clips and compare their descriptions by the planner's rules; needs no model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from procvid.errors import InputError
from procvid.plan.described import DescribedStep, consolidated
from procvid.types import ModelInfo
from procvid.types.difference import (
    TITLES,
    ClipWords,
    Difference,
    PairAnswers,
    PairQuestion,
    by_category,
)

MAX_QUESTIONS = 3
CUTS_AND_HEATS = (("peel", "slice", "dice", "mash"), ("fry", "boil", "bake"), ("stir", "mix"))
"""Actions for one purpose: they differ in technique."""

NO_DIFFERENCE = "None: both videos show the same in words."


class RulesPairWriter:
    """A writer that knows only what the words say. The same words give the same answers."""

    info = ModelInfo(id="rules", revision="1")

    def describe(self, words: ClipWords) -> str:
        """Return one sentence. See `PairWriter`."""
        step = _read(words)
        if not step.action:
            raise InputError(f"The rules find no action in {words.narration[:60]!r}.")
        return step.sentence()

    def compare(
        self, first: ClipWords, second: ClipWords, descriptions: tuple[str, str]
    ) -> PairAnswers:
        """Return differences and questions. See `PairWriter`."""
        a, b = _read(first), _read(second)
        found = by_category(_differences(a, b))
        return PairAnswers(found, (*_what_differs(found), *_which(a, b), _same_action(a, b)))


def _read(words: ClipWords) -> DescribedStep:
    return consolidated(words.narration, words.caption, words.objects)


def _differences(a: DescribedStep, b: DescribedStep) -> Iterator[Difference]:
    """Yield what differs; severities follow the scoring matrix of `procvid.types.difference`."""
    if a.action != b.action:
        one_purpose = any({a.action, b.action} <= set(kinds) for kinds in CUTS_AND_HEATS)
        category, severity = ("techniques", 2) if one_purpose else ("actions", 4)
        text = f"{b.action} instead of {a.action}"
        yield Difference(category, text, severity, "action", a.action, b.action)  # type: ignore[arg-type]
    gone, new = _only(a.foods, b.foods), _only(b.foods, a.foods)
    while gone and new:
        old, other = gone.pop(0), new.pop(0)
        yield Difference("ingredients", f"{other} instead of {old}", 4, other, old, other)
    for name in gone:
        yield Difference("ingredients", f"no {name}", 3, name, name, "")
    for name in new:
        yield Difference("ingredients", f"{name} too", 3, name, "", name)
    for name, (before, _) in a.foods.items():
        other = b.foods.get(name, ("",))[0]
        if other and other != before:
            text = f"the {name} starts {other} instead of {before}"
            yield Difference("ingredients", text, 2, name, before, other)
    for one, two in ((a.vessels, b.vessels), (a.tools, b.tools)):
        old, other = (" and ".join(_only(x, y)) for x, y in ((one, two), (two, one)))
        # A thing that a text does not name may still be there.
        if old and other:
            yield Difference("tools", f"{other} instead of {old}", 2, other, old, other)


def _only(names: Sequence[str] | dict[str, tuple[str, str]], others: object) -> list[str]:
    return [name for name in names if name not in others]  # type: ignore[operator]


def _what_differs(found: Sequence[Difference]) -> Iterator[PairQuestion]:
    forms = ("How do the {} of the two videos differ?", "What is different in {}?")
    for k, each in enumerate(found[:MAX_QUESTIONS]):
        answer = f"Video 1 has {each.a or 'nothing'}, video 2 has {each.b or 'nothing'}."
        title = TITLES[each.category].lower()
        yield PairQuestion("difference", forms[k % len(forms)].format(title), answer)
    if not found:
        yield PairQuestion("difference", "What differs between the two videos?", NO_DIFFERENCE)


def _which(a: DescribedStep, b: DescribedStep) -> Iterator[PairQuestion]:
    sides = ((a, b, "Video 1"), (b, a, "Video 2"))
    forms = (
        ("Which video shows {}?", lambda step: tuple(step.foods)),
        ("Which video uses the {}?", lambda step: (*step.vessels, *step.tools)),
    )
    asked = [
        PairQuestion("which", form.format(name), video)
        for form, names in forms
        for one, other, video in sides
        for name in _only(names(one), names(other))
    ]
    yield from asked[:MAX_QUESTIONS]


def _same_action(a: DescribedStep, b: DescribedStep) -> PairQuestion:
    answer = "YES" if a.action == b.action else "NO"
    return PairQuestion("same action", "Do both videos show a similar main action?", answer)
