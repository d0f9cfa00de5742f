"""The rules planner names the right action, foods, vessels, tools and states."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from procvid.plan.kitchen.things import first_state
from procvid.plan.recipe.parse import read_recipe
from procvid.plan.rules import plan_recipe
from procvid.plan.writing.prompt import enhance
from procvid.run.examples import example_recipes
from procvid.types import Plan, PlannedObject, Recipe, StepPlan

EXAMPLES = Path(__file__).parents[2] / "examples"
TOY_NAMES = {
    "carrot", "tomato", "cucumber", "mushroom", "egg", "onion", "potato", "cheese",
    "beetroot", "broccoli", "eggplant", "shrimp",
    "frying pan", "pot", "bowl", "cutting board", "plate", "knife", "spoon", "whisk", "counter",
}  # fmt: skip
TOY_ACTIONS = {"slice", "dice", "add", "stir", "fry", "boil", "mix", "serve"}
TOY_STATES = {"whole", "sliced", "diced", "fried", "boiled", "mixed", "raw"}


def plan_of(*steps: str, ingredients: tuple[str, ...] = ()) -> Plan:
    return plan_recipe(Recipe("Dinner", steps, ingredients))


def only(*steps: str) -> StepPlan:
    """The last step of the plan of some steps."""
    return plan_of(*steps).steps[-1]


def names(step: StepPlan, role: str) -> list[str]:
    ranked = sorted(step.objects, key=lambda o: -o.importance)
    return [item.name for item in ranked if item.role == role]


def find(step: StepPlan, name: str) -> PlannedObject:
    return next(item for item in step.objects if item.name == name)


def states(step: StepPlan, name: str) -> tuple[str, str]:
    item = find(step, name)
    return item.state_before, item.state_after


@pytest.mark.parametrize(
    ("text", "action", "food", "vessel", "tool"),
    [
        ("Slice the carrot.", "slice", "carrot", "cutting board", "knife"),
        ("Now thinly slice the carrots on a board.", "slice", "carrot", "cutting board", "knife"),
        ("Julienne the carrot.", "slice", "carrot", "cutting board", "knife"),
        ("Cut the carrot into cubes.", "dice", "carrot", "cutting board", "knife"),
        ("Cut the carrot into rings.", "slice", "carrot", "cutting board", "knife"),
        ("Finely chop the onion.", "dice", "onion", "cutting board", "knife"),
        ("Fry the egg.", "fry", "egg", "frying pan", None),
        ("In a hot skillet, saute the mushrooms.", "fry", "mushroom", "frying pan", None),
        ("Cook the onions until soft.", "fry", "onion", "frying pan", None),
        ("Cook the potatoes in a saucepan.", "boil", "potato", "pot", None),
        ("Simmer the tomatoes.", "boil", "tomato", "pot", None),
        ("Bring the potatoes to a boil.", "boil", "potato", "pot", None),
        ("Whisk the eggs.", "mix", "egg", "bowl", "whisk"),
        ("Beat the eggs in a mixing bowl with a fork.", "mix", "egg", "bowl", "fork"),
        ("Add the tomato to the pot.", "add", "tomato", "pot", None),
        ("Pour the eggs into the pan.", "add", "egg", "frying pan", None),
        ("Pour in the eggs.", "add", "egg", "bowl", None),
        ("Stir the tomatoes in the pot with a wooden spoon.", "stir", "tomato", "pot", "spoon"),
        ("Stir the onion.", "stir", "onion", "frying pan", "spoon"),
        ("Serve the egg.", "serve", "egg", "plate", None),
        ("Transfer the egg to a plate.", "serve", "egg", "plate", None),
        ("Peel and dice the potato.", "dice", "potato", "cutting board", "knife"),
        ("Add the carrot to the pan and stir.", "add", "carrot", "frying pan", None),
        ("Crack the eggs into a bowl and whisk.", "mix", "egg", "bowl", "whisk"),
        ("Heat oil in a pan and fry the onion.", "fry", "onion", "frying pan", None),
        ("Grate the cheese over the tomato.", "grate", "cheese", "bowl", "grater"),
        ("Bake the potatoes for an hour.", "bake", "potato", "baking tray", "oven"),
        ("The onions are thinly sliced.", "slice", "onion", "cutting board", "knife"),
        ("You should fry the egg.", "fry", "egg", "frying pan", None),
        ("Use a knife to slice the carrot.", "slice", "carrot", "cutting board", "knife"),
        ("Continue frying the egg.", "fry", "egg", "frying pan", None),
        ("Butter the bread.", "spread", "bread", "plate", None),
    ],
)
def test_reads_a_step(text: str, action: str, food: str, vessel: str, tool: str | None) -> None:
    step = only(text)
    assert step.action == action
    assert names(step, "food")[0] == food
    assert names(step, "vessel")[0] == vessel
    assert (names(step, "tool") or [None])[0] == tool
    assert names(step, "surface") == ["counter"]


@pytest.mark.parametrize(
    ("text", "before", "after"),
    [
        ("Slice the carrot.", "whole", "sliced"),
        ("Mince the carrot.", "whole", "diced"),
        ("Fry the sliced carrot.", "sliced", "fried"),
        ("Fry 2 finely chopped carrots.", "diced", "fried"),
        ("Add the carrots, diced, to the pot.", "diced", "diced"),
        ("Add the chopped onion and carrot to the pan.", "diced", "diced"),
        ("Boil the carrot until the onion is fried.", "whole", "boiled"),
        ("Slice the carrot and fry it in the pan.", "whole", "fried"),
        ("Serve the boiled carrot.", "boiled", "boiled"),
    ],
)
def test_states_come_from_the_text_and_the_action(text: str, before: str, after: str) -> None:
    assert states(only(text), "carrot") == (before, after)


def test_states_travel_through_the_recipe() -> None:
    plan = plan_of("Slice the carrot.", "Add it to the pan.", "Fry it.", "Serve the sliced carrot.")
    assert [states(step, "carrot") for step in plan.steps] == [
        ("whole", "sliced"), ("sliced", "sliced"), ("sliced", "fried"), ("fried", "fried"),
    ]  # fmt: skip
    last = find(plan.steps[-1], "carrot")
    assert last.description == "carrot, sliced in step 1, fried in step 3"
    assert last.since_step == 1
    assert [find(s, "carrot").likelihood for s in plan.steps] == [
        "unlikely", "likely", "unlikely", "likely",
    ]  # fmt: skip


def test_the_ingredient_list_tells_first_states() -> None:
    plan = plan_of(
        "Fry the onion.", "Dice the carrot.", ingredients=("1 onion, chopped", "1 carrot, diced")
    )
    assert states(plan.steps[0], "onion") == ("diced", "fried")
    assert states(plan.steps[1], "carrot") == ("whole", "diced")


def test_vessels_are_clean_once_and_keep_their_looks() -> None:
    plan = plan_of("Fry the egg in a large red non-stick pan.", "Stir.", "Add cheese to the pan.")
    pans = [find(step, "frying pan") for step in plan.steps]
    assert [pan.state_before for pan in pans] == ["clean", "in use", "in use"]
    assert {pan.description for pan in pans} == {"large red non-stick frying pan"}
    assert [pan.mentioned for pan in pans] == [True, False, True]
    assert {pan.likelihood for pan in pans} == {"highly_likely"}


def test_looks_are_never_invented() -> None:
    for step in plan_of("Slice the carrot.", "Fry it in the pan.").steps:
        for item in step.objects:
            assert item.description.split(",")[0] == item.name


def test_another_bowl_is_another_thing() -> None:
    plan = plan_of("Mix the eggs in a large bowl.", "In a small bowl, whisk the cream.",
                   "Stir the large bowl.", "Mix the flour in another bowl.")  # fmt: skip
    assert [names(step, "vessel")[0] for step in plan.steps] == [
        "bowl", "small bowl", "bowl", "second bowl",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("steps", "foods"),
    [
        (("Slice the carrot.", "Fry it."), ["carrot"]),
        (("Slice the carrot and the onion.", "Fry them."), ["carrot", "onion"]),
        (("Slice the carrot.", "Fry the egg.", "Boil the vegetables."), ["carrot"]),
        (("Add the egg and cheese to the bowl.", "Mix well."), ["egg", "cheese"]),
        (("Add the egg and cheese to the bowl.", "Fry the mixture."), ["egg", "cheese"]),
        (("Fry the egg.", "Serve."), ["egg"]),
        (("Fry the egg.", "Slice the tomato.", "Stir in the pan."), ["egg"]),
        (("Slice the chicken breast.", "Fry the chicken."), ["chicken breast"]),
        (("Fry the onion in oil.", "Season with salt."), ["onion", "salt"]),
    ],
)
def test_what_is_not_named_is_resolved(steps: tuple[str, ...], foods: list[str]) -> None:
    assert names(only(*steps), "food") == foods


def test_assumptions_are_noted() -> None:
    notes = " ".join(plan_of("Slice the onion.", "Fry.", "Zorgle the egg.").notes)
    assert "Step 2 names no food, so it uses the onion of step 1." in notes
    assert "Step 3: no known action, treated as add." in notes


def test_unknown_foods_are_taken_from_the_text() -> None:
    plan = plan_of("Fry the zorbles.", "Add the quux.", ingredients=("2 cups quux",))
    assert names(plan.steps[0], "food") == ["zorbles"]
    assert names(plan.steps[1], "food")[0] == "quux"
    assert 'unknown word "zorbles", treated as a food.' in " ".join(plan.notes)


@pytest.mark.parametrize(
    "text",
    [
        "Add 2 cups of flour to the bowl.",
        "Add a cup of flour to the bowl.",
        "Add a jar of pesto to the bowl.",
    ],
)
def test_measures_are_no_vessels(text: str) -> None:
    assert names(only(text), "vessel") == ["bowl"]


def test_comparisons_and_purposes_name_nothing() -> None:
    step = only("Dice the onion to the size of a walnut without salt.")
    assert names(step, "food") == ["onion"]


def test_cook_means_what_the_vessel_says() -> None:
    assert only("Heat the oil in a pot.", "Add the onion to the pot and cook.").action == "fry"
    assert only("Bring a pot of water to a boil.", "Cook the spaghetti.").action == "boil"
    assert only("Cook the fish in the oven.").action == "bake"
    assert only("Put the cake in the oven.").action == "bake"
    assert only("Put the cream in the fridge.").action == "chill"


def test_the_prompt_is_the_shared_one_and_begins_with_the_main_food() -> None:
    step = only("Heat the butter in a pan and fry the egg with salt.")
    assert step.prompt == enhance(step.text, step.action, step.objects)
    assert step.prompt.startswith("Close-up of the egg frying with salt in the frying pan.")


def test_importance_orders_the_slots() -> None:
    step = only("Slice the carrot and the onion with oil.")
    ranked = sorted(step.objects, key=lambda o: -o.importance)
    assert [o.name for o in ranked[:3]] == ["cutting board", "carrot", "counter"]
    assert find(step, "oil").importance < find(step, "knife").importance
    assert all(0 < o.importance <= 1 for o in step.objects)


@pytest.mark.parametrize("file", [p.name for p in example_recipes(EXAMPLES)])
def test_examples_use_the_toy_kitchen_and_need_no_note(file: str) -> None:
    plan = plan_recipe(read_recipe(EXAMPLES / file))
    used = {o.name for step in plan.steps for o in step.objects}
    actions = {step.action for step in plan.steps}
    shown = {s for step in plan.steps for o in step.objects if o.role == "food"
            for s in (o.state_before, o.state_after)}  # fmt: skip
    at_home = used <= TOY_NAMES and actions <= TOY_ACTIONS and shown <= TOY_STATES
    assert at_home, (used - TOY_NAMES, actions - TOY_ACTIONS, shown)
    assert not plan.notes
    vessels = [o.name for step in plan.steps for o in step.objects if o.role == "vessel"]
    assert len(vessels) > len(set(vessels)), "no vessel comes back"


def test_states_at_first() -> None:
    assert [first_state(g) for g in ("vegetable", "meat", "liquid")] == ["whole", "raw", "plain"]


KITCHEN_WORDS = st.sampled_from(
    "slice dice add stir fry boil mix serve cook drain bring the a and then , . ; it them carrot egg "
    "onion oil water pan bowl pot plate board knife in into on with to from over until mixture "
    "vegetables salt chopped fried large small another not zorble repeat let rest oven everything".split()
)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(KITCHEN_WORDS, max_size=14).map(" ".join), min_size=1, max_size=5))
def test_any_words_give_a_sound_plan(steps: list[str]) -> None:
    plan = plan_recipe(Recipe("T", tuple(steps)))
    assert [step.number for step in plan.steps] == list(range(1, len(steps) + 1))
    last: dict[str, str] = {}
    for step in plan.steps:
        assert len({o.name for o in step.objects}) == len(step.objects)
        assert step.prompt.startswith("Close-up of ")
        for item in step.objects:
            assert item.state_before and item.state_after and item.since_step <= step.number
            assert 0 < item.importance <= 1
            if item.role == "vessel":
                assert item.state_before == ("in use" if item.name in last else "clean")
                last[item.name] = item.state_after


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(max_size=80), max_size=4), st.lists(st.text(max_size=40), max_size=3))
def test_any_text_gives_a_plan(steps: list[str], ingredients: list[str]) -> None:
    plan = plan_recipe(Recipe("T", tuple(steps), tuple(ingredients)))
    assert len(plan.steps) == len(steps)


def test_planning_is_deterministic() -> None:
    recipe = read_recipe(EXAMPLES / "shrimp_and_onion.txt")
    assert plan_recipe(recipe) == plan_recipe(recipe)


def test_what_a_step_forbids_is_not_done_and_said() -> None:
    recipe = Recipe(
        "No",
        (
            "Do not slice the carrot.",
            "Don't fry or stir the onion; boil the potato in a pot.",
            "Never peel it.",
            "Fry the carrot.",
        ),
        notes=("Removed emoji or picture signs (2).",),
    )
    plan = plan_recipe(recipe)
    assert [step.action for step in plan.steps][1::2] == ["boil", "fry"]
    foods = {o.name: o for step in plan.steps for o in step.objects if o.role == "food"}
    assert foods["carrot"].state_before == "whole"
    assert "onion" not in foods or foods["onion"].state_after == "whole"
    assert "Step 1 says not to slice, so the clip does not show it." in plan.notes
    assert "Step 2 says not to fry or stir, so the clip does not show it." in plan.notes
    assert recipe.notes[0] in plan.notes


def test_the_later_shots_of_a_step_use_its_foods_without_a_note() -> None:
    cut = Recipe("Pan", ("Slice the onion.", "Fry.", "Boil."), (), parents=(1, 1, 2))
    notes = " ".join(plan_recipe(cut).notes)
    assert "Step 2 names no food" not in notes and "Step 3 names no food" in notes
