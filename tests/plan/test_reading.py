"""Reading a step: verbs, mentions, references back, and texts without an instruction."""

from __future__ import annotations

import pytest

from procvid.plan.lexicon import Entry, phrase
from procvid.plan.reading import OwnFoods, Reading, own_foods, read_step
from procvid.plan.verbs import names_action, starts_with_action


def read(text: str, *own: str) -> Reading:
    own_foods = {phrase(name): Entry(name, "food", "other", ()) for name in own}
    return read_step(text, OwnFoods(own_foods))


def verbs(text: str) -> list[str]:
    return [segment.verb.action.name for segment in read(text).segments]


@pytest.mark.parametrize(
    ("text", "actions"),
    [
        ("Slice the carrot.", ["slice"]),
        ("Now gently fry the egg.", ["fry"]),
        ("Peel and dice the potatoes.", ["peel", "dice"]),
        ("Cut the onion into cubes.", ["dice"]),
        ("Bring the water to a boil.", ["boil"]),
        ("In a large bowl, whisk the eggs.", ["mix"]),
        ("Add the brown sugar.", ["add"]),
        ("Fry the egg to brown the edges.", ["fry"]),
        ("Run a thin knife around the edges.", ["remove"]),
        ("Run the spinach under cold water.", ["wash"]),
        ("Make a well in the center.", ["press"]),
        ("Give the soup a good stir.", ["stir"]),
        ("Dissolve the yeast in the water.", ["stir"]),
        ("Cover with cold water.", ["add"]),
        ("Cover with a lid.", ["cover"]),
        ("Put the lid on.", ["cover"]),
        ("Divide the batter between the two tins.", ["add"]),
        ("Divide the dough into 8 pieces.", ["shape"]),
        ("Divide the soup between 4 bowls.", ["serve"]),
        ("Peel off the parchment.", ["remove"]),
        ("Set the timer for 10 minutes.", ["wait"]),
        ("Set the oven to 200 C.", ["preheat"]),
        ("Wipe the pan with a paper towel.", ["dry"]),
        ("Set a pot on high heat.", ["heat"]),
        ("Place the oven rack in the middle position.", ["preheat"]),
        ("Brown the butter: Put the butter in a skillet.", ["add"]),
        ("The custard is ready when it wobbles and looks shiny.", ["check"]),
        ("I like to use a fork for this.", ["check"]),
        ("You want a sugar that has starch in it.", ["check"]),
        ("Chill the cake to set the icing and let it start setting.", ["chill", "wait"]),
        ("Knead until the dough is soft and smooth (about 3 minutes).", ["knead"]),
    ],
)
def test_the_verbs_of_a_step(text: str, actions: list[str]) -> None:
    assert verbs(text) == actions


def test_a_forbidden_action_is_no_segment() -> None:
    reading = read("Add the egg. Do not stir.")
    assert [segment.verb.action.name for segment in reading.segments] == ["add"]
    assert reading.forbidden == ("stir",)


def test_a_text_without_a_verb_is_marked() -> None:
    reading = read("Carrot soup with bread")
    assert not reading.verb_known and len(reading.segments) == 1
    assert [m.entry.name for m in reading.segments[0].foods] == ["soup", "bread"]


def test_mentions_have_looks_states_and_prepositions() -> None:
    (segment,) = read("Fry the chopped red onion in a large pan with a wooden spoon.").segments
    (onion,), (pan,), (spoon,) = segment.foods, segment.vessels, segment.tools
    assert (onion.entry.name, onion.preposition, onion.definite) == ("onion", "", True)
    assert onion.state is not None and onion.state.state == "diced"
    assert (pan.entry.name, pan.looks, pan.preposition) == ("frying pan", "large", "in")
    assert (spoon.preposition, "wooden" in spoon.looks) == ("with", True)


def test_a_state_is_shared_within_a_group() -> None:
    (segment,) = read("Add the chopped onion and garlic.").segments
    assert [m.state.state if m.state else "" for m in segment.foods] == ["diced", "diced"]


def test_pronouns_and_groups_refer_back() -> None:
    assert read("Pour it over the vegetables.").segments[0].refers == ("it",)
    assert read("Pour it over the vegetables.").segments[0].targets == ("vegetables",)


def test_amounts_and_comparisons_are_no_things() -> None:
    (segment,) = read("Add 2 cups of flour, pieces the size of a walnut.").segments
    assert [m.entry.name for m in segment.foods] == ["flour"] and segment.vessels == ()


def test_foods_of_the_ingredient_list_are_known() -> None:
    assert list(own_foods(["2 zorbles", "1 carrot", "3 g of", "", "a b c d zorble"])) == ["zorbles"]
    (segment,) = read("Fry the zorbles.", "zorbles").segments
    assert [m.entry.name for m in segment.foods] == ["zorbles"]
    assert read("Fry the zorbles.").segments[0].guessed == "zorbles"
    assert read(f"Fry the {'zorble' * 20}.").segments[0].guessed == ""


@pytest.mark.parametrize(
    ("text", "names", "starts"),
    [
        ("Slice the carrot.", True, True),
        ("Then slice the carrot.", True, True),
        ("Carrot soup", False, False),
        ("In a pan, fry the egg.", True, False),
        ("", False, False),
    ],
)
def test_what_is_an_instruction(text: str, names: bool, starts: bool) -> None:
    assert (names_action(text), starts_with_action(text)) == (names, starts)
