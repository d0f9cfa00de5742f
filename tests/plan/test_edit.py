"""Edit a plan: states are carried, steps renumbered, and recipe and plan agree."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from procvid.errors import InputError
from procvid.plan.codec import MAX_OBJECTS, check_plan
from procvid.plan.edit import (
    EditedPlan,
    known_states,
    object_of,
    with_object,
    with_object_field,
    with_prompt,
    with_step,
    with_step_moved,
    with_words,
    without_object,
    without_step,
)
from procvid.plan.recipe.parse import parse_recipe
from procvid.plan.rules import plan_recipe
from procvid.plan.shots import MAX_SHOTS, cut_into_shots, with_recipe_steps
from procvid.types import Plan, PlannedObject, Recipe

RECIPE = """# Carrot omelette

1. Slice the carrot on the cutting board with the knife.
2. Fry the carrot in the frying pan.
3. Whisk the egg in the bowl.
4. Fry the egg in the frying pan.
5. Serve the carrot and the egg on the plate.
"""


FRIED = [("fried", "fried")] * 2
"""The carrot in steps 4 and 5."""


def planned(text: str) -> EditedPlan:
    recipe = cut_into_shots(parse_recipe(text))
    return EditedPlan(recipe, with_recipe_steps(plan_recipe(recipe), recipe))


@pytest.fixture(scope="module")
def made() -> EditedPlan:
    return planned(RECIPE)


def of(plan: Plan, number: int, name: str) -> PlannedObject:
    return object_of(plan.steps[number - 1], name)


def states(plan: Plan, name: str) -> list[tuple[str, str]]:
    return [
        (o.state_before, o.state_after) for s in plan.steps for o in s.objects if o.name == name
    ]


def fits(edited: EditedPlan) -> EditedPlan:
    """Return the edit if its recipe and its plan are of the same steps, and both are sound."""
    recipe, plan = edited.recipe, check_plan(edited.plan)
    assert recipe.steps == tuple(step.text for step in plan.steps)
    assert len(recipe.written) == len(plan.groups)
    assert recipe.has_shots == any(step.recipe_step for step in plan.steps)
    assert cut_into_shots(recipe) == recipe
    for group, text in zip(plan.groups, recipe.written, strict=True):
        assert len(group) > 1 or recipe.has_shots or group[0].text == text
    for step in plan.steps:
        assert all(item.since_step <= step.number for item in step.objects)
    return edited


def test_an_edited_state_is_carried_until_a_step_changes_it(made: EditedPlan) -> None:
    plan = with_object_field(made.plan, 1, "carrot", "state_after", " Diced ")
    assert states(plan, "carrot") == [("whole", "diced"), ("diced", "fried"), *FRIED]
    assert "diced" in plan.steps[0].prompt and "diced carrot" in plan.steps[1].prompt
    assert of(plan, 2, "carrot").description == "carrot, diced in step 1"
    # Nothing else is touched.
    assert plan.steps[2] == made.plan.steps[2]
    assert [s.prompt for s in plan.steps[3:]] == [s.prompt for s in made.plan.steps[3:]]


def test_a_state_goes_on_through_steps_that_leave_it_alone(made: EditedPlan) -> None:
    plan = with_object_field(made.plan, 2, "carrot", "state_after", "grilled")
    assert states(plan, "carrot")[1:] == [("sliced", "grilled"), *[("grilled", "grilled")] * 2]
    assert "grilled" in of(plan, 5, "carrot").description


def test_a_state_that_a_person_set_stays(made: EditedPlan) -> None:
    plan = with_object_field(made.plan, 5, "carrot", "state_before", "mashed")
    assert of(plan, 5, "carrot").state_after == "mashed"
    again = with_object_field(plan, 2, "carrot", "state_after", "boiled")
    assert states(again, "carrot")[1:] == [
        ("sliced", "boiled"),
        ("boiled", "boiled"),
        ("mashed", "mashed"),
    ]


def test_a_change_back_gives_the_same_states(made: EditedPlan) -> None:
    plan = with_object_field(made.plan, 1, "carrot", "state_after", "diced")
    back = with_object_field(plan, 1, "carrot", "state_after", "sliced")
    assert [s.objects for s in back.steps] == [s.objects for s in made.plan.steps]


def test_a_prompt_of_ones_own_survives_and_can_be_written_anew(made: EditedPlan) -> None:
    own = with_prompt(made.plan, 2, " A red\x00 pan. ")
    assert own.steps[1].prompt == "A red pan."
    plan = with_object_field(own, 1, "carrot", "state_after", "diced")
    assert plan.steps[1].prompt == "A red pan."
    assert "diced carrot" in with_prompt(plan, 2, "").steps[1].prompt
    for number, prompt in ((9, "x"), (1, "x" * 2_001)):
        with pytest.raises(InputError):
            with_prompt(made.plan, number, prompt)


def test_objects_are_added_renamed_and_removed(made: EditedPlan) -> None:
    plan = with_object(made.plan, 5, "Forks")
    fork = of(plan, 5, "fork")
    assert (fork.role, fork.state_before, fork.since_step) == ("tool", "clean", 5)
    assert "fork" in plan.steps[4].prompt
    sliced = with_object(without_object(made.plan, 2, "carrot"), 2, "carrot")
    assert of(sliced, 2, "carrot").state_before == "sliced"
    assert of(sliced, 2, "carrot").description == "carrot, sliced in step 1"
    leek = with_object_field(made.plan, 1, "carrot", "name", "Leek")
    assert of(leek, 1, "leek").role == "food"
    # The carrot is first seen later now.
    assert of(leek, 2, "carrot").since_step == 2
    assert of(leek, 2, "carrot").state_before == "whole"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("role", "gadget"),
        ("likelihood", "perhaps"),
        ("state_after", " "),
        ("state_before", "x" * 61),
        ("name", ""),
        ("name", "knife"),
    ],
)
def test_a_bad_field_is_refused(made: EditedPlan, field: str, value: str) -> None:
    with pytest.raises(InputError):
        with_object_field(made.plan, 1, "carrot", field, value)  # type: ignore[arg-type]


def test_what_does_not_exist_is_refused(made: EditedPlan) -> None:
    for number, name in ((9, "carrot"), (0, "carrot"), (1, "spaceship")):
        with pytest.raises(InputError):
            without_object(made.plan, number, name)
    with pytest.raises(InputError, match="already"):
        with_object(made.plan, 1, "carrots")
    full = made.plan
    for n in range(MAX_OBJECTS - len(full.steps[0].objects)):
        full = with_object(full, 1, f"thing {chr(97 + n % 26)}{n}")
    with pytest.raises(InputError, match="Remove one"):
        with_object(full, 1, "spoon")


def test_a_new_step_is_planned_in_the_kitchen_before_it(made: EditedPlan) -> None:
    diced = with_object_field(made.plan, 1, "carrot", "state_after", "diced")
    edited = fits(with_step(made.recipe, diced, 1, "Peel the carrot."))
    assert [s.number for s in edited.plan.steps] == [1, 2, 3, 4, 5, 6]
    assert edited.plan.steps[1].action == "peel"
    assert states(edited.plan, "carrot")[:3] == [
        ("whole", "diced"),
        ("diced", "peeled"),
        ("peeled", "fried"),
    ]
    assert of(edited.plan, 3, "carrot").description == "carrot, diced in step 1, peeled in step 2"
    assert edited.moved == {1: 1, 2: 3, 3: 4, 4: 5, 5: 6}


def test_a_deleted_step_leaves_the_chain_whole(made: EditedPlan) -> None:
    edited = fits(without_step(made.recipe, made.plan, 1))
    carrot = of(edited.plan, 1, "carrot")
    assert (carrot.state_before, carrot.state_after, carrot.description) == (
        "whole",
        "fried",
        "carrot",
    )
    assert edited.recipe.written[0].startswith("Fry")
    assert 1 not in edited.moved and edited.moved[2] == 1
    one = edited
    while len(one.plan.steps) > 1:
        one = fits(without_step(one.recipe, one.plan, 1))
    with pytest.raises(InputError, match="at least one step"):
        without_step(one.recipe, one.plan, 1)


def test_steps_change_places_and_come_back(made: EditedPlan) -> None:
    edited = fits(with_step_moved(made.recipe, made.plan, 2, -1))
    assert states(edited.plan, "carrot")[:2] == [("whole", "fried"), ("fried", "sliced")]
    assert of(edited.plan, 1, "carrot").since_step == 1
    back = fits(with_step_moved(edited.recipe, edited.plan, 2, -1))
    assert back.recipe == made.recipe
    assert [s.objects for s in back.plan.steps] == [s.objects for s in made.plan.steps]
    for number, by in ((1, -1), (5, 1)):
        with pytest.raises(InputError, match="already"):
            with_step_moved(made.recipe, made.plan, number, by)  # type: ignore[arg-type]


def test_shots_move_inside_their_step_and_leave_it_at_the_end() -> None:
    start = planned("Leeks\n\n1. Slice the leek, then fry it in the frying pan.\n2. Serve it.")
    assert start.plan.names == {1: "1a", 2: "1b", 3: "2"}
    inside = fits(with_step_moved(start.recipe, start.plan, 2, -1))
    assert inside.plan.names == {1: "1a", 2: "1b", 3: "2"}
    assert inside.recipe.written[0] == "Fry it in the frying pan. Slice the leek."
    out = fits(with_step_moved(start.recipe, start.plan, 2, 1))
    assert out.plan.names == {1: "1", 2: "2", 3: "3"}
    assert [s.text for s in out.plan.steps] == [
        "Slice the leek.",
        "Serve it.",
        start.plan.steps[1].text,
    ]
    between = fits(with_step(start.recipe, start.plan, 1, "Wash the leek."))
    assert list(between.plan.names.values()) == ["1a", "1b", "1c", "2"]
    gone = fits(without_step(start.recipe, start.plan, 1))
    assert gone.plan.names == {1: "1", 2: "2"}


def test_new_words_are_planned_and_keep_what_a_person_changed(made: EditedPlan) -> None:
    own = with_object(
        with_object_field(made.plan, 2, "frying pan", "likelihood", "likely"), 2, "lid"
    )
    edited = fits(with_words(made.recipe, own, 2, "Boil the carrot in the frying pan."))
    step = edited.plan.steps[1]
    assert (step.action, of(edited.plan, 2, "carrot").state_after) == ("boil", "boiled")
    assert of(edited.plan, 2, "frying pan").likelihood == "likely"
    assert "lid" in [o.name for o in step.objects]
    assert of(edited.plan, 5, "carrot").state_before == "boiled"
    assert "boil" in step.prompt
    for words in ("", " 12 ", "x" * 601):
        with pytest.raises(InputError):
            with_words(made.recipe, own, 2, words)


def test_the_number_of_clips_has_a_limit() -> None:
    step = "Slice the carrot, then fry it in the frying pan, then serve it on the plate."
    full = planned("Carrots\n\n" + "\n".join(f"{n}. {step}" for n in range(1, 21)))
    assert len(full.plan.steps) == MAX_SHOTS
    with pytest.raises(InputError, match="at most 60"):
        with_step(full.recipe, full.plan, 1, "Stir.")


def test_a_recipe_that_was_not_cut_can_be_edited(made: EditedPlan) -> None:
    recipe = Recipe(made.recipe.title, made.recipe.written)
    assert fits(without_step(recipe, made.plan, 2)).recipe.parents == (1, 2, 3, 4)
    with pytest.raises(InputError, match="Make the plan again"):
        without_step(replace(recipe, steps=recipe.steps[1:]), made.plan, 2)


def test_states_are_offered_for_food_and_for_vessels(made: EditedPlan) -> None:
    carrot = known_states(made.plan, of(made.plan, 1, "carrot"))
    assert carrot[:3] == ["whole", "sliced", "fried"] and "boiled" in carrot
    assert known_states(made.plan, of(made.plan, 2, "frying pan")) == ["clean", "in use"]


def test_numbers_of_steps_are_in_order(made: EditedPlan) -> None:
    edited = without_step(made.recipe, made.plan, 3)
    assert all(b.number == a.number + 1 for a, b in pairwise(edited.plan.steps))
