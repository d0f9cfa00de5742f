"""How the memory speaks: the words that name an object, and which states fit each other."""

from __future__ import annotations

import re

from procvid.errors import InputError
from procvid.types import Role

MAX_NAME_CHARS = 80

PLAIN_STATES = ("", "whole", "raw", "fresh", "plain", "clean", "in use")
"""States that go without saying: "carrot" is a whole carrot, "frying pan" a pan in any state."""

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
"""States that look alike; a state that stands nowhere here fits itself alone."""

KIN_FIT = 0.7

OWNER = re.compile(r"(?:my|our|your|his|her|their|the|an?) ")
PAST = re.compile(r"\bin step \d+$")


def canonical(words: str) -> str:
    """Lower case, single spaces: two names are the same thing when their canonical forms are."""
    return " ".join(words.lower().split())


def usable_words(text: str, kind: str) -> str:
    """The canonical form of a name or state that a person gives.

    Raises:
        InputError: it is empty, long, or has characters that cannot be shown.
    """
    words = canonical(text)
    if not words or len(words) > MAX_NAME_CHARS or not words.isprintable():
        raise InputError(
            f"The {kind} {text[:40]!r} cannot be used.",
            f"Write 1 to {MAX_NAME_CHARS} characters, such as 'frying pan' or 'sliced'.",
        )
    return words


def named(name: str, role: Role, state: str) -> str:
    """The words that name an object plainly: "frying pan", "sliced carrot", "carrot"."""
    if role != "food" or canonical(state) in PLAIN_STATES:
        return canonical(name)
    return f"{canonical(state)} {canonical(name)}"


def crop_text(name: str, role: Role, description: str, state: str) -> str:
    """The text that stands for an object in CLIP space: its plain words, then its description.

    Crops and queries are told by this one function, so that equal things have equal texts. What a
    description tells of earlier steps ("diced in step 1") is left out: it is not what is seen now,
    and the same thing must be asked for in the same words in every step.
    """
    plain = named(name, role, state)
    parts = [canonical(part) for part in description.split(",")]
    looks = [p for p in parts if p not in ("", plain, canonical(name)) and not PAST.search(p)]
    return ", ".join([plain, *looks])


def state_fit(role: Role, wanted: str, held: str) -> float:
    """How well a crop in state `held` serves where `wanted` is asked for: 0 (never) to 1.

    A vessel, a surface or a tool stays itself in any state. Food must be in the wanted state or in
    one that looks alike; an unknown state never serves a known one.
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
    """The state of a thing of which nobody told one."""
    return "whole" if role == "food" else "in use"


def with_article(words: str) -> str:
    """ "carrot" -> "a carrot", "onion" -> "an onion"; "my pan" stays as it is."""
    if OWNER.match(words):
        return words
    return f"{'an' if words[:1] in 'aeiou' else 'a'} {words}"
