"""Toy recipes: a title, a kitchen and four to seven steps in which food changes and vessels recur."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from procvid.toykitchen.foods import FOODS
from procvid.toykitchen.identity import Kitchen, random_kitchen
from procvid.toykitchen.render import Rendered, Scene, render
from procvid.toykitchen.words import step_text

HELD_OUT = 2**20
"""Training draws recipes with seeds below this number, tests and measurements from it upwards."""


@dataclass(frozen=True)
class ToyStep:
    """A scene and the words a recipe would use for it."""

    scene: Scene
    text: str


@dataclass(frozen=True)
class ToyRecipe:
    """A recipe with its truth. `seed` makes it again."""

    title: str
    kitchen: Kitchen
    steps: tuple[ToyStep, ...]
    seed: int

    def render(self, number: int) -> Rendered:
        """The clip of step `number` (from 1): frames and boxes."""
        return render(self.steps[number - 1].scene, self.kitchen)


def _pan_dish(first: str, second: str) -> list[tuple[str, str, str, str]]:
    return [
        ("slice", first, "whole", "cutting board"),
        ("dice", second, "whole", "cutting board"),
        ("add", second, "diced", "frying pan"),
        ("fry", second, "diced", "frying pan"),
        ("add", first, "sliced", "frying pan"),
        ("stir", first, "sliced", "frying pan"),
        ("serve", first, "sliced", "plate"),
    ]


def _soup(first: str, second: str) -> list[tuple[str, str, str, str]]:
    return [
        ("dice", first, "whole", "cutting board"),
        ("add", first, "diced", "pot"),
        ("slice", second, "whole", "cutting board"),
        ("add", second, "sliced", "pot"),
        ("boil", second, "sliced", "pot"),
        ("stir", second, "boiled", "pot"),
    ]


def _batter(first: str, second: str) -> list[tuple[str, str, str, str]]:
    return [
        ("add", first, "whole", "bowl"),
        ("mix", first, "whole", "bowl"),
        ("dice", second, "whole", "cutting board"),
        ("add", first, "mixed", "frying pan"),
        ("fry", first, "mixed", "frying pan"),
        ("add", second, "diced", "frying pan"),
        ("serve", first, "fried", "plate"),
    ]


def _salad(first: str, second: str) -> list[tuple[str, str, str, str]]:
    return [
        ("slice", first, "whole", "cutting board"),
        ("dice", second, "whole", "cutting board"),
        ("add", first, "sliced", "bowl"),
        ("add", second, "diced", "bowl"),
        ("stir", first, "sliced", "bowl"),
        ("serve", first, "sliced", "plate"),
    ]


DISHES = {"pan": _pan_dish, "soup": _soup, "batter": _batter, "salad": _salad}


def random_recipe(seed: int) -> ToyRecipe:
    """The recipe of a seed: same seed, same title, kitchen, words and pixels."""
    rng = np.random.default_rng([seed, 77])
    kitchen = random_kitchen(rng)
    dish = str(rng.choice(list(DISHES)))
    first, second = (str(f) for f in rng.choice(FOODS, 2, replace=False))
    return recipe_of(rng, kitchen, dish, first, second, seed)


def recipe_of(
    rng: np.random.Generator, kitchen: Kitchen, dish: str, first: str, second: str, seed: int
) -> ToyRecipe:
    """A dish of two foods in a kitchen, in words and scenes of the generator."""
    moves = DISHES[dish](first, second)
    if len(moves) > 5 and rng.random() < 0.5:
        moves = moves[:-1]
    steps = []
    for action, food, state, vessel in moves:
        scene = Scene(action, food, state, vessel, int(rng.integers(2**31)))
        steps.append(ToyStep(scene, step_text(rng, scene, kitchen, food)))
    return ToyRecipe(f"{first.capitalize()} and {second} {dish}", kitchen, tuple(steps), seed)
