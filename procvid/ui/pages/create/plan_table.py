"""The plan as an editable table, and an edited table as a plan again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast, get_args

from procvid.errors import InputError
from procvid.plan.prompt import enhance
from procvid.storage.text import printable
from procvid.types import Likelihood, Plan, PlannedObject, Role, StepPlan

HEADERS = ["Step", "Object", "Kind", "State before", "State after", "Stays the same"]
ROLES = cast(tuple[Role, ...], get_args(Role))
LIKELIHOODS = cast(tuple[Likelihood, ...], get_args(Likelihood))
MAX_WORDS = 60
"""Longest name or state, in characters."""
MAX_PROMPT = 2_000
"""Longest words of a person's own for the model, in characters."""
MAX_OBJECTS = 12
"""Most objects of one step."""
NEW_IMPORTANCE: dict[Role, float] = {"food": 0.8, "vessel": 0.7, "tool": 0.4, "surface": 0.3}
"""What an object that a person adds is worth when the slots are handed out."""


def rows_of(plan: Plan) -> list[list[str | int]]:
    """One row per step and object, in the order of `HEADERS`."""
    return [
        [s.number, o.name, o.role, o.state_before, o.state_after, o.likelihood.replace("_", " ")]
        for s in plan.steps
        for o in s.objects
    ]


def apply_rows(plan: Plan, rows: Sequence[Sequence[Any]]) -> Plan:
    """The plan with the objects of the rows; steps whose objects did not change stay as they are.

    Raises:
        InputError: A row cannot be read; the message names the row.
    """
    found: dict[int, list[PlannedObject]] = {step.number: [] for step in plan.steps}
    known = {(s.number, o.name): o for s in plan.steps for o in s.objects}
    for number, row in enumerate(rows, start=1):
        cells = [_words(cell) for cell in row]
        if not any(cells):
            continue
        step, item = _read_row(number, cells, known, max(found))
        found[step].append(item)
    return replace(plan, steps=tuple(_with_objects(s, found[s.number]) for s in plan.steps))


def with_prompt(plan: Plan, number: int | None, prompt: str) -> Plan:
    """The plan with a person's own words for the model in one step; without a number as it is.

    Raises:
        InputError: There is no such step, or the words are none or too many.
    """
    if number is None:
        return plan
    if number not in [step.number for step in plan.steps]:
        raise InputError(f"The plan has no step {number}.", "Choose one of the list.")
    told = printable(prompt)
    if not told or len(told) > MAX_PROMPT:
        raise InputError(
            f"The words for step {number} have {len(told)} characters.",
            f"Write 1 to {MAX_PROMPT}.",
        )
    return replace(
        plan,
        steps=tuple(replace(s, prompt=told) if s.number == number else s for s in plan.steps),
    )


def _words(cell: Any) -> str:
    # An emptied cell of a data frame arrives as None or as the float nan.
    if cell is None or cell != cell:
        return ""
    return " ".join(str(cell).split())


def _read_row(
    number: int,
    cells: list[str],
    known: dict[tuple[int, str], PlannedObject],
    last_step: int,
) -> tuple[int, PlannedObject]:
    if len(cells) != len(HEADERS):
        raise InputError(f"Row {number} has {len(cells)} cells.", f"It needs {len(HEADERS)}.")
    step_text, name, role, before, after, likelihood = cells
    step = int(step_text) if step_text.isascii() and step_text.isdigit() else 0
    if not 1 <= step <= last_step:
        raise InputError(
            f"Row {number} is for step {step_text!r}.", f"Write a step from 1 to {last_step}."
        )
    for header, text in zip(HEADERS[1:5], (name, role, before, after), strict=True):
        if not text:
            raise InputError(f"Row {number} has no {header.lower()}.", "Fill it or empty the row.")
        if len(text) > MAX_WORDS or not text.isprintable():
            raise InputError(
                f"The {header.lower()} of row {number} is too long or not plain text.",
                f"Write at most {MAX_WORDS} characters.",
            )
    likely = likelihood.lower().replace(" ", "_")
    if role.lower() not in ROLES:
        raise InputError(f"Row {number} is of kind {role!r}.", f"Write {' or '.join(ROLES)}.")
    if likely not in LIKELIHOODS:
        told = " or ".join(x.replace("_", " ") for x in LIKELIHOODS)
        raise InputError(f"Row {number} says {likelihood!r}.", f"Write {told}.")
    kind = cast(Role, role.lower())
    base = known.get((step, name.lower())) or PlannedObject(
        name=name.lower(),
        role=kind,
        description=name.lower(),
        state_before=before,
        state_after=after,
        likelihood="likely",
        importance=NEW_IMPORTANCE[kind],
        since_step=step,
    )
    item = replace(
        base,
        role=kind,
        state_before=before.lower(),
        state_after=after.lower(),
        likelihood=likely,
    )
    return step, item


def _with_objects(step: StepPlan, objects: list[PlannedObject]) -> StepPlan:
    names = [o.name for o in objects]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"Step {step.number} names {name!r} twice.", "Empty one of the rows.")
    if len(objects) > MAX_OBJECTS:
        raise InputError(
            f"Step {step.number} has {len(objects)} objects.", f"Keep at most {MAX_OBJECTS}."
        )
    if tuple(objects) == step.objects:
        return step
    return replace(step, objects=tuple(objects), prompt=enhance(step.text, step.action, objects))
