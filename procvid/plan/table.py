"""Show a plan as an editable table, and apply an edited table to the plan."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from procvid.errors import InputError
from procvid.plan.codec import LIKELIHOODS, MAX_NAME_CHARS, MAX_OBJECTS, ROLES, check_plan
from procvid.plan.rules import (
    FOOD_IMPORTANCE,
    SURFACE_IMPORTANCE,
    TOOL_IMPORTANCE,
    VESSEL_IMPORTANCE,
)
from procvid.plan.shots import choices
from procvid.plan.writing.prompt import from_slots
from procvid.storage.text import printable
from procvid.types import Plan, PlannedObject, Role, StepPlan

HEADERS = ["Step", "Object", "Kind", "State before", "State after", "Stays the same"]
MAX_PROMPT_CHARS = 2_000
"""Longest prompt that a person may write."""
NEW_IMPORTANCE: dict[Role, float] = {
    "vessel": VESSEL_IMPORTANCE,
    "food": FOOD_IMPORTANCE[0],
    "surface": SURFACE_IMPORTANCE,
    "tool": TOOL_IMPORTANCE,
}
"""Importance of an object that a person adds, as the planner would rate it."""


def rows_of(plan: Plan) -> list[list[str | int]]:
    """Return one row per step and object, in the order of `HEADERS`."""
    names = _cells(plan)
    return [
        [
            names[s.number],
            o.name,
            o.role,
            o.state_before,
            o.state_after,
            o.likelihood.replace("_", " "),
        ]
        for s in plan.steps
        for o in s.objects
    ]


def _cells(plan: Plan) -> dict[int, str | int]:
    """Return the cell of each step: its number, or its name if a step has several shots."""
    return {n: int(name) if name.isdigit() else name for n, name in plan.names.items()}


def apply_rows(plan: Plan, rows: Sequence[Sequence[Any]]) -> Plan:
    """Return the plan with the objects of the rows; steps with the same objects are unchanged.

    A missing row removes its object, a new row adds one, and an empty row is skipped.

    Raises:
        InputError: The plan is wrong, or a row; the message names the field or the row.
    """
    plan = check_plan(plan)
    objects: dict[int, list[PlannedObject]] = {step.number: [] for step in plan.steps}
    for number, row in enumerate(rows, start=1):
        cells = [_words(cell) for cell in row]
        if any(cells):
            step, item = _read_row(number, cells, plan)
            objects[step].append(item)
    names = plan.names
    steps = (_with_objects(s, objects[s.number], names[s.number]) for s in plan.steps)
    return replace(plan, steps=tuple(steps))


def with_prompt(plan: Plan, number: int | None, prompt: str) -> Plan:
    """Return the plan with a person's own prompt for one step; the same plan for None.

    Raises:
        InputError: The step does not exist, or the prompt is empty or too long.
    """
    if number is None:
        return plan
    if number not in [step.number for step in plan.steps]:
        raise InputError(f"Step {number} does not exist.", f"Choose {choices(plan)}.")
    name = plan.names[number]
    own = printable(prompt)
    if not own or len(own) > MAX_PROMPT_CHARS:
        raise InputError(
            f"The prompt for step {name} has {len(own)} characters.",
            f"Write 1 to {MAX_PROMPT_CHARS} characters.",
        )
    steps = (replace(s, prompt=own) if s.number == number else s for s in plan.steps)
    return replace(plan, steps=tuple(steps))


def _words(cell: Any) -> str:
    # An emptied cell of a data frame arrives as None or as the float nan.
    if cell is None or cell != cell:
        return ""
    return " ".join(str(cell).split())


def _read_row(number: int, cells: list[str], plan: Plan) -> tuple[int, PlannedObject]:
    if len(cells) != len(HEADERS):
        raise InputError(f"Row {number} has {len(cells)} cells.", f"Fill all {len(HEADERS)}.")
    step_text, name, role, before, after, likelihood = cells
    step = _read_step(step_text, plan)
    if not step:
        raise InputError(
            f"Row {number} is for step {step_text!r:.60}, which does not exist.",
            f"Choose {choices(plan)}.",
        )
    for header, text in zip(HEADERS[1:5], cells[1:5], strict=True):
        if not text:
            raise InputError(
                f"Row {number} has no {header.lower()}.", "Fill the cell or empty the row."
            )
        if len(text) > MAX_NAME_CHARS or not text.isprintable():
            raise InputError(
                f"The {header.lower()} in row {number} is too long or not plain text.",
                f"Write at most {MAX_NAME_CHARS} characters.",
            )
    role, likelihood = role.lower(), likelihood.lower().replace(" ", "_")
    if role not in ROLES:
        raise InputError(
            f"The kind in row {number} is {role!r}.", f"Choose one of {', '.join(ROLES)}."
        )
    if likelihood not in LIKELIHOODS:
        listed = ", ".join(choice.replace("_", " ") for choice in LIKELIHOODS)
        raise InputError(
            f"“{HEADERS[5]}” in row {number} is {likelihood[:60]!r}.", f"Choose one of {listed}."
        )
    item = replace(
        _object_of(plan, step, name.lower(), role),
        role=role,
        state_before=before.lower(),
        state_after=after.lower(),
        likelihood=likelihood,
    )
    return step, item


def _read_step(text: str, plan: Plan) -> int:
    """Return the number of a step by its name, which a data frame may give as "2.0"; 0 for none."""
    numbers = {name: number for number, name in plan.names.items()}
    whole = re.fullmatch(r"0*([0-9]{1,6})(\.0+)?", text)
    return numbers.get(whole[1] if whole else text.lower(), 0)


def _object_of(plan: Plan, step: int, name: str, role: Role) -> PlannedObject:
    """Return the planned object of that name, else a new one that earlier steps describe."""
    seen = [o for s in plan.steps if s.number <= step for o in s.objects if o.name == name]
    for item in plan.steps[step - 1].objects:
        if item.name == name:
            return item
    return PlannedObject(
        name=name,
        role=role,
        description=seen[-1].description if seen else name,
        state_before="",
        state_after="",
        likelihood="likely",
        importance=NEW_IMPORTANCE[role],
        since_step=min((item.since_step for item in seen), default=step),
    )


def _with_objects(step: StepPlan, objects: list[PlannedObject], step_name: str) -> StepPlan:
    names = [o.name for o in objects]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"Step {step_name} has {name!r} twice.", "Empty one of the rows.")
    if len(objects) > MAX_OBJECTS:
        raise InputError(
            f"Step {step_name} has {len(objects)} objects.", f"Keep at most {MAX_OBJECTS}."
        )
    if tuple(objects) == step.objects:
        return step
    return replace(step, objects=tuple(objects), prompt=from_slots(step.text, step.action, objects))
