"""Compare a plan with what most recipes of its task do, and find what they do instead of a step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from string import ascii_lowercase

from procvid.plan.graph.keysteps import MIN_FIT, KeyStep, fit, signature_of
from procvid.plan.graph.mined import COMMON, MinedGraph
from procvid.plan.graph.portions import without_headings, words_of
from procvid.plan.graph.precedence import SURE
from procvid.types import Plan

MIN_MATCHED = 0.5
"""Part of the mean number of key steps of a recipe that a plan must have; else it is another dish."""
MIN_EVIDENCE = 5
"""Fewest recipes with a step, or with two of which the order is compared, that are worth a note."""
MIN_TAKEN = 2
"""Fewest recipes with an alternative that is offered."""


def key_steps_of(plan: Plan, mined: MinedGraph, *, named: bool = False) -> dict[str, int]:
    """Return the number of the first step that does each key step, by the key step's name.

    Args:
        plan: The plan of a recipe.
        mined: The mined graph of its task.
        named: Leave out steps that name no food, such as "cook for 10 minutes".
    """
    found: dict[str, int] = {}
    turns = Counter[tuple[str, tuple[str, ...]]]()
    for step in without_headings(plan.steps):
        signature = signature_of(step)
        best = max(mined.steps, key=lambda key: (fit(signature, key), -key.turn, key.recipes))
        if fit(signature, best) < MIN_FIT or (named and not signature.named):
            continue
        same = best.action, tuple(best.things)
        turns[same] += 1
        for key in mined.steps:
            if (key.action, tuple(key.things)) == same and key.turn == turns[same]:
                found[key.name] = step.number
    return found


def habits(plan: Plan, mined: MinedGraph) -> tuple[str, ...]:
    """Return what most recipes of the task do otherwise, each a sentence; never an error.

    Args:
        plan: The plan of a recipe.
        mined: The mined graph of its task.
    """
    found = key_steps_of(plan, mined)
    other = _another_dish(mined, found)
    return other or (*_out_of_order(plan, mined), *_lacking(plan, mined, found))


def detours_taken(plan: Plan, mined: MinedGraph) -> tuple[str, ...]:
    """Return what other recipes do in place of steps, or leave out, each with options of `detour`.

    Args:
        plan: The plan of a recipe.
        mined: The mined graph of its task.
    """
    found, names = key_steps_of(plan, mined), plan.names
    said = list(_another_dish(mined, found))
    steps = () if said else sorted(found.items(), key=lambda item: item[1])
    for name, number in steps:
        step, place = mined.step(name), names[number]
        for other in detours_of(mined, step):
            if other.name not in found and other.recipes >= MIN_TAKEN:
                said.append(
                    f"{other.recipes} of {mined.recipes} recipes {other.name} in place of step "
                    f"{place}: --skip {place} --add "
                    f'"{place.rstrip(ascii_lowercase)}: {other.name.capitalize()}."'
                )
        if step.optional:
            left_out = mined.recipes - step.recipes
            said.append(
                f"{left_out} of {mined.recipes} recipes do not {name} (step {place}): --skip {place}"
            )
    return tuple(said)


def _another_dish(mined: MinedGraph, found: Mapping[str, int]) -> tuple[str, ...]:
    mean = sum(step.recipes for step in mined.steps) / mined.recipes
    if len(found) >= max(2, MIN_MATCHED * mean):
        return ()
    return (f'This recipe has little in common with "{mined.title}", so it is not compared.',)


def detours_of(mined: MinedGraph, step: KeyStep) -> tuple[KeyStep, ...]:
    """Return the key steps that people take in the place of one, the most frequent first."""
    found = [other for other in mined.steps if other.name in step.alternatives]
    return tuple(sorted(found, key=lambda other: -other.recipes))


def _out_of_order(plan: Plan, mined: MinedGraph) -> Iterator[str]:
    """Yield a sentence for each order of most recipes that the plan reverses, the nearest only."""
    found, names = key_steps_of(plan, mined, named=True), plan.names
    seen = set[str]()
    for order in mined.orders:
        before, after = found.get(order.before), found.get(order.after)
        if before is None or after is None or before <= after or order.before in seen:
            continue
        if order.together >= MIN_EVIDENCE and order.in_order >= SURE * order.together:
            seen.add(order.before)
            yield (
                f"Most recipes ({order.in_order} of {order.together}) {order.before} before step "
                f"{names[after]}, not in step {names[before]}."
            )


def _lacking(plan: Plan, mined: MinedGraph, found: Mapping[str, int]) -> Iterator[str]:
    """Yield a sentence for each very common key step that the plan lacks, with its alternatives."""
    names = plan.names
    # A shot of several actions is planned by one of them.
    said = {word for step in plan.steps for word in words_of(step.text)}
    for step in mined.steps:
        if step.name in found or set(step.alternatives) & set(found) or step.action in said:
            continue
        if step.turn > 1 or step.recipes < max(MIN_EVIDENCE, COMMON * mined.recipes):
            continue
        later = [
            found[order.after]
            for order in mined.orders
            if order.before == step.name and order.after in found
        ]
        place = f" before step {names[min(later)]}" if later else ""
        yield (
            f"Most recipes ({step.recipes} of {mined.recipes}) {step.name}{place}; this one does not."
        )
