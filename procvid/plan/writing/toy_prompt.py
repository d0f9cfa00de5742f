"""Write a step's prompt in the words that the tiny model was trained on.

The tiny text encoder reads a scene sentence in a fixed order (the action, the food with its state
before and after, where and with which tool) and then the step's own words. Other generators read
`procvid.plan.writing.prompt`.
"""

from __future__ import annotations

from collections.abc import Sequence

from procvid.plan.writing.prompt import gerund, place
from procvid.types import PlannedObject, StepPlan


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


def toy_prompt(text: str, action: str, objects: Sequence[PlannedObject]) -> str:
    """Return the scene sentence and the step's own text; truncation drops the text first."""
    return f"{scene_sentence(action, objects)} {text.strip()}".strip()


def toy_caption(step: StepPlan) -> str:
    """Return the prompt of a planned step, without the looks of its references."""
    return toy_prompt(step.text, step.action, step.objects)


def with_toy_looks(prompt: str, looks: Sequence[tuple[str, str]]) -> str:
    """Append the looks of the references: `(name, description)` pairs."""
    sentences = [f"The {name} is a {look}." for name, look in looks if look and look != name]
    return " ".join([prompt, *sentences])
