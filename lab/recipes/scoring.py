"""Say what a right reading of a recipe is.

- The title is right if it equals the expected one after spaces, case, quotes and compatibility
  forms are made equal.
- The steps are right if their joined words equal the joined words of the expected instructions:
  nothing is missing and nothing is foreign. Signs, case and leading numbers ("1.", "Step 2:") do
  not count. A line of the expected instructions that only names a section ("For the sauce") may be
  absent if the reader reports it as a skipped heading, and so may one that only says "Method" or
  "Preparation".
- The boundaries are right if, in addition, each step is one expected line.
- The ingredients are right if the list equals the expected one, line by line; a line that the
  reader reports as a skipped heading may be absent.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

ENGLISH = frozenset("the and to in with until for of into or".split())
MIN_ENGLISH = 0.08
"""Smallest share of English function words in the instructions of an English recipe."""

NUMBER = re.compile(r"^\W*(?:step\s*\d{1,2}\b[.):]?|\d{1,2}[.):](?!\d))\s*", re.IGNORECASE)
MARKS = dict.fromkeys(map(ord, "™®©"))
NAMES = frozenset({("method",), ("preparation",), ("directions",), ("instructions",), ("steps",)})
HEADING = "Skipped heading: "


@dataclass(frozen=True)
class ReaderResult:
    """What a reader returned: title, steps, ingredients, notes, or why it refused the page."""

    title: str = ""
    steps: tuple[str, ...] = ()
    ingredients: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    refused: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Score:
    """Which parts of a reading are right."""

    title: bool
    steps: bool
    boundaries: bool
    ingredients: bool
    refused: bool
    doubted: bool

    @property
    def right(self) -> bool:
        """Return True if title and steps are right."""
        return self.title and self.steps

    @property
    def silently_wrong(self) -> bool:
        """Return True for a wrong reading that neither refuses nor doubts."""
        return not (self.right or self.refused or self.doubted)


def words(text: str) -> list[str]:
    """Return the words and numbers of a text in lower case."""
    plain = unicodedata.normalize("NFKC", text.translate(MARKS)).casefold()
    return re.findall(r"\w+", plain.replace("'", "").replace("’", "").replace("`", ""))


def is_english(lines: Iterable[str]) -> bool:
    """Return True if enough words of the instructions are English function words."""
    found = words(" ".join(lines))
    return bool(found) and sum(w in ENGLISH for w in found) >= MIN_ENGLISH * len(found)


def score(
    read: ReaderResult, title: str, steps: Sequence[str], ingredients: Sequence[str]
) -> Score:
    """Compare a reading with the expected recipe."""
    headings = NAMES | {
        tuple(words(note[len(HEADING) :].rstrip('."')))
        for note in read.notes
        if note.startswith(HEADING)
    }
    got = [words(NUMBER.sub("", line)) for line in read.steps]
    whole = [words(NUMBER.sub("", line)) for line in steps]
    bare = [line for line in whole if not _is_among(line, headings)]
    same = [list(filter(None, want)) for want in (whole, bare)]
    return Score(
        title=words(read.title) == words(title),
        steps=any(_joined(got) == _joined(want) for want in same),
        boundaries=any(list(filter(None, got)) == want for want in same),
        ingredients=_lists(read.ingredients, set())
        in (_lists(ingredients, set()), _lists(ingredients, headings)),
        refused=bool(read.refused),
        doubted=any("check the" in note.lower() for note in read.notes),
    )


def _joined(lines: Sequence[list[str]]) -> list[str]:
    return [word for line in lines for word in line]


def _lists(lines: Sequence[str], headings: AbstractSet[tuple[str, ...]]) -> list[list[str]]:
    return [line for line in map(words, lines) if not _is_among(line, headings)]


def _is_among(line: list[str], headings: AbstractSet[tuple[str, ...]]) -> bool:
    """Return True for a heading; notes shorten those of more than 57 characters."""
    return any(tuple(line[: len(h)]) == h and (len(h) == len(line) or len(h) > 6) for h in headings)
