"""Write the enhanced prompt of a step: a scene sentence, then the step's own words.

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
    """Return the gerund: "slice" -> "slicing", "stir" -> "stirring", "fry" -> "frying"."""
    if verb.endswith("ie"):
        return verb[:-2] + "ying"
    if verb.endswith("e") and not verb.endswith(("ee", "oe", "ye")):
        return verb[:-1] + "ing"
    short = len(verb) <= 4 and len(verb) >= 3
    if short and verb[-1] not in "wxyaeiou" and verb[-2] in VOWELS and verb[-3] not in VOWELS:
        return verb + verb[-1] + "ing"
    return verb + "ing"


def place(vessel: str) -> str:
    """Return "in the frying pan", or "on the cutting board" for things to lie on."""
    return f"{'on' if vessel.split()[-1] in ON_TOP else 'in'} the {vessel}"


def change(item: PlannedObject) -> str:
    """Return "carrot (whole, then sliced)", or "carrot (sliced)" if the state stays."""
    if item.state_before == item.state_after:
        return f"{item.name} ({item.state_after})"
    return f"{item.name} ({item.state_before}, then {item.state_after})"


def scene_sentence(action: str, objects: Sequence[PlannedObject]) -> str:
    """Return what the clip shows, in one or two sentences, by importance."""
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
    """Return the scene sentence and the step's own text; truncation drops the text first."""
    return f"{scene_sentence(action, objects)} {text.strip()}".strip()


def with_looks(prompt: str, looks: Sequence[tuple[str, str]]) -> str:
    """Append the looks of the references: `(name, description)` pairs."""
    sentences = [f"The {name} is a {look}." for name, look in looks if look and look != name]
    return " ".join([prompt, *sentences])
