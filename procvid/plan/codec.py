"""Convert plans to JSON and back, and check every field on the way.

All plans that come from outside pass here: `plan.json` of a run folder, the tickets of the queue,
edited plans and the answers of planners.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeVar, cast, get_args

from procvid.errors import InputError
from procvid.types import Likelihood, Plan, PlannedObject, Role, StepPlan

T = TypeVar("T")
Choice = TypeVar("Choice", bound=str)

SCHEMA_VERSION = 1
ROLES = cast(tuple[Role, ...], get_args(Role))
LIKELIHOODS = cast(tuple[Likelihood, ...], get_args(Likelihood))
MAX_NAME_CHARS = 60
"""Longest name or state of an object, in characters."""
MAX_OBJECTS = 32
"""Maximum number of objects of one step."""
HINT = "Make the plan again, or correct this field."


def plan_to_json(plan: Plan) -> dict[str, Any]:
    """Return the plan as a JSON-ready dict; `plan_from_json` gives the same plan back."""
    return {"schema_version": SCHEMA_VERSION, **dataclasses.asdict(plan)}


def plan_from_json(value: object) -> Plan:
    """Read a plan from parsed JSON.

    Raises:
        InputError: A field is missing, unknown or wrong; the message names it.
    """
    if isinstance(value, dict):
        # Written for readers; it follows from the steps.
        value = {key: given for key, given in value.items() if key != "graph"}
    fields = _fields(value, "plan", Plan, "schema_version")
    version = fields["schema_version"]
    if type(version) is not int or version != SCHEMA_VERSION:
        _refuse("plan.schema_version", version, f"{SCHEMA_VERSION}, the version of this procvid")
    steps = _items(fields["steps"], "plan.steps", _step)
    if not steps:
        raise InputError("plan.steps is empty.", "Give the plan at least one step.")
    for position, step in enumerate(steps, start=1):
        if step.number != position:
            raise InputError(
                f"plan.steps[{position - 1}].number is {step.number}, not {position}.",
                "Number the steps 1, 2, 3, ...",
            )
    _check_recipe_steps(steps)
    return Plan(
        title=_text(fields["title"], "plan.title"),
        steps=steps,
        planner=_text(fields["planner"], "plan.planner"),
        notes=_items(fields["notes"], "plan.notes", _text),
    )


def _check_recipe_steps(steps: Sequence[StepPlan]) -> None:
    """Raise InputError unless the shots follow the recipe's steps 1, 1, 2, ...; old plans have 0."""
    last = 0
    for position, step in enumerate(steps if any(s.recipe_step for s in steps) else ()):
        if step.recipe_step not in {max(last, 1), last + 1}:
            raise InputError(
                f"plan.steps[{position}].recipe_step is {step.recipe_step}, not {last + 1}.",
                "Number the steps of the recipe 1, 1, 2, ... in order.",
            )
        last = step.recipe_step


def check_plan(plan: Plan) -> Plan:
    """Return the plan if it could be stored and read back.

    Raises:
        InputError: A field is wrong; the message names it.
    """
    try:
        return plan_from_json(plan_to_json(plan))
    except (TypeError, RecursionError) as error:
        raise InputError("The plan is not a value of class Plan.", HINT) from error


def _step(value: object, path: str) -> StepPlan:
    fields = _fields(value, path, StepPlan)
    objects = _items(fields["objects"], f"{path}.objects", _object)
    if len(objects) > MAX_OBJECTS:
        raise InputError(
            f"{path}.objects has {len(objects)} objects.", f"Keep at most {MAX_OBJECTS}."
        )
    texts = {key: _text(fields[key], f"{path}.{key}") for key in ("text", "action", "prompt")}
    recipe_step = fields["recipe_step"]
    if type(recipe_step) is not int or recipe_step < 0:
        _refuse(f"{path}.recipe_step", recipe_step, "a step number, or 0 for its own")
    return StepPlan(
        number=_number(fields["number"], f"{path}.number"),
        objects=objects,
        recipe_step=recipe_step,
        **texts,
    )


def _object(value: object, path: str) -> PlannedObject:
    fields = _fields(value, path, PlannedObject)
    importance = fields["importance"]
    # NaN is not in the range either.
    if type(importance) not in (int, float) or not 0 <= importance <= 1:
        _refuse(f"{path}.importance", importance, "a number from 0 to 1")
    if type(fields["mentioned"]) is not bool:
        _refuse(f"{path}.mentioned", fields["mentioned"], "true or false")
    return PlannedObject(
        name=_name(fields["name"], f"{path}.name"),
        role=_one_of(ROLES, fields["role"], f"{path}.role"),
        description=_text(fields["description"], f"{path}.description"),
        state_before=_name(fields["state_before"], f"{path}.state_before"),
        state_after=_name(fields["state_after"], f"{path}.state_after"),
        likelihood=_one_of(LIKELIHOODS, fields["likelihood"], f"{path}.likelihood"),
        importance=float(importance),
        mentioned=fields["mentioned"],
        since_step=_number(fields["since_step"], f"{path}.since_step"),
    )


def _fields(value: object, path: str, kind: type, *more: str) -> dict[str, Any]:
    """Return the fields of an object, complete: those with a default may be left out."""
    if not isinstance(value, dict):
        _refuse(path, value, "an object")
    known = {field.name: field.default for field in dataclasses.fields(kind)}
    known |= dict.fromkeys(more, dataclasses.MISSING)
    for key in value:
        if key not in known:
            raise InputError(f"{path} has an unknown field {str(key)!r:.60}.", "Remove it.")
    complete = {**known, **value}
    for key, given in complete.items():
        if given is dataclasses.MISSING:
            raise InputError(f"{path}.{key} is missing.", HINT)
    return complete


def _items(value: object, path: str, read: Callable[[object, str], T]) -> tuple[T, ...]:
    if not isinstance(value, list | tuple):
        _refuse(path, value, "a list")
    return tuple(read(item, f"{path}[{index}]") for index, item in enumerate(value))


def _text(value: object, path: str) -> str:
    if not isinstance(value, str):
        _refuse(path, value, "text")
    return value


def _name(value: object, path: str) -> str:
    name = _text(value, path)
    if not name.strip():
        raise InputError(f"{path} is empty.", HINT)
    if len(name) > MAX_NAME_CHARS:
        raise InputError(
            f"{path} has {len(name)} characters.", f"Use at most {MAX_NAME_CHARS} characters."
        )
    if not name.isprintable():
        raise InputError(f"{path} contains control characters.", "Use plain text.")
    return name


def _number(value: object, path: str) -> int:
    if type(value) is not int or value < 1:
        _refuse(path, value, "a step number")
    return value


def _one_of(choices: tuple[Choice, ...], value: object, path: str) -> Choice:
    for choice in choices:
        if value == choice:
            return choice
    _refuse(path, value, f"one of {', '.join(choices)}")


def _refuse(path: str, value: object, expected: str) -> NoReturn:
    raise InputError(f"{path} is {_short(value)}, not {expected}.", HINT)


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
