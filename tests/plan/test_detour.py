"""Changes of a recipe: words, amounts, wishes, substitutes, and what differs."""

from __future__ import annotations

from fractions import Fraction

import pytest

from procvid.cli import main
from procvid.errors import InputError
from procvid.plan.detour.amounts import scaled_line, scaled_step
from procvid.plan.detour.detour import Detour, make_detour
from procvid.plan.detour.diff import counts
from procvid.plan.detour.uses import uses_of
from procvid.plan.detour.wishes import (
    joined,
    wishes_from_json,
    wishes_of,
    wishes_to_json,
)
from procvid.plan.detour.words import removed, replaced, thing_of, with_verb, without_pronoun
from procvid.plan.edit import with_object_field, with_prompt
from procvid.plan.recipe.parse import parse_recipe, read_recipe
from procvid.plan.recipe.servings import servings_in
from procvid.plan.recipe.written import recipe_text
from procvid.plan.rules import plan_recipe
from procvid.plan.shots import cut_into_shots, with_recipe_steps
from procvid.types import Plan, Recipe

RICE = """Fried rice
Serves 4

Ingredients
- 2 eggs
- 1 tbsp butter
- 1 onion, diced
- 200 g rice

Steps
1. Melt the butter in a large pan.
2. Dice the onion and fry it in the butter for 5 minutes.
3. Beat the eggs with a whisk in a bowl.
4. Pour the eggs over the rice and onions. Stir until set.
5. Serve in bowls with a knob of butter.
"""
SOUP = """Tomato soup

Ingredients
- 2 tbsp butter
- 1 onion
- 800 g canned tomatoes
- 500 ml chicken broth
- 4 slices bread

Steps
1. Melt the butter in a large pot and cook the chopped onion until soft.
2. Add the tomatoes and the chicken broth. Simmer for 20 minutes.
3. Transfer the soup to a blender and blend until smooth.
4. Cut the bread into cubes and toast them in the oven for 10 minutes.
5. Ladle the soup into bowls and top with the croutons.
"""


def planned(text: str) -> tuple[Recipe, Plan]:
    recipe = cut_into_shots(parse_recipe(text))
    return recipe, with_recipe_steps(plan_recipe(recipe), recipe)


def detour(text: str, **wishes) -> Detour:
    return make_detour(*planned(text), wishes_of(**wishes))


def kinds(made: Detour) -> str:
    return " ".join(f"{step.name}{step.kind[0]}" for step in made.steps)


@pytest.mark.parametrize(
    ("thing", "text", "rest"),
    [
        ("salt", "Add the onion, garlic and salt.", "Add the onion and garlic."),
        ("garlic", "Add the onion, garlic and salt.", "Add the onion and salt."),
        ("onion", "Add the onion, garlic and salt.", "Add garlic and salt."),
        ("salt", "Add the onion, garlic, and salt.", "Add the onion and garlic."),
        ("ginger", "Add garlic, ginger, and chili; cook.", "Add garlic and chili; cook."),
        ("nuts", "Mix flour, chopped nuts (1 cup), and salt.", "Mix flour and salt."),
        ("butter", "Fry it in the butter for 5 minutes.", "Fry it for 5 minutes."),
        ("butter", "Serve in bowls with a knob of butter.", "Serve in bowls."),
        ("butter", "Melt the butter in a large pan.", ""),
        ("parsley", "Sprinkle with chopped parsley and serve.", "Serve."),
        ("parsley", "Garnish with parsley.", ""),
        ("onion", "Dice the onion and mince the garlic.", "Mince the garlic."),
        ("cream", "Stir in the cream, then add the peas.", "Add the peas."),
        ("crust", "Heat the oven. In a bowl, mix the crust. Bake.", "Heat the oven. Bake."),
        ("pasta", "Once it boils, add pasta and cook.", "Once it boils, cook."),
        ("onion", "Cook until the onion is soft, about 5 minutes.", "Cook, about 5 minutes."),
        ("onion", "When the onion is soft, add the peas.", "Add the peas."),
        ("peanut", "Spread peanut butter on the bread.", "Spread peanut butter on the bread."),
    ],
)
def test_a_thing_is_removed_from_a_text(thing, text, rest):
    assert removed(text, thing_of(thing)) == rest


