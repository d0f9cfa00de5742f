"""Reading a step: verbs, mentions, references back, and texts without an instruction."""

from __future__ import annotations

import pytest

from procvid.plan.language.lexicon import Entry, phrase
from procvid.plan.language.reading import OwnFoods, Reading, own_foods, read_step
from procvid.plan.language.verbs import names_action, starts_with_action


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
        ("Slice the leek then fry it.", ["slice", "fry"]),
        ("Simmer until thick then add the peas.", ["boil", "add"]),
        ("Add the sugar and use a fork to mash the pear.", ["add", "mash"]),
        ("Cover and start to simmer the soup.", ["cover", "boil"]),
        ("After 5 minutes add in the peas, all in one layer.", ["add"]),
        ("Fold in the sides of the wrap.", ["fold"]),
        ("Fold in half of the flour.", ["mix"]),
        ("Pour out the water.", ["drain"]),
        ("Fry until the pears soften and release their juices.", ["fry"]),
        ("Fry until the pears soften and add the rice.", ["fry", "add"]),
        ("Preheat the oil in a skillet.", ["heat"]),
        ("Preheat the oven with a skillet inside.", ["preheat"]),
        ("Bring a skillet to medium heat.", ["heat"]),
        ("Set a pot of water on high heat.", ["heat"]),
        ("In a bowl, take the flour.", ["add"]),
        ("Cover, and let the yeast dissolve.", ["cover", "wait"]),
        ("Scoop the seeds out of the squash.", ["remove"]),
        ("Use the whisk (or two forks) to beat the egg.", ["mix"]),
        ("Preheat the oven with a pizza steel/stone in it.", ["preheat"]),
        ("Chill. Pour the custard into the crust.", ["add"]),
        ("Slice the bread. Goes well with soup.", ["slice"]),
        ("Mix the dry ingredients: flour, sugar and salt.", ["mix"]),
        ("Turn the valve to sealing.", ["wait"]),
        ("Press the start button.", ["wait"]),
        ("Turn to high.", ["wait"]),
        ("Allow the steam to release.", ["wait"]),
        ("Return to a boil.", ["boil"]),
        ("Return the leek to the pan.", ["add"]),
        ("Fold it into a triangle.", ["fold"]),
        ("Fold the egg whites into the batter.", ["mix"]),
        ("Gently pat it into a rectangle.", ["press"]),
        ("Pat the fish dry.", ["dry"]),
        ("Process the jars in a water bath canner.", ["boil"]),
        ("Meanwhile, brown onions and garlic in oil.", ["fry"]),
        ("Let the brown butter cool.", ["chill"]),
        ("To slice the cake, prepare a sharp knife.", ["slice"]),
        ("Pour in the stock. Dry rice, cumin and salt.", ["add"]),
        ("Dry the rice, then fry it.", ["dry", "fry"]),
        ("Use a cake pan or plate to press the dough.", ["press"]),
        ("Top with slices of ham.", ["add"]),
        ("If using a blender, add the oats. Pulse briefly.", ["add", "blend"]),
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


def foods(text: str) -> list[str]:
    return [m.entry.name for segment in read(text).segments for m in segment.foods]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Add all sauce ingredients (the honey, chopped garlic and lime juice).",
         ["honey", "garlic", "lime juice"]),
        ("Mix the filling ingredients, which include the rice, peas and salt.",
         ["rice", "pea", "salt"]),
        ("Add the spices: cumin, paprika and salt.", ["cumin", "paprika", "salt"]),
        ("Add the herbs, peas, and leek.", ["mixed herbs", "pea", "leek"]),
        ("Top with feta, olives, mint, or any other favorite toppings.",
         ["feta", "olive", "mint"]),
        ("Top with toppings like diced onions and feta.", ["onion", "feta"]),
        ("Mix the brown sugar (or coconut sugar), melted butter and salt.",
         ["brown sugar", "butter", "salt"]),
        ("Season with plenty of pepper. Like, more than you think.", ["pepper"]),
        ("Fill the cups, filling each 3/4 full with batter.", ["batter"]),
        ("Drop the batter by spoonfuls into the oil.", ["batter", "oil"]),
        ("Serve with as much salsa as you like.", ["salsa"]),
        ("Scoop balls of cookie dough onto the tray.", ["dough"]),
        ("Pour in the stock. Dry rice, cumin and salt.", ["broth", "rice", "cumin", "salt"]),
        ("Try not to use any water to grind the oats.", []),
        ("Whisk the eggs without adding any milk.", ["egg"]),
        ("Mix in the stock half and half, and salt.", ["broth", "half-and-half", "salt"]),
        ("Slice the spring onion greens.", ["spring onion greens"]),
        ("Add the white parts of the leek and the whites of the spring onions.",
         ["leek", "spring onion whites"]),
        ("Mix the peas, rice, sage or parsley, leek and salt.",
         ["pea", "rice", "sage", "leek", "salt"]),
        ("Serve with rice, potatoes or naan.", ["rice"]),
        ("Mix everything listed under tahini sauce.", []),
        ("Place a tray below to catch any sugar.", []),
        ("Baste the duck with the pan juices.", ["duck", "pan juices"]),
        ("Arrange the bread mayo-side down.", ["bread"]),
        ("Add a lid, label, and date.", []),
        ("Swirl to melt the butter.", ["butter"]),
        ("Fry the bread similar to crackers.", ["bread"]),
        ("Slice the leek. Low-fat option - poach the eggs in water.", ["leek"]),
        ("Add the sugar, rosemary lemon zest and salt.",
         ["sugar", "rosemary", "lemon zest", "salt"]),
        ("Make balls of dough.", ["dough"]),
        ("Prepare the leek: peel and slice.", ["leek", "leek"]),
        ("Pour a ladle of batter per pancake.", ["batter"]),
        ("Set aside to pickle.", []),
        ("Reserve the broth to be used in the gravy.", ["broth"]),
        ("Sear the turkey cutlets with the oregano spice.", ["turkey", "oregano"]),
        ("Add the red chili powder and the beet powder.", ["chili powder", "beetroot powder"]),
        ("Boil the macaroni noodles.", ["macaroni"]),
        ("Serve in lettuce cups.", ["lettuce"]),
        ("Add the scotch bonnet pepper and the Thai chili peppers.", ["habanero", "chili pepper"]),
        ("Taste and adjust the seasonings.", ["salt and pepper"]),
    ],
)  # fmt: skip
def test_the_foods_of_a_step(text: str, named: list[str]) -> None:
    assert foods(text) == named


