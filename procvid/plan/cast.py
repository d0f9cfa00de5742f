"""Schemas of a language model's answers, and the checks on the objects it names.

The schemas contain no limits, because not every server accepts them. Their class docstrings are part
of the request. Answers are untrusted text: this module removes markup and control characters, maps
names to the lexicon, skips foods that the recipe does not contain, and bounds every length and count.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from procvid.plan.language.lexicon import Entry, fold, lexicon, words
from procvid.plan.recipe.clean import one_line
from procvid.types import Likelihood, Recipe, Role

MAX_CAST = 60
"""Objects of a whole recipe."""
MAX_NAME_CHARS, MAX_NAME_WORDS = 60, 4
MAX_LOOK_CHARS = 120
NOT_IN_A_NAME = re.compile(r"[^a-z0-9' -]+")


class Answer(BaseModel):
    """The base of all answers: nothing more than asked for, nothing left out."""

    model_config = ConfigDict(extra="forbid")


class ObjectAnswer(Answer):
    """One object of the recipe, evidence first."""

    evidence: str
    step: int
    name: str
    role: Role
    description: str
    likelihood: Likelihood


class ObjectsAnswer(Answer):
    """The answer to `objects.txt`."""

    objects: list[ObjectAnswer]


class StateAnswer(Answer):
    """An object in a step."""

    name: str
    state_before: str
    state_after: str


class StepAnswer(Answer):
    """One step: what is done, to what, and what the camera sees."""

    number: int
    action: str
    objects: list[StateAnswer]
    prompt: str


class StepsAnswer(Answer):
    """The answer to `steps.txt`."""

    steps: list[StepAnswer]


class SeenObject(Answer):
    """One object in a clip."""

    evidence: str
    name: str
    role: Role
    description: str
    state: str
    likelihood: Likelihood


class SeenObjects(Answer):
    """The answer to `scene.txt`."""

    objects: list[SeenObject]


@dataclass(frozen=True)
class Member:
    """A checked object of the recipe; `evidence` is folded text of the recipe, or empty."""

    name: str
    role: Role
    description: str
    likelihood: Likelihood
    evidence: str


def clean_name(text: str) -> str | None:
    """Return the lexicon's name, else the name in plain lower case; None if it is not a name."""
    name = " ".join(NOT_IN_A_NAME.sub(" ", fold(one_line(text[:1000])[0])).split()).strip("' -")
    if not any(c.isalpha() for c in name):
        return None
    if len(name) > MAX_NAME_CHARS or len(name.split()) > MAX_NAME_WORDS:
        return None
    known = lexicon().look_up(name)
    return known.name if known else name


def clean_words(text: str, limit: int) -> str:
    """Return one plain line of at most `limit` characters, cut between words."""
    line = one_line(text[: 20 * limit])[0]
    return line if len(line) <= limit else line[:limit].rsplit(" ", 1)[0].rstrip(" ,;")


def clean_state(text: str) -> str:
    """Return the lexicon's state ("chopped" -> "diced"), else at most two plain words."""
    tokens = words(one_line(text[:200])[0])
    found = lexicon().state_at(tokens, 0) if tokens else None
    if found is not None and found[0].state:
        return found[0].state
    return " ".join(word.text for word in tokens[:2])[:24].strip()


def role_of(name: str, answered: Role) -> Role:
    """Return the lexicon's role of an object, else the answered one."""
    entry = lexicon().entries.get(name)
    return entry.role if entry else answered


def known_as(name: str) -> Entry | None:
    """Return the lexicon's entry for a thing, by its whole name or by its last words.

    "my old pan" is a frying pan, "tomato sauce" no tomato; None of what is not known.
    """
    parts = name.split()
    found = (lexicon().look_up(" ".join(parts[first:])) for first in range(len(parts)))
    return next((entry for entry in found if entry), None)


def believed(answer: ObjectsAnswer, recipe: Recipe) -> tuple[dict[str, Member], list[str]]:
    """Return the checked objects by name, and notes on the skipped ones."""
    text = _plain("\n".join([recipe.title, *recipe.ingredients, *recipe.steps]))
    cast: dict[str, Member] = {}
    no_names, not_there, too_many = 0, [], 0
    for item in answer.objects:
        name = clean_name(item.name)
        if name is None:
            no_names += 1
            continue
        if name in cast:
            continue
        role = role_of(name, item.role)
        evidence = _plain(item.evidence[:300])
        evidence = evidence if evidence and evidence in text else ""
        if role == "food" and not _contains(text, name, evidence):
            not_there.append(name)
            continue
        if len(cast) >= MAX_CAST:
            too_many += 1
            continue
        look = clean_words(item.description, MAX_LOOK_CHARS).lower().rstrip(".")
        cast[name] = Member(name, role, look or name, item.likelihood, evidence)
    notes = []
    if no_names:
        notes.append(f"Skipped {no_names} objects of the planner without a usable name.")
    if not_there:
        listed = ", ".join(not_there[:5]) + (", ..." if len(not_there) > 5 else "")
        notes.append(f"Skipped foods of the planner that are not in the recipe: {listed}.")
    if too_many:
        notes.append(
            f"The planner named {len(cast) + too_many} objects; the plan keeps {MAX_CAST}."
        )
    return cast, notes


def shown_in(text: str, member: Member) -> bool:
    """Return True if a step's own words name an object."""
    plain = _plain(text)
    return _contains(plain, member.name, "") or bool(member.evidence and member.evidence in plain)


def _contains(text: str, name: str, evidence: str) -> bool:
    """Return True if a folded text names a thing by evidence, name or another form of it."""
    if evidence and any(word in evidence for word in name.split()):
        return True
    if re.search(rf"\b{re.escape(name)}", text):
        return True
    tokens = words(text)
    found = (lexicon().noun_at(tokens, index) for index in range(len(tokens)))
    return any(hit is not None and hit[0].name == name for hit in found)


def _plain(text: str) -> str:
    return " ".join(word.text for word in words(text))
