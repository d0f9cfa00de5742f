"""What a person asks to change of a recipe, checked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from procvid.errors import InputError
from procvid.plan.codec import MAX_NAME_CHARS
from procvid.plan.detour.amounts import MOST_SERVINGS
from procvid.plan.language.verbs import names_action
from procvid.plan.recipe.parse import MAX_STEP_CHARS
from procvid.storage.text import printable

MOST_WISHES = 20
AFTER = re.compile(r"^\s*(-?\d{1,3}[a-z]?)\s*:\s*(.+)$", re.DOTALL)
SERVINGS = re.compile(r"^\s*(\d{1,9})(?:\s*/\s*(\d{1,9}))?\s*$")


@dataclass(frozen=True)
class Wishes:
    """Changes of a recipe.

    Attributes:
        without: Foods and tools to do without.
        swap: Pairs of a thing and what takes its place.
        skip: Steps to skip, such as "3" or "3b".
        add: Steps to add; "2: Text" adds one after step 2.
        servings: Number of servings, or "2/4" for two instead of four; "" leaves the amounts.
        diet: Diets that the recipe must keep.
    """

    without: tuple[str, ...] = ()
    swap: tuple[tuple[str, str], ...] = ()
    skip: tuple[str, ...] = ()
    add: tuple[str, ...] = ()
    servings: str = ""
    diet: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Return True if nothing is to change."""
        return not any(getattr(self, one.name) for one in fields(self))


LABELS = {
    "without": "--without",
    "swap": "--swap",
    "skip": "--skip",
    "add": "--add",
    "diet": "--diet",
}


def wishes_of(
    *,
    without: Sequence[str] = (),
    swap: Sequence[str] = (),
    skip: Sequence[str] = (),
    add: Sequence[str] = (),
    servings: str = "",
    diet: Sequence[str] = (),
) -> Wishes:
    """Return checked wishes; a swap is "butter=olive oil".

    Raises:
        InputError: One is empty, too long, no swap, a swap with itself, or part of a circle.
    """
    given = {"without": without, "swap": swap, "skip": skip, "add": add, "diet": diet}
    for name, texts in given.items():
        if len(texts) > MOST_WISHES:
            raise InputError(
                f"There are {len(texts)} wishes of one kind.", f"Use at most {MOST_WISHES}."
            )
        for text in texts:
            most = MAX_STEP_CHARS if name == "add" else 2 * MAX_NAME_CHARS
            if not any(c.isalnum() for c in text) or len(text) > most:
                raise InputError(
                    f"The wish {LABELS[name]} {text[:40]!r} is empty or too long.",
                    f"Write 1 to {most} characters.",
                )
    for text in add:
        words = after_and_text(text)[1]
        if not names_action(words) or not any("a" <= c <= "z" for c in words.lower()):
            raise InputError(
                f"The new step {words[:40]!r} names no action.", 'Write "Chop the parsley."'
            )
    return Wishes(
        without=tuple(_plain(text) for text in without),
        swap=_in_order(tuple(dict.fromkeys(_pair(text) for text in swap))),
        skip=tuple(text.strip().lower() for text in skip),
        add=tuple(" ".join(printable(text).split()) for text in add),
        servings=_servings(servings),
        diet=tuple(text.strip().lower() for text in diet),
    )


def joined(one: Wishes, other: Wishes) -> Wishes:
    """Return the wishes of both; the servings of the first count if both name some.

    Raises:
        InputError: Together they are too many, or their swaps contradict each other.
    """
    value = wishes_to_json(other)
    for name, given in wishes_to_json(one).items():
        known = value.get(name, [])
        value[name] = given if isinstance(given, str) else list(dict.fromkeys([*given, *known]))
    return wishes_from_json(value)


