"""Draw random training scenes: mostly plausible ones, sometimes any food, state and vessel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from procvid.toykitchen.foods import FOODS
from procvid.toykitchen.identity import (
    VESSELS,
    Split,
    ToyKitchen,
    random_kitchen,
    training_kitchen,
)
from procvid.toykitchen.render import NUM_FRAMES, Rendered, render
from procvid.toykitchen.scene import ACTIONS, FoodItem, Scene

UNKNOWN_FOOD = "unknown food"
PEELABLE = ("carrot", "cucumber", "potato", "onion", "eggplant", "beetroot")
NATURAL_VESSELS: dict[str, tuple[str, ...]] = {
    "peel": ("cutting board",),
    "slice": ("cutting board",),
    "dice": ("cutting board",),
    "add": ("frying pan", "pot", "bowl", "baking tray"),
    "stir": ("frying pan", "pot", "bowl"),
    "mix": ("bowl",),
    "mash": ("bowl", "pot"),
    "fry": ("frying pan",),
    "flip": ("frying pan",),
    "boil": ("pot",),
    "bake": ("baking tray",),
    "serve": ("plate",),
}
NATURAL_STATES: dict[str, tuple[str, ...]] = {
    "peel": ("whole",),
    "slice": ("whole", "peeled"),
    "dice": ("whole", "peeled"),
    "add": ("whole", "sliced", "diced", "mixed", "mashed", "fried", "boiled"),
    "stir": ("sliced", "diced", "fried", "boiled", "mixed"),
    "mix": ("whole", "sliced", "diced", "mashed"),
    "mash": ("peeled", "sliced", "diced", "boiled"),
    "fry": ("sliced", "diced", "mixed", "mashed"),
    "flip": ("fried", "sliced", "diced"),
    "boil": ("sliced", "diced", "peeled", "whole"),
    "bake": ("sliced", "diced", "mashed", "peeled"),
    "serve": ("fried", "boiled", "baked", "mixed", "mashed", "sliced", "diced"),
}
WITH_OTHERS = ("add", "stir", "fry", "flip", "boil", "bake", "serve")
"""Actions whose vessel may already hold other foods."""
ODD = 0.06
OTHERS_SHARE = 0.4


def random_item(rng: np.random.Generator, state: str, food: str | None = None) -> FoodItem:
    """Return a food in a state; a cooked food gets a random form that can be cooked."""
    name = food or str(rng.choice(FOODS))
    forms = {"fried": ("sliced", "diced", "mixed"), "boiled": ("sliced", "diced", "peeled")}
    if state in ("fried", "boiled", "baked"):
        form = str(rng.choice(forms.get(state, ("sliced", "diced", "mashed"))))
        return FoodItem(name, form, state, state)
    return FoodItem(name, state, "", state)


def random_others(rng: np.random.Generator, food: str) -> tuple[FoodItem, ...]:
    """Return one or two other foods in pieces, or none."""
    if rng.random() > OTHERS_SHARE:
        return ()
    names = [f for f in FOODS if f != food]
    count = 1 if rng.random() < 0.7 else 2
    return tuple(
        random_item(rng, str(rng.choice(["sliced", "diced", "fried", "boiled"])), str(name))
        for name in rng.choice(names, count, replace=False)
    )


def random_scene(rng: np.random.Generator, vessel: str | None = None) -> Scene:
    """Draw a scene; `vessel` fixes the vessel and limits the actions to those that suit it."""
    odd = rng.random() < ODD
    actions = [a for a in ACTIONS if vessel is None or odd or vessel in NATURAL_VESSELS[a]]
    action = str(rng.choice(actions))
    foods = PEELABLE if action == "peel" else FOODS
    food = str(rng.choice(foods)) if rng.random() > 0.04 else UNKNOWN_FOOD
    state = str(rng.choice(NATURAL_STATES[action]))
    if state == "peeled" and food not in PEELABLE:
        state = "whole" if "whole" in NATURAL_STATES[action] else NATURAL_STATES[action][1]
    place = vessel or str(rng.choice(VESSELS if odd else NATURAL_VESSELS[action]))
    others = random_others(rng, food) if action in WITH_OTHERS else ()
    nothing = action == "stir" and not others and rng.random() < 0.05
    made = None if nothing else random_item(rng, state, food)
    return Scene(action, made, place, int(rng.integers(2**31)), others)


def _kitchen(rng: np.random.Generator, split: Split) -> ToyKitchen:
    return training_kitchen(rng) if split == "train" else random_kitchen(rng, split)


def random_clip(
    rng: np.random.Generator, split: Split = "train", only: int | Sequence[int] | None = None
) -> tuple[ToyKitchen, Scene, Rendered]:
    """Return a kitchen, a scene in it and its frames; `only` selects frames."""
    kitchen, scene = _kitchen(rng, split), random_scene(rng)
    return kitchen, scene, render(scene, kitchen, only=only)


def random_frame(
    rng: np.random.Generator, split: Split = "train"
) -> tuple[ToyKitchen, Scene, Rendered]:
    """Return a kitchen, a scene in it and one of its frames."""
    kitchen, scene = _kitchen(rng, split), random_scene(rng)
    return kitchen, scene, render(scene, kitchen, only=int(rng.integers(NUM_FRAMES)))
