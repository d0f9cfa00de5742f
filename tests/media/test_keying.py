"""Keying removes similar pixels connected to the border, and nothing inside the thing."""

from __future__ import annotations

import numpy as np
import pytest

from procvid.media.keying import foreground_mask
from procvid.toykitchen.identity import random_kitchen
from procvid.toykitchen.render import render
from procvid.toykitchen.scene import FoodItem, Scene

DARK, RIM = (50, 50, 54), (214, 40, 40)


def ring(inside: tuple[int, int, int]) -> np.ndarray:
    image = np.full((40, 48, 3), DARK, np.uint8)
    image[8:32, 10:38] = RIM
    image[12:28, 14:34] = inside
    return image


@pytest.mark.parametrize("inside", [DARK, (255, 255, 255), RIM])
def test_the_inside_belongs_to_the_thing(inside) -> None:
    expected = np.zeros((40, 48), bool)
    expected[8:32, 10:38] = True
    assert (foreground_mask(ring(inside)) == expected).all()


def test_a_gap_in_the_rim_opens_the_inside() -> None:
    image = ring(DARK)
    image[20, 30:38] = DARK
    mask = foreground_mask(image)
    assert not mask[12:28, 14:34].any()
    assert mask[8:12, 10:38].all()


def test_a_spiral_is_followed_to_its_end() -> None:
    image = np.full((41, 41, 3), 255, np.uint8)
    path = np.zeros((41, 41), bool)
    low, high, row = 0, 40, 0
    while high - low > 4:
        path[low, low : high + 1] = path[low : high + 1, high] = True
        path[high, low + 2 : high + 1] = path[low + 2 : high + 1, low + 2] = True
        low, high, row = low + 2, high - 2, row + 1
    image[path] = DARK
    image[[0, -1]], image[:, [0, -1]] = DARK, DARK
    wall = np.full((41, 41), True)
    wall[path] = False
    wall[[0, -1]], wall[:, [0, -1]] = False, False
    assert row > 5
    assert (foreground_mask(image) == wall).all()


def test_a_plain_frame_has_no_foreground() -> None:
    assert not foreground_mask(np.full((9, 9, 3), 7, np.uint8)).any()


def test_a_dark_pan_on_a_dark_counter_keeps_its_inside() -> None:
    for seed in range(40):
        kitchen = random_kitchen(np.random.default_rng(seed))
        if kitchen.counter.colour not in ("charcoal", "slate"):
            continue
        clip = render(Scene("add", FoodItem("egg"), "frying pan", seed), kitchen, only=0)
        assert foreground_mask(clip.frames[0])[45:57, 45:60].all()
