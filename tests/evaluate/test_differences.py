"""What differs between toy clips, runs and a plan, by the embedded reader with its real weights."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from procvid.errors import InputError, UnavailableError
from procvid.evaluate.differences.clips import SAME
from procvid.evaluate.differences.coach import coach
from procvid.evaluate.differences.runs import run_differences, step_pairs
from procvid.evaluate.inputs import ClipInput, RunInput
from procvid.plan.rules import plan_recipe
from procvid.settings import TINY
from procvid.toykitchen.identity import random_kitchen
from procvid.toykitchen.render import render
from procvid.toykitchen.scene import FoodItem, Scene
from procvid.types import Recipe
from procvid.types.difference import (
    CATEGORIES,
    ClipDifferences,
    ClipView,
    Difference,
    by_category,
    published_score,
    severity_of_score,
)
from procvid.wiring.differences import build_coach, build_comparer

KITCHEN = replace(random_kitchen(np.random.default_rng(3), "test"), side=None)
SLICE = Scene("slice", FoodItem("carrot"), "cutting board", 1)
STEPS = (
    "Peel the potato on the board.",
    "Slice the carrot on the board.",
    "Fry the carrot in a pan.",
)
PLAN = plan_recipe(Recipe("Carrots", STEPS))
NO_RUN = RunInput("run", (), plan=PLAN)


@cache
def rendered(scene):
    return render(scene, KITCHEN).frames


def filmed(scene=SLICE, fps=8.0, every=1) -> ClipInput:
    return ClipInput(1, frames=rendered(scene)[::every], fps=fps)


@pytest.fixture(scope="module")
def comparer():
    return build_comparer(TINY)


@pytest.fixture(scope="module")
def coaching():
    return build_coach(TINY)


def texts(found: ClipDifferences) -> list[str]:
    return [each.text for each in found.found]


def test_severities_grow_with_the_difference_and_convert_to_the_published_scale():
    one = Difference("tools", "a ladle instead of a spoon", 2)
    assert ClipDifferences((one,)).severity_in("tools") == 2
    assert ClipDifferences((one, one)).severity_in("tools") == 3
    assert ClipDifferences((one,) * 4).severity_in("tools") == 4
    colour = Difference("tools", "blue", 1)
    assert ClipDifferences((colour,) * 4).severity == 1.0
    worst = tuple(Difference(each, "x", 5) for each in CATEGORIES)
    assert ClipDifferences(worst).severity == 5.0
    assert [published_score(each) for each in (1, 2, 5)] == [5, 4, 1]
    assert severity_of_score(published_score(3.4)) == pytest.approx(3.4)
    assert by_category((Difference("looks", "a", 2), one))[0] is one
    with pytest.raises(ValueError, match="from 1 to 5"):
        Difference("tools", "x", 6)


def test_a_view_keeps_the_first_and_the_last_frame():
    view = ClipView(np.arange(17, dtype=np.uint8).reshape(-1, 1, 1, 1), tuple(range(17)))
    assert view.spread(4).times_s == (0, 5, 11, 16)
    assert view.spread(40).times_s == view.times_s and view.spread(1).times_s == (0,)


def test_the_same_clip_has_no_difference(comparer):
    found = comparer.compare(filmed(), filmed())
    assert not found.found and found.severity == 1.0 and found.notes == (SAME,)


def test_another_take_of_a_scene_has_none_either_at_any_length_size_and_rate(comparer):
    take = filmed(replace(SLICE, seed=9), every=2, fps=4.0)
    large = replace(take, frames=take.frames.repeat(2, 1).repeat(2, 2))
    assert texts(comparer.compare(filmed(), large)) == []


@pytest.mark.parametrize(
    ("scene", "category", "text"),
    [
        (replace(SLICE, action="dice"), "techniques", "diced instead of sliced"),
        (replace(SLICE, food=FoodItem("beetroot")), "ingredients", "beetroot instead of carrot"),
        (replace(SLICE, vessel="plate"), "tools", "on the plate instead of on the cutting board"),
        (
            Scene("fry", FoodItem("carrot", "sliced", "", "sliced"), "frying pan", 1),
            "actions",
            "fried instead of sliced with a knife",
        ),
    ],
)
def test_a_planted_difference_is_found_in_its_category_both_ways(comparer, scene, category, text):
    found = comparer.compare(filmed(), filmed(scene))
    assert [each.text for each in found.of(category)] == [text]
    back = comparer.compare(filmed(scene), filmed())
    assert [(d.a, d.b) for d in back.of(category)] == [(d.b, d.a) for d in found.of(category)]


def test_what_the_reader_cannot_see_is_said(comparer):
    assert "amounts, heat, speed" in comparer.compare(filmed(), filmed(fps=4.0)).unseen[-1]


def test_a_still_is_noted_and_a_foreign_clip_refused(comparer):
    frames = filmed().frames
    still = ClipInput(1, frames=np.repeat(frames[:1], len(frames), 0), fps=8.0)
    assert comparer.compare(filmed(), still).notes[0].startswith("Clip B does not move")
    noise = np.random.default_rng(0).integers(0, 255, frames.shape, np.uint8)
    with pytest.raises(UnavailableError, match="Clip B shows something other than the toy kitchen"):
        comparer.compare(filmed(), ClipInput(1, frames=noise, fps=8.0))


def test_steps_with_the_same_words_belong_together():
    assert step_pairs("abcd", "acd") == [(1, 1), (2, 0), (3, 2), (4, 3)]
    assert step_pairs("abc", "axc") == [(1, 1), (2, 2), (3, 3)]
    assert step_pairs("", "a") == [(0, 1)]


def test_one_clip_that_cannot_be_compared_does_not_stop_the_others(comparer):
    noise = ClipInput(2, frames=np.zeros((5, 96, 96, 3), np.uint8), fps=8.0)
    a = RunInput("a", (filmed(), noise), Recipe("", ("Slice it.", "Fry it.", "Serve.")))
    b = RunInput("b", (filmed(), replace(filmed(), number=2)), Recipe("", ("Slice it.", "Fry it.")))
    first, second, third = run_differences(a, b, comparer)
    assert first.found is not None and not first.found.found
    assert second.found is None and "Clip A shows something other" in second.why
    assert third.why == "only A has this step" and third.b == 0


def test_the_coach_names_the_step_and_what_differs(coaching):
    comparer, reader = coaching
    right = coach(NO_RUN, PLAN, filmed(), comparer, reader)
    assert right.step == 2 and not right.remarks and len(right.guesses) == 3
    other = coach(NO_RUN, PLAN, filmed(replace(SLICE, action="dice")), comparer, reader)
    (remark,) = other.remarks
    assert other.step == 2 and remark.meaning == "variation"
    assert remark.why == "dice cook faster than slices" and remark.difference.b_s is not None


def test_the_coach_abstains_and_still_compares_when_it_is_asked(coaching):
    comparer, reader = coaching
    egg = Scene("boil", FoodItem("egg"), "pot", 1)
    none = coach(NO_RUN, PLAN, filmed(egg), comparer, reader)
    assert none.step == 0 and not none.remarks and "no step" in none.notes[-1]
    asked = coach(NO_RUN, PLAN, filmed(egg), comparer, reader, 3)
    assert asked.step == 3 and asked.asked
    meanings = {remark.difference.text: remark.meaning for remark in asked.remarks}
    assert meanings["egg instead of carrot"] == "mistake"
    with pytest.raises(InputError, match="no step 7"):
        coach(NO_RUN, PLAN, filmed(), comparer, reader, 7)
