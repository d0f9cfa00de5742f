"""A plan survives JSON unchanged, a damaged one is refused, and a table edits it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from procvid.errors import InputError
from procvid.plan.make import COLUMNS, apply_edits, plan_from_json, plan_to_json, table_of
from procvid.plan.prompt import enhance
from procvid.plan.rules import plan_recipe
from procvid.types import Plan, Recipe


@pytest.fixture(scope="module")
def plan() -> Plan:
    return plan_recipe(
        Recipe("Dinner", ("Slice the red onion.", "Fry it in a large pan.", "Serve."))
    )


def test_json_round_trip(plan: Plan) -> None:
    assert plan_from_json(json.loads(json.dumps(plan_to_json(plan)))) == plan


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (("schema",), 99, "schema 99"),
        (("title",), 3, "plan.title"),
        (("steps",), "x", "plan.steps"),
        (("steps",), [], "numbered"),
        (("steps", 0), 5, r"plan.steps\[0\] is int"),
        (("steps", 0, "number"), 2, "numbered"),
        (("steps", 0, "number"), "1", "whole number"),
        (("steps", 0, "prompt"), None, "prompt"),
        (("steps", 0, "objects", 0, "name"), 1, "name"),
        (("steps", 0, "objects", 0, "role"), "ghost", "Use one of vessel, surface, tool, food"),
        (("steps", 0, "objects", 0, "likelihood"), "maybe", "highly_likely"),
        (("steps", 0, "objects", 0, "importance"), 2, "importance is 2"),
        (("steps", 0, "objects", 0, "importance"), float("nan"), "importance"),
        (("steps", 0, "objects", 0, "importance"), True, "importance"),
        (("steps", 0, "objects", 0, "since_step"), 0, "since_step"),
        (("steps", 0, "objects", 0, "mentioned"), 1, "mentioned"),
        (("notes",), [1], "plan.notes"),
    ],
)
def test_a_damaged_plan_is_refused(
    plan: Plan, path: tuple[Any, ...], value: object, told: str
) -> None:
    data: Any = json.loads(json.dumps(plan_to_json(plan)))
    place = data
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(InputError, match=told):
        plan_from_json(data)


@pytest.mark.parametrize("value", [None, [], "plan", 3, {}])
def test_what_is_no_plan_is_refused(value: object) -> None:
    with pytest.raises(InputError):
        plan_from_json(value)


def test_an_unedited_table_changes_nothing(plan: Plan) -> None:
    assert apply_edits(plan, table_of(plan)) == plan


def test_edits_change_states_and_prompts(plan: Plan) -> None:
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in table_of(plan)]
    row = next(r for r in rows if r["step"] == 2 and r["object"] == "onion")
    row["state_before"], row["likelihood"] = "diced", "likely"
    edited = apply_edits(plan, rows)
    onion = next(o for o in edited.steps[1].objects if o.name == "onion")
    assert (onion.state_before, onion.likelihood) == ("diced", "likely")
    assert onion.description == "red onion, sliced in step 1"
    assert "onion (diced, then fried)" in edited.steps[1].prompt
    assert edited.steps[0] == plan.steps[0]


def test_rows_can_be_added_and_removed(plan: Plan) -> None:
    rows: list[list[object]] = [list(row) for row in table_of(plan) if row[1] != "counter"]
    rows += [["3", " Parsley ", "food", "", "", "likely"], ["", "", None, "", "", ""]]
    edited = apply_edits(plan, rows)
    assert not any(o.name == "counter" for step in edited.steps for o in step.objects)
    parsley = next(o for o in edited.steps[2].objects if o.name == "parsley")
    assert (parsley.state_before, parsley.state_after, parsley.since_step) == ("whole", "whole", 3)
    step = edited.steps[2]
    assert step.prompt == enhance(step.text, step.action, step.objects)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ([9, "egg", "food", "whole", "whole", "likely"], "names step '9'"),
        (["x", "egg", "food", "whole", "whole", "likely"], "names step 'x'"),
        (["nan", "egg", "food", "whole", "whole", "likely"], "names step"),
        ([1, "", "food", "whole", "whole", "likely"], "object name"),
        ([1, "e" * 99, "food", "whole", "whole", "likely"], "object name"),
        ([1, "egg", "thing", "whole", "whole", "likely"], "role in row 1"),
        ([1, "egg", "food", "whole", "whole", "perhaps"], "likelihood in row 1"),
        ([1, "egg", "food", "w" * 99, "whole", "likely"], "state_before"),
        ([1, "egg"], "2 cells"),
        ("egg", "not a row"),
    ],
)
def test_wrong_cells_are_named(plan: Plan, row: Any, told: str) -> None:
    with pytest.raises(InputError, match=told):
        apply_edits(plan, [row])


def test_an_object_stands_once_in_a_step(plan: Plan) -> None:
    row = [1, "egg", "food", "whole", "whole", "likely"]
    with pytest.raises(InputError, match="second time"):
        apply_edits(plan, [row, row])
    many = [[1, f"egg {i}", "food", "whole", "whole", "likely"] for i in range(20)]
    with pytest.raises(InputError, match="more than 16"):
        apply_edits(plan, many)
