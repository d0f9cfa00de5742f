"""Write the texts of toy recipes: several phrasings per action, rarely with looks."""

from __future__ import annotations

import numpy as np

from procvid.toykitchen.dataset import UNKNOWN_FOOD
from procvid.toykitchen.identity import Split, ToyKitchen
from procvid.toykitchen.scene import Scene

LOOK_SHARE = 0.08
"""Share of step texts that name the look of the vessel."""

PLURALS = {
    "carrot": "carrots",
    "tomato": "tomatoes",
    "cucumber": "cucumbers",
    "mushroom": "mushrooms",
    "egg": "eggs",
    "onion": "onions",
    "potato": "potatoes",
    "eggplant": "eggplants",
    "beetroot": "beetroots",
    "radish": "radishes",
    "blueberry": "blueberries",
}
SYNONYMS: dict[str, tuple[str, ...]] = {
    "frying pan": ("frying pan", "pan", "skillet", "hot pan"),
    "pot": ("pot", "saucepan", "pot of water"),
    "bowl": ("bowl", "mixing bowl", "large bowl"),
    "cutting board": ("cutting board", "board", "chopping board"),
    "plate": ("plate", "serving plate"),
    "baking tray": ("baking tray", "baking sheet"),
}
OTHER_FOODS = (
    "zucchini", "spinach", "chicken", "rice", "bread", "butter", "basil", "salmon", "pepper",
    "garlic", "tofu", "beans", "corn", "bacon", "lemon", "apple", "flour", "milk", "pasta", "lentils",
    "kale", "parsley", "ginger", "beef", "avocado", "cabbage", "leek", "celery", "peas",
    "asparagus", "chili", "oil", "salt", "cream", "pumpkin", "ham", "turkey",
)  # fmt: skip
"""Names of foods that the kitchen cannot draw; each is shown as a plain grey piece."""

PHRASES: dict[str, tuple[str, ...]] = {
    "peel": (
        "Peel the {food} {place}.",
        "Peel the {food}.",
        "With a knife, peel the {food}.",
        "Remove the skin of the {food}.",
        "Peel off the skin of the {food} {place}.",
    ),
    "slice": (
        "Slice the {food} {place}.",
        "Cut the {food} into thin slices {place}.",
        "Thinly slice the {food}.",
        "Using a knife, cut the {food} into rounds.",
        "Cut the {food} into even slices.",
        "Lay the {food} {place} and slice.",
        "With a sharp knife, slice the {food} {place}.",
    ),
    "dice": (
        "Dice the {food} {place}.",
        "Chop the {food} into small cubes {place}.",
        "Finely chop the {food}.",
        "Cut the {food} into cubes.",
        "Roughly dice the {food} with a knife.",
        "Chop the {food} {place}.",
        "Mince the {food} finely.",
    ),
    "add": (
        "Add the {food} to the {vessel}.",
        "Put the {food} {place}.",
        "Drop the {food} into the {vessel}.",
        "Tip the {food} into the {vessel}.",
        "Transfer the {food} to the {vessel}.",
        "Now add the {food}.",
        "Place the {food} {place}.",
    ),
    "stir": (
        "Stir the {food} {place}.",
        "Keep stirring the {food} with a spoon.",
        "Stir well until everything is coated.",
        "Toss the {food} gently {place}.",
        "Give the {food} a good stir.",
        "Stir the {food} now and then for two minutes.",
    ),
    "fry": (
        "Fry the {food} {place} until golden.",
        "Cook the {food} {place} until brown.",
        "Saute the {food} for five minutes.",
        "Brown the {food} {place}.",
        "Fry the {food} on medium heat.",
        "Pan-fry the {food} until crisp.",
        "Let the {food} sizzle {place}.",
    ),
    "boil": (
        "Boil the {food} {place}.",
        "Simmer the {food} {place} until soft.",
        "Bring the {food} to a boil.",
        "Cook the {food} in boiling water.",
        "Let the {food} simmer for ten minutes.",
        "Boil the {food} until tender.",
    ),
    "mix": (
        "Mix the {food} {place}.",
        "Whisk the {food} {place} until smooth.",
        "Beat the {food} with a whisk.",
        "Combine the {food} {place} and mix well.",
        "Whisk the {food} until even.",
        "Mix the {food} thoroughly.",
    ),
    "mash": (
        "Mash the {food} {place}.",
        "Mash the {food} with a spoon.",
        "Crush the {food} {place}.",
        "Mash the {food} until smooth.",
        "Mash the {food} roughly.",
    ),
    "flip": (
        "Flip the {food} {place}.",
        "Turn the {food} over {place}.",
        "Flip the {food} with a spatula.",
        "Turn the {food} and cook the other side.",
        "Flip the {food} once.",
    ),
    "bake": (
        "Bake the {food} {place}.",
        "Bake the {food} for twenty minutes.",
        "Roast the {food} {place}.",
        "Bake the {food} in the oven until golden.",
        "Roast the {food} in a hot oven.",
    ),
    "serve": (
        "Serve the {food} {place}.",
        "Slide the {food} onto the {vessel}.",
        "Arrange the {food} {place} and serve.",
        "Plate the {food}.",
        "Transfer the {food} to a {vessel} and serve.",
        "Put the {food} {place} to serve.",
    ),
}

