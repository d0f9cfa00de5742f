"""Sentences: why this crop, and why none."""

from __future__ import annotations

import re
from collections.abc import Sequence

from procvid.memory.candidates import Found, Question, Refused
from procvid.memory.catalogue import Catalogue
from procvid.memory.words import named, state_fit, with_article

RUN = "run"
"""The name of the store that holds the run's own crops."""

UPLOAD = "upload"
"""The source of what a person added."""


def step_of(source_id: str) -> int | None:
    """The step number in a `run/step` source id, or None when it names no step."""
    match = re.search(r"/(\d+)$", source_id)
    return int(match.group(1)) if match else None


def why(question: Question, found: Found) -> str:
    """Why a crop was taken."""
    fact, clip = found.fact, found.parts["clip"]
    words = named(fact.name, fact.role, fact.state)
    if found.store.name == RUN:
        step = step_of(fact.source_id)
        seen = "an earlier step" if step is None else f"step {step}"
        return f"The {words} as {seen} of this video showed it (similarity {clip:.2f})."
    called = "" if found.parts["name"] else f" for the {question.words}"
    if fact.source_id.startswith(UPLOAD):
        return f"The {words}{called} that you added (similarity {clip:.2f})."
    return f"A {words}{called} from {fact.source_id} (similarity {clip:.2f})."


def why_none(question: Question, catalogues: Sequence[Catalogue], refused: Refused) -> str:
    """Why there is no crop: what the memory has instead, or what spoke against those it has."""
    item = question.item
    wanted = f"No crop of {with_article(question.words)}"
    if not any(len(catalogue.store) for catalogue in catalogues):
        return f"{wanted}: the memory is empty."
    kinds = [kind for catalogue in catalogues for kind in catalogue.kinds(item.name)]
    if not kinds:
        return f"{wanted}: the memory has none."
    states = sorted({state or "unnamed" for role, state in kinds if role == item.role})
    if not states:
        return f"{wanted}: the memory knows it as {kinds[0][0]} and not as {item.role}."
    if not any(state_fit(item.role, question.state, state) for state in states):
        return f"{wanted}: the memory has only {listed(states)} ones."
    if not any(picture for c in catalogues for picture in c.pictures(item.name)):
        return f"{wanted}: the store was published without pictures."
    if refused.counts:
        reason = max(refused.counts, key=lambda r: refused.counts[r])
        count = refused.counts[reason]
        return f"{wanted}: {count} that the memory has {'is' if count == 1 else 'are'} {reason}."
    return f"{wanted}: none is like enough to what the step describes or from an earlier step."


def listed(words: Sequence[str]) -> str:
    """ "a, b and c"."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
