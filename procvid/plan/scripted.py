"""Turn a language model's answers into a plan: continuity of states, ranks, prompts.

The model chooses the objects; rules keep them consistent. A food begins a step in the state that an
earlier step left it in, a vessel stays in use once it was used, and the order of the answer gives the
importance. The recipe's own words are never replaced.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from procvid.plan.cast import (
    Member,
    StepAnswer,
    StepsAnswer,
    clean_name,
    clean_state,
    clean_words,
    shown_in,
)
from procvid.plan.language.lexicon import lexicon
from procvid.plan.rules import (
    FOOD_IMPORTANCE,
    MAX_FOODS,
    SURFACE_IMPORTANCE,
    TOOL_IMPORTANCE,
    VESSEL_IMPORTANCE,
)
from procvid.plan.writing.prompt import complete
from procvid.types import PlannedObject, StepPlan

MAX_PROMPT_CHARS = 600
MAX_SHOWN = 14
COUNTER = Member("counter", "surface", "counter", "highly_likely", "")
"""It lies below all objects, even if no step names it."""


@dataclass
class Continuity:
    """State of the kitchen after the steps planned so far.

    Attributes:
        states: The state of each food, by name.
        since: Step since which a food has its state, or since which a thing is in use.
        notes: Corrections, for the user.
    """

    states: dict[str, str] = field(default_factory=dict)
    since: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def problems_of(answer: StepsAnswer, wanted: Sequence[int]) -> list[str]:
    """Return the reasons why an answer cannot become these steps; empty if it can."""
    steps = answer.steps
    numbers = [step.number for step in steps]
    found = []
    if sorted(numbers) != sorted(wanted):
        asked = ", ".join(map(str, wanted))
        found.append(f"it must have the steps {asked} once each and no other")
    empty = [step.number for step in steps if not clean_words(step.prompt, MAX_PROMPT_CHARS)]
    if empty:
        found.append(f"the prompt is empty in step {empty[0]}")
    bare = [step.number for step in steps if not step.objects]
    if bare:
        found.append(f"step {bare[0]} shows no objects")
    return found


def plan_answered_step(
    answer: StepAnswer, text: str, usual: StepPlan, cast: Mapping[str, Member], kitchen: Continuity
) -> StepPlan:
    """Return one step of the plan, and update the continuity.

    Args:
        answer: The answer.
        text: The recipe's own words.
        usual: The rules' plan of the same step: its action where the answer's is none we know, its
            objects where the answer names none of the cast.
        cast: The objects of the recipe by name.
        kitchen: Changed in place.
    """
    number = usual.number
    action = answer.action.strip().lower()[:40]
    if action not in lexicon().actions:
        action = usual.action
    shown = _shown(answer, cast, kitchen, number)
    if not shown:
        kitchen.notes.append(
            f"Step {number}: the planner named no known object, so the rules planned it."
        )
        return usual
    objects = _ranked(shown, text, kitchen, number)
    seen = clean_words(answer.prompt, MAX_PROMPT_CHARS)
    return StepPlan(number, text, action, objects, complete(seen, objects))


def _shown(
    answer: StepAnswer, cast: Mapping[str, Member], kitchen: Continuity, number: int
) -> dict[str, tuple[Member, str, str]]:
    """Return the objects of a step with their answered states, in order, each once."""
    shown: dict[str, tuple[Member, str, str]] = {}
    unknown = 0
    for item in answer.objects:
        name = clean_name(item.name)
        member = cast.get(name or "")
        if member is None:
            unknown += 1
        elif member.name not in shown and len(shown) < MAX_SHOWN:
            before, after = clean_state(item.state_before), clean_state(item.state_after)
            shown[member.name] = (member, before, after)
    if unknown:
        kitchen.notes.append(
            f"Step {number}: skipped {unknown} objects that the planner had not listed."
        )
    if shown and not any(member.role == "surface" for member, _, _ in shown.values()):
        counter = next((m for m in cast.values() if m.role == "surface"), COUNTER)
        shown[counter.name] = (counter, "", "")
    return shown


def _ranked(
    shown: Mapping[str, tuple[Member, str, str]], text: str, kitchen: Continuity, number: int
) -> tuple[PlannedObject, ...]:
    ranks = {"vessel": 0, "food": 0, "tool": 0, "surface": 0}
    objects = []
    for member, before, after in shown.values():
        rank = ranks[member.role]
        ranks[member.role] += 1
        if member.role == "food":
            if rank >= MAX_FOODS:
                continue
            planned = _food(member, before, after, kitchen, number)
            importance = FOOD_IMPORTANCE[rank]
        else:
            planned = _thing(member, kitchen, number)
            importance = {
                "vessel": max(VESSEL_IMPORTANCE - 0.3 * rank, 0.3),
                "tool": max(TOOL_IMPORTANCE - 0.05 * rank, 0.2),
                "surface": max(SURFACE_IMPORTANCE - 0.3 * rank, 0.2),
            }[member.role]
        mentioned = shown_in(text, member)
        objects.append(replace(planned, importance=round(importance, 2), mentioned=mentioned))
    return tuple(objects)


def _food(
    member: Member, before: str, after: str, kitchen: Continuity, number: int
) -> PlannedObject:
    left = kitchen.states.get(member.name)
    if left is not None and before != left:
        if before:
            kitchen.notes.append(
                f"Step {number}: the {member.name} is {left} since step "
                f"{kitchen.since[member.name]}, not {before} as planned."
            )
        after = left if after in ("", before) else after
        before = left
    before = before or "whole"
    after = after or before
    since = kitchen.since.setdefault(member.name, number)
    if after != before:
        kitchen.since[member.name] = number
    kitchen.states[member.name] = after
    return PlannedObject(
        name=member.name,
        role="food",
        description=member.description,
        state_before=before,
        state_after=after,
        likelihood=member.likelihood if before == after else "unlikely",
        importance=0.0,
        since_step=since if before == after else kitchen.since[member.name],
    )


def _thing(member: Member, kitchen: Continuity, number: int) -> PlannedObject:
    used = member.name in kitchen.since
    since = kitchen.since.setdefault(member.name, number)
    surface = member.role == "surface"
    return PlannedObject(
        name=member.name,
        role=member.role,
        description=member.description,
        state_before="clean" if surface or not used else "in use",
        state_after="clean" if surface else "in use",
        likelihood=member.likelihood,
        importance=0.0,
        since_step=1 if member is COUNTER else since,
    )