def wishes_to_json(wishes: Wishes) -> dict[str, Any]:
    """Return the wishes as JSON, without those that ask for nothing."""
    value: dict[str, Any] = {}
    for one in fields(Wishes):
        given = getattr(wishes, one.name)
        if given:
            value[one.name] = given if isinstance(given, str) else [_joined(item) for item in given]
    return value


def wishes_from_json(value: Mapping[str, Any]) -> Wishes:
    """Read wishes. Raise InputError if they are none."""
    known = {one.name for one in fields(Wishes)}
    unknown = sorted(set(value) - known)
    if unknown:
        raise InputError(
            f"The wish {unknown[0][:40]!r} is unknown.", f"Choose {', '.join(sorted(known))}."
        )
    for name, given in value.items():
        right = str if name == "servings" else list
        if not isinstance(given, right) or not all(isinstance(item, str) for item in given):
            raise InputError(f"The wish {name} is not a {right.__name__} of texts.")
    return wishes_of(**value)


def after_and_text(wish: str) -> tuple[str, str]:
    """Return the step after which a text is added ("" for the end), and the text."""
    found = AFTER.match(wish)
    return (found[1].lower(), found[2]) if found else ("", wish)


def servings_asked(text: str) -> tuple[int, int]:
    """Return the servings wanted, and those of the recipe (0 if the wish does not name them)."""
    found = SERVINGS.match(text)
    return (int(found[1]), int(found[2] or 0)) if found else (0, 0)


def _joined(item: str | tuple[str, str]) -> str:
    return item if isinstance(item, str) else "=".join(item)


def _plain(text: str) -> str:
    return " ".join(printable(text).split()).lower()


def _pair(text: str) -> tuple[str, str]:
    old, equals, new = (_plain(part) for part in text.partition("="))
    if not (equals and old and new) or "=" in new:
        raise InputError(f"{text[:60]!r} is not a swap.", 'Write "butter=olive oil".')
    if old == new:
        raise InputError(f"The swap of {old} with itself changes nothing.", "Name another thing.")
    return old, new


def _in_order(swaps: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """Return the swaps so that none changes what another one brought in.

    Raises:
        InputError: Two swaps replace the same thing, or swaps form a circle.
    """
    olds = [old for old, _ in swaps]
    for old in olds:
        if olds.count(old) > 1:
            raise InputError(f"Two swaps replace {old}.", "Keep one of them.")
    # Imported here because it takes a tenth of a second.
    import networkx as nx

    graph = nx.DiGraph([(old, new) for old, new in swaps if new in olds])
    if not nx.is_directed_acyclic_graph(graph):
        circle = " to ".join(old for old, _ in nx.find_cycle(graph))
        raise InputError(f"The swaps form a circle: {circle}.", "Leave one of them out.")
    last_first = list(reversed(list(nx.topological_sort(graph))))
    rank = {name: place for place, name in enumerate(last_first)}
    return tuple(sorted(swaps, key=lambda pair: rank.get(pair[0], len(rank))))


def _servings(text: str) -> str:
    if not text:
        return ""
    wanted, there = servings_asked(text)
    least = 0 if "/" not in text else there
    if not 1 <= wanted <= MOST_SERVINGS or least > MOST_SERVINGS or ("/" in text and there < 1):
        raise InputError(
            f"{text[:20]!r} is no number of servings.",
            f"Write a whole number from 1 to {MOST_SERVINGS}, or 2/4.",
        )
    return text.strip()


@dataclass(frozen=True)
class Swap:
    """A thing and what takes its place.

    Attributes:
        old: The thing.
        new: What takes its place; "" for nothing.
        notes: Sentences for the cook.
        factor: How much of the new is needed for one of the old, such as "0.75"; "" if unknown.
        amount: The same in words, where a number is not enough.
        verb: The verb that a step has with another tool; "" if it stays.
        action: The action of the old tool that the verb replaces.
    """

    old: str
    new: str
    notes: tuple[str, ...] = ()
    factor: str = ""
    amount: str = ""
    verb: str = ""
    action: str = ""
