"""Plan a changed recipe, and keep what a person changed of the steps that stay."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from procvid.plan.chain import chained
from procvid.plan.edit import NEW_STEP, merged_objects
from procvid.plan.rules import plan_recipe
from procvid.plan.shots import with_recipe_steps
from procvid.plan.writing.prompt import is_written_by_rules
from procvid.types import Plan, PlannedObject, Recipe, StepPlan


@dataclass(frozen=True)
class DetourShot:
    """A shot of the changed recipe.

    Attributes:
        text: Its words.
        old: Number of the shot that it comes from, or 0 for a new one.
        group: Shots with the same group are one step of the recipe.
    """

    text: str
    old: int
    group: int


def recipe_of(
    recipe: Recipe, shots: Sequence[DetourShot], edited: Callable[[str], str] | None = None
) -> Recipe:
    """Return the recipe with these shots.

    Args:
        recipe: The recipe before.
        shots: The shots after.
        edited: Makes the whole text of a step that has all of its shots, from the text before; by
            default it is that of its shots.
    """
    groups: dict[int, list[DetourShot]] = {}
    for shot in shots:
        groups.setdefault(shot.group, []).append(shot)
    written = []
    for group in groups.values():
        origins = {recipe.parents[shot.old - 1] for shot in group if shot.old}
        same = all(shot.old and recipe.steps[shot.old - 1] == shot.text for shot in group)
        step = next(iter(origins), 0)
        whole = recipe.written[step - 1] if step else ""
        if len(group) != recipe.parents.count(step) or not (same or edited):
            whole = " ".join(_ended(shot.text) for shot in group)
        elif not same and edited is not None:
            whole = edited(whole)
        written.append(whole)
    parents = tuple(n for n, group in enumerate(groups.values(), start=1) for _ in group)
    steps = tuple(shot.text for group in groups.values() for shot in group)
    return replace(recipe, steps=steps, parents=parents, written=tuple(written), notes=())


def _ended(text: str) -> str:
    return text if text.endswith((".", "!", "?", ":", ";")) else f"{text}."


def replanned(
    recipe: Recipe, plan: Plan, changed: Recipe, shots: Sequence[DetourShot]
) -> tuple[Plan, tuple[str, ...]]:
    """Return the plan of a changed recipe, and notes.

    A plan that the rules made and nobody edited is made anew. Else the steps whose words and objects
    stay keep what the plan has, and the others take what a person changed of the same objects.

    Args:
        recipe: The recipe before, cut into shots.
        plan: Its plan.
        changed: The recipe after, from `recipe_of`.
        shots: Its shots.
    """
    then, now = plan_recipe(recipe), plan_recipe(changed)
    if plan.planner == then.planner and _same_steps(plan.steps, then.steps):
        return with_recipe_steps(now, changed), ()
    steps, notes = [], []
    for number, (shot, planned) in enumerate(zip(shots, now.steps, strict=True), start=1):
        if not shot.old:
            steps.append(replace(planned, number=NEW_STEP, recipe_step=0))
            continue
        mine, before = plan.steps[shot.old - 1], then.steps[shot.old - 1]
        same_words = planned.text == before.text
        if same_words and _facts(planned.objects) == _facts(before.objects):
            steps.append(replace(mine, recipe_step=0))
            continue
        own_prompt = not is_written_by_rules(mine)
        objects = merged_objects(before.objects, planned.objects, mine.objects)
        step = replace(
            planned,
            objects=objects,
            prompt=planned.prompt if own_prompt else mine.prompt,
            number=shot.old,
            recipe_step=0,
        )
        if own_prompt:
            notes.append(f"Step {number} gets a new prompt, because its words or foods change.")
        steps.append(step)
    numbered, _ = chained(plan, steps)
    planner = plan.notes if not plan.planner.startswith("rules") else now.notes
    whole = replace(plan, title=changed.title, steps=numbered, notes=planner)
    return with_recipe_steps(whole, changed), tuple(notes)


def _same_steps(one: Sequence[StepPlan], other: Sequence[StepPlan]) -> bool:
    if len(one) != len(other):
        return False
    pairs = zip(one, other, strict=True)
    return all(replace(a, recipe_step=0) == replace(b, recipe_step=0) for a, b in pairs)


def _facts(objects: Sequence[PlannedObject]) -> list[PlannedObject]:
    """Return the objects without the numbers of earlier steps."""
    return [
        replace(item, since_step=0, description=_timeless(item.description)) for item in objects
    ]


def _timeless(description: str) -> str:
    return re.sub(r"step \d+", "step", description)


def same_shot(one: StepPlan, other: StepPlan) -> bool:
    """Return True if two steps have the same words, objects and prompt, whatever their numbers.

    A pan that is already in use looks the same, unless the prompt says otherwise.
    """
    return _look(one) == _look(other)


def _look(step: StepPlan) -> tuple[str, str, str, list[PlannedObject]]:
    objects = [
        item if item.role == "food" else replace(item, state_before="", state_after="")
        for item in _facts(step.objects)
    ]
    return step.text, step.action, step.prompt, objects
