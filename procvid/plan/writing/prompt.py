"""Write the prompt of a step as a video model reads it: plain sentences about one shot.

The first sentence is the step's own clause, shown as a picture (`clause_sentence`); where that is
not safe, it is made of the planned objects (`slot_sentence`). A second one names the objects that
the first leaves out. 25 to 60 words suit Wan's text encoder; amounts and times stay out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from procvid.plan.writing.clause_sentence import clause_sentences
from procvid.plan.writing.remarks import is_statement, still_sentence
from procvid.plan.writing.scene import is_named
from procvid.plan.writing.slot_sentence import at_hand, slot_sentences
from procvid.plan.writing.wording import (
    DEVICES,
    gerund,
    is_light,
    is_or_are,
    joined,
    place,
    spoken_name,
)
from procvid.types import PlannedObject, StepPlan

__all__ = [
    "complete",
    "enhance",
    "from_slots",
    "gerund",
    "is_written_by_rules",
    "place",
    "with_looks",
]

MIN_WORDS, MAX_WORDS = 25, 60
MAX_READ_CHARS = 4000
"""Most characters of a step that its prompt is made of."""
TIDY = "The kitchen is bright and tidy."
"""Ends a prompt of fewer words."""
LIGHT = "The light is soft, and the camera"
CAMERA = LIGHT + " stays close and steady above the kitchen {surface}."
CAMERA_BESIDE = LIGHT + " stays close and steady beside the kitchen {surface}."
"""For what happens in the oven, in the fridge, on the stove or in the sink."""
HISTORY = " in step "
"""Part of the description of a food that an earlier step changed."""
REPEAT = re.compile(r"(?:[.;!)]|, (?:and|then)| and| then)\s{1,3}repeat\b", re.I)
"""The start of a repetition, which comes after the action of the shot."""
HOT_ACTIONS = frozenset(
    {"fry", "boil", "steam", "melt", "heat", "preheat", "bake", "broil", "grill"}
)


@dataclass(frozen=True)
class _Cast:
    """The objects of a step by role, the most important first."""

    foods: list[PlannedObject]
    vessels: list[PlannedObject]
    tools: list[PlannedObject]
    surface: str


def enhance(text: str, action: str, objects: Sequence[PlannedObject]) -> str:
    """Return the prompt of a step, from its own words where they make a sentence.

    Args:
        text: The step's own words.
        action: The canonical action.
        objects: The objects of the step.
    """
    text = text[:MAX_READ_CHARS]
    once = _before_repeating(text)
    if once != text:
        later = [o for o in objects if o.role == "food" and o.mentioned and not is_named(o, once)]
        shown = [replace(o, mentioned=False) if o in later else o for o in objects]
        kept = any(o.role == "food" and o.mentioned and o not in later for o in objects)
        new = [o for o in later if kept or HISTORY not in o.description or is_light(o)]
        prompt = enhance(once, action, [o for o in shown if replace(o, mentioned=True) not in new])
        if len(prompt.split()) <= MAX_WORDS:
            return _with_repeated(prompt, new)
    cast = _cast(text, objects)
    camera = _camera(action, cast)
    if is_statement(text) and cast.foods:
        still = still_sentence(cast.foods, cast.vessels)
        return _with_camera([still, at_hand(cast.vessels, cast.tools, still)], camera)
    sentences = clause_sentences(text, action, cast.foods, cast.vessels, cast.tools)
    if sentences:
        prompt = _with_camera(sentences, camera)
        if len(prompt.split()) <= MAX_WORDS:
            return prompt
    return from_slots(text, action, objects)


def _before_repeating(text: str) -> str:
    """Return the text without a later "Repeat with the rest of the oil and the chicken"."""
    again = REPEAT.search(text)
    return text[: again.start() + 1] if again else text


def _with_repeated(prompt: str, later: Sequence[PlannedObject]) -> str:
    """Return the prompt with a sentence for the foods that only the repetition takes."""
    first, light, end = prompt.partition(f" {LIGHT}")
    names = [f"the {spoken_name(food, '')}" for food in later]
    if not names:
        return prompt
    waiting = f"{joined(names)} {is_or_are(names)} at hand."
    return f"{first} {waiting[:1].upper()}{waiting[1:]}{light}{end}"


def from_slots(text: str, action: str, objects: Sequence[PlannedObject]) -> str:
    """Return the prompt of a step from its objects alone, as for a plan that a person edited."""
    text = text[:MAX_READ_CHARS]
    cast = _cast(text, objects)
    sentences = slot_sentences(text, action, cast.foods, cast.vessels, cast.tools)
    prompt = _with_camera(sentences, _camera(action, cast))
    while len(prompt.split()) > MAX_WORDS and len(sentences) > 1:
        prompt = _with_camera(sentences, _camera(action, cast).replace(LIGHT, "The camera"))
        sentences.pop()
    return prompt


def is_written_by_rules(step: StepPlan) -> bool:
    """Return False for a prompt that a person or a language model wrote."""
    return step.prompt in (
        enhance(step.text, step.action, step.objects),
        from_slots(step.text, step.action, step.objects),
    )


def _cast(text: str, objects: Sequence[PlannedObject]) -> _Cast:
    ranked = sorted(objects, key=lambda o: -o.importance)
    surface = next((spoken_name(o, text) for o in ranked if o.role == "surface"), "counter")
    foods, vessels, tools = (
        [o for o in ranked if o.role == role] for role in ("food", "vessel", "tool")
    )
    return _Cast(foods, vessels, tools, surface)


def _camera(action: str, cast: _Cast) -> str:
    """Return the sentence about the light and the camera, which names the surface."""
    elsewhere = action in HOT_ACTIONS or any(t.name in DEVICES for t in cast.tools)
    return (CAMERA_BESIDE if elsewhere else CAMERA).format(surface=cast.surface)


def _with_camera(sentences: Sequence[str], camera: str) -> str:
    """Return the sentences with one about the light and the camera, of at least 25 words."""
    prompt = " ".join(s for s in (*sentences, camera) if s)
    return prompt if len(prompt.split()) >= MIN_WORDS else f"{prompt} {TIDY}"


def complete(prompt: str, objects: Sequence[PlannedObject]) -> str:
    """Return a prompt that somebody wrote, with a sentence for the objects that it leaves out."""
    spoken = prompt.lower()
    left = [f"the {item.name}" for item in objects if item.name not in spoken]
    return f"{prompt} In view: {joined(left)}." if left else prompt


def with_looks(prompt: str, looks: Sequence[tuple[str, str]]) -> str:
    """Return the prompt with the looks of the references, `(name, description)` pairs.

    A look takes the place of the name where the prompt has it; else a sentence is added.
    """
    for name, look in looks:
        if not look or look == name or look in prompt:
            continue
        spot = re.search(rf"\b{re.escape(name)}\b", prompt)
        if spot is not None and look.endswith(name):
            prompt = prompt[: spot.start()] + look + prompt[spot.end() :]
        else:
            prompt = f"{prompt} The {name} is a {look}."
    return prompt
