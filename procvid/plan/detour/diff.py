"""The difference between a plan and its detour: steps that stay, change, go and are new."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from procvid.plan.chain import MADE
from procvid.plan.detour.replan import DetourShot, same_shot
from procvid.types import Plan, PlannedObject, StepPlan

Kind = Literal["kept", "changed", "new", "dropped"]


@dataclass(frozen=True)
class StepDiff:
    """A step of the new plan, or a dropped one of the old plan.

    Attributes:
        kind: What becomes of it.
        number: Its number in the new plan; 0 if it is dropped.
        old: Its number in the old plan; 0 if it is new.
        name: Its name in the new plan, such as "3b"; in the old one if it is dropped.
        text: Its words now.
        before: Its words before, if they differ.
        objects: Sentences about objects that come, go or have another state.
    """

    kind: Kind
    number: int
    old: int
    name: str
    text: str
    before: str = ""
    objects: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the step as JSON, without empty values."""
        value = {
            "kind": self.kind,
            "step": self.name,
            "text": self.text,
            "before": self.before,
            "objects": list(self.objects),
        }
        return {key: given for key, given in value.items() if given}


def step_diffs(old: Plan, new: Plan, shots: Sequence[DetourShot]) -> tuple[StepDiff, ...]:
    """Return the steps of both plans in the order of cooking."""
    found: list[StepDiff] = []
    there = {shot.old for shot in shots}
    dropped = [step for step in old.steps if step.number not in there]
    for shot, step in zip(shots, new.steps, strict=True):
        while dropped and shot.old > dropped[0].number:
            found.append(_dropped(old, dropped.pop(0)))
        found.append(_diff(old, new, shot, step))
    return (*found, *(_dropped(old, step) for step in dropped))


def counts(steps: Sequence[StepDiff]) -> dict[Kind, int]:
    """Return the number of steps by kind."""
    kinds: tuple[Kind, ...] = ("kept", "changed", "new", "dropped")
    return {kind: sum(step.kind == kind for step in steps) for kind in kinds}


def summary(steps: Sequence[StepDiff]) -> str:
    """Return a sentence such as "3 steps kept, 2 changed, 1 dropped."."""
    parts = [f"{count} {kind}" for kind, count in counts(steps).items() if count]
    word = "step" if parts and parts[0].startswith("1 ") else "steps"
    return f"{parts[0].replace(' ', f' {word} ', 1)}{''.join(', ' + p for p in parts[1:])}."


def _dropped(old: Plan, step: StepPlan) -> StepDiff:
    return StepDiff("dropped", 0, step.number, old.names[step.number], step.text)


def _diff(old: Plan, new: Plan, shot: DetourShot, step: StepPlan) -> StepDiff:
    name = new.names[step.number]
    if not shot.old:
        return StepDiff("new", step.number, 0, name, step.text)
    before = old.steps[shot.old - 1]
    if same_shot(before, step):
        return StepDiff("kept", step.number, shot.old, name, step.text)
    words = before.text if before.text != step.text else ""
    return StepDiff(
        "changed", step.number, shot.old, name, step.text, words, _objects(before, step)
    )


def _objects(before: StepPlan, now: StepPlan) -> tuple[str, ...]:
    """Return what of the objects differs, in words."""
    old, new = _by_name(before), _by_name(now)
    gone = [name for name in old if name not in new]
    come = [name for name in new if name not in old]
    found = [f"shows no {name}" for name in gone] + [f"shows {name}" for name in come]
    for name in new:
        if name in old and _states(old[name]) != _states(new[name]):
            found.append(f"{name} is {_shown(new[name])}, not {_shown(old[name])}")
    if not found and before.text == now.text:
        pairs = [(_described(old[name]), _described(new[name])) for name in new]
        found += [f"shows {after}, not {then}" for then, after in pairs if then != after]
    if not found and before.text == now.text and before.prompt != now.prompt:
        found.append("has another prompt")
    if not found and before.text == now.text:
        found.append("shows food that the steps before cut or cook in another way")
    return tuple(found)


def _by_name(step: StepPlan) -> Mapping[str, PlannedObject]:
    return {item.name: item for item in step.objects}


def _states(item: PlannedObject) -> tuple[str, str]:
    return item.state_before, item.state_after


def _described(item: PlannedObject) -> str:
    return MADE.sub("", item.description)


def _shown(item: PlannedObject) -> str:
    before, after = _states(item)
    return after if before == after else f"{before}, then {after}"