@pytest.mark.parametrize(
    ("old", "new", "text", "now"),
    [
        ("butter", "olive oil", "Melt the butter in a pan.", "Heat the olive oil in a pan."),
        (
            "butter",
            "olive oil",
            "Butter a baking dish and dust it with flour.",
            "Grease a baking dish with olive oil and dust it with flour.",
        ),
        ("butter", "olive oil", "Add a knob of butter.", "Add a little olive oil."),
        ("butter", "olive oil", "Spread peanut butter on it.", "Spread peanut butter on it."),
        ("onion", "zucchini", "Slice an onion.", "Slice a zucchini."),
        (
            "onions",
            "zucchini",
            "Onions burn. Add the onions.",
            "Zucchinis burn. Add the zucchinis.",
        ),
        ("eggs", "tofu", "Beat the eggs.", "Beat the tofu."),
        ("bread", "gluten-free bread", "Cut the bread.", "Cut the gluten-free bread."),
        ("plate", "bowl", "Serve it on a plate.", "Serve it in a bowl."),
        ("bowl", "plate", "Serve it in the bowl.", "Serve it on the plate."),
        ("pan", "pot", "Fry it in the pan.", "Fry it in the pot."),
        ("ricotta", "tofu", "Stir whole-milk ricotta in.", "Stir whole-milk tofu in."),
        ("nut", "seed", "Use a nut-free bar.", "Use a nut-free bar."),
        ("eggs", "tofu", "Beat 2 extra-large eggs.", "Beat 2 tofu."),
        ("chicken", "tofu", "Dice the boneless, skinless chicken.", "Dice the tofu."),
        ("tadka", "oil", "Pour the tadka over it.", "Pour the oil over it."),
    ],
)
def test_a_thing_is_replaced_in_a_text(old, new, text, now):
    assert replaced(text, thing_of(old), thing_of(new)) == now


def test_a_verb_takes_the_form_of_the_one_before():
    assert with_verb("Blend it. Keep blending.", "blend", "mash") == "Mash it. Keep mashing."
    assert without_pronoun("Fry it in the oil, then add the peas.") == "Add the peas."
    assert without_pronoun("Fry it with the peas.") == "Fry it with the peas."


@pytest.mark.parametrize(
    ("line", "half", "double"),
    [
        ("2 cups flour", "1 cup flour", "4 cups flour"),
        ("1 1/2 tsp salt", "3/4 tsp salt", "3 tsp salt"),
        ("½ cup sugar", "1/4 cup sugar", "1 cup sugar"),
        ("2-3 carrots", "1-1 1/2 carrots", "4-6 carrots"),
        ("1 large onion", "1/2 large onion", "2 large onions"),
        ("400 g rice", "200 g rice", "800 g rice"),
        ("2 (400 g) cans tomatoes", "1 (400 g) can tomatoes", "4 (400 g) cans tomatoes"),
        ("1 and 1/2 cups rice", "3/4 cup rice", "3 cups rice"),
        ("3/4 cup milk", "3/8 cup milk", "1 1/2 cups milk"),
        (
            "4 tablespoons (57 g) butter",
            "2 tablespoons (28 g) butter",
            "8 tablespoons (114 g) butter",
        ),
        ("100g/3½oz butter", "50g/1 3/4oz butter", "200g/7oz butter"),
        ("0.5 l water", "0.25 l water", "1 l water"),
        ("salt to taste", "salt to taste", "salt to taste"),
    ],
)
def test_amounts_are_scaled(line, half, double):
    assert scaled_line(line, Fraction(1, 2)) == half
    assert scaled_line(line, Fraction(2)) == double


