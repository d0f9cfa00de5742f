"""Sentences that explain why a crop was chosen, or why there is none."""

from __future__ import annotations

import re
from collections.abc import Sequence

from procvid.memory.anchors import Anchor
from procvid.memory.candidates import Candidate, Catalogue, CropQuery, RefusalCounts
from procvid.memory.words import canonical, named, state_fit, with_article

RUN = "run"
"""The name of the store with the run's own crops."""

UPLOAD = "upload"
"""The source id prefix of photos that a person added."""


LEFT_OUT = "Left out by you."
"""The reason of an object that gets no reference because a person left it out."""


def step_of(source_id: str) -> int | None:
    """Return the step number of a `run/step` source id, or None if it names no step."""
    match = re.search(r"/(\d+)$", source_id)
    return int(match.group(1)) if match else None


def why(question: CropQuery, found: Candidate) -> str:
    """Return why a crop was chosen."""
    fact, clip = found.fact, found.parts["clip"]
    words = named(fact.name, fact.role, fact.state)
    if found.anchor is not None:
        return _why_anchor(words, found.anchor)
    if found.store.name == RUN:
        step = step_of(fact.source_id)
        seen = "an earlier step" if step is None else f"step {step}"
        return f"The {words} from {seen} of this video (similarity {clip:.2f})."
    purpose = "" if found.parts["name"] else f", used as {question.words}"
    before = question.item.state_before
    if question.item.role == "food" and before and question.state != canonical(before):
        purpose = f", because no image shows it {canonical(before)}"
    if fact.source_id.startswith(f"{UPLOAD}/"):
        return f"Your photo of the {words}{purpose} (similarity {clip:.2f})."
    return f"{sentence_case(with_article(words))} from {fact.source_id}{purpose} (similarity {clip:.2f})."


def _why_anchor(words: str, anchor: Anchor) -> str:
    if anchor.by_person and anchor.step:
        return f"Your image of the {words} from step {anchor.step}, kept for the steps after it."
    if not anchor.step:
        return f"The {words} of the video before the change."
    return f"The {words} of step {anchor.step}, kept for the whole video."


def why_none(question: CropQuery, catalogues: Sequence[Catalogue], refused: RefusalCounts) -> str:
    """Return why there is no crop: what the memory has instead, or why its crops were refused."""
    item = question.item
    wanted = f"No image of {question.words} yet; the model will invent one."
    if not any(len(catalogue.store) for catalogue in catalogues):
        return f"{wanted} The memory is empty."
    kinds = [kind for catalogue in catalogues for kind in catalogue.kinds(item.name)]
    if not kinds:
        return wanted
    states = sorted({state or "unnamed" for role, state in kinds if role == item.role})
    if not states:
        return f"{wanted} The memory has it as {kinds[0][0]}, not as {item.role}."
    if not any(state_fit(item.role, question.state, state) for state in states):
        return f"{wanted} Its images are only {listed(states)}."
    if not any(picture for c in catalogues for picture in c.pictures(item.name)):
        return f"{wanted} The store was published without images."
    if refused.counts:
        reason = max(refused.counts, key=lambda r: refused.counts[r])
        count = refused.counts[reason]
        crops = "1 crop was" if count == 1 else f"{count} crops were"
        return f"{wanted} {crops} refused ({reason})."
    return f"{wanted} No crop of an earlier step or a store is similar enough."


def sentence_case(text: str) -> str:
    """Return the text with its first letter in upper case."""
    return text[:1].upper() + text[1:]


def listed(words: Sequence[str]) -> str:
    """Return the words as "a, b and c"."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
