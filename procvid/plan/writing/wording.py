"""Write names, lists and verb forms as a prompt has them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from procvid.plan.language.lexicon import lexicon, plurals, words
from procvid.plan.language.verbs import FoundVerb, find_verbs
from procvid.types import PlannedObject

ON_TOP = (
    "board", "plate", "tray", "sheet", "platter", "rack", "counter", "mat", "grill", "griddle",
    "surface", "stone",
)  # fmt: skip
"""Vessels that things lie on; everything else has things in it."""
VOWELS = "aeiou"
SILENT_STATES = frozenset({"whole", "plain", "mixed", "in use", "clean", ""})
VISIBLE_STATES = frozenset(
    "sliced diced grated peeled mashed baked toasted melted rolled torn crumbled kneaded".split()
)
FLUIDS = frozenset({"liquid", "spice", "powder", "sauce", "sweet"})
"""Groups of foods whose state no picture shows, but that of butter and other fats."""
MELTING = frozenset({"fat", "cheese", "sweet"})
"""Groups of foods that melt."""
ORDINAL = re.compile(r"\b(?:second|third|fourth|fifth|sixth) ")
MAX_LISTED = 6
WEIGHTS = {
    "made": 0, "meat": 0, "poultry": 0, "fish": 0, "seafood": 0, "grain": 1, "bread": 1,
    "legume": 1, "egg": 3, "vegetable": 2, "mushroom": 2, "fruit": 2, "cheese": 2, "nut": 3,
    "sauce": 3, "liquid": 4, "herb": 4, "fat": 5, "sweet": 5, "powder": 5, "spice": 6,
}  # fmt: skip
"""How early a long list names the foods of a group."""
SPOONED = frozenset("mixture sauce gravy dressing glaze icing frosting marinade paste".split())
"""Made foods that come onto others."""
DEVICES = {
    "oven": "in the oven", "microwave": "in the microwave", "fridge": "in the fridge",
    "freezer": "in the freezer", "toaster": "in the toaster", "stove": "on the stove",
    "sink": "in the sink", "broiler": "under the broiler", "waffle iron": "in the waffle iron",
    "bread machine": "in the bread machine", "ice cream maker": "in the ice cream maker",
}  # fmt: skip
"""Tools that a food is in, not worked with."""
UNCOUNTED = frozenset(
    {"parchment paper", "foil", "plastic wrap", "kitchen string", "chopsticks", "tongs",
     "scissors", "cheesecloth"}
)  # fmt: skip
VESSEL_ACTIONS = frozenset("cover uncover line grease open close".split())
"""Actions that are done to a vessel."""
MASSES = frozenset({"molasses", "swiss", "grits"})
"""Words in -s that are singular."""
DOUBLED = frozenset("transfer strip scrub shred unwrap split unzip".split())
"""Long verbs that double their last letter."""
SINGLE = frozenset({"open", "even"})
"""Short verbs that do not."""


def gerund(verb: str) -> str:
    """Return the gerund: "slice" -> "slicing", "stir" -> "stirring", "fry" -> "frying"."""
    if verb.endswith("ie"):
        return verb[:-2] + "ying"
    if verb.endswith("e") and not verb.endswith(("ee", "oe", "ye")):
        return verb[:-1] + "ing"
    if verb in DOUBLED or (verb not in SINGLE and _doubles(verb)):
        return verb + verb[-1] + "ing"
    return verb + "ing"


def _doubles(verb: str) -> bool:
    short = 3 <= len(verb) <= 4
    return short and verb[-1] not in "wxyaeiou" and verb[-2] in VOWELS and verb[-3] not in VOWELS


def place(vessel: str) -> str:
    """Return "in the frying pan", or "on the cutting board" for things to lie on."""
    return f"{'on' if vessel.split()[-1] in ON_TOP else 'in'} the {vessel}"


def one(name: str) -> str:
    """Return "a spoon", "an electric mixer", or "parchment paper" without an article."""
    if name in UNCOUNTED or name.endswith(("tongs", "scissors", "paper", "foil", "hands")):
        return name
    return f"{'an' if name[:1] in VOWELS else 'a'} {name}"


def spoken_name(item: PlannedObject, text: str) -> str:
    """Return an object's looks and name, without its history; plural if the step says so."""
    name = item.description.split(",")[0].strip().removeprefix("bottomed ") or item.name
    if item.role == "vessel" and (another := ORDINAL.search(name)):
        name = f"other {name[: another.start()]}{name[another.end() :]}"
    if item.role != "food" or not text:
        return name
    spoken = {token.text for token in words(text)}
    *before, last = name.split()
    many = next((word for word in plurals(last) if word in spoken), last)
    return " ".join([*before, many])