@pytest.mark.parametrize(
    ("text", "vessels", "tools"),
    [
        ("Grease a 9 x 9-inch pan.", ["cake pan"], []),
        ("Grease a 13-by-9-inch pan.", ["cake pan"], []),
        ("Heat a 12-inch pan.", ["frying pan"], []),
        ("Oil a medium-size bowl.", ["bowl"], []),
        ("Move the oven rack up. Line 2 baking sheet pans.", ["baking tray"], []),
        ("Transfer the corn to clean bowls.", ["bowl"], []),
        ("Place six cookies per baking sheet.", ["baking tray"], []),
        ("Cover the bowl loosely by foil.", ["bowl"], ["foil"]),
        ("Knead the dough with the dough hook attachment.", [], ["electric mixer"]),
        ("Pour in the milk, whisking all the time.", [], ["whisk"]),
        ("Ladle the soup into a bowl.", ["bowl"], ["ladle"]),
        ("Cut rounds with a cookie cutter or the rim of a glass.", [], ["cookie cutter"]),
        ("Oil a cake pan or a baking dish or a skillet.", ["cake pan"], []),
        ("In a measuring cup, whisk the egg.", ["liquid measuring cup"], []),
        ("Blend well. Can be stored in a jar in the fridge.", [], []),
        (
            "Spoon the batter into a muffin tin, filling half of each cup.",
            ["muffin tin"],
            ["spoon"],
        ),
        ("Cut the dough with a pastry wheel.", [], ["pizza cutter"]),
        ("To use cookie cutters, turn the dough out.", [], []),
        ("To roll and use cookie cutters, turn the dough out.", [], []),
    ],
)
def test_the_vessels_and_tools_of_a_step(text: str, vessels: list[str], tools: list[str]) -> None:
    segments = read(text).segments
    assert [m.entry.name for s in segments for m in s.vessels] == vessels
    assert [m.entry.name for s in segments for m in s.tools] == tools


@pytest.mark.parametrize(
    ("text", "refers"),
    [
        ("Press the log down.", ("it",)),
        ("Coat each fillet with crumbs.", ("it",)),
        ("Pour half into the pan.", ("it",)),
        ("Drain all the water.", ("it",)),
        ("Rinse under cold water.", ("it",)),
        ("Drain the water from the rice.", ()),
        ("Remove from the pan. Repeat with the rest of the oil and leek.", ("it",)),
        ("Add the leek. Repeat with the rest of the oil.", ()),
        ("Mix everything listed under tahini sauce.", ("remaining ingredients",)),
    ],
)
def test_shapes_pieces_and_drained_water_refer_to_the_food(
    text: str, refers: tuple[str, ...]
) -> None:
    assert read(text).segments[0].refers == refers


def test_the_recipe_says_which_pastry_is_meant() -> None:
    bought = read_step("Roll out the pastry.", OwnFoods({}, frozenset({"puff", "pastry"})))
    own = read_step("Roll out the pastry.", OwnFoods({}, frozenset({"flour"})))
    names = [reading.segments[0].foods[0].entry.name for reading in (bought, own)]
    assert names == ["puff pastry", "pastry"]


def test_all_and_the_ingredients_refer_to_what_was_named() -> None:
    assert read("Transfer all to a pot.").segments[0].refers == ("everything",)
    assert read("Add the milk and whisk the ingredients.").segments[-1].refers == ("mixture",)
    assert read("Stir the ingredients.").segments[0].refers == ("ingredients",)


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
