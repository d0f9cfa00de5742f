"""A plan survives JSON unchanged, and every reader refuses a bad one with the field's name."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from procvid.errors import InputError, RunError
from procvid.plan.codec import (
    MAX_NAME_CHARS,
    MAX_OBJECTS,
    check_plan,
    plan_from_json,
    plan_to_json,
)
from procvid.plan.rules import plan_recipe
from procvid.run.folder import PLAN, RunFolder
from procvid.run.restore import packed_plan, unpacked_plan
from procvid.types import Plan, PlannedObject, Recipe, StepPlan
from procvid.ui.server.jobs import make_draft, start_run
from procvid.ui.server.queue import Draft, RunOptions
from procvid.ui.server.visitors import LOCAL

RECIPE = Recipe("Dinner", ("Slice the red onion.", "Fry it in a large pan.", "Serve."))
GOOD = plan_recipe(RECIPE)
OBJECT = ("steps", 0, "objects", 0)
SPOON = {**dataclasses.asdict(GOOD.steps[0].objects[0]), "role": "tool"}

BAD_VALUES = [
    (("title",), 3, "plan.title is 3"),
    (("planner",), None, "plan.planner is None"),
    (("notes",), [1], "plan.notes[0] is 1"),
    (("notes",), "x", "plan.notes is 'x'"),
    (("steps",), "x", "plan.steps is 'x'"),
    (("steps",), [], "plan.steps is empty"),
    (("steps", 0, "number"), 2, "plan.steps[0].number is 2"),
    (("steps", 1, "number"), 1, "plan.steps[1].number is 1"),
    (("steps", 2, "number"), 4, "plan.steps[2].number is 4"),
    (("steps", 0, "number"), "1", "plan.steps[0].number is '1'"),
    (("steps", 0, "number"), True, "plan.steps[0].number is True"),
    (("steps", 0, "text"), 5, "plan.steps[0].text is 5"),
    (("steps", 0, "action"), None, "plan.steps[0].action is None"),
    (("steps", 0, "prompt"), None, "plan.steps[0].prompt is None"),
    (("steps", 0, "objects"), 7, "plan.steps[0].objects is 7"),
    (
        ("steps", 0, "objects"),
        [{**SPOON, "name": f"spoon {n}"} for n in range(MAX_OBJECTS + 1)],
        f"plan.steps[0].objects has {MAX_OBJECTS + 1} objects",
    ),
    ((*OBJECT, "name"), 1, "plan.steps[0].objects[0].name is 1"),
    ((*OBJECT, "name"), "", "plan.steps[0].objects[0].name is empty"),
    ((*OBJECT, "name"), "pan\x07", "plan.steps[0].objects[0].name contains control characters"),
    ((*OBJECT, "name"), "x" * (MAX_NAME_CHARS + 1), "plan.steps[0].objects[0].name has 61"),
    ((*OBJECT, "role"), "ghost", "plan.steps[0].objects[0].role is 'ghost'"),
    ((*OBJECT, "role"), ["food"], "plan.steps[0].objects[0].role is ['food']"),
    ((*OBJECT, "description"), None, "plan.steps[0].objects[0].description is None"),
    ((*OBJECT, "state_before"), "a\nb", "plan.steps[0].objects[0].state_before contains"),
    ((*OBJECT, "state_after"), "x" * 61, "plan.steps[0].objects[0].state_after has 61"),
    ((*OBJECT, "likelihood"), "maybe", "plan.steps[0].objects[0].likelihood is 'maybe'"),
    ((*OBJECT, "importance"), 2, "plan.steps[0].objects[0].importance is 2"),
    ((*OBJECT, "importance"), float("nan"), "plan.steps[0].objects[0].importance is nan"),
    ((*OBJECT, "importance"), float("inf"), "plan.steps[0].objects[0].importance is inf"),
    ((*OBJECT, "importance"), True, "plan.steps[0].objects[0].importance is True"),
    ((*OBJECT, "importance"), "0.5", "plan.steps[0].objects[0].importance is '0.5'"),
    ((*OBJECT, "since_step"), 0, "plan.steps[0].objects[0].since_step is 0"),
    ((*OBJECT, "since_step"), 1.0, "plan.steps[0].objects[0].since_step is 1.0"),
    ((*OBJECT, "mentioned"), 1, "plan.steps[0].objects[0].mentioned is 1"),
]


def as_json(plan: Plan = GOOD) -> Any:
    return json.loads(json.dumps(plan_to_json(plan)))


def damaged(path: tuple[Any, ...], value: object) -> Any:
    """The JSON of a good plan with one value replaced."""
    data = as_json()
    place = data
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return data


def unchecked(data: Any) -> Plan:
    """Build the plan without checks."""
    steps = data["steps"]
    if isinstance(steps, list):
        steps = tuple(_unchecked_step(step) for step in steps)
    notes = data["notes"]
    notes = tuple(notes) if isinstance(notes, list) else notes
    return Plan(data["title"], steps, data["planner"], notes)


def _unchecked_step(step: Any) -> StepPlan:
    objects = step["objects"]
    if isinstance(objects, list):
        objects = tuple(PlannedObject(**item) for item in objects)
    return StepPlan(**{**step, "objects": objects})


def run_folder(data: Any, folder: Path) -> None:
    (folder / PLAN).write_text(json.dumps(data))
    RunFolder(folder, None).read_plan()  # type: ignore[arg-type]  # the record is not read


def video_metadata(data: Any, folder: Path) -> None:
    unpacked_plan(packed_plan(unchecked(data)))


def endpoint(data: Any, folder: Path) -> None:
    context: Any = SimpleNamespace()
    start_run(context, Draft(RECIPE, unchecked(data)), RunOptions(), LOCAL)


def planner_answer(data: Any, folder: Path) -> None:
    planner = SimpleNamespace(plan=lambda recipe: unchecked(data))
    context: Any = SimpleNamespace(planner=planner)
    make_draft(context, "Dinner\n\nSlice the red onion.\nFry it in a large pan.\nServe.")


@pytest.mark.parametrize("door", [run_folder, video_metadata, endpoint, planner_answer])
@pytest.mark.parametrize(("path", "value", "message"), BAD_VALUES)
def test_every_door_refuses_a_bad_value(
    door: Callable[[Any, Path], None],
    path: tuple[Any, ...],
    value: object,
    message: str,
    tmp_path: Path,
) -> None:
    with pytest.raises(InputError) as caught:
        door(damaged(path, value), tmp_path)
    assert message in caught.value.message
    if door is run_folder:
        assert isinstance(caught.value, RunError) and PLAN in caught.value.message


def test_a_good_plan_passes_every_reader(tmp_path: Path) -> None:
    assert plan_from_json(as_json()) == check_plan(GOOD) == unchecked(as_json()) == GOOD
    run_folder(as_json(), tmp_path)
    video_metadata(as_json(), tmp_path)
    planner_answer(as_json(), tmp_path)


@pytest.mark.parametrize("version", [0, 2, 99, "1", True, 1.0, None])
def test_another_schema_is_refused(version: object) -> None:
    with pytest.raises(InputError, match=r"plan\.schema_version is"):
        plan_from_json(damaged(("schema_version",), version))


@pytest.mark.parametrize("path", [("title",), ("steps", 1, "objects"), (*OBJECT, "role")])
def test_a_missing_or_unknown_field_is_named(path: tuple[Any, ...]) -> None:
    data = place = as_json()
    for key in path[:-1]:
        place = place[key]
    del place[path[-1]]
    with pytest.raises(InputError, match=f"{path[-1]} is missing"):
        plan_from_json(data)
    place["colour"] = "red"
    with pytest.raises(InputError, match="unknown field 'colour'"):
        plan_from_json(data)


def test_fields_with_a_default_may_be_left_out() -> None:
    data = as_json()
    del data["notes"], data["steps"][0]["objects"][0]["since_step"]
    assert plan_from_json(data).steps == GOOD.steps


@pytest.mark.parametrize("value", [None, [], "plan", 3, {}, {"steps": [{}]}])
def test_anything_else_is_not_a_plan(value: object) -> None:
    with pytest.raises(InputError, match=r"plan"):
        plan_from_json(value)


def test_a_step_that_names_the_whole_cupboard_is_planned() -> None:
    tools = "whisk, spatula, fork, ladle, peeler, grater, zester, masher, rolling pin, tongs"
    vessels = "pot, bowl, plate, platter, wok, griddle, grill pan, baking tray, ramekin, cup"
    text = f"Stir with the {tools}, garlic press, juicer, pestle, skewer in the {vessels}, glass."
    text = (
        text.replace(", ", ", the ") + " Add the knife, the scissors, the timer, the thermometer."
    )
    plan = plan_recipe(Recipe("All", (text, "Serve.")))
    assert check_plan(plan) == plan
    assert len(plan.steps[0].objects) <= MAX_OBJECTS
    assert plan.steps[0].objects[-1].name == "counter"


def test_a_word_too_long_for_a_name_is_no_food() -> None:
    recipe = Recipe("Long", (f"Fry the {'blah' * 40} in a pan.",), (f"2 {'blah' * 40}",))
    assert check_plan(plan_recipe(recipe)).steps[0].number == 1
