"""The extended kitchen: drawn, described and keyed like the base one, unknown to shipped models."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest

from procvid.machine import asset_folder
from procvid.media.keying import foreground_mask
from procvid.settings import TINY
from procvid.toykitchen.extension import EXTRA_FOODS, extended_kitchen, extended_recipe
from procvid.toykitchen.foods import FOODS
from procvid.toykitchen.identity import COUNTERS, EXTRA_COUNTERS
from procvid.toykitchen.recipes import HELD_OUT, random_recipe
from procvid.toykitchen.render import render
from procvid.toykitchen.scene import STATES, Scene, item


def test_the_kitchen_of_the_shipped_models_is_unchanged():
    """A held-out recipe has the words and mean pixels that it had when they were trained."""
    recipe = random_recipe(HELD_OUT + 5)
    words = json.dumps([step.text for step in recipe.steps])
    assert hashlib.sha256(words.encode()).hexdigest()[:16] == "b79f529551b477c8"
    means = [recipe.render(k + 1).frames.mean() for k in range(len(recipe.steps))]
    expected = [163.01, 165.82, 149.01, 159.98, 147.48, 146.81, 160.49]
    assert means == pytest.approx(expected, abs=0.3)


def test_no_shipped_model_was_trained_on_it():
    taught = json.loads((asset_folder(TINY, "generator") / "vocabulary.json").read_text())
    assert not set(EXTRA_FOODS) & {*taught["foods"], *FOODS}
    assert not set(EXTRA_COUNTERS) & set(COUNTERS)
    drawn = [random_recipe(seed) for seed in range(200)]
    assert not {s.scene.food_name for recipe in drawn for s in recipe.steps} & set(EXTRA_FOODS)
    assert not {recipe.kitchen.counter.colour for recipe in drawn} & set(EXTRA_COUNTERS)


def test_a_recipe_has_one_new_food_and_every_second_the_new_counter():
    for seed in range(20):
        recipe = extended_recipe(HELD_OUT + seed)
        assert recipe == extended_recipe(HELD_OUT + seed)
        foods = {step.scene.food_name for step in recipe.steps}
        assert len(foods & set(EXTRA_FOODS)) <= 1 and len(foods & set(FOODS)) <= 1
        assert (recipe.kitchen.counter.colour in EXTRA_COUNTERS) == (seed % 2 == 0)


def test_new_foods_look_different_and_boards_are_keyed_out():
    kitchen = extended_kitchen(np.random.default_rng(1), planks=True)
    for state in STATES:
        looks = [
            render(Scene("stir", item(food, state), "bowl", 1), kitchen, only=0)
            .frames[0]
            .astype(int)
            for food in (*FOODS, *EXTRA_FOODS)
        ]
        for k, one in enumerate(looks):
            assert all(np.abs(one - other).mean() > 0.5 for other in looks[:k]), state
    mask = foreground_mask(
        render(Scene("stir", item("radish", "whole"), "bowl", 1), kitchen).frames[0]
    )
    assert not mask[:6].any() and not mask[:60, :4].any() and mask[45:60, 40:58].all()
