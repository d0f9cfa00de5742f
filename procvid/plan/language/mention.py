"""A thing that a step names."""

from __future__ import annotations

from dataclasses import dataclass

from procvid.plan.language.lexicon import Entry, StateWord, lexicon


@dataclass(frozen=True)
class Mention:
    """A thing named in a step: its words, looks, state and preposition.

    `preposition` is the last one between the verb and the mention ("" for a direct object);
    `another` marks "another bowl", `definite` "the mushrooms", `indefinite` "a bowl", `prepared` "the
    prepared pan", `left_over` "the rest of the batter", `mixture` "the
    egg mixture", `sized` "a 9x13-inch dish", `particle` "scatter over the
    parsley", which moves the parsley if it is not there yet.
    """

    entry: Entry
    index: int
    looks: str
    wording: str
    state: StateWord | None
    preposition: str
    definite: bool = False
    another: bool = False
    prepared: bool = False
    indefinite: bool = False
    left_over: bool = False
    mixture: bool = False
    sized: bool = False
    particle: bool = False


def is_other_kind(mention: Mention, name: str) -> bool:
    """Return True for "the blackberry juices" beside lemon juice: the words name another food."""
    said = [lexicon().look_up(word) for word in mention.looks.split() if word not in name.split()]
    return any(entry is not None and entry.role == "food" for entry in said)
