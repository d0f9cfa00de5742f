"""A video says how it was made: recipe, edited plan and settings, and damage costs the plan alone."""

from __future__ import annotations

import base64
import json
import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from procvid.errors import InputError, RecipeError
from procvid.media.encode import write_clip
from procvid.plan.codec import plan_to_json
from procvid.plan.edit import with_object_field, with_step
from procvid.plan.recipe.parse import parse_recipe
from procvid.plan.rules import plan_recipe
from procvid.plan.shots import cut_into_shots, with_recipe_steps
from procvid.run.restore import MAX_PLAN_BYTES, packed_plan, restored, unpacked_plan

TEXT = "Leeks\n\n1. Slice the leek, then fry it in the frying pan.\n2. Serve it."
RECIPE = cut_into_shots(parse_recipe(TEXT))
PLAN = with_recipe_steps(plan_recipe(RECIPE), RECIPE)
SETTINGS: dict[str, Any] = {
    "title": "Leeks",
    "steps": list(RECIPE.whole_steps),
    "ingredients": [],
    "shots": "auto",
    "seed": 7,
    "memory": "none",
    "denoising_steps": 3,
    "fast": True,
}


def video(
    folder: Path, plan: str | None, more: dict[str, Any] | None = None, **settings: Any
) -> Path:
    facts = {"request": json.dumps({**SETTINGS, **settings}), **(more or {})}
    facts |= {} if plan is None else {"plan": plan}
    file = folder / "video.mp4"
    write_clip(file, np.zeros((2, 32, 32, 3), np.uint8), 8, {"procvid": json.dumps(facts)})
    return file


def test_an_edited_plan_comes_back_with_its_recipe(tmp_path: Path) -> None:
    plan = with_object_field(PLAN, 1, "leek", "state_after", "diced")
    edited = with_step(RECIPE, plan, 1, "Wash the leek.")
    file = video(tmp_path, packed_plan(edited.plan), steps=list(edited.recipe.written))
    found = restored(file)
    assert (found.plan, found.recipe, found.note) == (edited.plan, edited.recipe, "")
    assert (found.seed, found.steps, found.fast, found.memory) == (7, 3, True, "none")


def test_the_number_of_takes_comes_back(tmp_path: Path) -> None:
    takes = {"best_of": 3, "repeats": 3, "budget_s": None}
    found = restored(video(tmp_path, None, takes=takes))
    assert (found.takes, found.verify) == (3, True)


def test_a_video_of_an_older_version_has_no_plan(tmp_path: Path) -> None:
    found = restored(video(tmp_path, None))
    assert (found.plan, found.recipe.steps, found.note) == (None, RECIPE.whole_steps, "")


@pytest.mark.parametrize(
    ("facts", "settings", "words"),
    [
        ({"changed_steps": "1.1, 2"}, {}, "Steps 1.1, 2 had their own seed"),
        ({"changed_steps": "2"}, {}, "Step 2 had its own seed"),
        ({}, {"other_memory": True, "lora": True}, "another library.*a LoRA"),
        ({"changed_steps": "<b>2</b>"}, {}, "^$"),
        ({"changed_steps": [1]}, {}, "^$"),
    ],
)
def test_what_the_file_does_not_hold_is_said(
    facts: dict[str, Any], settings: dict[str, Any], words: str, tmp_path: Path
) -> None:
    file = video(tmp_path, packed_plan(PLAN), facts, **settings)
    assert re.search(words, restored(file).note)


BOMB = base64.b64encode(zlib.compress(b" " * (MAX_PLAN_BYTES + 1))).decode()


@pytest.mark.parametrize("text", ["", "no", "é", packed_plan(PLAN)[:-9], BOMB, "W10="])
def test_a_damaged_plan_costs_the_plan_alone(text: str, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        unpacked_plan(text)
    found = restored(video(tmp_path, text))
    assert found.plan is None and "only its recipe" in found.note
    assert found.recipe.steps == RECIPE.whole_steps


def test_a_plan_of_another_recipe_is_not_opened(tmp_path: Path) -> None:
    other = plan_recipe(parse_recipe("Leeks\n\n1. Boil the leek.\n2. Eat."))
    found = restored(video(tmp_path, packed_plan(other)))
    assert found.plan is None and found.note


@pytest.mark.parametrize("settings", [{"seed": "7"}, {"seed": -1}, {"steps": None}])
def test_damaged_settings_are_no_record(settings: Any, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="no record"):
        restored(video(tmp_path, None, **settings))


def test_metadata_that_nest_too_deeply_are_no_record(tmp_path: Path) -> None:
    file = tmp_path / "video.mp4"
    deep = "[" * 20_000 + "]" * 20_000
    write_clip(file, np.zeros((2, 32, 32, 3), np.uint8), 8, {"procvid": deep})
    with pytest.raises(RecipeError, match="no record"):
        restored(file)


def test_the_same_plan_has_the_same_text() -> None:
    again = unpacked_plan(packed_plan(PLAN))
    assert again == PLAN and packed_plan(again) == packed_plan(PLAN)
    assert len(packed_plan(PLAN)) < len(json.dumps(plan_to_json(PLAN)))
