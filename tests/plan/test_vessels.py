"""Where an action of a real recipe happens: one invented case a kind."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from procvid.plan.rules import plan_recipe
from procvid.types import Recipe


@dataclass(frozen=True)
class Place:
    """Steps and where the last one happens.

    `vessel` is the main vessel ("" if it does not matter), `shown` and `absent` are objects of that step.
    """

    kind: str
    steps: str
    vessel: str
    shown: str = ""
    absent: str = ""
    title: str = "Dinner"


PLACES = (
    Place("pan of a cake", "Grease two 9 x 2-inch pans.", "cake pan"),
    Place("pan of the title", "Butter the sides of your pan.", "cake pan", title="Plum Cake"),
    Place("pans named before", "Line two cake pans.\nMix flour and eggs in a bowl.\nDivide the "
          "batter between the two pans.", "cake pan", absent="frying pan"),
    Place("pan of water", "Tear the chocolate into a bowl.\nWarm a pan of simmering water.", "pot"),
    Place("stand mixer", "Sift the flour into a bowl.\nUsing a stand mixer, beat the butter on low "
          "speed.", "stand mixer bowl", absent="flour"),
    Place("mixer goes on", "Beat the butter in the bowl of a stand mixer.\nWith the mixer on low, add "
          "the eggs.", "stand mixer bowl", shown="egg, butter"),
    Place("speed is no heat", "Fry the ham in a pan.\nBlend butter and sugar in a bowl.\nIncrease the "
          "speed and beat until fluffy.", "bowl", absent="ham"),
    Place("whisk to blend", "Pour the drippings into a saucepan.\nUsing a whisk, blend in the flour.",
          "pot", absent="blender"),
    Place("pot of a machine", "Put the apples into a pressure cooker.\nStir the apples in the pot.",
          "pressure cooker"),
    Place("machine of the title", "Coat the chicken with flour and set it aside on a plate.\nAdd the "
          "chicken to the pot.", "pressure cooker", title="Instant Pot Chicken"),
    Place("slowly", "Add the beef, the onions and the broth.\nCook on low for 8 hours.", "slow cooker",
          shown="beef"),
    Place("vessel of a side clause", "Fill a medium pot with water.\nFill a small pot with water.\n"
          "Once the medium pot is boiling, add the barley.", "pot"),
    Place("into the center", "Halve the dates.\nAdd nut butter to the center.", "cutting board",
          shown="date"),
    Place("on top", "Spread the tomato sauce in a baking dish.\nArrange the noodles on top.",
          "baking dish", shown="noodle, tomato sauce"),
    Place("topped on the board", "Halve the dates.\nAdd walnuts to the center.\nTop with honey.",
          "cutting board", shown="date"),
    Place("inside", "Spray an air fryer with oil.\nPlace the potatoes inside.", "air fryer"),
    Place("cold beside hot", "Fry the squash in a pan.\nMeanwhile, whisk together the eggs and the "
          "milk.", "bowl", absent="squash"),
    Place("in the dressing's bowl", "Mix oil, honey and vinegar in a bowl.\nBoil the pasta in a pot.\n"
          "Drain.\nToss with the dressing.", "bowl", shown="pasta"),
    Place("oil after a plate", "Fry the fish in a skillet.\nTransfer the fish to a plate.\nAdd more "
          "oil.", "frying pan"),
    Place("frosted", "Bake the cake in a cake pan.\nTurn the cake out onto a wire rack.\nSlice the "
          "cake in half.\nTop each cake layer with jam.", "plate", shown="cake"),
    Place("on the rack", "Bake the rolls on a baking sheet.\nCool the rolls on a wire rack.\nSpread "
          "honey over the rolls.", "cooling rack"),
    Place("in its dish", "Press the dough into a baking dish.\nBake.\nCool on a wire rack.",
          "baking dish"),
    Place("set down in its dish", "Press the dough into a pie dish.\nPlace onto a baking sheet.",
          "pie dish"),
    Place("piped", "Bake the cookies on a baking sheet.\nSpoon the frosting into a zip bag.\nPipe the "
          "frosting onto the cookies.", "baking tray"),
    Place("coated in place", "Boil the pork in a pot.\nAdd the barbecue sauce.\nCoat well with the "
          "sauce.", "pot", shown="pork"),
    Place("crumbs stay", "Mix breadcrumbs and cheese on a plate.\nCoat the fish in the breadcrumbs.\n"
          "Fry the fish in a pan.", "frying pan", shown="fish", absent="breadcrumbs"),
    Place("browned in a pot", "Heat a pot.\nAdd the bacon.\nCook until crisp.", "pot"),
    Place("in the microwave", "Boil the rice in a rice cooker.\nMix soy sauce and sugar in a small "
          "bowl. Microwave until hot.", "bowl", absent="rice"),
    Place("heated pan, not the oven", "Preheat the oil in a skillet.", "frying pan", absent="oven"),
    Place("served from the pot", "Boil the broth and the noodles in a pot.\nMix oil and chili in a bowl."
          "\nLadle the soup into your serving bowls.", "serving bowl", shown="soup"),
    Place("to the other bowl", "Beat butter and sugar in a bowl.\nWhisk flour and salt in another bowl.\n"
          "Add the flour mixture.", "bowl", shown="flour, sugar"),
    Place("a new bowl", "Mash the berries with sugar in a bowl.\nPreheat the oven.\nMelt butter in a pot.\n"
          "Mix sugar and eggs.", "second bowl", absent="mixed berries"),
    Place("ground", "Drain the lentils.\nGrind the lentils.", "food processor"),
    Place("soaked", "Grind the cumin in a mortar.\nSoak the beans in water.", "bowl", absent="cumin"),
    Place("meat after a plate", "Fry the beans in a skillet.\nTransfer the beans to a plate.\nAdd the "
          "ground pork.", "frying pan", absent="bean"),
    Place("set aside", "Fry the chicken in a pan. Set the chicken aside.\nFry the leek in the same pan.",
          "frying pan", absent="chicken"),
    Place("seasoned goods", "Mix paprika, cumin and salt in a small bowl.\nPat the chicken dry.\nSprinkle "
          "the seasoning over the chicken.", "plate", shown="seasoning mix, chicken"),
    Place("stew of the title", "Brown the beef in a pot.\nAdd beans and broth.\nSimmer the chili.", "pot",
          absent="chili pepper", title="Beef Chili"),
    Place("over it", "Season the steaks.\nPlace the steaks in a bowl.\nMix oil and vinegar in a jug.\nPour "
          "the marinade all over it.", "bowl", shown="steak"),
    Place("pan of a cake on a tray", "Spread the batter in a cake pan.\nBake on a baking sheet.",
          "cake pan"),
    Place("pepper's ribs", "Cut the bell pepper in half.\nRemove the ribs and seeds.", "",
          absent="spare rib"),
    Place("ball of dough", "Mix flour, yeast and water in a bowl.\nShape into a ball.", "",
          shown="dough", absent="ball"),
    Place("announced", "Prepare the topping: mix oats and honey in a bowl.", "bowl", absent="topping"),
    Place("oil that is added", "Fry the eggplant in a pan.\nCook, adding more oil as needed.",
          "frying pan", shown="eggplant"),
    Place("pan of water", "Bring a large pan of well-salted water to a boil.", "pot"),
    Place("a heading", "Press the biscuits into a cake pan.\nBake.\nAssembling the cheesecake bars:\nSpread "
          "the filling on top of the crust.", "cake pan"),
    Place("chopped as it cooks", "Fry the beef in a pan.\nChop it up as it cooks.", "frying pan",
          absent="cutting board"),
    Place("ingredients just named", "Mix milk and eggs in a bowl.\nAdd water and sugar to a saucepan and "
          "whisk ingredients together.", "pot", shown="water, sugar", absent="milk, egg"),
    Place("heated alone", "Put the cream in a saucepan.\nHeat until it simmers.", "pot", shown="cream"),
    Place("another juice", "Squeeze the lemon juice into a glass.\nBoil the blackberry juice in a pot.",
          "pot", shown="juice", absent="lemon juice"),
    Place("brine on vegetables", "Fill the jars with carrots and radishes.\nPour the brine on each jar.",
          "jar", shown="brine, carrot, radish"),
    Place("to stew", "Fry the broccoli in a pan.\nAllow it to stew for ten minutes.", "frying pan",
          absent="stew"),
    Place("pancakes with toppings", "Fry the pancakes in a pan.\nServe with your favorite toppings. Some "
          "suggestions include maple syrup.", "plate", shown="pancake", absent="maple syrup"),
    Place("one food processor", "Chop the nuts in a food processor.\nPour them into a jar.\nBlend the "
          "dates in a food processor.", "food processor", absent="nut"),
)  # fmt: skip


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.kind)
def test_an_action_happens_where_a_cook_does_it(place: Place) -> None:
    step = plan_recipe(Recipe(place.title, tuple(place.steps.splitlines()))).steps[-1]
    vessels = [o for o in step.objects if o.role == "vessel"]
    main = max(vessels, key=lambda o: o.importance).name if vessels else ""
    assert place.vessel in ("", main)
    names = {o.name for o in step.objects}
    assert not {*filter(None, place.shown.split(", "))} - names
    assert not {*filter(None, place.absent.split(", "))} & names


LINES = sorted({line for place in PLACES for line in place.steps.splitlines()})


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(LINES), min_size=2, max_size=9))
def test_steps_in_any_order_give_a_plan(lines: list[str]) -> None:
    plan = plan_recipe(Recipe("Plum Cake", tuple(lines)))
    assert [step.text for step in plan.steps] == lines
    for step in plan.steps:
        assert len({o.name for o in step.objects}) == len(step.objects)
        assert 25 <= len(step.prompt.split()) <= 60