def listed(foods: Sequence[PlannedObject], text: str, done: str = "") -> str:
    """Return "the diced onion, the carrot and the garlic"; `done` is the state not to name."""
    named = []
    for food in heaviest(foods, MAX_LISTED):
        silent = is_fluid(food) or food.state_before in SILENT_STATES or food.state_before == done
        state = "" if silent else food.state_before
        name = spoken_name(food, text)
        named.append(
            f"the {state} {name}" if state and state not in name.split() else f"the {name}"
        )
    if len(foods) > MAX_LISTED:
        named.append("other ingredients")
    return joined(named)


def seen_foods(foods: Sequence[PlannedObject], most: int, done: str = "") -> str:
    """Return foods with the states that a picture shows, and "other ingredients" for the rest.

    Args:
        foods: The foods.
        most: How many of them to name.
        done: The state that the action makes, which the verb says already.
    """
    named = []
    for food in heaviest(foods, most):
        seen = food.state_before in VISIBLE_STATES - {done} and not is_fluid(food)
        seen = seen and (food.state_before != "melted" or melts(food))
        name = spoken_name(food, "")
        state = f"{food.state_before} " if seen and food.state_before not in name.split() else ""
        named.append(f"the {state}{name}")
    if len(foods) > most:
        named.append("other ingredients")
    return joined(named)


def heaviest(foods: Sequence[PlannedObject], most: int) -> list[PlannedObject]:
    """Return the foods that a list of some length names, all of them if it holds them.

    A longer list starts with what a picture shows most of: meat, pasta, vegetables.
    """
    return list(foods) if len(foods) <= most else by_weight(foods)[:most]


def by_weight(foods: Sequence[PlannedObject]) -> list[PlannedObject]:
    """Return foods with what a picture shows most of first."""
    return sorted(foods, key=_weight)


def _weight(food: PlannedObject) -> int:
    entry = lexicon().entries.get(food.name)
    if food.name.split()[-1] in SPOONED:
        return WEIGHTS["sauce"]
    if entry is None:
        return 0
    return WEIGHTS.get(entry.group, 2)


def is_light(food: PlannedObject) -> bool:
    """Return True for fats, liquids, herbs, powders and spices."""
    return _weight(food) >= WEIGHTS["liquid"]


def is_fluid(food: PlannedObject) -> bool:
    """Return True for a food whose state no picture shows."""
    entry = lexicon().entries.get(food.name)
    return entry is not None and entry.group in FLUIDS


def melts(food: PlannedObject) -> bool:
    """Return True for butter, cheese and chocolate, not for the bread that they are on."""
    entry = lexicon().entries.get(food.name)
    return entry is None or entry.group in MELTING


def joined(names: Sequence[str]) -> str:
    """Return "a, b and c"."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def as_sentence(*parts: str) -> str:
    """Return the parts that are not empty as a sentence."""
    return " ".join(part for part in parts if part) + "."


def is_plural(name: str) -> bool:
    """Return True for "tongs", "the noodles" and "tortilla chips", by the last word."""
    last = name.split()[-1].lower()
    return last.endswith("s") and not last.endswith(("ss", "us", "is")) and last not in MASSES


def is_or_are(names: Sequence[str]) -> str:
    """Return the verb after a list of names."""
    return "are" if len(names) > 1 or " and " in names[0] or is_plural(names[0]) else "is"


def is_many(food: PlannedObject, text: str) -> bool:
    """Return True if a name is a plural, or the step uses its plural."""
    spoken = {word.text for word in words(text)}
    last = food.name.split()[-1]
    described = food.description.split(",")[0].split()[-1:] or [last]
    own = described[0].endswith("s") and not described[0].endswith(("ss", "us"))
    return own or any(plural in spoken for plural in plurals(last))


def device_of(tools: Sequence[PlannedObject]) -> str:
    """Return "in the oven" for the first tool that holds food."""
    return next((DEVICES[tool.name] for tool in tools if tool.name in DEVICES), "")


@lru_cache(maxsize=64)
def verbs_of(text: str) -> tuple[FoundVerb, ...]:
    """Return the imperatives of a step; they are asked for several times."""
    return tuple(find_verbs(text, words(text)))
