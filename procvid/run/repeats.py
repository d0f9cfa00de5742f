"""Find steps that repeat the one before them, before clips are made (paper 003)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from procvid.errors import UnavailableError
from procvid.run.parts import Parts, undrawable_names
from procvid.types import Plan, StepPlan, Vectors

LOOKS_THE_SAME = 0.9
"""Least cosine of two predicted clips that look the same; docs/visual_states.md has its errors."""


def alike(plan: Plan, states: Vectors, least: float = LOOKS_THE_SAME) -> Iterator[int]:
    """Yield the index of each step that repeats the one before it: the same action, foods, vessels and look.

    Args:
        plan: The plan.
        states: Predicted embeddings of its clips, float32 (N, dim), of unit length.
        least: Least cosine.
    """
    yield from (n for n in _candidates(plan) if float(states[n] @ states[n - 1]) >= least)


def _candidates(plan: Plan) -> Iterator[int]:
    """Yield the index of each step with the action, foods and vessels of the one before it."""
    for index, (before, step) in enumerate(pairwise(plan.steps), start=1):
        things = _things(step)
        same = step.action == before.action and things == _things(before)
        if same and any(role == "food" for role, _ in things):
            yield index


def _things(step: StepPlan) -> set[tuple[str, str]]:
    return {(item.role, item.name) for item in step.objects if item.role in ("food", "vessel")}


def repeat_notes(parts: Parts, plan: Plan) -> Iterator[str]:
    """Yield a sentence for each step of a plan that repeats the one before it.

    Steps with foods that the models do not know are left out: their looks cannot be predicted.
    """
    # Most plans have no such steps, so the models are not loaded for them.
    if parts.predictor is None or not any(_candidates(plan)):
        return
    names = [plan.names[step.number] for step in plan.steps]
    try:
        states = parts.predictor.predict(plan)
    except UnavailableError as error:
        # The video does not need them.
        yield f"Steps were not compared: {error}"
        return
    for index in alike(plan, states):
        foods = [item for item in plan.steps[index].objects if item.role == "food"]
        if undrawable_names(parts, foods) or parts.stand_ins.used(foods):
            continue
        yield (
            f"Steps {names[index - 1]} and {names[index]} may look nearly the same. Remove one if it "
            "is a duplicate."
        )