def test_a_step_keeps_its_times_heat_and_sizes():
    text = "Beat 2 eggs with 1 cup milk for 5 minutes at 350 F in a 9x13 inch pan."
    now = "Beat 1 egg with 1/2 cup milk for 5 minutes at 350 F in a 9x13 inch pan."
    assert scaled_step(text, Fraction(1, 2)) == now
    assert servings_in(('Skipped line: "Serves 4"',)) == 4 and servings_in(("Enjoy!",)) == 0


def test_a_swap_changes_the_steps_with_the_thing_and_keeps_the_others():
    made = detour(RICE, swap=["butter=olive oil"])
    assert kinds(made) == "1c 2ak 2bc 3k 4k 5c"
    assert made.recipe.whole_steps[0] == "Heat the olive oil in a large pan."
    assert ("1 tbsp butter", "7/8 tbsp olive oil") in made.lines
    assert made.steps[0].before == "Melt the butter in a large pan."
    assert set(made.steps[0].objects) == {"shows no butter", "shows olive oil"}
    assert any("contain no dairy now" in note for note in made.notes)
    assert made.summary == "3 steps kept, 3 changed."


def test_without_a_food_its_own_steps_go():
    made = detour(RICE.replace("onion", "carrot"), without=["carrot"], swap=["butter=oil"])
    assert "2ad 2bd" in kinds(made)
    assert made.recipe.whole_steps[2] == "Pour the eggs over the rice. Stir until set."
    assert detour(RICE, without=["onion"]).recipe.steps[1] == "Dice the shallot."


def test_without_a_tool_a_known_one_takes_over():
    assert (
        detour(RICE, without=["whisk"]).recipe.whole_steps[2]
        == "Beat the eggs with a fork in a bowl."
    )
    assert kinds(detour(SOUP, without=["blender"])).count("c") == 2


def test_skipped_and_added_steps():
    assert kinds(detour(RICE, skip=["3"])) == "1k 2ak 2bk 3d 3c 4c"
    assert kinds(detour(RICE, skip=["2b"])).split()[:3] == ["1k", "2k", "2bd"]
    made = detour(
        RICE, add=["Chop the parsley and sprinkle it over the rice.", "0: Wash the rice."]
    )
    assert [step.text for step in made.steps if step.kind == "new"] == [
        "Wash the rice.",
        "Chop the parsley.",
        "Sprinkle it over the rice.",
    ]
    assert made.steps[-1].name == "7" and made.steps[0].kind == "new"


def test_what_is_still_named_or_lacking_is_said():
    text = RICE + "6. Serve with a hearty bread.\n"
    made = detour(text, diet=["gluten-free"], swap=["rice=quinoa"])
    assert any("Still named and not gluten-free: bread" in note for note in made.notes)
    assert not any("contain no gluten" in note for note in made.notes)
    assert any("Oats count as gluten" in note for note in made.notes)
    sliced = "Omelette\n\n1. Slice the carrot.\n2. Fry the sliced carrot in a pan.\n3. Serve."
    assert any("Step 1 still has sliced carrot" in n for n in detour(sliced, skip=["1"]).notes)


def test_a_food_that_is_there_already_is_said():
    made = detour(RICE, swap=["butter=rice"])
    assert any("Rice is in the recipe already" in note for note in made.notes)
    titled = RICE.replace("Fried rice", "Best Onion Pan")
    assert detour(titled, swap=["onion=sweet potato"]).recipe.title == "Best Sweet Potato Pan"


def test_ground_beef_is_the_beef_of_the_steps():
    text = RICE.replace("1 onion, diced", "1 pound ground beef").replace("onions", "beef")
    made = detour(text.replace("onion", "beef"), swap=["ground beef=ground turkey"])
    assert "beef" not in str(made.recipe.steps) and "turkey" in made.recipe.steps[1]


def test_a_new_step_stays_whole_steps_apart():
    text = "Soup\n\n1. Boil the carrot in a pot.\n2. Dice the bread and serve the soup in a bowl.\n"
    made = detour(text, add=["Season with salt."])
    assert [(step.kind, step.text) for step in made.steps][1] == ("new", "Season with salt.")
    inside = detour(RICE, add=["2a: Season with salt."])
    assert [s.text for s in inside.plan.steps][1:4] == [
        "Dice the onion.",
        "Season with salt.",
        "Fry it in the butter for 5 minutes.",
    ]


