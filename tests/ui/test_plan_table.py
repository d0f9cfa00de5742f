from __future__ import annotations

from typing import Any

import pytest

from procvid.errors import InputError
from procvid.plan.parse import parse_recipe
from procvid.plan.rules import plan_recipe
from procvid.types import Plan
from procvid.ui.pages.create.plan_table import HEADERS, MAX_OBJECTS, apply_rows, rows_of


@pytest.fixture
def plan(recipe: str) -> Plan:
    return plan_recipe(parse_recipe(recipe))


def changed(plan: Plan, column: str, value: Any, name: str = "carrot") -> list[list[Any]]:
    """The rows with one cell of the first row of `name` changed."""
    rows: list[list[Any]] = rows_of(plan)
    row = next(row for row in rows if row[1] == name)
    row[HEADERS.index(column)] = value
    return rows


def test_an_untouched_table_is_the_same_plan(plan: Plan) -> None:
    assert apply_rows(plan, rows_of(plan)) == plan


def test_cells_may_come_back_as_text(plan: Plan) -> None:
    assert apply_rows(plan, [[str(cell) for cell in row] for row in rows_of(plan)]) == plan


def test_a_changed_state_changes_the_prompt_of_that_step_alone(plan: Plan) -> None:
    edited = apply_rows(plan, changed(plan, "State after", "Diced"))
    carrot = next(o for o in edited.steps[0].objects if o.name == "carrot")
    assert carrot.state_after == "diced"
    assert "diced" in edited.steps[0].prompt
    assert edited.steps[1:] == plan.steps[1:]


def test_an_emptied_row_leaves_the_object_out(plan: Plan) -> None:
    rows = [[None] * 6 if row[:2] == [1, "knife"] else row for row in rows_of(plan)]
    edited = apply_rows(plan, [*rows, [float("nan")] * 6, [""] * 6])
    assert "knife" not in [o.name for o in edited.steps[0].objects]
    assert "knife" not in edited.steps[0].prompt.split(". ")[0]


def test_a_new_row_adds_an_object(plan: Plan) -> None:
    row = [2, "Spoon", "tool", "clean", "in use", "unlikely"]
    edited = apply_rows(plan, [*rows_of(plan), row])
    spoon = edited.steps[1].objects[-1]
    assert (spoon.name, spoon.role, spoon.likelihood) == ("spoon", "tool", "unlikely")


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("Step", 0),
        ("Step", 99),
        ("Step", "two"),
        ("Step", 1.5),
        ("Object", ""),
        ("Object", "x" * 61),
        ("Object", "car\x00rot"),
        ("Kind", "gadget"),
        ("State before", None),
        ("State after", ""),
        ("Stays the same", "perhaps"),
    ],
)
def test_a_bad_cell_is_told_with_its_row(plan: Plan, column: str, value: Any) -> None:
    with pytest.raises(InputError, match=r"[Rr]ow \d+"):
        apply_rows(plan, changed(plan, column, value))


def test_one_object_cannot_stand_twice_in_a_step(plan: Plan) -> None:
    rows = rows_of(plan)
    with pytest.raises(InputError, match="twice"):
        apply_rows(plan, [*rows, rows[0]])


def test_a_step_takes_a_dozen_objects(plan: Plan) -> None:
    rows = [[1, f"thing {n}", "tool", "clean", "clean", "likely"] for n in range(MAX_OBJECTS + 1)]
    with pytest.raises(InputError, match="at most"):
        apply_rows(plan, rows)


def test_rows_of_another_width_are_refused(plan: Plan) -> None:
    with pytest.raises(InputError, match="cells"):
        apply_rows(plan, [[1, "carrot"]])
