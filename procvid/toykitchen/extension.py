"""A wider kitchen: two foods and a counter that none of the shipped models was ever shown.

The shipped models are so the base that is held back, and a LoRA can learn what they lack, with a
truth to compare with. Nothing else of the package draws from here.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from procvid.toykitchen.dataset import random_scene
from procvid.toykitchen.foods import EXTRA_LOOKS, FOODS
from procvid.toykitchen.identity import (
    EXTRA_COUNTERS,
    Split,
    ToyKitchen,
    counter_look,
    random_kitchen,
)
from procvid.toykitchen.recipes import DISHES, HELD_OUT, ToyRecipe, recipe_of
from procvid.toykitchen.render import Rendered, render
from procvid.toykitchen.scene import Scene

EXTRA_FOODS = tuple(EXTRA_LOOKS)
NEW_SHARE = 0.5
"""Of foods, and of counters, that are drawn from the extension."""


def extended_kitchen(rng: np.random.Generator, planks: bool, split: Split = "train") -> ToyKitchen:
    """A random kitchen; with `planks` on the new counter."""
    kitchen = random_kitchen(rng, split)
    if not planks:
        return kitchen
    name = str(rng.choice(list(EXTRA_COUNTERS)))
    return replace(kitchen, counter=counter_look(rng, name, EXTRA_COUNTERS[name], "plain"))


def extended_recipe(seed: int, both_new: bool = False) -> ToyRecipe:
    """The recipe of a seed: one of its two foods is a new one, or with `both_new` each of them.

    Every second seed has the new counter. As with `random_recipe`, training takes seeds below
    `HELD_OUT`, measurements those from it upwards, with looks and wordings of the test kitchen.
    """
    rng = np.random.default_rng([seed, 78])
    split: Split = "test" if seed >= HELD_OUT else "train"
    kitchen = extended_kitchen(rng, planks=seed % 2 == 0, split=split)
    unpeeled = [name for name, moves in DISHES.items() if all(a != "peel" for a, _, _ in moves)]
    dish = str(rng.choice(unpeeled))
    foods = [str(rng.choice(EXTRA_FOODS)), str(rng.choice(FOODS))]
    if both_new:
        foods = list(EXTRA_FOODS)
    if rng.random() < 0.5:
        foods.reverse()
    return recipe_of(rng, kitchen, dish, foods, seed, split)


def extended_clip(rng: np.random.Generator) -> tuple[ToyKitchen, Scene, Rendered]:
    """A clip of the wider kitchen: half of the foods and half of the counters are new."""
    kitchen = extended_kitchen(rng, planks=rng.random() < NEW_SHARE)
    scene = random_scene(rng)
    if scene.food is not None and scene.action != "peel" and rng.random() < NEW_SHARE:
        scene = scene.showing(str(rng.choice(EXTRA_FOODS)))
    return kitchen, scene, render(scene, kitchen)