def test_garlic_powder_takes_no_place_of_garlic():
    made = detour(RICE.replace("onion", "garlic"), without=["garlic"])
    assert not any("powder" in swap.new for swap in made.swaps)


def test_the_yield_of_a_page_is_its_servings():
    page = '{"@type": "Recipe", "name": "Rice", "recipeYield": ["4", "4 servings"], '
    page += '"recipeIngredient": ["200 g rice"], "recipeInstructions": ["Boil the rice in a pot."]}'
    assert detour(page, servings="2").lines == (("200 g rice", "100 g rice"),)


def test_a_new_food_of_a_new_step_is_an_ingredient():
    made = detour(RICE, add=["Chop the parsley and sprinkle it over the rice."])
    assert made.lines == (("", "parsley"),) and made.recipe.ingredients[-1] == "parsley"


def test_servings_scale_the_amounts():
    made = detour(RICE, servings="2")
    assert ("2 eggs", "1 egg") in made.lines and ("200 g rice", "100 g rice") in made.lines
    assert counts(made.steps)["kept"] == 6
    again = cut_into_shots(parse_recipe(recipe_text(made.recipe)))
    back = make_detour(again, plan_recipe(again), wishes_of(servings="4"))
    assert ("1 egg", "2 eggs") in back.lines
    assert ("800 g canned tomatoes", "400 g canned tomatoes") in detour(SOUP, servings="2/4").lines


def test_a_diet_replaces_what_it_excludes_and_what_is_made_of_it():
    made = detour(SOUP, diet=["vegan", "gluten-free"])
    lines = dict(made.lines)
    assert lines["500 ml chicken broth"] == "500 ml vegetable broth"
    assert lines["4 slices bread"] == "4 slices gluten-free bread"
    assert made.steps[-1].text == "Top with the croutons." and "butter" not in str(made.recipe)


def test_what_an_egg_does_decides_what_takes_its_place():
    bound = (
        "Patties\n\n1. Mix the ground beef with the eggs in a bowl.\n2. Fry the patties in a pan."
    )
    alone = "Eggs\n\n1. Fry the eggs in a pan.\n2. Serve on a plate."
    assert "binding" in uses_of(planned(bound)[1], "egg")
    assert "alone" in uses_of(planned(alone)[1], "egg")
    swaps = [detour(text, without=["eggs"]).swaps[0].new for text in (bound, alone)]
    assert swaps[0] != swaps[1]


def test_edits_of_a_person_stay_where_nothing_changes():
    recipe, plan = planned(RICE)
    plan = with_prompt(plan, 4, "Eggs in a blue bowl.")
    plan = with_object_field(plan, 2, "onion", "state_after", "sliced")
    made = make_detour(recipe, plan, wishes_of(swap=["butter=oil"]))
    assert made.plan.steps[3].prompt == "Eggs in a blue bowl."
    assert {o.name: o.state_after for o in made.plan.steps[1].objects}["onion"] == "sliced"
    assert [step.kind for step in made.steps][3] == "kept"
    again = make_detour(recipe, plan, wishes_of(swap=["whisk=fork"]))
    assert any("new prompt" in note for note in again.notes)


def test_a_swap_back_gives_the_plan_back():
    recipe, plan = planned(RICE)
    there = make_detour(recipe, plan, wishes_of(swap=["onion=carrot"]))
    back = make_detour(there.recipe, there.plan, wishes_of(swap=["carrot=onion"]))
    assert back.recipe.whole_steps == recipe.whole_steps
    assert [s.objects for s in back.plan.steps] == [s.objects for s in plan.steps]


