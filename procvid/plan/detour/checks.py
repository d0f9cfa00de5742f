"""Check a changed recipe against its wishes, and name what it still holds or lacks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from procvid.errors import InputError
from procvid.plan.detour.diff import StepDiff
from procvid.plan.detour.table import allowed_for
from procvid.plan.detour.wishes import Swap, Wishes, after_and_text
from procvid.plan.detour.words import foods_named, names, sentence, thing_of
from procvid.plan.language.lexicon import lexicon, plurals, words
from procvid.types import Plan, Recipe, StepPlan


def check_wishes(recipe: Recipe, wishes: Wishes) -> None:
    """Raise InputError if a swap or a new step brings back what another wish excludes."""
    brought = [new for _, new in wishes.swap]
    brought += [after_and_text(text)[1] for text in wishes.add]
    for text in brought:
        for food in dict.fromkeys([*foods_named(text), thing_of(text).name]):
            for diet in wishes.diet:
                if not allowed_for(food, diet):
                    raise InputError(
                        f"{sentence(food)} is not {diet}.", "Change one of the wishes."
                    )
        for name in wishes.without:
            if names(text, thing_of(name)):
                raise InputError(
                    f"The wishes leave out {name} and bring it back.", "Change one of the wishes."
                )


def texts_of(recipe: Recipe) -> list[str]:
    """Return the texts that name what a recipe holds; "tofu instead of 2 eggs" holds no egg."""
    lines = [line.split(" instead of ")[0] for line in recipe.ingredients]
    return [*lines, *recipe.whole_steps]


def left_over(recipe: Recipe, swaps: Sequence[Swap], wishes: Wishes) -> Iterator[str]:
    """Yield a sentence for each text that still names what was replaced, left out or excluded."""
    texts = texts_of(recipe)
    bought = {food for line in recipe.ingredients for food in foods_named(line)}
    for diet in wishes.diet:
        foods = dict.fromkeys(
            food
            for text in texts
            for food in foods_named(text)
            if not allowed_for(food, diet)
            and (food in bought or not bought or thing_of(food).group != "made")
        )
        if foods:
            yield f"Still named and not {diet}: {', '.join(foods)}. Use a {diet} kind, or swap it."
    for swap in swaps:
        if names(recipe.title, thing_of(swap.old)):
            yield f"The title still names {swap.old}."
        forms = (swap.old, *(f"{form}" for form in plurals(swap.old)))
        left = re.compile(rf"\b(?:{'|'.join(map(re.escape, forms))})\b(?!-)", re.IGNORECASE)
        steps = [
            str(number)
            for number, text in enumerate(recipe.whole_steps, start=1)
            if left.search(re.sub(re.escape(swap.new), "", text) if swap.new else text)
        ]
        if steps:
            word = "Step" if len(steps) == 1 else "Steps"
            yield f"{word} {', '.join(steps)} still name{'s' * (len(steps) == 1)} {swap.old}."


def lost_states(before: Plan, steps: Sequence[StepDiff], now: Plan) -> Iterator[str]:
    """Yield a sentence for each text that names a food in a state that only a dropped step made."""
    dropped = [before.steps[step.old - 1] for step in steps if step.kind == "dropped"]
    for gone in dropped:
        for item in gone.objects:
            state = item.state_after
            if item.role != "food" or item.state_before == state:
                continue
            made = any(
                one.name == item.name and one.state_after == state != one.state_before
                for step in now.steps
                for one in step.objects
            )
            left = [now.names[step.number] for step in now.steps if _says(step, item.name, state)]
            if left and not made:
                yield f"Step {left[0]} still has {state} {item.name}, but no step makes it so."


def _says(step: StepPlan, name: str, state: str) -> bool:
    """Return True for "the sliced carrot"."""
    tokens = words(step.text)
    for index in range(len(tokens)):
        found = lexicon().state_at(tokens, index)
        noun = lexicon().noun_at(tokens, index + found[1]) if found else None
        if found and found[0].state == state and noun is not None and noun[0].name == name:
            return True
    return False
