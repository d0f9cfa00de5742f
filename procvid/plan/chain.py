"""Carry the states of objects from step to step, and write descriptions and prompts to match."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from procvid.plan.writing.prompt import enhance, from_slots
from procvid.types import Likelihood, Plan, PlannedObject, StepPlan

MADE = re.compile(r", ([^,]+?) in step (\d+)")
"""What an earlier step made of a food, in its description: ", sliced and fried in step 2"."""
Spot = tuple[int, str]
"""Number of a step, and name of an object."""


def chained(
    plan: Plan, steps: Sequence[StepPlan], kept: Collection[Spot] = ()
) -> tuple[tuple[StepPlan, ...], dict[int, int]]:
    """Return the steps numbered in their order, and the new numbers by old number.

    Each object begins a step in the state that the last step left, except where the plan had
    another state there or `kept` names it. Prompts that the rules wrote are written again.

    Args:
        plan: The plan before the edit.
        steps: Its steps after the edit, with their old numbers; a new step has 0.
        kept: Objects whose states a person has just set.
    """
    moved = {step.number: at for at, step in enumerate(steps, start=1) if step.number}
    own = {*kept, *_broken(plan)}
    last = _first_states(plan)
    numbered = []
    for number, step in enumerate(steps, start=1):
        objects = []
        for item in step.objects:
            if (step.number, item.name) not in own:
                item = _begun_in(item, last.get(item.name, item.state_before))
            last[item.name] = item.state_after
            objects.append(item)
        numbered.append(replace(step, number=number, objects=tuple(objects)))
    history = _History(plan, numbered, moved)
    described = [replace(s, objects=history.of(s)) for s in numbered]
    then = {step.number: step for step in plan.steps}
    old = [then.get(step.number, step) for step in steps]
    return tuple(_prompted(*pair) for pair in zip(old, described, strict=True)), moved


def _broken(plan: Plan) -> set[Spot]:
    """Return where an object does not begin in the state that the last step left."""
    last: dict[str, str] = {}
    found = set()
    for step in plan.steps:
        for item in step.objects:
            if last.get(item.name, item.state_before) != item.state_before:
                found.add((step.number, item.name))
            last[item.name] = item.state_after
    return found


def _first_states(plan: Plan) -> dict[str, str]:
    """Return the state of each object before the first step that shows it."""
    states: dict[str, str] = {}
    for step in plan.steps:
        for item in step.objects:
            states.setdefault(item.name, item.state_before)
    return states


def _begun_in(item: PlannedObject, state: str) -> PlannedObject:
    """Return the object with another state before; one that a step leaves alone keeps it after."""
    after = state if item.state_before == item.state_after else item.state_after
    if item.role in ("vessel", "tool") and state == "clean":
        after = item.state_after
    return with_states(item, state, after)


def with_states(item: PlannedObject, before: str, after: str) -> PlannedObject:
    """Return the object with other states, and the likelihood that the planner gives for them."""
    changed = replace(item, state_before=before, state_after=after)
    if item.likelihood != _usual_likelihood(item):
        return changed
    return replace(changed, likelihood=_usual_likelihood(changed))


def _usual_likelihood(item: PlannedObject) -> Likelihood:
    """Return the likelihood that the planner gives an object with these states."""
    if item.role != "food":
        return item.likelihood
    return "likely" if item.state_before == item.state_after else "unlikely"


@dataclass(frozen=True)
class _Turn:
    """A change of a food by a step: the step's old number (0 if new), and the states."""

    old: int
    before: str
    after: str


class _History:
    """What the steps make of each food, before and after an edit."""

    def __init__(self, plan: Plan, numbered: Sequence[StepPlan], moved: Mapping[int, int]) -> None:
        self.moved = moved
        self.was = {now: old for old, now in moved.items()}
        self.then = {(s.number, o.name): o for s in plan.steps for o in s.objects}
        self.now: dict[str, dict[int, _Turn]] = {}
        for step in numbered:
            for item in step.objects:
                turn = _Turn(self.was.get(step.number, 0), item.state_before, item.state_after)
                self.now.setdefault(item.name, {})[step.number] = turn
        self.first = {o.name: s.number for s in reversed(plan.steps) for o in s.objects}

    def of(self, step: StepPlan) -> tuple[PlannedObject, ...]:
        """Return the objects of a step, described by what earlier steps made of them."""
        return tuple(self._described(item, step.number) for item in step.objects)

    def _described(self, item: PlannedObject, number: int) -> PlannedObject:
        turns = self.now[item.name]
        known = item.since_step != self.first.get(item.name)
        since = self.moved.get(item.since_step, min(turns)) if known else min(turns)
        description = item.description
        if item.role == "food":
            description = self._with_history(item, number)
        return replace(item, since_step=min(since, number), description=description)

    def _with_history(self, item: PlannedObject, number: int) -> str:
        turns, place = self.now[item.name], self.was.get(number, 0)
        # An object that is new in the step has none of its history yet.
        place = place if (place, item.name) in self.then else 0
        made: dict[int, str] = {}
        for states, step in MADE.findall(item.description):
            now = self.moved.get(int(step), 0)
            if not now < number or now not in turns or not self._changed(turns[now], item.name):
                continue
            then = self.then.get((int(step), item.name))
            if not place or then is None or then.state_after != turns[now].after:
                states = " and ".join([*states.split(" and ")[:-1], turns[now].after])
            made[now] = states
        for now, turn in turns.items():
            then = self.then.get((turn.old, item.name))
            known = then is not None and then.state_before != then.state_after
            if now < number and turn.before != turn.after and not (known and turn.old < place):
                made[now] = turn.after
        pieces = [f"{states} in step {step}" for step, states in sorted(made.items())]
        return ", ".join([MADE.sub("", item.description), *pieces])

    def _changed(self, turn: _Turn, name: str) -> bool:
        """Return False if the step changed the food before the edit and does not now."""
        then = self.then.get((turn.old, name))
        return turn.before != turn.after or then is None or then.state_before == then.state_after


def _prompted(old: StepPlan, step: StepPlan) -> StepPlan:
    """Return the step with the prompt that its words and objects ask for, unless somebody wrote it."""
    if (old.text, old.action, old.objects) == (step.text, step.action, step.objects):
        return step
    if old.prompt == enhance(old.text, old.action, old.objects):
        # The step's words still name the old objects, so changed objects need their own sentence.
        write = enhance if old.text != step.text or _shown(old) == _shown(step) else from_slots
    elif old.prompt == from_slots(old.text, old.action, old.objects):
        write = from_slots
    else:
        return step
    return replace(step, prompt=write(step.text, step.action, step.objects))


def _shown(step: StepPlan) -> list[tuple[str, ...]]:
    """Return the prompt's words about the objects, without the history of the food."""
    return [(o.name, o.role, o.state_before, o.state_after, o.likelihood) for o in step.objects]
