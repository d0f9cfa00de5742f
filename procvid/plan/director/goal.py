"""Read a goal such as "How to make a vegan carrot omelette without onions"."""

from __future__ import annotations

import re
from dataclasses import dataclass

from procvid.errors import InputError, RecipeError
from procvid.plan.detour.table import diets
from procvid.plan.detour.words import foods_named
from procvid.plan.language.english import DETERMINERS, PREPOSITIONS, check_english, is_adverb
from procvid.plan.language.lexicon import lexicon, words
from procvid.storage.text import printable

MAX_GOAL_CHARS = 200
MAX_GOAL_WORDS = 30
ASKING = frozenset(
    "how to do i can make making cook cooking bake prepare show me teach please want would like let's "
    "need recipe for quick easy simple best delicious homemade dish food meal something you "
    "my our we us and".split()
)
"""Words of a goal that name no dish."""
WITHOUT = re.compile(r"\b(?:without|no)\s+((?:(?!\b(?:with|but|for)\b)[\w', -])+)", re.IGNORECASE)
DANGEROUS = frozenset(
    "ammonia antifreeze arsenic bleach bomb cannabis cocaine cyanide detergent drugs explosive "
    "explosives gasoline gunpowder hemlock heroin human marijuana mercury meth methanol napalm petrol "
    "poison poisonous poisoned ricin toxic weed".split()
)


@dataclass(frozen=True)
class Goal:
    """What a person wants to cook.

    Attributes:
        text: The goal, on one line.
        dish: Its words that name the dish, in the singular: ("carrot", "omelette").
        foods: The lexicon's foods among them.
        diets: Diets that it asks for.
        without: Things that it does without.
    """

    text: str
    dish: tuple[str, ...]
    foods: tuple[str, ...]
    diets: tuple[str, ...]
    without: tuple[str, ...]


def read_goal(text: str) -> Goal:
    """Read a goal.

    Raises:
        InputError: It is empty, too long, not English, dangerous, or names no dish.
    """
    line = " ".join(printable(text).split())
    if not any(c.isalpha() for c in line):
        raise InputError("The goal is empty.", 'Write "How to make a carrot omelette".')
    if len(line) > MAX_GOAL_CHARS or len(line.split()) > MAX_GOAL_WORDS:
        raise InputError(
            f"The goal has {len(line.split())} words and {len(line)} characters.",
            f"Use at most {MAX_GOAL_WORDS} words and {MAX_GOAL_CHARS} characters.",
        )
    bad = sorted({word.text for word in words(line)} & DANGEROUS)
    if bad:
        raise InputError(f"A goal with {bad[0]!r} is not for a kitchen.", "Ask for a dish.")
    try:
        check_english(f"make {line}")
    except RecipeError as error:
        raise InputError(
            f"The goal {line[:60]!r} has too few English kitchen words.",
            'Write "How to make a carrot omelette".',
        ) from error
    return _goal(line)


def _goal(line: str) -> Goal:
    found_diets = tuple(name for name in diets() if _has(line, name))
    rest = line
    for name in found_diets:
        rest = re.sub(rf"\b{name.replace('-', '[ -]')}\b", " ", rest, flags=re.IGNORECASE)
    without = tuple(
        " ".join(name.split()).lower()
        for found in WITHOUT.findall(rest)
        for name in re.split(r",|\band\b|\bor\b", found)
        if name.strip()
    )
    rest = WITHOUT.sub(" ", rest)
    skipped = ASKING | DETERMINERS | PREPOSITIONS
    dish = tuple(
        lexicon().singular(word.text)
        for word in words(rest)
        if word.text not in skipped and not word.text[0].isdigit() and not is_adverb(word.text)
    )
    if not dish:
        raise InputError(
            f"The goal {line[:60]!r} names no dish.", 'Write "How to make a carrot omelette".'
        )
    return Goal(line, dish, tuple(dict.fromkeys(foods_named(rest))), found_diets, without)


def _has(line: str, diet: str) -> bool:
    return bool(re.search(rf"\b{diet.replace('-', '[ -]')}\b", line, re.IGNORECASE))