@pytest.mark.parametrize(
    ("wishes", "reason"),
    [
        ({"swap": ["saffron=salt"]}, "has no saffron. Its foods are egg, butter, onion, rice"),
        ({"swap": ["butter=butter"]}, "with itself"),
        ({"swap": ["butter=unsalted butter="]}, "is not a swap"),
        ({"swap": ["butter=oil", "oil=butter"]}, "form a circle: butter to oil"),
        ({"swap": ["butter=oil", "butter=lard"]}, "Two swaps replace butter"),
        ({"swap": ["whisk=onion"]}, "cannot take the place"),
        ({"skip": ["1", "2", "3", "4", "5"]}, "All steps are skipped"),
        ({"skip": ["9"]}, "Step 9 does not exist. Choose one of 1, 2a, 2b, 3, 4, 5."),
        ({"add": ["9: Stir."]}, "Step 9 does not exist"),
        ({"add": [" "]}, "is empty or too long"),
        ({"add": ["Hello world."]}, "names no action"),
        ({"add": ["-1: Stir the rice."]}, "Step -1 does not exist"),
        ({"without": ["1"]}, "'1' is no food or tool"),
        ({"swap": ["the=a"]}, "'the' is no food or tool"),
        ({"swap": ["onion=<b>x</b>"]}, "is no food or tool"),
        ({"swap": ["butter=boil"]}, "'boil' is no food or tool"),
        ({"diet": ["vegan"], "swap": ["onion=beef"]}, "Beef is not vegan"),
        (
            {"without": ["egg"], "add": ["Fry an egg in the pan."]},
            "leave out egg and bring it back",
        ),
        ({"add": ["x" * 601]}, "is empty or too long"),
        ({"servings": "0"}, "is no number of servings"),
        ({"servings": "1000000"}, "is no number of servings"),
        ({"servings": "2/0"}, "is no number of servings"),
        ({"servings": "many"}, "is no number of servings"),
        ({"diet": ["moon"]}, "diet: 'moon'"),
        ({"without": ["butter"] * 21}, "at most 20"),
        ({"without": ["oven"]}, "has no oven"),
        ({}, "nothing to change"),
        ({"servings": "4"}, "change nothing"),
        ({"diet": ["alcohol-free"]}, "keeps the recipe from being alcohol-free"),
    ],
)
def test_a_wrong_wish_gets_one_sentence(wishes, reason):
    with pytest.raises(InputError) as error:
        detour(RICE, **wishes)
    assert reason in str(error.value), str(error.value)


def test_a_thing_without_a_substitute_is_named():
    with pytest.raises(InputError, match="No substitute for the oven is known"):
        detour(SOUP, without=["oven"])
    with pytest.raises(InputError, match="does not say how many it serves"):
        detour(SOUP, servings="2")


def test_wishes_survive_json_and_join():
    wishes = wishes_of(swap=["butter=oil"], skip=["2"], servings="2/4", diet=["Vegan"])
    assert wishes_from_json(wishes_to_json(wishes)) == wishes
    both = joined(wishes, wishes_of(skip=["2", "3"], servings="9"))
    assert both.skip == ("2", "3") and both.servings == "2/4"
    for value in ({"swap": "butter=oil"}, {"skip": [2]}, {"other": []}):
        with pytest.raises(InputError):
            wishes_from_json(value)


def test_chained_swaps_happen_at_once():
    made = detour(RICE, swap=["butter=onion powder", "onion=butter"])
    assert (
        made.recipe.whole_steps[1]
        == "Dice the butter and fry it in the onion powder for 5 minutes."
    )


def test_the_command_shows_and_writes_the_recipe(tmp_path, capsys):
    file, out = tmp_path / "rice.md", tmp_path / "new.md"
    file.write_text(RICE)
    assert main(["detour", str(file), "--swap", "butter=olive oil", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "~ 1. Heat the olive oil in a large pan." in said and "  3. Beat the eggs" in said
    again = read_recipe(out)
    assert again.whole_steps[0] == "Heat the olive oil in a large pan." and len(again.steps) == 5
    assert main(["detour", str(file), "--skip", "9"]) == 2
    assert "does not exist" in capsys.readouterr().err
    assert main(["detour", str(file), "--ask", "make it vegan"]) != 0
    assert "needs a key" in capsys.readouterr().err
