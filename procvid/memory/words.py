"""The words that name an object, and the states that fit each other."""

from __future__ import annotations

import re

from procvid.errors import InputError
from procvid.types import Role

MAX_NAME_CHARS = 80

PLAIN_STATES = ("", "whole", "raw", "fresh", "plain", "clean", "in use")
"""States that are not named: "carrot" is a whole carrot, "frying pan" a pan in any state."""

KIN = (
    frozenset({"whole", "raw", "fresh", "plain"}),
    frozenset({"diced", "cubed", "chopped"}),
    frozenset({"sliced", "cut"}),
    frozenset({"minced", "crushed", "finely chopped"}),
    frozenset({"fried", "sauteed", "browned"}),
    frozenset({"boiled", "simmered", "blanched"}),
    frozenset({"mixed", "combined", "stirred"}),
    frozenset({"whisked", "beaten"}),
)
"""States that look alike. A state that is not listed fits only itself."""

KIN_FIT = 0.7

OWNER = re.compile(r"(?:my|our|your|his|her|their|the|an?) ")
PAST = re.compile(r"\bin step \d+$")


def canonical(words: str) -> str:
    """Return the words in lower case with single spaces. Equal forms name the same thing."""
    return " ".join(words.lower().split())


def usable_words(text: str, kind: str) -> str:
    """Return the canonical form of a name or state that a person typed.

    Raises:
        InputError: It is empty, too long, or has unprintable characters.
    """
    words = canonical(text)
    if not words or len(words) > MAX_NAME_CHARS or not words.isprintable():
        raise InputError(
            f"The {kind} {text[:40]!r} is not valid.",
            f"Write 1 to {MAX_NAME_CHARS} characters, such as 'frying pan' or 'sliced'.",
        )
    return words


def named(name: str, role: Role, state: str) -> str:
    """Return the words that name an object: "frying pan", "sliced carrot", "carrot"."""
    if role != "food" or canonical(state) in PLAIN_STATES:
        return canonical(name)
    return f"{canonical(state)} {canonical(name)}"


def crop_text(name: str, role: Role, description: str, state: str) -> str:
    """Return the text of an object for CLIP: its plain words, then its description.

    Crops and queries both use this function, so equal objects have equal texts. The parts of a
    description about earlier steps ("diced in step 1") are left out: they are not visible now, and
    the text of an object must be the same in every step.
    """
    plain = named(name, role, state)
    parts = [canonical(part) for part in description.split(",")]
    looks = [p for p in parts if p not in ("", plain, canonical(name)) and not PAST.search(p)]
    return ", ".join([plain, *looks])


def state_fit(role: Role, wanted: str, held: str) -> float:
    """Return how well a crop in state `held` fits the state `wanted`, 0 (never) to 1.

    A vessel, a surface or a tool fits in any state. Food must be in the wanted state or in one that
    looks alike. An unknown state never fits a known one.
    """
    if role != "food":
        return 1.0
    wanted, held = canonical(wanted), canonical(held)
    if wanted == held:
        return 1.0
    if not wanted:
        return 0.5
    return KIN_FIT if any(wanted in kin and held in kin for kin in KIN) else 0.0


def usual_state(role: Role) -> str:
    """Return the state of an object if none is given."""
    return "whole" if role == "food" else "in use"


def with_article(words: str) -> str:
    """ "carrot" -> "a carrot", "onion" -> "an onion"; "my pan" stays as it is."""
    if OWNER.match(words):
        return words
    return f"{'an' if words[:1] in 'aeiou' else 'a'} {words}"
