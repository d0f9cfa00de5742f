from __future__ import annotations

from typing import Any

import pytest

from procvid.errors import InputError
from procvid.plan.codec import MAX_OBJECTS
from procvid.plan.recipe.parse import parse_recipe
from procvid.plan.rules import plan_recipe
from procvid.plan.table import HEADERS, apply_rows, rows_of, with_prompt
from procvid.types import Plan

RECIPE = """# Carrot omelette

1. Slice the carrot on the cutting board with the knife.
2. Fry the carrot in the frying pan.
3. Serve the carrot on the plate.
"""


@pytest.fixture
def plan() -> Plan:
    return plan_recipe(parse_recipe(RECIPE))


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
def test_a_bad_cell_is_reported_with_its_row(plan: Plan, column: str, value: Any) -> None:
    with pytest.raises(InputError, match=r"[Rr]ow \d+"):
        apply_rows(plan, changed(plan, column, value))


def test_one_object_cannot_stand_twice_in_a_step(plan: Plan) -> None:
    rows = rows_of(plan)
    with pytest.raises(InputError, match="twice"):
        apply_rows(plan, [*rows, rows[0]])


def test_the_number_of_objects_has_a_limit(plan: Plan) -> None:
    rows = [[1, f"thing {n}", "tool", "clean", "clean", "likely"] for n in range(MAX_OBJECTS + 1)]
    with pytest.raises(InputError, match="at most"):
        apply_rows(plan, rows)


def test_rows_of_another_width_are_refused(plan: Plan) -> None:
    with pytest.raises(InputError, match="cells"):
        apply_rows(plan, [[1, "carrot"]])


def test_an_added_object_continues_what_earlier_steps_made_of_it(plan: Plan) -> None:
    row = [3, "Carrot", "food", "sliced", "fried", "unlikely"]
    rows = [r for r in rows_of(plan) if not (r[0] == 3 and r[1] == "carrot")]
    before = next(o for o in plan.steps[1].objects if o.name == "carrot")
    known = apply_rows(plan, rows)
    carrot = apply_rows(known, [*rows, row]).steps[2].objects[-1]
    assert (carrot.description, carrot.since_step) == (before.description, 1)
    assert (carrot.state_before, carrot.state_after) == ("sliced", "fried")


def test_whole_numbers_may_come_back_with_a_fraction_of_zero(plan: Plan) -> None:
    assert apply_rows(plan, [[float(row[0]), *row[1:]] for row in rows_of(plan)]) == plan


@pytest.mark.parametrize("step", ["nan", "inf", float("inf"), "-1", "1e400", "२"])
def test_a_step_that_does_not_exist_is_refused(plan: Plan, step: Any) -> None:
    with pytest.raises(InputError, match=r"Row 1 is for step"):
        apply_rows(plan, [[step, "egg", "food", "whole", "whole", "likely"]])


def test_a_prompt_of_ones_own_replaces_the_planned_one(plan: Plan) -> None:
    edited = with_prompt(plan, 2, " A red\x00 pan. ")
    assert edited.steps[1].prompt == "A red pan."
    assert (edited.steps[0], edited.steps[2]) == (plan.steps[0], plan.steps[2])
    assert with_prompt(plan, None, "x") == plan
    for number, prompt in ((9, "x"), (1, " "), (1, "x" * 2_001)):
        with pytest.raises(InputError):
            with_prompt(plan, number, prompt)
