"""The state table of a plan: each object's state before and after each step.

A state is over if the object was in it at an earlier step and is not in it now. If the recipe
returns to such a state, it is no longer over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from procvid.memory.words import canonical
from procvid.types import Plan, PlannedObject, Role

Known = Literal["named", "by the action", "as before", "assumed"]
"""How a state is known: the step's text names it, the step's action makes it, an earlier step left it,
or it is the usual state."""


@dataclass(frozen=True)
class StateRow:
    """An object at a step. `since_step` is the step that led to its state before this step."""

    name: str
    role: Role
    step: int
    before: str
    after: str
    known: Known
    since_step: int


class StateTable:
    """The rows of a plan, in the order of its steps.

    Args:
        plan: The plan, with any edits of a person.
    """

    def __init__(self, plan: Plan) -> None:
        rows: list[StateRow] = []
        last: dict[str, StateRow] = {}
        for step in plan.steps:
            for item in step.objects:
                row = _row(item, step.number, step.text, last.get(canonical(item.name)))
                rows.append(row)
                last[row.name] = row
        self.rows = tuple(rows)

    def __iter__(self) -> Iterator[StateRow]:
        return iter(self.rows)

    def row(self, name: str, step: int) -> StateRow | None:
        """Return the row of an object at a step, or None if the step does not show it."""
        wanted = canonical(name)
        return next((r for r in self.rows if r.step == step and r.name == wanted), None)

    def over(self, name: str, step: int) -> frozenset[str]:
        """Return the past states of a food before this step. Other roles have none."""
        wanted = canonical(name)
        past: set[str] = set()
        now = None
        for row in self.rows:
            if row.name != wanted or row.role != "food" or row.step > step:
                continue
            if row.step < step:
                past |= {row.before, row.after}
                now = row.after
            else:
                now = row.before
        return frozenset(past - {now, ""})


def _row(item: PlannedObject, step: int, text: str, last: StateRow | None) -> StateRow:
    before, after = canonical(item.state_before), canonical(item.state_after)
    words = " ".join(re.findall(r"[a-z]+", text.lower()))
    known: Known
    if any(state and re.search(rf"\b{re.escape(state)}\b", words) for state in (before, after)):
        known = "named"
    elif before != after:
        known = "by the action"
    elif last is not None and last.after == before:
        known = "as before"
    else:
        known = "assumed"
    if last is None or last.after != before:
        since = step
    elif last.before != last.after:
        since = last.step
    else:
        since = last.since_step
    return StateRow(canonical(item.name), item.role, step, before, after, known, since)
