"""Look up substitutes of foods, tools and vessels, allergens of foods, and diets.

The data lie in `procvid/assets/lexicon`: `substitutions.tsv`, `sources.tsv`, `contains.tsv` and
`diets.tsv`. A row of `contains.tsv` may name an alias that differs from its food: "egg noodle"
contains egg, "glass noodle" contains nothing. Foods without a row contain no listed tag.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache

from procvid.errors import InputError
from procvid.plan.language.lexicon import Phrase, lexicon, phrase, read_rows

ANY = "any"
"""The use of a substitute that holds everywhere."""
NOTHING = "-"
"""The cell of an alias that contains no tag."""


@dataclass(frozen=True)
class Substitution:
    """A replacement of a food, a tool or a vessel. All names are canonical lexicon names.

    Attributes:
        thing: What is replaced.
        use: Where the swap holds: "any"; for foods a role such as "baking"; for tools and
            vessels the action they serve.
        instead: The replacement.
        amount: A factor of the first amount, or words; empty for tools and vessels.
        adds: A short note for the cook; may be empty.
        needs: For foods a condition; for tools the action of the changed step; often empty.
        source_title: Title of the source.
        source_url: Address of the source; empty for our own judgement.
    """

    thing: str
    use: str
    instead: str
    amount: str
    adds: str
    needs: str
    source_title: str
    source_url: str


@lru_cache(maxsize=1)
def all_substitutions() -> tuple[Substitution, ...]:
    """Return all rows of the table in file order."""
    sources = {key: (title, url) for key, title, url in read_rows("sources.tsv")}
    return tuple(
        Substitution(thing, use, instead, amount, adds, needs, *sources[source])
        for thing, use, instead, amount, adds, needs, source in read_rows("substitutions.tsv")
    )


@lru_cache(maxsize=1)
def _by_thing() -> Mapping[str, tuple[Substitution, ...]]:
    """Return the rows of each thing in file order."""
    found: dict[str, list[Substitution]] = {}
    for row in all_substitutions():
        found.setdefault(row.thing, []).append(row)
    return {thing: tuple(rows) for thing, rows in found.items()}


def substitutes(thing: str, uses: Collection[str]) -> tuple[Substitution, ...]:
    """Return the substitutes of a thing: those of the given uses first, then those for any use.

    Args:
        thing: Canonical lexicon name of a food, a tool or a vessel.
        uses: Roles of the food, or actions of the tool or vessel.
    """
    rows = _by_thing().get(thing, ())
    special = tuple(row for row in rows if row.use in uses and row.use != ANY)
    return special + tuple(row for row in rows if row.use == ANY)


@lru_cache(maxsize=1)
def _tags() -> Mapping[Phrase, frozenset[str]]:
    """Return the tags of each food or alias that has a row."""
    return {
        phrase(name): frozenset(() if tags == NOTHING else tags.split())
        for name, tags in read_rows("contains.tsv")
    }


def contains(name: str) -> frozenset[str]:
    """Return the allergens and animal products in a food, such as "gluten" or "dairy".

    Args:
        name: A food in any form that the lexicon knows. An unknown food has no tags.
    """
    form = phrase(name)
    entry = lexicon().look_up(name)
    names = (form, lexicon().singulars.get(form, form), phrase(entry.name) if entry else form)
    return next((_tags()[each] for each in names if each in _tags()), frozenset())


@lru_cache(maxsize=1)
def _excluded() -> Mapping[str, frozenset[str]]:
    """Return the tags that each diet excludes."""
    return {diet: frozenset(tags.split()) for diet, tags, _note in read_rows("diets.tsv")}


def diet_note(diet: str) -> str:
    """Return what a cook must know about a diet: what the table cannot see."""
    return {name: note for name, _, note in read_rows("diets.tsv")}.get(diet, "")


def diets() -> tuple[str, ...]:
    """Return the names of all diets."""
    return tuple(_excluded())


def excluded_by(diet: str) -> frozenset[str]:
    """Return the tags that a diet excludes.

    Raises:
        InputError: The diet is unknown.
    """
    if diet not in _excluded():
        raise InputError(f"Unknown diet: {diet!r}.", f"Choose one of: {', '.join(diets())}.")
    return _excluded()[diet]


def allowed_for(name: str, diet: str) -> bool:
    """Return True if a food contains nothing that the diet excludes.

    Raises:
        InputError: The diet is unknown.
    """
    return not contains(name) & excluded_by(diet)
