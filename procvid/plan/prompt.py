"""The enhanced prompt of a step: one scene sentence in a fixed order of facts, then the step's own words.

The order is fixed so that a model of any size finds what matters first: the action, the food with
its state before and after, where it happens and with which tool. The tiny text encoder is trained
on this very function, a large one reads it as plain English.
"""

from __future__ import annotations

from collections.abc import Sequence

from procvid.types import PlannedObject

ON_TOP = ("board", "plate", "tray", "sheet", "platter", "rack", "counter", "mat")
"""Vessels that things lie on; everything else has things in it."""

VOWELS = "aeiou"


def gerund(verb: str) -> str:
    """ "slice" -> "slicing", "stir" -> "stirring", "fry" -> "frying", "whisk" -> "whisking"."""
    if verb.endswith("ie"):
        return verb[:-2] + "ying"
    if verb.endswith("e") and not verb.endswith(("ee", "oe", "ye")):
        return verb[:-1] + "ing"
    short = len(verb) <= 4 and len(verb) >= 3
    if short and verb[-1] not in "wxyaeiou" and verb[-2] in VOWELS and verb[-3] not in VOWELS:
        return verb + verb[-1] + "ing"
    return verb + "ing"


def place(vessel: str) -> str:
    """ "frying pan" -> "in the frying pan", "cutting board" -> "on the cutting board"."""
    return f"{'on' if vessel.split()[-1] in ON_TOP else 'in'} the {vessel}"


def change(item: PlannedObject) -> str:
    """ "carrot (whole, then sliced)", or "carrot (sliced)" when the step leaves the state alone."""
    if item.state_before == item.state_after:
        return f"{item.name} ({item.state_after})"
    return f"{item.name} ({item.state_before}, then {item.state_after})"


def scene_sentence(action: str, objects: Sequence[PlannedObject]) -> str:
    """What the clip shows, in one or two sentences; objects of a role in order of importance."""
    ranked = sorted(objects, key=lambda o: -o.importance)
    foods = [o for o in ranked if o.role == "food"]
    vessels = [o for o in ranked if o.role == "vessel"]
    tools = [o for o in ranked if o.role == "tool"]
    words = [f"Close view: {gerund(action)}"]
    if foods:
        words.append(f"the {change(foods[0])}")
    if vessels:
        words.append(place(vessels[0].name))
    if tools:
        words.append(f"with the {tools[0].name}")
    sentence = " ".join(words) + "."
    if foods[1:]:
        sentence += (
            " Also there: " + ", ".join(f"{o.name} ({o.state_before})" for o in foods[1:]) + "."
        )
    return sentence


def enhance(text: str, action: str, objects: Sequence[PlannedObject]) -> str:
    """The scene sentence, then the step's own text: truncation drops the text, never the facts."""
    return f"{scene_sentence(action, objects)} {text.strip()}".strip()


def with_looks(prompt: str, looks: Sequence[tuple[str, str]]) -> str:
    """Append what the references look like: `(name, description)` pairs that say more than the name."""
    sentences = [f"The {name} is a {look}." for name, look in looks if look and look != name]
    return " ".join([prompt, *sentences])
