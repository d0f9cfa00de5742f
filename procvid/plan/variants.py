"""Write texts that differ from a step or dish in one way: verb, food or state.

Every variant is read again by the planner, and kept only if it really means something else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from procvid.plan.language.lexicon import lexicon, plurals, words
from procvid.plan.language.verbs import find_verbs
from procvid.plan.rules import plan_recipe
from procvid.plan.writing.prompt import place
from procvid.types import PlannedObject, Recipe, StepPlan

ACTIONS = tuple(
    "slice dice grate peel mash blend add stir fry boil bake toast grill melt mix serve".split()
)
STATES = tuple("whole sliced diced grated fried boiled mixed melted baked".split())
MAX_DISH_FOODS = 2


@dataclass(frozen=True)
class Choices:
    """Words that variants may use; a model with few words gets those."""

    foods: tuple[str, ...] = ()
    actions: tuple[str, ...] = ACTIONS
    states: tuple[str, ...] = STATES


EVERYTHING = Choices()


def vary_step(text: str, count: int, choices: Choices = EVERYTHING) -> tuple[str, ...]:
    """Return at most `count` texts that differ from a step in one way, always the same ones.

    Two of five have another verb, two another food, one another state; where the step names no
    food, verbs take the places.
    """
    step = read(text)
    kinds = [
        _distinct(step, _with_other_verb(text, step, choices)),
        _distinct(step, _with_other_food(text, step, choices)),
        _distinct(step, _with_other_state(text, step, choices)),
    ]
    order = [0, 1, 2, 0, 1] * (count // 5 + 1)
    chosen: dict[str, None] = {}
    for kind in [*order[:count], *([0, 1, 2] * count)]:
        if len(chosen) == count:
            break
        variant = next((v for v in kinds[kind] if v != text and v not in chosen), None)
        if variant is not None:
            chosen[variant] = None
    return tuple(chosen)


def dish_of(recipe: Recipe) -> str:
    """Return what the finished dish looks like: "Sliced carrot and fried egg on the plate."."""
    foods, vessel = _finished(recipe)
    return _dish([(item.name, item.state_after) for item in foods], vessel)


def other_dishes(recipe: Recipe, count: int, choices: Choices = EVERYTHING) -> tuple[str, ...]:
    """Return at most `count` dishes worded like `dish_of`, with other foods."""
    foods, vessel = _finished(recipe)
    own = dish_of(recipe)
    used = {item.name for item in foods}
    made: dict[str, None] = {}
    names = [n for n in _foods_like(foods[0].name if foods else "", choices) if n not in used]
    states = [s for s in choices.states if s != "whole"]
    names = _shuffled(own, names)
    num_foods = min(max(1, len(foods)), len(names))
    for turn in range(len(states) + 1):
        for index in range(len(names)):
            if len(made) == count:
                return tuple(made)
            state = states[(index + turn) % len(states)] if turn else _state_of(foods)
            shown = [names[(index + k) % len(names)] for k in range(num_foods)]
            text = _dish([(name, state) for name in shown], vessel)
            if text != own:
                made[text] = None
    return tuple(made)


def state_made(text: str, name: str) -> str:
    """Return the state that a step gives an object; empty if it does not change.

    A step that names no food ("Fry it until golden.") may mean any.
    """
    step = read(text)
    for item in step.objects:
        if item.name == name and item.state_before != item.state_after:
            return item.state_after
    if any(item.role == "food" and item.mentioned for item in step.objects):
        return ""
    action = lexicon().actions.get(step.action)
    return (action.state or "") if action is not None else ""


def read(text: str) -> StepPlan:
    """Return the plan of a single step."""
    return plan_recipe(Recipe(title="", steps=(text,))).steps[0]


def _meaning(step: StepPlan) -> tuple[str, ...]:
    food = _main_food(step)
    return (step.action, food.name if food else "", food.state_before if food else "")


def _main_food(step: StepPlan) -> PlannedObject | None:
    return next((item for item in step.objects if item.role == "food"), None)


def _distinct(
    step: StepPlan, variants: Iterable[tuple[str, Callable[[StepPlan], bool]]]
) -> list[str]:
    """Yield the variants that the planner reads as meant, and not as the step itself."""
    kept = []
    for variant, is_meant in variants:
        again = read(variant)
        if is_meant(again) and _meaning(again) != _meaning(step):
            kept.append(variant)
        if len(kept) == 8:
            break
    return kept


def _with_other_verb(
    text: str, step: StepPlan, choices: Choices
) -> Iterator[tuple[str, Callable[[StepPlan], bool]]]:
    tokens = words(text)
    found = find_verbs(text, tokens)
    food = _main_food(step)
    for action in _shuffled(text, [a for a in choices.actions if a != step.action]):
        if len(found) == 1 and found[0].end == found[0].start + 1 and " into " not in text:
            first, last = tokens[found[0].start], tokens[found[0].end - 1]
            verb = action.capitalize() if text[first.start].isupper() else action
            variant = text[: first.start] + verb + text[last.end :]
        else:
            variant = _plain(action, food, step)
        yield variant, lambda again, action=action: again.action == action  # type: ignore[misc]


def _with_other_food(
    text: str, step: StepPlan, choices: Choices
) -> Iterator[tuple[str, Callable[[StepPlan], bool]]]:
    food = _main_food(step)
    span = None if food is None else _span(text, food.name)
    if food is None or span is None:
        return
    named = text[span[0] : span[1]].lower()
    for name in _shuffled(text, [n for n in _foods_like(food.name, choices) if n != food.name]):
        plural = named.endswith("s") and not food.name.endswith("s")
        variant = text[: span[0]] + (plurals(name)[0] if plural else name) + text[span[1] :]
        yield (
            variant,
            lambda again, name=name: name in [o.name for o in again.objects],  # type: ignore[misc]
        )


def _with_other_state(
    text: str, step: StepPlan, choices: Choices
) -> Iterator[tuple[str, Callable[[StepPlan], bool]]]:
    food = _main_food(step)
    span = None if food is None else _span(text, food.name)
    if food is None or span is None:
        return
    start = span[0]
    before = [w for w in words(text) if w.end <= start]
    if before and before[-1].text in (food.state_before, *STATES):
        start = before[-1].start
    others = [s for s in choices.states if s not in (food.state_before, food.state_after)]
    for state in _shuffled(text, others):
        variant = f"{text[:start]}{state} {text[span[0] :]}"
        yield variant, lambda again: again.action == step.action


def _span(text: str, name: str) -> tuple[int, int] | None:
    """Return where a text names a food, or None."""
    tokens = words(text)
    for index in range(len(tokens)):
        noun = lexicon().noun_at(tokens, index)
        if noun is not None and noun[0].name == name:
            return tokens[index].start, tokens[index + noun[1] - 1].end
    return None


def _plain(action: str, food: PlannedObject | None, step: StepPlan) -> str:
    vessel = next((item.name for item in step.objects if item.role == "vessel"), "")
    where = f" {place(vessel)}" if vessel else ""
    return f"{action.capitalize()} the {food.name if food else 'mixture'}{where}."


def _foods_like(name: str, choices: Choices) -> list[str]:
    if choices.foods:
        return list(choices.foods)
    entry = lexicon().look_up(name) if name else None
    foods = lexicon().of_role("food")
    group = entry.group if entry is not None else "vegetable"
    return [food.name for food in foods if food.group == group] or [f.name for f in foods]


def _finished(recipe: Recipe) -> tuple[list[PlannedObject], str]:
    plan = plan_recipe(recipe)
    vessel = ""
    for step in reversed(plan.steps):
        vessel = vessel or next((o.name for o in step.objects if o.role == "vessel"), "")
        foods = [item for item in step.objects if item.role == "food" and item.importance > 0.3]
        if foods:
            return foods[:MAX_DISH_FOODS], vessel
    return [], vessel


def _state_of(foods: list[PlannedObject]) -> str:
    return foods[0].state_after if foods else "whole"


def _dish(foods: list[tuple[str, str]], vessel: str) -> str:
    plain = ("whole", "raw", "plain", "")
    named = [name if state in plain else f"{state} {name}" for name, state in foods]
    where = f" {place(vessel)}" if vessel else ""
    text = f"{' and '.join(named) or 'the dish'}{where}."
    return text[:1].upper() + text[1:]


def _shuffled(key: str, names: list[str]) -> list[str]:
    """Return an order that depends on the key and the names alone."""
    return sorted(
        dict.fromkeys(names), key=lambda n: hashlib.sha256(f"{key}\0{n}".encode()).hexdigest()
    )
