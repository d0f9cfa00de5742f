"""Extend the kitchen by two foods and a counter that no shipped model was trained on.

A LoRA can learn them, and its clips can be compared with the ground truth. Only `lab.extension`
and the tests draw from this module.
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
"""Share of foods, and of counters, that come from the extension."""


def extended_kitchen(rng: np.random.Generator, planks: bool, split: Split = "train") -> ToyKitchen:
    """Return a random kitchen; `planks` gives it the new counter."""
    kitchen = random_kitchen(rng, split)
    if not planks:
        return kitchen
    name = str(rng.choice(list(EXTRA_COUNTERS)))
    return replace(kitchen, counter=counter_look(rng, name, EXTRA_COUNTERS[name], "plain"))


def extended_recipe(seed: int, both_new: bool = False) -> ToyRecipe:
    """Return the recipe of a seed: one of its two foods is new, or both with `both_new`.

    Even seeds have the new counter. As with `random_recipe`, seeds below `HELD_OUT` are for
    training; seeds from it upwards use the held-out looks and wordings.
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
    """Return a clip of the extended kitchen: half of the foods and of the counters are new."""
    kitchen = extended_kitchen(rng, planks=rng.random() < NEW_SHARE)
    scene = random_scene(rng)
    if scene.food is not None and scene.action != "peel" and rng.random() < NEW_SHARE:
        scene = scene.showing(str(rng.choice(EXTRA_FOODS)))
    return kitchen, scene, render(scene, kitchen)
