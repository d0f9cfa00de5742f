"""What real recipes taught: one invented case a kind, with what a cook accepts."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from procvid.plan.rules import plan_recipe
from procvid.types import Recipe, StepPlan


@dataclass(frozen=True)
class Case:
    """A recipe and what its last step shows.

    `foods` maps a food to its state before and after, `shown` names what must be there, `absent`
    what must not; `action`, `vessel` and `prompt` (a part of it) are checked if given.
    """

    kind: str
    text: str
    foods: dict[str, tuple[str, str]]
    vessel: str = ""
    action: str = ""
    shown: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    prompt: str = ""


CASES = (
    Case("carried", "Brown the lamb in a pot.\nAdd the peas to the pot and simmer.",
         {"lamb": ("fried", "boiled"), "pea": ("whole", "boiled")}),
    Case("wet ingredients", "Ingredients\n2 eggs\n1 cup milk\n1 cup flour\n\nSteps\nWhisk the wet "
         "ingredients in a bowl.", {"egg": ("whole", "mixed"), "milk": ("plain", "mixed")},
         absent=("wet", "flour")),
    Case("remaining ingredients", "Ingredients\n- 1 onion\n- 2 carrots\n- 1 cup barley\n- 4 cups "
         "broth\n\nSteps\nFry the onion in a pot.\nAdd the remaining ingredients and simmer.",
         {"onion": ("fried", "boiled"), "carrot": ("whole", "boiled"),
          "barley": ("plain", "boiled"), "broth": ("plain", "boiled")}),
    Case("compound sauce", "Brush the fish with chili garlic sauce.", {"fish": ("raw", "raw")},
         shown=("hot sauce",), absent=("garlic", "chili pepper")),
    Case("compound of unknown sauce", "Brush the fish with plum sauce.", {"fish": ("raw", "raw")},
         shown=("sauce",), absent=("plum",)),
    Case("compound bag", "Strain the juice through a nut milk bag into a jar.", {},
         vessel="jar", shown=("juice", "bag"), absent=("nut", "milk")),
    Case("compound dish", "Put the fish in a glass baking dish.", {}, vessel="baking dish",
         absent=("glass",)),
    Case("part of a food", "Spread the avocado mash on the toast.",
         {"avocado": ("mashed", "mashed")}, shown=("toast",), absent=("mashed potato",)),
    Case("compound tool", "Pound the steak with a meat pounder.",
         {"steak": ("raw", "flattened")}, shown=("meat mallet",), absent=("meat",)),
    Case("no food", "Put the potatoes in a dish.\nBake uncovered for an additional 5 minutes.",
         {"potato": ("whole", "baked")}, absent=("uncovered", "additional")),
    Case("no food", "Serve sprinkled with parsley.", {}, shown=("parsley",), absent=("sprinkled",)),
    Case("no food", "Cut a hole in the dough.", {}, shown=("dough",), absent=("hole",),
         action="slice"),
    Case("no food", "Make a well in the middle of the flour.", {}, absent=("well", "middle")),
    Case("one of two vessels", "Puree the beets in a blender or food processor.",
         {"beetroot": ("whole", "blended")}, vessel="blender", absent=("food processor",)),
    Case("one of two foods", "Add chicken or vegetable broth to the pot.", {},
         shown=("broth",), absent=("chicken",)),
    Case("nothing but an oven", "Preheat the oven to 180 C.", {}, action="preheat",
         prompt="the oven heating up"),
    Case("out of a vessel", "Fry the pork in a skillet.\nRemove the pork from the skillet.", {},
         action="remove", prompt="pork out of the frying pan"),
    Case("condition", "Sear the tomatoes in a skillet. Chop if very large.",
         {"tomato": ("whole", "fried")}, vessel="frying pan", absent=("cutting board", "knife")),
    Case("condition", "Fry the tofu in a wok. If it sticks, add oil.", {}, absent=("oil",)),
    Case("option", "Fry the tofu in a wok. Alternatively, bake it in the oven.",
         {"tofu": ("whole", "fried")}, vessel="wok", absent=("oven",)),
    Case("prepared pan", "Grease a baking dish.\nRoll up the tortillas and place them in the "
         "prepared pan.", {"tortilla": ("whole", "rolled")}, shown=("baking dish",),
         absent=("frying pan",)),
    Case("not where the last food is", "Puree the mango in a blender.\nBrush the salmon with oil.",
         {"salmon": ("raw", "raw")}, vessel="plate", absent=("blender", "mango")),
    Case("grill", "Heat a grill.\nOil the grates; cook the salmon for 5 minutes per side.",
         {"salmon": ("raw", "grilled")}, vessel="grill", action="grill", absent=("frying pan",)),
    Case("until", "Boil the potatoes until fork tender.", {"potato": ("whole", "boiled")},
         absent=("fork",)),
    Case("while", "While the pasta cooks, dice the onion.", {"onion": ("whole", "diced")},
         absent=("pasta",)),
    Case("soup plate", "Boil the onions in broth in a pot.\nServe with bread.", {},
         vessel="bowl", shown=("onion", "bread")),
    Case("no step", "Toss the cucumber with vinegar in a bowl.\nEnjoy!", {}, vessel="bowl",
         shown=("cucumber",)),
    Case("food as a verb", "Toast the tortillas in a pan.\nButter the bread and grill it.",
         {"bread": ("whole", "grilled")}, shown=("butter",), absent=("tortilla",)),
    Case("pepper in a list", "Add onion, pepper and garlic to the skillet and cook until the "
         "onions are soft.", dict.fromkeys(("onion", "bell pepper", "garlic"), ("whole", "fried"))),
    Case("shred", "Boil the chicken in a pot.\nShred the chicken with two forks.",
         {"chicken": ("boiled", "torn")}, action="tear"),
    Case("rub", "Place the chickpeas in a bowl of water. Rub them to loosen the skins.",
         {"chickpea": ("whole", "whole")}),
    Case("drink", "Strain the cocktail into a glass.", {}, shown=("cocktail",),
         absent=("lemonade",)),
    Case("aside", "Combine flour and hot water (from the kettle) in a bowl and knead.", {},
         vessel="bowl", absent=("kettle",)),
    Case("side action", "Serve the sangria over ice, topping off each glass with soda.", {},
         vessel="glass", shown=("sangria", "soda water"), absent=("topping", "plate")),
    Case("gentle mixing", "In a bowl, combine the diced mango, cucumber and mint.",
         {"mango": ("diced", "diced")}, shown=("spoon",), absent=("whisk",)),
    Case("product", "Mix the flour and eggs in a bowl.\nKnead the dough.",
         {"dough": ("mixed", "kneaded")}, absent=("flour", "egg")),
    Case("dish of the title", "Fry the beets in a pot.\nAdd broth and boil.\nServe the soup.", {},
         vessel="bowl", shown=("soup",), absent=("beetroot", "broth")),
    Case("place without a comma", "In a small bowl whisk the eggs.",
         {"egg": ("whole", "mixed")}, action="mix"),
    Case("pasta is boiled", "Fry the garlic in a pan.\nCook the pasta until al dente.",
         {"pasta": ("plain", "boiled")}, vessel="pot", absent=("garlic",)),
    Case("scattered over", "Fry the mushrooms in a pan.\nScatter over the parsley.",
         {"mushroom": ("fried", "fried")}, vessel="frying pan",
         prompt="scattering the parsley over the mushrooms"),
    Case("squeezed over", "Bake the chicken in a dish.\nSqueeze over the lemon.",
         {"lemon": ("whole", "squeezed")}, prompt="squeezing the lemon"),
    Case("poured over", "Mix the flour, eggs and milk in a bowl.\nBake in a loaf pan.\nMix the honey "
         "and the butter in a jug.\nPour over the loaf.", {}, vessel="loaf pan",
         prompt="hands pouring the mixture of the honey"),
    Case("forbidden", "Chop the onion.\nDon't peel the potatoes; boil them whole in a pot.",
         {"potato": ("whole", "boiled")}, absent=("onion",)),
    Case("only forbidden", "Fry the egg in a pan.\nDo not add the salt.", {}, absent=("salt",)),
    Case("topped dish", "Mix the flour, eggs and milk in a bowl.\nBake in a cake pan.\nWhip the cream in "
         "a jug.\nTop with the cream.", {}, vessel="cake pan", shown=("cream",), absent=("jug",)),
    Case("label", "Make the crust: In a food processor, pulse the cookies.", {},
         vessel="food processor", absent=("crust",)),
    Case("mixture", "Mix the flour, sugar and eggs in a bowl.\nPour the mixture into a cake pan.",
         {"flour mixture": ("mixed", "mixed")}, vessel="cake pan", absent=("egg", "sugar")),
    Case("rest of a list", "Ingredients\n2 cups flour\n1 cup sugar\n2 lemons\n\nSteps\nMix all crust "
         "ingredients in a bowl.\nSqueeze the lemons.", {}, shown=("lemon",), absent=("flour",)),
    Case("onto bread", "Fry the onions in a pan.\nSpread the mustard on the bread.", {},
         vessel="plate", shown=("bread", "mustard"), absent=("onion", "frying pan"),
         prompt="spreading the mustard"),
    Case("heated pot", "Heat a large pot.\nSauté the onions.", {"onion": ("whole", "fried")},
         vessel="pot", absent=("frying pan",)),
    Case("lid", "Boil the rice in a pot.\nPlace the lid on.", {}, action="cover", vessel="pot"),
    Case("out of the oven", "Bake the potatoes in a dish.\nRemove from the oven.", {},
         prompt="lifting the baking dish with the baked potatoes out of the oven", shown=("potato",)),
    Case("another bowl", "Mix the eggs in a bowl.\nMix the flour and salt in a bowl.", {},
         vessel="second bowl", absent=("egg",)),
    Case("filled crust", "Mix the pumpkin and eggs in a bowl.\nPour the filling into a crust.\nBake.",
         {"filling": ("mixed", "baked"), "crust": ("plain", "baked")}, vessel="pie dish"),
    Case("remark", "Fry the tofu in a wok.\nWorking in batches.", {}, action="prepare"),
    Case("preheated", "Heat to 350 F.", {}, action="preheat"),
    Case("heading", "Boil the beans.\nFor the sauce\nChop the tomatoes.", {},
         shown=("tomato",), absent=("sauce",)),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.kind}: {case.text[-40:]}")
def test_a_step_shows_what_a_cook_expects(case: Case) -> None:
    step = _last_step(case.text)
    states = {o.name: (o.state_before, o.state_after) for o in step.objects}
    for name, (before, after) in case.foods.items():
        assert states.get(name) == (before, after)
    assert not {*case.shown} - states.keys()
    assert not {*case.absent} & states.keys()
    assert case.action in ("", step.action)
    assert case.prompt in step.prompt
    vessels = [o for o in step.objects if o.role == "vessel"]
    main = max(vessels, key=lambda o: o.importance).name if vessels else ""
    assert case.vessel in ("", main)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.text[-40:])
def test_prompts_are_plain_sentences_of_25_to_60_words(case: Case) -> None:
    prompt = _last_step(case.text).prompt
    assert 25 <= len(prompt.split()) <= 60
    assert "(" not in prompt and " a a " not in prompt and "the the" not in prompt


def _last_step(text: str) -> StepPlan:
    listed, _, steps = text.rpartition("\n\nSteps\n")
    ingredients = tuple(listed.splitlines()[1:])
    return plan_recipe(Recipe("Dinner", tuple(steps.splitlines()), ingredients)).steps[-1]
