"""The renderer: deterministic, with true boxes and the required variety."""

from __future__ import annotations

import time

import numpy as np
import pytest

from procvid.toykitchen.dataset import PEELABLE, random_clip, random_scene
from procvid.toykitchen.foods import FOODS
from procvid.toykitchen.identity import (
    COLOURS,
    COUNTER_PATTERNS,
    PATTERNS,
    SHAPES,
    SIDE_OBJECTS,
    TOOLS,
    VESSELS,
    ToyKitchen,
    looks,
    random_kitchen,
)
from procvid.toykitchen.recipes import HELD_OUT, random_recipe
from procvid.toykitchen.render import NUM_FRAMES, SIZE, render
from procvid.toykitchen.scene import ACTIONS, STATES, FoodItem, Scene, item
from procvid.toykitchen.words import HELD_OUT_PHRASES, PHRASES


def kitchen(seed: int = 3) -> ToyKitchen:
    return random_kitchen(np.random.default_rng(seed))


def test_it_has_the_required_variety():
    assert SIZE >= 96 and NUM_FRAMES >= 17
    assert len(FOODS) >= 12 and len(STATES) >= 4
    assert len(VESSELS) >= 6 and len(TOOLS) >= 4 and len(SIDE_OBJECTS) >= 3
    assert len(COLOURS) >= 8 and len(PATTERNS) >= 3 and len(COUNTER_PATTERNS) >= 3
    assert all(len(shapes) >= 2 for shapes in SHAPES.values())
    assert len(ACTIONS) >= 12
    assert all(len(PHRASES[action]) >= 5 for action in ACTIONS)


def test_a_seed_determines_every_pixel():
    one, two = random_recipe(HELD_OUT + 5), random_recipe(HELD_OUT + 5)
    assert one == two
    for number in range(1, len(one.steps) + 1):
        assert np.array_equal(one.render(number).frames, two.render(number).frames)
    other = random_recipe(HELD_OUT + 6)
    assert other.kitchen != one.kitchen


@pytest.mark.parametrize("action", ACTIONS)
def test_every_action_moves_inside_the_frame(action):
    for state in STATES:
        for vessel in VESSELS:
            scene = Scene(action, item("carrot", state), vessel, 1, (item("egg", "fried"),))
            clip = render(scene, kitchen(), num_frames=9)
            assert clip.frames.shape == (9, SIZE, SIZE, 3)
            assert clip.frames.dtype == np.uint8
            assert not np.array_equal(clip.frames[0], clip.frames[4])
            for boxes in clip.boxes:
                for x0, y0, x1, y1 in boxes.values():
                    assert 0 <= x0 < x1 <= SIZE and 0 <= y0 < y1 <= SIZE


def test_single_frames_equal_those_of_the_clip():
    scene = Scene("flip", item("egg", "fried", "diced"), "frying pan", 8)
    whole = render(scene, kitchen())
    for chosen in (3, [3], range(2, 5)):
        part = render(scene, kitchen(), only=chosen)
        rows = np.atleast_1d(chosen)
        assert np.array_equal(part.frames, whole.frames[rows])
        assert part.boxes == tuple(whole.boxes[k] for k in rows)


def test_the_boxes_contain_their_objects():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        home, scene = random_kitchen(rng), random_scene(rng)
        clip = render(scene, home)
        for frame, boxes in zip(clip.frames, clip.boxes, strict=True):
            tones = np.array([home.counter.rgb, home.counter.second])
            away = np.abs(frame[:, :, None].astype(int) - tones).max(3).min(2)
            x0, y0, x1, y1 = (round(v) for v in boxes[scene.vessel])
            assert np.mean(away[y0:y1, x0:x1] > 8) > 0.4
            if home.side is not None:
                x0, y0, x1, y1 = (round(v) for v in boxes[home.side.kind])
                pixels = frame[y0:y1, x0:x1].astype(int)
                assert np.mean(np.abs(pixels - np.array(home.side.rgb)).max(2) < 8) > 0.1


def test_two_kitchens_differ_and_one_kitchen_does_not():
    scene = Scene("stir", item("egg", "diced"), "frying pan", 4)
    same = render(scene, kitchen(1)).frames
    assert np.array_equal(same, render(scene, kitchen(1)).frames)
    assert not np.array_equal(same, render(scene, kitchen(2)).frames)


@pytest.mark.parametrize(
    ("action", "before", "after"),
    [
        ("peel", "whole", "peeled"),
        ("slice", "peeled", "sliced"),
        ("dice", "whole", "diced"),
        ("mix", "whole", "mixed"),
        ("mash", "boiled", "mashed"),
        ("fry", "diced", "fried"),
        ("boil", "sliced", "boiled"),
        ("bake", "sliced", "baked"),
    ],
)
def test_a_state_change_is_visible(action, before, after):
    scene = Scene(action, item("potato", before), "bowl", 2)
    assert scene.state_before == before and scene.state_after == after
    frames = render(scene, kitchen()).frames.astype(int)
    assert np.abs(frames[0] - frames[-1]).mean() > 1.5


def test_a_fried_food_keeps_its_form():
    diced = FoodItem("onion").after("dice").after("fry")
    assert diced == FoodItem("onion", "diced", "fried", "fried")
    assert diced.after("stir") == diced
    assert diced.after("mash") == FoodItem("onion", "mashed", "fried", "mashed")


def test_training_never_draws_the_test_kitchen():
    for name in (*VESSELS, *TOOLS, "side", "counter"):
        train, test = set(looks(name, "train")), set(looks(name, "test"))
        assert train.isdisjoint(test)
        assert train | test == set(looks(name, "any"))
        assert len(test) >= 2
    for action in ACTIONS:
        assert set(PHRASES[action]).isdisjoint(HELD_OUT_PHRASES[action])
    for seed in range(30):
        home = random_recipe(HELD_OUT + seed).kitchen
        for name, look in home.vessels.items():
            assert (look.colour, look.shape, look.pattern) in looks(name, "test")
        home, _, _ = random_clip(np.random.default_rng(seed))
        for name, look in home.tools.items():
            assert (look.colour, look.pattern) in looks(name, "train")


def test_a_recipe_keeps_the_states_of_its_foods():
    for seed in range(HELD_OUT, HELD_OUT + 40):
        state: dict[str, str] = {}
        for step in random_recipe(seed).steps:
            scene = step.scene
            assert scene.food is not None
            assert scene.state_before == state.get(scene.food.name, "whole")
            assert all(other.state == state[other.name] for other in scene.others)
            assert scene.action != "peel" or scene.food.name in PEELABLE
            state[scene.food.name] = scene.state_after
            if scene.action in ("boil", "bake"):
                state.update({o.name: o.after(scene.action).state for o in scene.others})


def test_speed_is_printed(capsys):
    begin, clips = time.perf_counter(), 20
    for seed in range(clips):
        render(random_scene(np.random.default_rng(seed)), kitchen())
    seconds = time.perf_counter() - begin
    with capsys.disabled():
        print(f"\n[toy kitchen: {clips * NUM_FRAMES / seconds:.0f} frames a second on one core]")


def test_the_text_rarely_names_the_look():
    steps = [s for seed in range(HELD_OUT, HELD_OUT + 100) for s in random_recipe(seed).steps]
    named = sum(any(colour in step.text.split() for colour in COLOURS) for step in steps)
    assert 0 < named < 0.2 * len(steps)