HELD_OUT_PHRASES: dict[str, tuple[str, ...]] = {
    "peel": ("Take a knife and peel the {food}.", "First peel the {food} {place}."),
    "slice": ("Take a knife and slice the {food} {place}.", "Slice the {food} into thin rounds."),
    "dice": ("Chop up the {food} into little cubes.", "Dice the {food} finely {place}."),
    "add": ("Put the {food} into the {vessel}.", "Next, add the {food} to the {vessel}."),
    "stir": ("Stir the {food} gently with a spoon.", "Keep on stirring the {food} {place}."),
    "mix": ("Whisk the {food} well {place}.", "Beat the {food} {place} until smooth."),
    "mash": ("Mash the {food} well {place}.", "With a spoon, mash the {food}."),
    "fry": ("Fry the {food} for five minutes {place}.", "Let the {food} fry until golden brown."),
    "flip": ("Turn the {food} over with a spatula.", "Now flip the {food} {place}."),
    "boil": ("Let the {food} boil {place}.", "Cook the {food} {place} in boiling water."),
    "bake": ("Bake the {food} {place} until brown.", "Put the {food} in the oven and bake."),
    "serve": ("Put the {food} {place} and serve.", "Serve up the {food}."),
}
"""Wordings that training never uses."""


def food_name(rng: np.random.Generator, scene: Scene) -> str | None:
    """Return the name of the scene's food; an unknown food gets a random undrawable name."""
    if scene.food is None:
        return None
    unknown = scene.food.name == UNKNOWN_FOOD
    return str(rng.choice(OTHER_FOODS)) if unknown else scene.food.name


def place_of(vessel: str, name: str) -> str:
    """Return a place such as "on the board" or "in the skillet"."""
    on = vessel in ("cutting board", "plate", "baking tray")
    return f"{'on' if on else 'in'} the {name}"


def step_text(
    rng: np.random.Generator,
    scene: Scene,
    kitchen: ToyKitchen,
    food: str | None,
    split: Split = "train",
) -> str:
    """Return a recipe sentence for a scene; the "test" split uses the held-out wordings."""
    vessel = str(rng.choice(SYNONYMS[scene.vessel]))
    if rng.random() < LOOK_SHARE:
        look = kitchen.vessels[scene.vessel]
        vessel = f"{look.colour} {look.shape + ' ' if rng.random() < 0.5 else ''}{scene.vessel}"
    named = PLURALS.get(food or "", food) if rng.random() < 0.4 else food
    with_state = scene.state_before not in ("whole", "") and rng.random() < 0.4
    cut = f"{scene.state_before} " if with_state else ""
    phrases = HELD_OUT_PHRASES if split == "test" else PHRASES
    phrase = str(rng.choice(phrases[scene.action]))
    return phrase.format(
        food=f"{cut}{named or 'mixture'}", vessel=vessel, place=place_of(scene.vessel, vessel)
    )


def caption(scene: Scene) -> str:
    """Return the caption of a clip; it always names the state of the food."""
    food = f"{scene.state_before} {scene.food.name}" if scene.food else "mixture"
    return PHRASES[scene.action][0].format(
        food=food, vessel=scene.vessel, place=place_of(scene.vessel, scene.vessel)
    )
