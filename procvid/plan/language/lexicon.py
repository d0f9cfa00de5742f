"""Load the kitchen lexicon: foods, vessels, tools, verbs with their actions, and states.

The data lie in `procvid/assets/lexicon/*.tsv` and are our own compilation. A phrase is looked up
as a tuple of lower-case words without accents and hyphens; the longest phrase wins.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import TypeVar

from procvid.types import Role

Found = TypeVar("Found")
Phrase = tuple[str, ...]

MARK = re.compile(r"[.,;:!?()/\n•–—]")
WORD = re.compile(r"[^\W\d_①-⓿❶-➓]+(?:['’][^\W\d_]+)*|\d+(?:[.,/]\d+)?|[½¼¾⅓⅔⅛]")


@dataclass(frozen=True)
class Word:
    """A word of a text in lower case without accents; `start` and `end` index the text.

    `joined` is False after a comma, a point or another mark, which no phrase spans.
    """

    text: str
    start: int
    end: int
    joined: bool = True


@dataclass(frozen=True)
class Entry:
    """A thing the lexicon knows. `group` of a food: vegetable, meat, liquid, ...; of a vessel its
    use: stove, oven, cold, serve, cut or passing; empty for tools and surfaces."""

    name: str
    role: Role
    group: str
    aliases: tuple[str, ...]


@dataclass(frozen=True)
class Action:
    """A canonical action.

    `state` is what it makes of a food (None: it leaves the state alone), `vessel` where it
    usually happens (None: where the food is), `needs` the uses of vessels that suit it (empty:
    any), `in_vessel` False when it needs no vessel, `weight` 0 to 4 how much there is to see.
    """

    name: str
    state: str | None
    vessel: str | None
    needs: tuple[str, ...]
    in_vessel: bool
    tool: str | None
    weight: int


@dataclass(frozen=True)
class Verb:
    """A verb, or a phrase such as "cut into cubes", and its action."""

    name: str
    action: Action


@dataclass(frozen=True)
class StateWord:
    """A word for a food's state, e.g. "chopped" -> "diced"; kind is cut, cooked or other.

    `state` is None for words that only describe handling ("rinsed", "drained").
    """

    word: str
    state: str | None
    kind: str


def fold(text: str) -> str:
    """Return lower case without accents and with plain apostrophes; may change the length."""
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFKD", text.lower().replace("’", "'"))
    return "".join(c for c in plain if not unicodedata.combining(c))


@lru_cache(maxsize=2048)
def words(text: str) -> tuple[Word, ...]:
    """Return the words of a text in order; hyphens separate words, numbers are words."""
    found: list[Word] = []
    last = 0
    for match in WORD.finditer(text):
        joined = not MARK.search(text, last, match.start())
        found.append(Word(fold(match.group()), match.start(), match.end(), joined))
        last = match.end()
    return tuple(found)


def phrase(text: str) -> Phrase:
    """Return a name as the lexicon looks it up: `"Stir-fry"` -> `("stir", "fry")`."""
    return tuple(word.text for word in words(text))


def plurals(word: str) -> tuple[str, ...]:
    """Return possible plurals of a noun: "mango" -> "mangos", "mangoes"."""
    if word.endswith("y") and word[-2:-1] not in "aeiou":
        return (word[:-1] + "ies",)
    if word.endswith("fe"):
        return (word[:-2] + "ves", word + "s")
    if word.endswith("f"):
        return (word[:-1] + "ves", word + "s")
    if word.endswith("o"):
        return (word + "es", word + "s")
    if word.endswith(("s", "x", "ch", "sh", "z")):
        return (word + "es",)
    return (word + "s",)


def shown_plural(noun: str) -> str:
    """Return the usual plural: "potatoes", but "avocados"."""
    forms = plurals(noun)
    first = noun in ("potato", "tomato", "mango") or noun.endswith(("leaf", "loaf", "half"))
    return forms[0] if first else forms[-1]


def verb_forms(verb: str) -> tuple[str, ...]:
    """Return base, third person and gerund of a verb, in each possible spelling."""
    stem = verb[:-1] if verb.endswith("e") and not verb.endswith(("ee", "oe", "ye")) else verb
    doubled = stem + stem[-1] if re.fullmatch(r"(.*[^aeiou])?[aeiou][^aeiouwxy]", stem) else stem
    return (verb, *plurals(verb), stem + "ing", doubled + "ing")


@dataclass(frozen=True)
class Lexicon:
    """All entries, and the phrases that lead to them."""

    entries: Mapping[str, Entry]
    actions: Mapping[str, Action]
    verbs: Mapping[str, Verb]
    states: Mapping[Phrase, StateWord]
    nouns: Mapping[Phrase, Entry]
    verb_phrases: Mapping[Phrase, Verb]
    vocabulary: frozenset[str]
    singulars: Mapping[Phrase, Phrase]
    """The singular of each plural noun."""
    longest_from: Mapping[str, int]
    """Number of words of the longest phrase of any table that begins with a word."""

    def of_role(self, *roles: Role) -> tuple[Entry, ...]:
        """Return all entries of the given roles, in the order of the data."""
        return tuple(entry for entry in self.entries.values() if entry.role in roles)

    def singular(self, text: str) -> str:
        """Return a noun in the singular as people write it: "Red onions" -> "red onion"."""
        known = phrase(text)
        return " ".join(self.singulars.get(known, known))

    def look_up(self, text: str) -> Entry | None:
        """Return the entry of a name in any form ("Red onions" -> onion), or None."""
        return self.nouns.get(phrase(text))

    def noun_at(self, tokens: Sequence[Word], index: int) -> tuple[Entry, int] | None:
        """Return the longest noun that begins at a word, and its number of words."""
        return self._longest(self.nouns, tokens, index)

    def verb_at(self, tokens: Sequence[Word], index: int) -> tuple[Verb, int] | None:
        """Return the longest verb that begins at a word, in base form, third person or gerund.

        The particle must follow the verb. `rules` finds "cut the carrot into cubes".
        """
        return self._longest(self.verb_phrases, tokens, index)

    def state_at(self, tokens: Sequence[Word], index: int) -> tuple[StateWord, int] | None:
        """Return the longest state word that begins at a word."""
        return self._longest(self.states, tokens, index)

    def _longest(
        self, table: Mapping[Phrase, Found], tokens: Sequence[Word], index: int
    ) -> tuple[Found, int] | None:
        """Return the longest phrase of a table that begins at a word, and its number of words."""
        if index >= len(tokens):
            return None
        most = min(self.longest_from.get(tokens[index].text, 0), len(tokens) - index)
        most = next((n for n in range(1, most) if not tokens[index + n].joined), most)
        for length in range(most, 0, -1):
            found = table.get(tuple(token.text for token in tokens[index : index + length]))
            if found is not None:
                return found, length
        return None

    def knows(self, word: str) -> bool:
        """Return True if a single folded word occurs in any name, verb or state word."""
        return word in self.vocabulary


def read_rows(file: str) -> list[list[str]]:
    """Return the rows of a data file below its heading, as stripped cells."""
    text = (resources.files("procvid") / "assets" / "lexicon" / file).read_text("utf-8")
    return [[cell.strip() for cell in line.split("\t")] for line in text.splitlines()[1:]]


def given_forms(entry: Entry) -> Iterator[Phrase]:
    """Return the name and the aliases of an entry, as the data give them."""
    return (phrase(alias) for alias in (entry.name, *entry.aliases))


def plural_forms(entry: Entry) -> Iterator[tuple[Phrase, Phrase]]:
    """Yield the given forms, each with a plural; the data win over made plurals."""
    for singular in given_forms(entry):
        for plural in plurals(singular[-1]):
            yield singular, (*singular[:-1], plural)


def _read_entries() -> dict[str, Entry]:
    rows: list[tuple[str, Role, str, str]] = [
        (name, "food", group, aliases) for name, group, aliases in read_rows("foods.tsv")
    ]
    roles: dict[str, Role] = {"vessel": "vessel", "tool": "tool", "surface": "surface"}
    for name, role, use, aliases in read_rows("things.tsv"):
        rows.append((name, roles[role], "" if use == "-" else use, aliases))
    return {
        name: Entry(name, role, group, tuple(a.strip() for a in aliases.split(",") if a.strip()))
        for name, role, group, aliases in rows
    }


def _read_actions() -> dict[str, Action]:
    return {
        name: Action(
            name=name,
            state=None if state == "-" else state,
            vessel=None if vessel in ("-", "none") else vessel,
            needs=() if needs == "any" else tuple(needs.split()),
            in_vessel=vessel != "none",
            tool=None if tool == "-" else tool,
            weight=int(weight),
        )
        for name, state, vessel, needs, tool, weight in read_rows("actions.tsv")
    }


@lru_cache(maxsize=1)
def lexicon() -> Lexicon:
    """Return the shipped lexicon; it is read once, in about 20 ms."""
    entries = _read_entries()
    actions = _read_actions()
    verbs = {name: Verb(name, actions[action]) for name, action in read_rows("verbs.tsv")}
    nouns: dict[Phrase, Entry] = {}
    singulars: dict[Phrase, Phrase] = {}
    for entry in entries.values():
        nouns.update((name, entry) for name in given_forms(entry))
    for entry in entries.values():
        for singular, plural in plural_forms(entry):
            if nouns.setdefault(plural, entry) is entry:
                singulars.setdefault(plural, singular)
    verb_phrases: dict[Phrase, Verb] = {}
    for verb in verbs.values():
        first, *rest = phrase(verb.name)
        for form_of_first in verb_forms(first):
            verb_phrases.setdefault((form_of_first, *rest), verb)
    states = {
        phrase(word): StateWord(word, None if state == "-" else state, kind)
        for word, state, kind in read_rows("states.tsv")
    }
    known = {word for table in (nouns, verb_phrases, states) for key in table for word in key}
    lengths: dict[str, int] = {}
    for key in (*nouns, *verb_phrases, *states):
        lengths[key[0]] = max(lengths.get(key[0], 0), len(key))
    return Lexicon(
        entries, actions, verbs, states, nouns, verb_phrases, frozenset(known), singulars, lengths
    )
