"""Prompts, variants of a step, and steps found in speech."""

from __future__ import annotations

import pytest

from procvid.errors import InputError
from procvid.plan.recipe.transcript import PAUSE_S, deed, steps_said
from procvid.plan.rules import plan_recipe
from procvid.plan.variants import Choices, dish_of, other_dishes, read, state_made, vary_step
from procvid.plan.writing.prompt import complete, enhance, gerund, place, with_looks
from procvid.plan.writing.toy_prompt import change, scene_sentence, toy_prompt, with_toy_looks
from procvid.plan.writing.wording import is_or_are
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


@pytest.mark.parametrize(
    ("steps", "picture"),
    [
        (
            "Mix the flour and the milk in a bowl.\nCrack in an egg.",
            "hands cracking an egg into the bowl. The mixture of the flour and the milk is in there already.",
        ),
        (
            "Bake the salmon on a baking tray.\nScatter over the walnuts.",
            "hands scattering the walnuts over the baked salmon on the baking tray.",
        ),
        (
            "Boil the pasta in a pot.\nSprinkle on a handful of grated cheddar.",
            "hands sprinkling a handful of grated cheddar over the pasta.",
        ),
        (
            "Fry the chicken in a pan.\nPour on the sauce.",
            "hands pouring the sauce over the chicken in the frying pan.",
        ),
        (
            "Whip the cream in a bowl.\nThe cream should stay put on turning the bowl.",
            "the cream in the bowl.",
        ),
        (
            "Mix the flour and the milk in a bowl.\nPour it into a cake pan.\nBake for an hour.",
            "the flour mixture baking in the cake pan in the oven.",
        ),
        ("Knead the dough.\nKnead again for 5 minutes.", "hands kneading the dough."),
        (
            "Finely chop the coriander.",
            "hands finely chopping the coriander on the cutting board with a knife.",
        ),
        (
            "Roll out the pie crust.\nUse a fork to prick the crust all over.",
            "hands pricking the crust all over with a fork.",
        ),
        (
            "Put the sugar in a bowl.\nDissolve a 2 to 3 teaspoons of sugar in 1/3 cup of water.",
            "hands dissolving the sugar in water in the bowl with a spoon.",
        ),
        (
            "Put the ground beef in a frying pan.\nCook it through.",
            "the ground beef cooking through in the frying pan.",
        ),
        (
            "Mix the oil and the vinegar in a jar.\nStore in the fridge until ready to serve.",
            "hands storing the vinegar in the jar in the fridge.",
        ),
        (
            "In a stand mixer fitted with a whisk, whip the cream and sugar.",
            "hands whipping the cream and the sugar in the stand mixer bowl fitted with a whisk.",
        ),
        (
            "Place peeled, quartered potatoes in a pot of cold water.",
            "hands placing the peeled and quartered potatoes in a pot of cold water.",
        ),
        (
            "In a bowl, beat 1/2 cup butter, softened, 1/2 cup sugar and 2 eggs until fluffy.",
            "hands beating the butter, the sugar and the eggs in a bowl with a whisk until fluffy.",
        ),
        (
            "Fry the onion in a pan.\nAdd the milk, stirring gently.",
            "hands adding the milk to the frying pan, stirring gently. The onion is in there already.",
        ),
        ("Put the pan on a high heat.", "hands putting the frying pan on the stove."),
        (
            "Fry the onion in a pan.\nReduce the temperature to low and simmer gently until soft.",
            "the onion simmering in the frying pan until soft.",
        ),
        (
            "Fry the onions in a pan.\nCover the pan and let it simmer.",
            "the onions simmering in the frying pan.",
        ),
        (
            "Bake the cake in a cake pan.\nInvert onto a cooling rack.",
            "hands inverting the baked cake onto a cooling rack.",
        ),
        (
            "Cook the spaghetti in a pot following the package directions.",
            "the spaghetti cooking in a pot.",
        ),
        (
            "Add 4 slices squash and 2 leaves cabbage to the pot.",
            "hands adding slices of squash and the leaves of cabbage to the pot.",
        ),
        (
            "Fill a large pot with about 4-6 quarts of water.",
            "hands filling a large pot with water.",
        ),
        (
            "Boil the rice in a pot.\nStir in the peas and the butter.",
            "hands stirring the peas and the butter into the rice in the pot.",
        ),
        (
            "Put the peas in a pot.\nBring to boiling.",
            "the peas coming to a boil in the pot.",
        ),
        (
            "Fry the fish in a pan.\nGarnish with lemon and parsley if desired.",
            "hands garnishing the fish with lemon and parsley in the frying pan.",
        ),
        (
            "Bake the cake in a loaf pan.\nTake it out of the pan.",
            "hands taking the baked cake out of the loaf pan.",
        ),
        (
            "Peel and dice the potatoes.",
            "hands peeling and dicing the potatoes on the cutting board with a knife.",
        ),
        (
            "Fry the onion in a pan.\nAdd the shrimp in a single layer.",
            "hands adding the shrimp to the frying pan in a single layer. The onion is in there already.",
        ),
        (
            "Toss the potatoes in a baking dish.\nBake on the middle rack of the oven.",
            "the potatoes baking in the baking dish on the middle rack of the oven.",
        ),
        (
            "Put the apples in a pot.\nCook on manual high pressure for 8 minutes.",
            "the apples cooking in the pot.",
        ),
        (
            "Put the lentils in a pot.\nTurn the valve to sealing.",
            "the lentils in the pot.",
        ),
        (
            "Put the milk in a saucepan.\nPlace it over medium heat.",
            "hands placing the pot with the milk on the stove.",
        ),
        (
            "Put the rice in a pot.\nReturn to the stovetop.",
            "hands returning the pot with the rice to the stovetop.",
        ),
        (
            "Melt the fudge in a pot.\nSpread thin on a plate.",
            "hands spreading the fudge thin on a plate.",
        ),
        (
            "Fry the chicken in a pan.\nTake it out of the pan. Repeat with the rest of the oil.",
            "hands taking the chicken out of the frying pan. The oil is at hand.",
        ),
        (
            "Put the flour in a bowl.\nAdd the oil and milk/vinegar mixture. Mix with a hand mixer.",
            "hands adding the oil, the milk and the vinegar mixture and mixing with a hand mixer in "
            "the bowl. The flour is in there already.",
        ),
        (
            "Pour the batter into a cake pan.\nSmooth the top with a spatula.",
            "hands smoothing the top of the batter with a spatula in the cake pan.",
        ),
        (
            "Put the dough in a frying pan.\nCook the other side until golden.",
            "the dough cooking on the other side in the frying pan until golden.",
        ),
        (
            "Fry the bananas in a pan.\nSprinkle the brown sugar.",
            "hands sprinkling the brown sugar over the bananas in the frying pan.",
        ),
        (
            "Put the rice in a pot.\nAdd the broth. Stir and bring to a boil.",
            "the rice coming to a boil in the pot. The broth is in there already.",
        ),
        (
            "Use the pan to fry the onion for a minute or two.",
            "the onion frying in the pan.",
        ),
        (
            "Turn the dough onto a board to use cookie cutters.",
            "hands turning the dough onto a cutting board. The cookie cutter is at hand.",
        ),
        (
            "Mix the flour and the milk in a bowl.\nSpoon the mixture into the cases.",
            "hands spooning the mixture of the flour and the milk into the cases from the bowl. The "
            "spoon is at hand.",
        ),
        (
            "Bake the meatballs on a baking tray.\nRemove the meatballs from the oven.",
            "hands lifting the meatballs out of the oven on the baking tray.",
        ),
        (
            "Put the peas in a pot.\nStir often to keep the peas from sticking.",
            "hands stirring the peas often in the pot with a spoon.",
        ),
        (
            "Put the dough in a bowl.\nCover and let the dough rest.",
            "hands covering the bowl with the kitchen towel. The dough is in there already.",
        ),
        ("Butter a loaf pan.", "hands greasing a loaf pan with the butter."),
        (
            "Chop the onion and the carrot.\nAdd all the vegetables to a pan.",
            "hands adding all the vegetables to a frying pan. The diced carrot and the diced onion "
            "are in view.",
        ),
        (
            "Halve the peppers.\nRemove the seeds and the membranes.",
            "hands removing the seeds and the membranes from the sliced peppers on the cutting board. "
            "By the end they are peeled.",
        ),
        (
            "Blanch the tomatoes in a bowl of water.\nRemove their skins.",
            "hands removing the skins from the tomatoes. The bowl is at hand.",
        ),
        (
            "Cook the broccoli in a pan.\nSimmer long enough for the flavours to come together.",
            "the broccoli simmering in the frying pan.",
        ),
        (
            "Add the soup to the crockpot.\nTurn the crockpot to high.",
            "hands turning the dial of the slow cooker.",
        ),
        (
            "Preheat the oven.\nReduce the oven temperature to 285.",
            "hands turning the dial of the oven.",
        ),
    ],
)
def test_the_clause_of_the_last_step_becomes_a_picture(steps: str, picture: str) -> None:
    plan = plan_recipe(Recipe("Dinner", tuple(steps.split("\n"))))
    shown, _ = plan.steps[-1].prompt.split(" The light is soft")
    assert shown == f"Close-up of {picture}"
    assert 25 <= len(plan.steps[-1].prompt.split()) <= 60


@pytest.mark.parametrize(
    ("text", "camera"),
    [
        ("Bake the cake in the oven.", "beside the kitchen counter."),
        ("Chill the dough in the fridge.", "beside the kitchen counter."),
        ("Fry the onion in a pan.", "beside the kitchen counter."),
        ("Slice the carrot.", "above the kitchen counter."),
    ],
)
def test_the_camera_stands_where_the_food_is(text: str, camera: str) -> None:
    assert f"steady {camera}" in plan_recipe(Recipe("Dinner", (text,))).steps[0].prompt


@pytest.mark.parametrize(
    ("names", "verb"),
    [
        (["the tongs"], "are"),
        (["the tortilla chips"], "are"),
        (["the asparagus"], "is"),
        (["the knife", "the spoon"], "are"),
        (["the salt and pepper"], "are"),
    ],
)
def test_the_verb_agrees_with_the_names(names: list[str], verb: str) -> None:
    assert is_or_are(names) == verb


def test_a_long_step_is_read_in_part() -> None:
    prompt = enhance("Stir in the milk and the flour. " * 3000, "add", (CARROT, BOARD))
    assert 25 <= len(prompt.split()) <= 60


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
