"""Steps cut into shots: where, what stays together, limits, names, and plans of shots."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from procvid.errors import InputError
from procvid.models.planners.rules import RulesPlanner
from procvid.plan.codec import check_plan, plan_from_json, plan_to_json
from procvid.plan.recipe.parse import parse_recipe, read_recipe
from procvid.plan.shots import (
    cut_into_shots,
    mode_of,
    num_actions,
    number_of,
    same_source,
    with_recipe_steps,
)
from procvid.toykitchen.recipes import HELD_OUT, random_recipe
from procvid.types import Plan, Recipe

EXAMPLES = Path(__file__).parents[2] / "examples"

CUT = [
    (
        "Whip the cream. In a cold bowl, whisk the cream until stiff.",
        ["Whip the cream. In a cold bowl, whisk the cream until stiff."],
    ),
    (
        "In a large bowl, whisk the eggs with the milk, then stir in the flour.",
        ["In a large bowl, whisk the eggs with the milk.", "Stir in the flour."],
    ),
    (
        "Add the leeks and cook until soft, about 5 minutes.",
        ["Add the leeks.", "Cook until soft, about 5 minutes."],
    ),
    (
        "Peel and dice the potatoes and put them in a pot of cold water.",
        ["Peel and dice the potatoes.", "Put them in a pot of cold water."],
    ),
    (
        "Once the butter has melted, add the garlic; fry for a minute.",
        ["Once the butter has melted, add the garlic.", "Fry for a minute."],
    ),
    (
        "Drain the chickpeas and, when dry, tip them onto a tray.",
        ["Drain the chickpeas.", "When dry, tip them onto a tray."],
    ),
    (
        "Smear them with the paste. Roast for 20 minutes until charred.",
        ["Smear them with the paste.", "Roast for 20 minutes until charred."],
    ),
    (
        "Use a fork to mash the beans. Spread them on the toast.",
        ["Use a fork to mash the beans.", "Spread them on the toast."],
    ),
    (
        "Roll each ball in sugar then place the balls on a baking tray.",
        ["Roll each ball in sugar.", "Place the balls on a baking tray."],
    ),
    (
        "Fold in the rice (if using), and spoon the mixture into the peppers.",
        ["Fold in the rice (if using).", "Spoon the mixture into the peppers."],
    ),
    (
        "Cover the bowl properly and bake the bread for 40 minutes.",
        ["Cover the bowl properly.", "Bake the bread for 40 minutes."],
    ),
    # What has no picture joins its neighbour.
    (
        "Slice the fennel and set aside. Lower the heat and simmer the broth for 10 minutes.",
        ["Slice the fennel and set aside.", "Lower the heat and simmer the broth for 10 minutes."],
    ),
    (
        "Preheat the oven to 180 °C. Grease a cake tin. Pour in the batter. Enjoy!",
        ["Preheat the oven to 180 °C. Grease a cake tin.", "Pour in the batter. Enjoy!"],
    ),
    (
        "For the sauce: Melt the butter in a pan. Whisk in the flour. It will be lumpy at first.",
        [
            "For the sauce: Melt the butter in a pan.",
            "Whisk in the flour. It will be lumpy at first.",
        ],
    ),
    (
        "Dress the salad: toss the leaves with oil. Grate the cheese. Divide it and set it aside.",
        [
            "Dress the salad: toss the leaves with oil.",
            "Grate the cheese.",
            "Divide it and set it aside.",
        ],
    ),
    (
        "Cover the tin with a plate and quickly and firmly flip the cake over.",
        ["Cover the tin with a plate.", "Quickly and firmly flip the cake over."],
    ),
    (
        "Add the duck to the pan, skin side up, then roast for 20 minutes.",
        ["Add the duck to the pan, skin side up.", "Roast for 20 minutes."],
    ),
    (
        "Fry the bread. Cool; cut into cubes and serve.",
        ["Fry the bread. Cool.", "Cut into cubes and serve."],
    ),
    # Options and conditions are no shots.
    (
        "Slice the bread. If you like, rub it with garlic. Toast it in a dry pan.",
        ["Slice the bread. If you like, rub it with garlic.", "Toast it in a dry pan."],
    ),
]
WHOLE = [
    "Fry the carrot in the frying pan until golden, crisp and then brown at the edges.",
    "Wash, peel and slice the beetroot.",
    "Bring to the boil, then reduce the heat and simmer for 20 minutes.",
    "Add the cumin. Add the paprika and the salt.",
    "Add the spinach and stir well.",
    "Place the tin in the oven and bake for 30 minutes.",
    "Turn the fish and cook the other side.",
    "Lay the aubergine on the board and slice.",
    "Whisk until the cream thickens, forms soft peaks and stands.",
    "Melt the chocolate or grate it.",
    "Fold the cream into the custard or heat the cream and mix it in.",
    "Serve at once.",
    "Mix the flour, baking powder, salt, and butter in a bowl.",
    "Let the dough rest to help soften the gluten and relax the crumb.",
    "The oats will boil up and settle down.",
    "Stir and the beef will brown and caramelise in the fat.",
    "Mix the sugar, milk, and extract to make a glaze.",
]


@pytest.mark.parametrize(("step", "shots"), CUT)
def test_each_shot_is_one_action_in_the_words_of_its_step(step: str, shots: list[str]) -> None:
    cut = cut_into_shots(Recipe("Dinner", (step, "Serve.")))
    assert list(cut.steps) == [*shots, "Serve."]
    assert cut.parents == (*[1] * len(shots), 2) and cut.whole_steps == (step, "Serve.")


@pytest.mark.parametrize("step", WHOLE)
def test_a_step_with_one_visible_action_stays_as_it_is(step: str) -> None:
    odd = f"  {step}\n"
    assert cut_into_shots(Recipe("Dinner", (odd,))).steps == (odd,)


def test_toy_recipes_have_one_shot_a_step() -> None:
    texts = {
        step.text
        for k in (*range(100), *range(HELD_OUT, HELD_OUT + 100))
        for step in random_recipe(k).steps
    }
    assert {text for text in texts if num_actions(text) > 1} == set()


def test_a_recipe_is_cut_once_and_says_how() -> None:
    recipe = Recipe("Dinner", ("Slice the leek and fry it in a pan.", "Serve."))
    auto, one = cut_into_shots(recipe), cut_into_shots(recipe, "one")
    assert cut_into_shots(auto, "one") is auto and cut_into_shots(one) is one
    assert (auto.has_shots, one.has_shots, one.steps) == (True, False, recipe.steps)
    assert (mode_of(auto), mode_of(one), same_source(auto, one)) == ("auto", "one", True)
    simple = cut_into_shots(Recipe("Dinner", ("Serve.",)), "one")
    assert mode_of(simple) == "auto" and not same_source(simple, one)


LONG = (
    "Slice the leek. Melt the butter in a pan. Fry the leek. Pour in the stock. Blend the soup. "
    "Ladle it into a bowl. Grate the cheese."
)


def test_limits_share_shots_and_say_so() -> None:
    recipe = Recipe("Soup", (LONG, "Serve it."), notes=("read so",))
    cut = cut_into_shots(recipe, most_a_step=4)
    assert cut.parents == (1, 1, 1, 1, 2) and " ".join(cut.steps[:4]) == LONG
    assert cut.notes == ("read so", "Step 1 has 7 actions; some share one of its 4 shots.")
    both = cut_into_shots(Recipe("Soup", (LONG, LONG, "Serve it.")), most=6)
    assert both.parents == (1, 1, 2, 2, 3)
    assert both.notes == (
        "The video has at most 6 shots, so a step has at most 2.",
        "Steps 1 and 2 have more than 2 actions; some share a shot.",
    )
    assert cut_into_shots(Recipe("Soup", (LONG,) * 9), most=5).steps == (LONG,) * 9


def test_a_recipe_has_the_same_shots_pasted_or_as_a_page() -> None:
    steps = ["Slice the leek and fry it in a pan.", "Pour in the stock, then blend the soup."]
    data = {"@type": "Recipe", "name": "Soup", "recipeInstructions": steps}
    page = f'<script type="application/ld+json">{json.dumps(data)}</script>'
    pasted = "Soup\n" + "\n".join(f"{n}. {step}" for n, step in enumerate(steps, start=1))
    cuts = [cut_into_shots(parse_recipe(text)) for text in (page, pasted)]
    assert cuts[0].steps == cuts[1].steps and cuts[0].parents == cuts[1].parents == (1, 1, 2, 2)


@pytest.fixture(scope="module")
def plan() -> Plan:
    texts = ("Slice the leek.", "Melt the butter in a pan, then fry the leek.", "Serve it.")
    return RulesPlanner().plan(cut_into_shots(Recipe("Leeks", texts)))


def test_a_plan_carries_the_recipe_step_of_each_shot(plan: Plan) -> None:
    assert [step.recipe_step for step in plan.steps] == [1, 2, 2, 3]
    assert plan.names == {1: "1", 2: "2a", 3: "2b", 4: "3"}
    assert [len(group) for group in plan.groups] == [1, 2, 1]
    assert check_plan(plan) == plan


def test_an_old_plan_has_its_own_numbers(plan: Plan) -> None:
    value = plan_to_json(plan)
    for step in value["steps"]:
        del step["recipe_step"]
    old = plan_from_json(value)
    assert old.names == {n: str(n) for n in range(1, 5)} and len(old.groups) == 4


@pytest.mark.parametrize("steps", [(1, 2, 4, 4), (2, 2, 3, 3), (1, 0, 1, 1), (1, 1, 2, "2")])
def test_a_plan_with_wrong_recipe_steps_is_refused(plan: Plan, steps: tuple[object, ...]) -> None:
    value = plan_to_json(plan)
    for step, number in zip(value["steps"], steps, strict=True):
        step["recipe_step"] = number
    with pytest.raises(InputError, match=r"plan.steps\[\d\].recipe_step is"):
        plan_from_json(value)


def test_people_name_a_shot_and_never_get_another_one(plan: Plan) -> None:
    assert [number_of(plan, name) for name in ("1", " 2B ", "3")] == [1, 3, 4]
    with pytest.raises(InputError, match=r"Step 2 has the shots 2a, 2b\. Choose one of them\."):
        number_of(plan, "2")
    for name in ("4", "0", "2c", "b", ""):
        with pytest.raises(InputError, match=r"does not exist\. Choose one of 1, 2a, 2b, 3\."):
            number_of(plan, name)


def test_a_plan_without_shots_has_numbers(plan: Plan) -> None:
    whole = dataclasses.replace(plan, steps=plan.steps[:1])
    with pytest.raises(InputError, match=r"Step 3 does not exist\. Choose 1 to 1\."):
        number_of(whole, "3")


def test_notes_of_a_planner_name_shots() -> None:
    recipe = cut_into_shots(Recipe("Soup", (LONG, "Serve it.")), most_a_step=2)
    plan = RulesPlanner().plan(recipe)
    noted = dataclasses.replace(plan, notes=(*recipe.notes, "Step 2 is odd, as in step 3."))
    assert with_recipe_steps(noted, recipe).notes == (
        "Step 1 has 7 actions; some share one of its 2 shots.",
        "Step 1b is odd, as in step 2.",
    )


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.*")), ids=lambda file: file.stem)
def test_examples_with_one_action_a_step_keep_their_plan(file: Path) -> None:
    recipe, planner = read_recipe(file), RulesPlanner()
    cut = cut_into_shots(recipe)
    if cut.has_shots:
        assert planner.plan(cut).steps[-1].recipe_step == len(recipe.steps)
    else:
        assert planner.plan(cut) == planner.plan(recipe)
