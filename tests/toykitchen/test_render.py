"""The renderer: deterministic, true boxes, and everything that the issue counts."""

from __future__ import annotations

import time

import numpy as np
import pytest

from procvid.toykitchen.dataset import random_scene
from procvid.toykitchen.foods import FOODS
from procvid.toykitchen.identity import PATTERNS, SHAPES, VESSEL_COLOURS, VESSELS, random_kitchen
from procvid.toykitchen.recipes import HELD_OUT, random_recipe
from procvid.toykitchen.render import ACTIONS, NUM_FRAMES, SIZE, STATES, Scene, render
from procvid.toykitchen.words import PHRASES


def kitchen(seed: int = 3):
    return random_kitchen(np.random.default_rng(seed))


def test_it_has_what_the_issue_asks_for():
    assert len(FOODS) >= 8 and len(STATES) >= 4
    assert len(VESSELS) >= 4 and len(VESSEL_COLOURS) >= 8 and len(PATTERNS) >= 3
    assert all(len(shapes) >= 2 for shapes in SHAPES.values())
    assert len(ACTIONS) >= 8
    assert all(len(PHRASES[action]) >= 5 for action in ACTIONS)


def test_a_seed_is_a_recipe_to_the_last_pixel():
    one, two = random_recipe(HELD_OUT + 5), random_recipe(HELD_OUT + 5)
    assert one == two
    for number in range(1, len(one.steps) + 1):
        assert np.array_equal(one.render(number).frames, two.render(number).frames)
    other = random_recipe(HELD_OUT + 6)
    assert other.kitchen != one.kitchen


@pytest.mark.parametrize("action", ACTIONS)
def test_every_action_moves_and_keeps_to_the_frame(action):
    for state in STATES:
        for vessel in VESSELS:
            clip = render(Scene(action, "carrot", state, vessel, 1), kitchen())
            assert clip.frames.shape == (NUM_FRAMES, SIZE, SIZE, 3)
            assert clip.frames.dtype == np.uint8
            assert not np.array_equal(clip.frames[0], clip.frames[4])
            for boxes in clip.boxes:
                for x0, y0, x1, y1 in boxes.values():
                    assert 0 <= x0 < x1 <= SIZE and 0 <= y0 < y1 <= SIZE


def test_the_vessel_box_holds_the_vessel_and_the_counter_box_only_the_counter():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        home, scene = random_kitchen(rng), random_scene(rng)
        clip = render(scene, home)
        for frame, boxes in zip(clip.frames, clip.boxes, strict=True):
            x0, y0, x1, y1 = (round(v) for v in boxes["counter"])
            away = np.abs(frame[y0:y1, x0:x1].astype(int) - np.array(home.counter_rgb)).max(2)
            assert np.mean(away > 8) < 0.1
            x0, y0, x1, y1 = (round(v) for v in boxes[scene.vessel])
            inside = np.abs(frame[y0:y1, x0:x1].astype(int) - np.array(home.counter_rgb)).max(2)
            assert np.mean(inside > 8) > 0.4


def test_two_kitchens_differ_and_one_kitchen_does_not():
    scene = Scene("stir", "egg", "diced", "frying pan", 4)
    same = render(scene, kitchen(1)).frames
    assert np.array_equal(same, render(scene, kitchen(1)).frames)
    assert not np.array_equal(same, render(scene, kitchen(2)).frames)


def test_a_state_change_is_seen():
    for action, after in (("slice", "sliced"), ("dice", "diced"), ("mix", "mixed")):
        scene = Scene(action, "tomato", "whole", "bowl", 2)
        assert scene.state_after == after
        frames = render(scene, kitchen()).frames.astype(int)
        assert np.abs(frames[0] - frames[-1]).mean() > 3


def test_speed_is_told(capsys):
    begin, clips = time.perf_counter(), 40
    for seed in range(clips):
        render(random_scene(np.random.default_rng(seed)), kitchen())
    seconds = time.perf_counter() - begin
    with capsys.disabled():
        print(f"\n[toy kitchen: {clips * NUM_FRAMES / seconds:.0f} frames a second on one core]")


def test_the_text_seldom_tells_the_identity():
    told = sum(
        any(colour in step.text.split() for colour in VESSEL_COLOURS)
        for seed in range(HELD_OUT, HELD_OUT + 100)
        for step in random_recipe(seed).steps
    )
    steps = sum(len(random_recipe(seed).steps) for seed in range(HELD_OUT, HELD_OUT + 100))
    assert 0 < told < 0.2 * steps
