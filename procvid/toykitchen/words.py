"""How a toy recipe words its steps: several phrasings an action, identity told only now and then."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from procvid.toykitchen.dataset import UNKNOWN_FOOD
from procvid.toykitchen.identity import Kitchen
from procvid.toykitchen.render import ACTIONS, STATES, Scene

IDENTITY_TOLD = 0.08

PLURALS = {
    "carrot": "carrots",
    "tomato": "tomatoes",
    "cucumber": "cucumbers",
    "mushroom": "mushrooms",
    "egg": "eggs",
    "onion": "onions",
    "potato": "potatoes",
    "radish": "radishes",
    "blueberry": "blueberries",
}
SYNONYMS: dict[str, tuple[str, ...]] = {
    "frying pan": ("frying pan", "pan", "skillet", "hot pan"),
    "pot": ("pot", "saucepan", "pot of water"),
    "bowl": ("bowl", "mixing bowl", "large bowl"),
    "cutting board": ("cutting board", "board", "chopping board"),
    "plate": ("plate", "serving plate"),
}
OTHER_FOODS = (
    "zucchini", "spinach", "shrimp", "chicken", "rice", "bread", "butter", "basil", "salmon", "pepper",
    "garlic", "tofu", "beans", "corn", "bacon", "lemon", "apple", "flour", "milk", "pasta", "lentils",
    "eggplant", "kale", "parsley", "ginger", "beef", "avocado", "cabbage", "leek", "celery", "peas",
    "asparagus", "chili", "oil", "salt", "cream", "beet", "pumpkin", "ham", "turkey",
)  # fmt: skip
"""Names for foods that the kitchen cannot draw; it shows a plain grey piece for each."""

PHRASES: dict[str, tuple[str, ...]] = {
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
    "serve": (
        "Serve the {food} {place}.",
        "Slide the {food} onto the {vessel}.",
        "Arrange the {food} {place} and serve.",
        "Plate the {food}.",
        "Transfer the {food} to a {vessel} and serve.",
        "Put the {food} {place} to serve.",
    ),
}


def food_name(rng: np.random.Generator, scene: Scene) -> str | None:
    """The canonical name of the scene's food; an unknown food gets a name the kitchen does not know."""
    return str(rng.choice(OTHER_FOODS)) if scene.food == UNKNOWN_FOOD else scene.food


def step_text(rng: np.random.Generator, scene: Scene, kitchen: Kitchen, food: str | None) -> str:
    """One sentence for a scene, as a recipe would put it."""
    vessel = str(rng.choice(SYNONYMS[scene.vessel]))
    if rng.random() < IDENTITY_TOLD:
        look = kitchen.vessels[scene.vessel]
        vessel = f"{look.colour} {look.shape + ' ' if rng.random() < 0.5 else ''}{scene.vessel}"
    place = f"{'on' if scene.vessel in ('cutting board', 'plate') else 'in'} the {vessel}"
    named = PLURALS.get(food or "", food) if rng.random() < 0.4 else food
    cut = (
        f"{scene.state_before} "
        if scene.state_before not in ("whole",) and rng.random() < 0.4
        else ""
    )
    phrase = str(rng.choice(PHRASES[scene.action]))
    return phrase.format(food=f"{cut}{named or 'mixture'}", vessel=vessel, place=place)


def caption(scene: Scene) -> str:
    """What a careful annotator would write under the clip: the state is always told."""
    place = f"{'on' if scene.vessel in ('cutting board', 'plate') else 'in'} the {scene.vessel}"
    food = f"{scene.state_before} {scene.food}" if scene.food else "mixture"
    return PHRASES[scene.action][0].format(food=food, vessel=scene.vessel, place=place)


def captions_of(food: str, vessel: str, vessels: Sequence[str] = ()) -> list[tuple[str, str]]:
    """Every caption that a clip of a food in a vessel could have, each with the state it ends in.

    Args:
        food: A food that the kitchen can draw.
        vessel: Where it lies; empty when that is not known.
        vessels: All that it could lie in, for then.
    """
    scenes = [
        Scene(action, food, state, where, seed=0)
        for where in ([vessel] if vessel else vessels)
        for action in ACTIONS
        for state in STATES
    ]
    return [(caption(scene), scene.state_after) for scene in scenes]
