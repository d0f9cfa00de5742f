"""Edit a plan: its objects and states, and the words and the order of its steps.

The states of an object form a chain: a step begins in the state that the last one left. An edited
state is carried along the chain, until a step changes the state by itself or has one that a person
set. A prompt that a person wrote stays; the others are written again from the objects. Recipe and
plan keep the same steps, in the same order.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeVar

from procvid.errors import InputError
from procvid.plan.chain import Spot, chained, with_states
from procvid.plan.codec import LIKELIHOODS, MAX_NAME_CHARS, MAX_OBJECTS, ROLES
from procvid.plan.kitchen.things import first_state
from procvid.plan.language.lexicon import lexicon
from procvid.plan.recipe.parse import MAX_STEP_CHARS, MAX_STEPS
from procvid.plan.rules import (
    FOOD_IMPORTANCE,
    SURFACE_IMPORTANCE,
    TOOL_IMPORTANCE,
    VESSEL_IMPORTANCE,
    plan_recipe,
)
from procvid.plan.shots import MAX_SHOTS, choices, with_recipe_steps
from procvid.plan.writing.prompt import from_slots
from procvid.storage.text import printable
from procvid.types import Plan, PlannedObject, Recipe, Role, StepPlan

Choice = TypeVar("Choice", bound=str)
ObjectField = Literal["name", "role", "state_before", "state_after", "likelihood"]
"""A field of an object that a person may change."""

MAX_PROMPT_CHARS = 2_000
"""Longest prompt that a person may write."""
NEW_IMPORTANCE: dict[Role, float] = {
    "vessel": VESSEL_IMPORTANCE,
    "food": FOOD_IMPORTANCE[0],
    "surface": SURFACE_IMPORTANCE,
    "tool": TOOL_IMPORTANCE,
}
"""Importance of an object that a person adds, as the planner would rate it."""
USED: tuple[str, ...] = ("clean", "in use")
NEW_STEP = 0
"""Number of a step that is not yet in the plan."""
LABELS: dict[ObjectField, str] = {
    "name": "name",
    "role": "kind",
    "state_before": "state before",
    "state_after": "state after",
    "likelihood": "choice",
}


@dataclass(frozen=True)
class EditedPlan:
    """A recipe and its plan after an edit.

    Attributes:
        recipe: The recipe, cut into the steps of the plan.
        plan: The plan.
        moved: The new number of each step that is still there, by its old number.
    """

    recipe: Recipe
    plan: Plan
    moved: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class _Group:
    """A step of the recipe and its shots."""

    written: str
    shots: tuple[StepPlan, ...]

    def with_shots(self, shots: Sequence[StepPlan]) -> _Group:
        return _Group(" ".join(shot.text for shot in shots), tuple(shots))


def step_of(plan: Plan, number: int) -> StepPlan:
    """Return a step. Raise InputError if the plan has no such step."""
    for step in plan.steps:
        if step.number == number:
            return step
    raise InputError(f"Step {number} does not exist.", f"Choose {choices(plan)}.")


def object_of(step: StepPlan, name: str) -> PlannedObject:
    """Return an object of a step. Raise InputError if the step does not show it."""
    for item in step.objects:
        if item.name == name:
            return item
    shown = ", ".join(item.name for item in step.objects) or "nothing"
    raise InputError(f"The step shows no {name[:60]!r}.", f"It shows {shown}.")


def known_states(plan: Plan, item: PlannedObject) -> list[str]:
    """Return the states to offer for an object: those of the plan, then those of the lexicon."""
    found = [
        state
        for step in plan.steps
        for other in step.objects
        if other.name == item.name
        for state in (other.state_before, other.state_after)
    ]
    if item.role == "food":
        entry = lexicon().look_up(item.name)
        found.append(first_state(entry.group if entry else ""))
        found += sorted({word.state for word in lexicon().states.values() if word.state})
    else:
        found += USED
    return list(dict.fromkeys(found))


def with_object_field(plan: Plan, number: int, name: str, changed: ObjectField, value: str) -> Plan:
    """Return the plan with one field of an object changed; states are carried to later steps.

    Args:
        plan: The plan.
        number: The step.
        name: The object.
        changed: The field.
        value: Its new value; a state or a name may be any short text.

    Raises:
        InputError: The step, the object or the value does not exist.
    """
    step = step_of(plan, number)
    before = object_of(step, name)
    item = _with_field(before, changed, value)
    if changed == "name" and item.name != name:
        _require_new(step, item.name)
        item = replace(
            _new_object(plan, number, item.name, before.role), likelihood=before.likelihood
        )
    objects = tuple(item if other.name == name else other for other in step.objects)
    kept = {(number, item.name)} if changed.startswith("state") else set()
    return _with_objects(plan, step, objects, kept)


def without_object(plan: Plan, number: int, name: str) -> Plan:
    """Return the plan without an object of a step."""
    step = step_of(plan, number)
    object_of(step, name)
    return _with_objects(plan, step, tuple(o for o in step.objects if o.name != name))


def with_object(plan: Plan, number: int, text: str) -> Plan:
    """Return the plan with one more object in a step.

    Raises:
        InputError: The name is not plain text, or the step shows it or too many objects.
    """
    step = step_of(plan, number)
    typed = _plain("name", text)
    entry = lexicon().look_up(typed)
    name = entry.name if entry else typed
    _require_new(step, name)
    if len(step.objects) >= MAX_OBJECTS:
        raise InputError(f"A step takes {MAX_OBJECTS} objects.", "Remove one first.")
    item = _new_object(plan, number, name, entry.role if entry else "food", typed)
    return _with_objects(plan, step, (*step.objects, item))


def with_prompt(plan: Plan, number: int, prompt: str) -> Plan:
    """Return the plan with a person's own prompt for a step; "" writes it from the objects.

    Raises:
        InputError: The step does not exist, or the prompt is too long.
    """
    step = step_of(plan, number)
    own = printable(prompt) or from_slots(step.text, step.action, step.objects)
    if len(own) > MAX_PROMPT_CHARS:
        raise InputError(
            f"The prompt for step {plan.names[number]} has {len(own)} characters.",
            f"Write at most {MAX_PROMPT_CHARS}.",
        )
    return replace(
        plan, steps=tuple(replace(s, prompt=own) if s is step else s for s in plan.steps)
    )


def with_words(recipe: Recipe, plan: Plan, number: int, text: str) -> EditedPlan:
    """Return recipe and plan with other words for a step.

    The step is planned again from its words. What a person changed of its objects stays.

    Raises:
        InputError: The step does not exist, or the words are missing or too long.
    """
    step = step_of(plan, number)
    words = _words(text)
    groups = _groups(recipe, plan)
    new = [
        group.with_shots([replace(s, text=words) if s is step else s for s in group.shots])
        if step in group.shots
        else group
        for group in groups
    ]
    recipe_now = _recipe_of(recipe, new)
    then = plan_recipe(recipe).steps[number - 1]
    now = plan_recipe(recipe_now)
    planned = replace(
        now.steps[number - 1],
        objects=merged_objects(then.objects, now.steps[number - 1].objects, step.objects),
        prompt=step.prompt,
        number=number,
    )
    placed = [
        _Group(g.written, tuple(planned if s.number == number else s for s in g.shots)) for g in new
    ]
    return _regrouped(recipe, plan, placed)


def with_step(recipe: Recipe, plan: Plan, after: int, text: str) -> EditedPlan:
    """Return recipe and plan with a new step after another one.

    The rules planner plans it in the kitchen of the steps before. Between two shots of a step, it
    becomes a shot of that step.

    Raises:
        InputError: The step does not exist, the words are missing or too long, or the plan is full.
    """
    before = step_of(plan, after)
    if len(plan.steps) >= MAX_SHOTS:
        raise InputError(f"A video has at most {MAX_SHOTS} clips.", "Delete a step first.")
    new = StepPlan(NEW_STEP, _words(text), "", (), "")
    groups: list[_Group] = []
    for group in _groups(recipe, plan):
        inside = before in group.shots and before is not group.shots[-1]
        at = group.shots.index(before) + 1 if inside else 0
        groups.append(
            group.with_shots([*group.shots[:at], new, *group.shots[at:]]) if inside else group
        )
        if before is group.shots[-1]:
            groups.append(_Group(new.text, (new,)))
    if len(groups) > MAX_STEPS:
        raise InputError(f"A recipe has at most {MAX_STEPS} steps.", "Delete a step first.")
    planned = replace(plan_recipe(_recipe_of(recipe, groups)).steps[after], number=NEW_STEP)
    placed = [_Group(g.written, tuple(planned if s is new else s for s in g.shots)) for g in groups]
    return _regrouped(recipe, plan, placed)


def without_step(recipe: Recipe, plan: Plan, number: int) -> EditedPlan:
    """Return recipe and plan without a step. Raise InputError if it is the only one."""
    step = step_of(plan, number)
    if len(plan.steps) == 1:
        raise InputError("A video needs at least one step.", "Change this step instead.")
    return _regrouped(recipe, plan, _taken_out(_groups(recipe, plan), step))


def with_step_moved(recipe: Recipe, plan: Plan, number: int, by: Literal[-1, 1]) -> EditedPlan:
    """Return recipe and plan with a step moved up (-1) or down (1) by one place.

    A shot moves inside its step; at the end it passes the next step and becomes a step of its own.

    Raises:
        InputError: The step does not exist, or it is the first or last one already.
    """
    step = step_of(plan, number)
    groups = _groups(recipe, plan)
    at = next(i for i, group in enumerate(groups) if step in group.shots)
    shots = list(groups[at].shots)
    inside = shots.index(step) + by
    if 0 <= inside < len(shots):
        shots[inside - by], shots[inside] = shots[inside], step
        groups[at] = groups[at].with_shots(shots)
        return _regrouped(recipe, plan, groups)
    if not 0 <= at + by < len(groups):
        place = "first" if by < 0 else "last"
        raise InputError(f"Step {plan.names[number]} is the {place} one already.")
    passed = groups[at + by]
    alone = _Group(groups[at].written if len(shots) == 1 else step.text, (step,))
    rest = _taken_out(groups, step)
    rest.insert(rest.index(passed) + max(by, 0), alone)
    return _regrouped(recipe, plan, rest)


def _with_field(item: PlannedObject, changed: ObjectField, value: str) -> PlannedObject:
    if changed == "role":
        return replace(item, role=_one_of("kind", ROLES, value))
    if changed == "likelihood":
        return replace(item, likelihood=_one_of("choice", LIKELIHOODS, value))
    text = _plain(LABELS[changed], value)
    if changed == "name":
        return replace(item, name=text)
    if changed == "state_after":
        after, before = text, item.state_before
    else:
        before = text
        after = text if item.state_before == item.state_after else item.state_after
    return with_states(item, before, after)


def _one_of(what: str, known: Sequence[Choice], value: str) -> Choice:
    for choice in known:
        if value == choice:
            return choice
    raise InputError(f"The {what} {value[:40]!r} does not exist.", f"Choose {', '.join(known)}.")


def _plain(what: str, value: str) -> str:
    text = " ".join(printable(value).split()).lower()
    if not text:
        raise InputError(f"The {what} is empty.", "Write a word.")
    if len(text) > MAX_NAME_CHARS:
        raise InputError(
            f"The {what} has {len(text)} characters.", f"Write at most {MAX_NAME_CHARS}."
        )
    return text


def _words(value: str) -> str:
    text = " ".join(printable(value).split())
    if not any(c.isalpha() for c in text) or len(text) > MAX_STEP_CHARS:
        raise InputError(
            f"A step of {len(text)} characters cannot be planned.",
            f"Write what to do in 1 to {MAX_STEP_CHARS} characters.",
        )
    return text


def _require_new(step: StepPlan, name: str) -> None:
    if any(item.name == name for item in step.objects):
        raise InputError(f"This step shows the {name} already.")


def _new_object(plan: Plan, number: int, name: str, role: Role, typed: str = "") -> PlannedObject:
    """Return a new object of a step, in the state in which earlier steps left it."""
    seen = [o for s in plan.steps if s.number < number for o in s.objects if o.name == name]
    entry = lexicon().look_up(name)
    if seen:
        before = after = seen[-1].state_after
    elif role == "food":
        before = after = first_state(entry.group if entry else "")
    else:
        before, after = "clean", "clean" if role == "surface" else "in use"
    lasting = role in ("vessel", "surface")
    return PlannedObject(
        name=name,
        role=seen[-1].role if seen else role,
        description=seen[-1].description if seen else typed or name,
        state_before=before,
        state_after=after,
        likelihood="highly_likely" if lasting else "likely",
        importance=NEW_IMPORTANCE[role],
        since_step=min((item.since_step for item in seen), default=number),
    )


def _with_objects(
    plan: Plan,
    step: StepPlan,
    objects: tuple[PlannedObject, ...],
    kept: Collection[Spot] = (),
) -> Plan:
    steps = [replace(s, objects=objects) if s is step else s for s in plan.steps]
    return replace(plan, steps=chained(plan, steps, kept)[0])


def merged_objects(
    then: Sequence[PlannedObject], now: Sequence[PlannedObject], mine: Sequence[PlannedObject]
) -> tuple[PlannedObject, ...]:
    """Return the objects of new words, with what a person changed of those of the old words."""
    old, own = {o.name: o for o in then}, {o.name: o for o in mine}
    objects = []
    for item in now:
        if item.name in own and (item.name not in old or item == old[item.name]):
            objects.append(own[item.name])
        elif item.name in own or item.name not in old:
            objects.append(item)
    new = {item.name for item in now}
    added = [o for o in mine if o.name not in old and o.name not in new]
    return (*objects, *added)[:MAX_OBJECTS]


def _groups(recipe: Recipe, plan: Plan) -> list[_Group]:
    written = recipe.whole_steps
    groups = plan.groups
    if len(groups) != len(written) or len(plan.steps) != len(recipe.steps):
        raise InputError(
            f"The recipe has {len(written)} steps and its plan {len(groups)}.",
            "Make the plan again.",
        )
    return [_Group(text, group) for text, group in zip(written, groups, strict=True)]


def _taken_out(groups: Sequence[_Group], step: StepPlan) -> list[_Group]:
    rest = []
    for group in groups:
        shots = [shot for shot in group.shots if shot is not step]
        if len(shots) == len(group.shots):
            rest.append(group)
        elif shots:
            rest.append(group.with_shots(shots))
    return rest


def _recipe_of(recipe: Recipe, groups: Sequence[_Group]) -> Recipe:
    return replace(
        recipe,
        steps=tuple(shot.text for group in groups for shot in group.shots),
        parents=tuple(n for n, group in enumerate(groups, start=1) for _ in group.shots),
        written=tuple(group.written for group in groups),
    )


def _regrouped(recipe: Recipe, plan: Plan, groups: Sequence[_Group]) -> EditedPlan:
    """Return recipe and plan of these groups: numbered anew, with their states carried."""
    edited = _recipe_of(recipe, groups)
    steps = [shot for group in groups for shot in group.shots]
    numbered, moved = chained(plan, steps)
    plain = tuple(replace(step, recipe_step=0) for step in numbered)
    return EditedPlan(edited, _with_notes(replace(plan, steps=plain), edited), moved)


def _with_notes(plan: Plan, recipe: Recipe) -> Plan:
    """Return the plan with the shots of the recipe, and notes on the steps as they are now."""
    notes = plan_recipe(recipe).notes if plan.planner.startswith("rules") else plan.notes
    return with_recipe_steps(replace(plan, notes=notes), recipe)
