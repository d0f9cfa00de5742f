"""Prompts, variants of a step, and steps found in speech."""

from __future__ import annotations

import pytest

from procvid.errors import InputError
from procvid.plan.prompt import complete, enhance, gerund, place, with_looks
from procvid.plan.toy_prompt import change, scene_sentence, toy_prompt, with_toy_looks
from procvid.plan.transcript import PAUSE_S, deed, steps_said
from procvid.plan.variants import Choices, dish_of, other_dishes, read, state_made, vary_step
from procvid.types import PlannedObject, Recipe, TimedText

CARROT = PlannedObject("carrot", "food", "", "whole", "sliced", "unlikely", 0.8)
BOARD = PlannedObject("cutting board", "vessel", "", "clean", "in use", "highly_likely", 0.9)
KNIFE = PlannedObject("knife", "tool", "", "clean", "in use", "likely", 0.5)
SALT = PlannedObject("salt", "food", "", "plain", "plain", "likely", 0.25)


@pytest.mark.parametrize(
    ("verb", "form"),
    [
        ("slice", "slicing"),
        ("stir", "stirring"),
        ("fry", "frying"),
        ("mix", "mixing"),
        ("tie", "tying"),
    ],
)
def test_gerunds(verb: str, form: str) -> None:
    assert gerund(verb) == form


def test_places_and_changes() -> None:
    assert (place("frying pan"), place("cutting board")) == (
        "in the frying pan",
        "on the cutting board",
    )
    assert (change(CARROT), change(SALT)) == ("carrot (whole, then sliced)", "salt (plain)")


def test_the_scene_names_what_matters_first() -> None:
    sentence = (
        "Close view: slicing the carrot (whole, then sliced) on the cutting board with the knife."
    )
    assert scene_sentence("slice", (KNIFE, CARROT, BOARD)) == sentence
    assert (
        scene_sentence("slice", (SALT, CARROT, BOARD, KNIFE))
        == f"{sentence} Also there: salt (plain)."
    )
    assert toy_prompt(" Slice it. ", "slice", (CARROT, BOARD, KNIFE)) == f"{sentence} Slice it."
    assert scene_sentence("stir", ()) == "Close view: stirring."


def test_a_look_takes_the_place_of_the_name_and_missing_objects_are_added() -> None:
    prompt = enhance("Slice the carrots.", "slice", (CARROT, BOARD, KNIFE))
    assert prompt.startswith(
        "Close-up of hands slicing the carrots on the cutting board with a knife."
    )
    looks = [("cutting board", "round oak cutting board"), ("knife", "black one")]
    looked = with_looks(prompt, looks)
    assert "on the round oak cutting board with" in looked
    assert looked.endswith("The knife is a black one.")
    assert complete("A cook slices a carrot.", (CARROT, BOARD)) == (
        "A cook slices a carrot. In view: the cutting board."
    )


def test_looks_are_appended_once_they_say_more_than_the_name() -> None:
    looks = [("pan", "black steel pan"), ("egg", "egg"), ("pot", "")]
    assert with_toy_looks("Fry.", looks) == "Fry. The pan is a black steel pan."


def meaning(text: str) -> tuple[str, frozenset[tuple[str, str, str]]]:
    """The action, and the foods with their states."""
    step = read(text)
    foods = (o for o in step.objects if o.role == "food")
    return step.action, frozenset((o.name, o.state_before, o.state_after) for o in foods)


def test_variants_differ_in_meaning_and_are_always_the_same() -> None:
    text = "Slice the carrot on the cutting board."
    variants = vary_step(text, 5)
    assert len(set(variants)) == 5 and text not in variants
    assert variants == vary_step(text, 5)
    assert meaning(text) not in {meaning(variant) for variant in variants}
    assert state_made(text, "carrot") == "sliced" and state_made(text, "egg") == ""
    few = vary_step(text, 2, Choices(foods=("onion",), actions=("fry",), states=("fried",)))
    assert all("onion" in v or "ry" in v for v in few)


def test_dishes() -> None:
    recipe = Recipe("Dinner", ("Slice the carrot.", "Fry it in a pan.", "Serve it on a plate."))
    dish = dish_of(recipe)
    assert "carrot" in dish and dish.endswith("plate.")
    others = other_dishes(recipe, 3)
    assert len(set(others)) == 3 and not any("carrot" in other for other in others)


def cue(start_s: float, text: str) -> TimedText:
    return TimedText(start_s, start_s + 2.0, text)


def test_steps_are_found_in_speech() -> None:
    cues = (
        cue(0.0, "hello and welcome to my channel"),
        cue(10.0, "so now we're gonna slice the carrot on the board"),
        cue(12.0 + PAUSE_S + 1, "then you want to fry the egg in the pan"),
    )
    steps = steps_said(cues)
    assert [deed(step.text) for step in steps] == [
        (frozenset({"slice"}), frozenset({"carrot"})),
        (frozenset({"fry"}), frozenset({"egg"})),
    ]
    assert 10.0 <= steps[0].start_s < steps[0].end_s <= 12.0
    assert steps_said(()) == ()


def test_speech_in_another_language_is_refused() -> None:
    with pytest.raises(InputError, match="does not seem to be English"):
        steps_said((cue(0.0, "schneide die karotte und brate sie danach in einer pfanne"),))
