"""Generate toy recipes: a title, a kitchen and four to seven steps with consistent food states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from procvid.toykitchen.dataset import PEELABLE
from procvid.toykitchen.foods import FOODS
from procvid.toykitchen.identity import Split, ToyKitchen, random_kitchen
from procvid.toykitchen.render import Rendered, render
from procvid.toykitchen.scene import FoodItem, Scene
from procvid.toykitchen.words import step_text

HELD_OUT = 2**20
"""First held-out seed: training uses smaller seeds, tests and measurements this and larger."""

Move = tuple[str, int, str]
"""An action, the index of the food (0, 1, 2) and the vessel."""

DISHES: dict[str, tuple[Move, ...]] = {
    "pan": (
        ("slice", 0, "cutting board"),
        ("dice", 1, "cutting board"),
        ("add", 1, "frying pan"),
        ("fry", 1, "frying pan"),
        ("add", 0, "frying pan"),
        ("stir", 0, "frying pan"),
        ("serve", 1, "plate"),
    ),
    "soup": (
        ("dice", 0, "cutting board"),
        ("add", 0, "pot"),
        ("slice", 1, "cutting board"),
        ("add", 1, "pot"),
        ("boil", 1, "pot"),
        ("stir", 0, "pot"),
    ),
    "batter": (
        ("add", 0, "bowl"),
        ("mix", 0, "bowl"),
        ("dice", 1, "cutting board"),
        ("add", 0, "frying pan"),
        ("fry", 0, "frying pan"),
        ("add", 1, "frying pan"),
        ("serve", 0, "plate"),
    ),
    "salad": (
        ("slice", 0, "cutting board"),
        ("dice", 1, "cutting board"),
        ("add", 0, "bowl"),
        ("add", 1, "bowl"),
        ("stir", 1, "bowl"),
        ("serve", 0, "plate"),
    ),
    "bake": (
        ("peel", 0, "cutting board"),
        ("slice", 0, "cutting board"),
        ("add", 0, "baking tray"),
        ("dice", 1, "cutting board"),
        ("add", 1, "baking tray"),
        ("bake", 1, "baking tray"),
        ("serve", 1, "plate"),
    ),
    "mash": (
        ("peel", 0, "cutting board"),
        ("dice", 0, "cutting board"),
        ("add", 0, "pot"),
        ("boil", 0, "pot"),
        ("mash", 0, "bowl"),
        ("serve", 0, "plate"),
    ),
    "fritter": (
        ("slice", 0, "cutting board"),
        ("add", 0, "frying pan"),
        ("fry", 0, "frying pan"),
        ("flip", 0, "frying pan"),
        ("serve", 0, "plate"),
    ),
}


@dataclass(frozen=True)
class ToyStep:
    """A scene and its recipe text."""

    scene: Scene
    text: str


@dataclass(frozen=True)
class ToyRecipe:
    """A recipe with its ground truth. `seed` reproduces it."""

    title: str
    kitchen: ToyKitchen
    steps: tuple[ToyStep, ...]
    seed: int

    def render(self, number: int) -> Rendered:
        """Return the clip of step `number` (from 1): frames and boxes."""
        return render(self.steps[number - 1].scene, self.kitchen)


def _foods(rng: np.random.Generator, moves: tuple[Move, ...]) -> list[str]:
    peeled = any(action == "peel" for action, _, _ in moves)
    first = str(rng.choice(PEELABLE if peeled else FOODS))
    second = str(rng.choice([f for f in FOODS if f != first]))
    return [first, second]


def random_recipe(seed: int) -> ToyRecipe:
    """Return the recipe of a seed; a seed determines title, kitchen, words and pixels.

    Seeds from `HELD_OUT` upwards use the held-out looks and wordings of the test kitchen.
    """
    rng = np.random.default_rng([seed, 77])
    split: Split = "test" if seed >= HELD_OUT else "train"
    kitchen = random_kitchen(rng, split)
    dish = str(rng.choice(list(DISHES)))
    moves = DISHES[dish]
    return recipe_of(rng, kitchen, dish, _foods(rng, moves), seed, split)


def recipe_of(
    rng: np.random.Generator,
    kitchen: ToyKitchen,
    dish: str,
    names: Sequence[str],
    seed: int,
    split: Split = "train",
) -> ToyRecipe:
    """Return a dish of two foods in a kitchen; `rng` draws scenes and the wordings of the split."""
    moves = DISHES[dish]
    foods = [FoodItem(name) for name in names]
    inside: dict[str, list[int]] = {}
    steps = []
    for action, which, vessel in moves:
        there = inside.get(vessel, [])
        if action == "serve":
            # Foods in the same vessel are served with it.
            there = next((v for k, v in inside.items() if which in v and k != "cutting board"), [])
        cut = action in ("peel", "slice", "dice")
        others = () if cut else tuple(foods[i] for i in there if i != which)
        scene = Scene(action, foods[which], vessel, int(rng.integers(2**31)), others)
        steps.append(ToyStep(scene, step_text(rng, scene, kitchen, foods[which].name, split)))
        foods[which] = foods[which].after(action)
        for held in inside.values():
            if which in held:
                held.remove(which)
        inside.setdefault(vessel, []).append(which)
        if action in ("boil", "bake"):
            for i in there:
                foods[i] = foods[i].after(action)
    title = f"{foods[0].name.capitalize()} and {foods[1].name} {dish}"
    return ToyRecipe(title, kitchen, tuple(steps), seed)
