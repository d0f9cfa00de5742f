"""Plans as JSON and as an editable table; shared by all planners, the run folder and the page."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, cast, get_args

from procvid.errors import InputError
from procvid.plan.clean import one_line
from procvid.plan.prompt import enhance
from procvid.types import Likelihood, Plan, PlannedObject, Role, StepPlan

SCHEMA = 1
COLUMNS = ("step", "object", "role", "state_before", "state_after", "likelihood")
"""The columns of the editable table, in order."""
ROLES = cast(tuple[Role, ...], get_args(Role))
LIKELIHOODS = cast(tuple[Likelihood, ...], get_args(Likelihood))
MAX_NAME_CHARS = 60
MAX_OBJECTS = 16
NEW_IMPORTANCE: dict[Role, float] = {"vessel": 0.9, "food": 0.8, "surface": 0.7, "tool": 0.5}
"""Importance of an object that a person added; the n-th of a role gets a little less."""
HINT = "Make the plan anew, or mend the file."


def plan_to_json(plan: Plan) -> dict[str, Any]:
    """The plan as a JSON-ready dict; `plan_from_json` gives the same plan back."""
    return {"schema": SCHEMA, **dataclasses.asdict(plan)}


def plan_from_json(value: object) -> Plan:
    """A plan out of parsed JSON, every field checked.

    Raises:
        InputError: Names the first field that is missing or wrong.
    """
    fields = _object(value, "plan")
    if fields.get("schema") != SCHEMA:
        raise InputError(
            f"The plan has schema {fields.get('schema')!r}, this version reads {SCHEMA}.", HINT
        )
    steps = tuple(
        _step(step, f"plan.steps[{index}]")
        for index, step in enumerate(_list(fields, "steps", "plan"))
    )
    numbers = [step.number for step in steps]
    if not steps or numbers != list(range(1, len(steps) + 1)):
        raise InputError(f"The plan's steps are numbered {numbers}, not 1, 2, 3, ...", HINT)
    notes = tuple(_text(note, "plan.notes") for note in _list(fields, "notes", "plan"))
    return Plan(_field(fields, "title", "plan"), steps, _field(fields, "planner", "plan"), notes)


def _step(value: object, where: str) -> StepPlan:
    fields = _object(value, where)
    objects = tuple(
        _planned(item, f"{where}.objects[{index}]")
        for index, item in enumerate(_list(fields, "objects", where))
    )
    number = fields.get("number")
    if not isinstance(number, int) or isinstance(number, bool):
        raise InputError(f"{where}.number is {number!r}, not a whole number.", HINT)
    text, action, prompt = (_field(fields, key, where) for key in ("text", "action", "prompt"))
    return StepPlan(number, text, action, objects, prompt)


def _planned(value: object, where: str) -> PlannedObject:
    fields = _object(value, where)
    importance, since, mentioned = (
        fields.get(k) for k in ("importance", "since_step", "mentioned")
    )
    if isinstance(importance, bool) or not isinstance(importance, (int, float)):
        raise InputError(f"{where}.importance is {importance!r}, not a number from 0 to 1.", HINT)
    if not 0 <= importance <= 1:
        raise InputError(f"{where}.importance is {importance!r}, not a number from 0 to 1.", HINT)
    if isinstance(since, bool) or not isinstance(since, int) or since < 1:
        raise InputError(f"{where}.since_step is {since!r}, not a step number.", HINT)
    if not isinstance(mentioned, bool):
        raise InputError(f"{where}.mentioned is {mentioned!r}, neither true nor false.", HINT)
    return PlannedObject(
        name=_field(fields, "name", where),
        role=_role(fields.get("role"), f"{where}.role"),
        description=_field(fields, "description", where),
        state_before=_field(fields, "state_before", where),
        state_after=_field(fields, "state_after", where),
        likelihood=_likelihood(fields.get("likelihood"), f"{where}.likelihood"),
        importance=float(importance),
        mentioned=mentioned,
        since_step=since,
    )


def _object(value: object, where: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise InputError(f"{where} is {type(value).__name__}, not an object.", HINT)
    return value


def _list(fields: Mapping[str, object], key: str, where: str) -> list[object]:
    value = fields.get(key)
    if not isinstance(value, (list, tuple)):
        raise InputError(f"{where}.{key} is {value!r:.60}, not a list.", HINT)
    return list(value)


def _field(fields: Mapping[str, object], key: str, where: str) -> str:
    return _text(fields.get(key), f"{where}.{key}")


def _text(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise InputError(f"{where} is {value!r:.60}, not text.", HINT)
    return value


def _role(value: object, where: str) -> Role:
    for role in ROLES:
        if value == role:
            return role
    raise InputError(f"{where} is {value!r:.60}.", f"Use one of {', '.join(ROLES)}.")


def _likelihood(value: object, where: str) -> Likelihood:
    for likelihood in LIKELIHOODS:
        if value == likelihood:
            return likelihood
    raise InputError(f"{where} is {value!r:.60}.", f"Use one of {', '.join(LIKELIHOODS)}.")


def table_of(plan: Plan) -> list[list[str | int]]:
    """The plan as rows of `COLUMNS`, one per object of a step; what a person may edit."""
    return [
        [step.number, item.name, item.role, item.state_before, item.state_after, item.likelihood]
        for step in plan.steps
        for item in step.objects
    ]


def apply_edits(plan: Plan, rows: Sequence[Mapping[str, object] | Sequence[object]]) -> Plan:
    """The plan with the objects of an edited table, and every prompt rebuilt.

    The table is the whole truth: a row that is gone removes its object, a new row adds one. Rows
    are mappings or sequences in the order of `COLUMNS`; empty rows are skipped.

    Raises:
        InputError: Names the row and the cell that is wrong.
    """
    edited: dict[int, list[PlannedObject]] = {step.number: [] for step in plan.steps}
    for number, row in enumerate(rows, start=1):
        cells = _cells(row, number)
        if not any(cells.values()):
            continue
        step = _step_number(cells["step"], plan, number)
        objects = edited[step]
        item = _edited(plan, step, cells, objects, number)
        if any(other.name == item.name for other in objects):
            raise InputError(f"Row {number} names {item.name!r} a second time in step {step}.",
                             "Keep one row for each object of a step.")  # fmt: skip
        if len(objects) >= MAX_OBJECTS:
            raise InputError(
                f"Step {step} has more than {MAX_OBJECTS} objects.", "Remove some rows."
            )
        objects.append(item)
    steps = []
    for planned in plan.steps:
        objects_now = tuple(edited[planned.number])
        prompt = planned.prompt
        if objects_now != planned.objects:
            prompt = enhance(planned.text, planned.action, objects_now)
        steps.append(dataclasses.replace(planned, objects=objects_now, prompt=prompt))
    return dataclasses.replace(plan, steps=tuple(steps))


def _cells(row: Mapping[str, object] | Sequence[object], number: int) -> dict[str, str]:
    if isinstance(row, Mapping):
        values = [row.get(column, "") for column in COLUMNS]
    elif isinstance(row, Sequence) and not isinstance(row, str):
        values = list(row)
    else:
        raise InputError(f"Row {number} of the plan is {row!r:.60}, not a row of cells.",
                         f"Give the columns {', '.join(COLUMNS)}.")  # fmt: skip
    if len(values) != len(COLUMNS):
        raise InputError(f"Row {number} of the plan has {len(values)} cells, not {len(COLUMNS)}.",
                         f"Give the columns {', '.join(COLUMNS)}.")  # fmt: skip
    texts = ["" if value is None else one_line(str(value)[:1000])[0] for value in values]
    return dict(zip(COLUMNS, texts, strict=True))


def _step_number(text: str, plan: Plan, row: int) -> int:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    for step in plan.steps:
        if step.number == number:
            return step.number
    raise InputError(f"Row {row} names step {text!r}, the recipe has steps 1 to {len(plan.steps)}.",
                     "Use one of these numbers.")  # fmt: skip


def _edited(
    plan: Plan, step: int, cells: Mapping[str, str], before: Sequence[PlannedObject], row: int
) -> PlannedObject:
    """The object of a row: as planned where the name is known in that step, else a new one."""
    name = cells["object"].lower()
    if not name or len(name) > MAX_NAME_CHARS:
        raise InputError(f"Row {row} has the object name {name[:70]!r}.",
                         f"Give a name of 1 to {MAX_NAME_CHARS} characters.")  # fmt: skip
    for column in ("state_before", "state_after"):
        if len(cells[column]) > MAX_NAME_CHARS:
            raise InputError(f"Row {row} has a {column} of {len(cells[column])} characters.",
                             f"Use at most {MAX_NAME_CHARS}.")  # fmt: skip
    role = _role(cells["role"], f"The role in row {row}")
    likelihood = _likelihood(cells["likelihood"], f"The likelihood in row {row}")
    earlier = [o for s in plan.steps if s.number <= step for o in s.objects if o.name == name]
    known = next((o for o in plan.steps[step - 1].objects if o.name == name), None)
    same_role = sum(other.role == role for other in before)
    first = "clean" if role != "food" else "whole"
    state_before = cells["state_before"] or first
    return PlannedObject(
        name=name,
        role=role,
        description=known.description if known else earlier[-1].description if earlier else name,
        state_before=state_before,
        state_after=cells["state_after"] or state_before,
        likelihood=likelihood,
        importance=known.importance if known else max(NEW_IMPORTANCE[role] - 0.1 * same_role, 0.2),
        mentioned=known.mentioned if known else True,
        since_step=known.since_step
        if known
        else min((o.since_step for o in earlier), default=step),
    )
