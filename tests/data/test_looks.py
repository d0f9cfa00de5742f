"""Each measure finds its planted fault and accepts good toy-kitchen frames."""

from __future__ import annotations

import dataclasses
from functools import cache

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFilter, ImageFont

from procvid.data.looks import FrameMeter
from procvid.data.quality import QualityRules, fault, measure
from procvid.toykitchen.recipes import HELD_OUT, random_recipe
from procvid.toykitchen.render import render
from procvid.types import Frames

SIDE = 256
LIMIT = 6
"""Videos of these tests, twelve frames each from four scenes."""


@cache
def kitchen(seed: int) -> list[Pillow.Image]:
    """Return frames of four steps of a recipe, enlarged as in a video.

    The side object is left out: before a fixed camera it would count as a logo.
    """
    recipe = random_recipe(HELD_OUT + 7_000 + seed)
    bare = dataclasses.replace(recipe.kitchen, side=None)
    frames = [f for s in recipe.steps[:4] for f in render(s.scene, bare).frames[::6]]
    return [Pillow.fromarray(f).resize((SIDE, SIDE), Pillow.Resampling.LANCZOS) for f in frames]


def written(image: Pillow.Image) -> Pillow.Image:
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(15)
    draw.text((20, 222), "now add the sliced carrots to the pan", (255, 255, 255), font,
              stroke_width=1, stroke_fill=(0, 0, 0))  # fmt: skip
    return image


def marked(image: Pillow.Image) -> Pillow.Image:
    draw = ImageDraw.Draw(image)
    draw.rounded_rectangle((206, 8, 246, 28), 6, (250, 250, 250), (10, 10, 10), 2)
    draw.text((212, 11), "KTV", (200, 0, 0), ImageFont.load_default(14))
    return image


def barred(image: Pillow.Image) -> Pillow.Image:
    pixels = np.array(image)
    pixels[:30] = pixels[-30:] = 0
    return Pillow.fromarray(pixels)


FAULTS = {
    "text": written,
    "logo": marked,
    "borders": barred,
    "sharpness": lambda image: image.filter(ImageFilter.GaussianBlur(5)),
    "brightness": lambda image: image.point(lambda value: value // 25),
}


def seen(frames: Frames | list[Pillow.Image]) -> str:
    looks = FrameMeter()
    for number, frame in enumerate(frames):
        looks.add(float(number), np.asarray(frame))
    measures = measure(looks.samples, 0.0, 1e9, SIDE, looks.logo())
    return fault(measures, QualityRules())


def test_good_frames_pass() -> None:
    faults = [seen(kitchen(seed)) for seed in range(LIMIT)]
    assert faults.count("") >= LIMIT - 1, faults


@pytest.mark.parametrize("name", list(FAULTS))
def test_a_planted_fault_is_reported_by_its_name(name: str) -> None:
    faults = [
        seen([FAULTS[name](image.copy()) for image in kitchen(seed)]) for seed in range(LIMIT)
    ]
    assert sum(name in words for words in faults) >= LIMIT - 1, faults


def test_a_frozen_video_is_still() -> None:
    assert "motion 0, below" in seen([kitchen(0)[0]] * 6)


def test_pictures_of_any_size_are_measured() -> None:
    looks = FrameMeter()
    for number, shape in enumerate([(1, 1), (1, 400), (3, 2), (720, 1280), (720, 1280)]):
        looks.add(float(number), np.full((*shape, 3), 90, np.uint8))
    assert [sample.motion for sample in looks.samples] == [1.0, 1.0, 1.0, 1.0, 0.0]
    assert looks.logo() == 0.0


def test_a_clip_without_a_sample_is_judged_by_its_size_alone() -> None:
    nothing = measure([], 0.0, 1.0, 720, 0.0)
    assert fault(nothing, QualityRules()) == ""
    assert "below 240" in fault(dataclasses.replace(nothing, side_px=100), QualityRules())
