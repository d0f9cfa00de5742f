"""Random scenes for training: mostly what a recipe would do, sometimes any food, state and vessel."""

from __future__ import annotations

import numpy as np

from procvid.toykitchen.foods import FOODS
from procvid.toykitchen.identity import VESSELS, Kitchen, random_kitchen
from procvid.toykitchen.render import ACTIONS, STATES, Rendered, Scene, render

NATURAL_VESSELS: dict[str, tuple[str, ...]] = {
    "slice": ("cutting board",),
    "dice": ("cutting board",),
    "add": ("frying pan", "pot", "bowl"),
    "stir": ("frying pan", "pot", "bowl"),
    "fry": ("frying pan",),
    "boil": ("pot",),
    "mix": ("bowl",),
    "serve": ("plate",),
}
NATURAL_STATES: dict[str, tuple[str, ...]] = {
    "slice": ("whole",),
    "dice": ("whole",),
    "add": ("whole", "sliced", "diced", "mixed", "fried", "boiled"),
    "stir": ("sliced", "diced", "fried", "mixed", "whole"),
    "fry": ("sliced", "diced", "whole", "mixed"),
    "boil": ("sliced", "diced", "whole"),
    "mix": ("whole", "sliced", "diced"),
    "serve": ("fried", "boiled", "mixed", "sliced", "diced", "whole"),
}
UNKNOWN_FOOD = "unknown food"
ODD = 0.1


def random_scene(rng: np.random.Generator, vessel: str | None = None) -> Scene:
    """Draw a scene; `vessel` fixes the vessel (and so which actions can be drawn)."""
    odd = rng.random() < ODD
    actions = [a for a in ACTIONS if vessel is None or odd or vessel in NATURAL_VESSELS[a]]
    action = str(rng.choice(actions))
    food = str(rng.choice(FOODS)) if rng.random() > 0.06 else UNKNOWN_FOOD
    state = str(rng.choice(STATES if odd else NATURAL_STATES[action]))
    place = vessel or str(rng.choice(VESSELS if odd else NATURAL_VESSELS[action]))
    nothing = action == "stir" and rng.random() < 0.05
    return Scene(action, None if nothing else food, state, place, int(rng.integers(2**31)))


def random_clip(rng: np.random.Generator) -> tuple[Kitchen, Scene, Rendered]:
    """A kitchen, a scene in it and its nine frames."""
    kitchen, scene = random_kitchen(rng), random_scene(rng)
    return kitchen, scene, render(scene, kitchen)


def random_frame(rng: np.random.Generator) -> tuple[Kitchen, Scene, Rendered]:
    """A kitchen, a scene in it and one of its frames."""
    kitchen, scene = random_kitchen(rng), random_scene(rng)
    return kitchen, scene, render(scene, kitchen, only=int(rng.integers(9)))
