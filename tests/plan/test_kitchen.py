"""The state of the kitchen between steps, and how each step changes it."""

from __future__ import annotations

import pytest

from procvid.plan.kitchen.state import KitchenState
from procvid.plan.kitchen.things import first_state, fits, food_looks, size_of
from procvid.plan.kitchen.walk import StepWalk, walk_step
from procvid.plan.language.lexicon import lexicon
from procvid.plan.language.mention import Mention
from procvid.plan.language.reading import read_step
from procvid.plan.rules import plan_recipe
from procvid.types import PlannedObject, Recipe, StepPlan


def walked(*texts: str) -> tuple[KitchenState, list[StepWalk]]:
    kitchen = KitchenState()
    readings = [read_step(text) for text in texts]
    walks = [
        walk_step(kitchen, number, text, reading, readings[number:])
        for number, (text, reading) in enumerate(zip(texts, readings, strict=True), start=1)
    ]
    return kitchen, walks


def actions(*texts: str) -> list[str]:
    return [step.action for step in planned(*texts)]


def planned(*texts: str) -> tuple[StepPlan, ...]:
    return plan_recipe(Recipe("Dinner", texts)).steps


def item(step: StepPlan, name: str) -> PlannedObject:
    return next(o for o in step.objects if o.name == name)


def mention(text: str) -> Mention:
    (segment,) = read_step(text).segments
    return (*segment.foods, *segment.vessels)[0]


def test_a_food_keeps_its_state_and_its_history() -> None:
    kitchen, _ = walked("Slice the red onion.", "Fry it in a pan.")
    onion = kitchen.foods["onion"]
    assert (onion.state, onion.vessel) == ("fried", "frying pan")
    assert onion.description() == "red onion, sliced in step 1, fried in step 2"


def test_a_cooked_food_is_not_cut_back() -> None:
    kitchen, _ = walked("Fry the onion in a pan.", "Add the chopped onion to the bowl.")
    assert kitchen.foods["onion"].state == "fried"


@pytest.mark.parametrize(
    ("group", "state"), [("meat", "raw"), ("spice", "plain"), ("vegetable", "whole")]
)
def test_the_first_state_follows_from_the_group(group: str, state: str) -> None:
    assert first_state(group) == state


def test_vessels_are_reported_apart_by_size_and_by_words() -> None:
    kitchen = KitchenState()
    large = kitchen.meet_vessel(mention("Put it in a large bowl."), 1)
    large.used = True
    assert kitchen.meet_vessel(mention("Put it in the bowl."), 2) is large
    assert kitchen.meet_vessel(mention("Put it in a small bowl."), 2).name == "small bowl"
    assert kitchen.meet_vessel(mention("Put it in another bowl."), 2).name == "second bowl"
    assert (size_of("big red"), size_of("red")) == ("large", "")
    assert fits("large", "") and fits("large", "big") and not fits("large", "small")


def test_looks_come_from_the_wording() -> None:
    assert food_looks(mention("Slice the red onion.")) == "red"
    assert food_looks(mention("Slice the cherry tomatoes.")) == "cherry"
    assert food_looks(mention("Slice the carrot.")) == ""


def test_a_vessel_is_clean_until_it_is_used() -> None:
    first, second = planned("Fry the egg in a pan.", "Fry the carrot in the pan.")
    assert item(first, "frying pan").state_before == "clean"
    assert (item(second, "frying pan").state_before, item(second, "frying pan").since_step) == (
        "in use",
        1,
    )


def test_pronouns_mean_the_last_food() -> None:
    _, walks = walked("Slice the carrot.", "Fry it in a pan.")
    assert walks[1].done[0].foods == ["carrot"] and walks[1].before == {"carrot": "sliced"}


def test_the_vegetables_mean_those_in_use() -> None:
    _, walks = walked("Slice the carrot and the onion.", "Season the steak.", "Fry the vegetables.")
    assert set(walks[2].done[0].foods) == {"carrot", "onion"}


def test_a_step_without_foods_uses_the_last_ones_with_a_note() -> None:
    _, walks = walked("Slice the carrot.", "Stir.")
    assert walks[1].notes == ["Step 2 names no food, so it uses the carrot of step 1."]


def test_an_unnamed_vessel_is_the_usual_one() -> None:
    assert item(planned("Slice the carrot.")[0], "cutting board").mentioned is False
    assert item(planned("Boil the carrot.")[0], "pot").role == "vessel"


@pytest.mark.parametrize(
    ("texts", "action"),
    [
        (("Cook the spaghetti in a pot of water.",), "boil"),
        (("Cook the egg in a frying pan.",), "fry"),
        (("Cook the fish in the oven.",), "bake"),
        (("Put the carrot on a plate.",), "serve"),
        (("Put the carrot in the fridge.",), "chill"),
        (("Put the bread in the oven.",), "bake"),
        (("Ladle the soup into bowls.",), "serve"),
        (("Heat the oil in a wok.", "Cook the carrot."), "fry"),
    ],
)
def test_a_verb_means_what_its_place_makes_of_it(texts: tuple[str, ...], action: str) -> None:
    assert actions(*texts)[-1] == action


def test_every_action_that_needs_a_vessel_gets_a_known_one() -> None:
    for action in lexicon().actions.values():
        if action.vessel is not None:
            assert lexicon().entries[action.vessel].role in ("vessel", "tool")
