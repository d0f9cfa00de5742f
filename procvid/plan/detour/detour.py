"""Make a detour: the recipe and the plan as a person wishes them, with what differs."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from procvid.errors import InputError
from procvid.plan.detour.amounts import scaled_line, scaled_step
from procvid.plan.detour.checks import check_wishes, left_over, lost_states, texts_of
from procvid.plan.detour.choose import chosen_swap, diet_swaps, explicit_swap
from procvid.plan.detour.diff import StepDiff, step_diffs, summary
from procvid.plan.detour.replan import DetourShot, recipe_of, replanned
from procvid.plan.detour.table import contains, diet_note
from procvid.plan.detour.wishes import Swap, Wishes, after_and_text, servings_asked
from procvid.plan.detour.words import (
    foods_named,
    names,
    removed,
    replaced,
    thing_of,
    with_verb,
    without_pronoun,
)
from procvid.plan.language.english import UNITS
from procvid.plan.language.verbs import names_action
from procvid.plan.recipe.parse import MAX_STEPS
from procvid.plan.recipe.servings import serves, servings_in
from procvid.plan.shots import LETTERS, MAX_SHOTS, choices, cut_into_shots, mode_of
from procvid.types import Plan, Recipe


@dataclass(frozen=True)
class Detour:
    """A recipe as a person wishes it, and its difference from the one before.

    Attributes:
        recipe: The recipe, cut into shots.
        plan: Its plan.
        steps: What becomes of each step.
        shots: The shots of the plan, with the old shot that each comes from.
        lines: Ingredient lines that differ: before, and now ("" for none).
        swaps: What was replaced or left out.
        notes: Sentences for the cook.
    """

    recipe: Recipe
    plan: Plan
    steps: tuple[StepDiff, ...]
    shots: tuple[DetourShot, ...]
    lines: tuple[tuple[str, str], ...]
    swaps: tuple[Swap, ...]
    notes: tuple[str, ...]

    @property
    def summary(self) -> str:
        """Return a sentence about the number of steps that stay, change, go and are new."""
        return summary(self.steps)

    def as_json(self) -> dict[str, Any]:
        """Return the difference as JSON."""
        return {
            "title": self.recipe.title,
            "summary": self.summary,
            "steps": [step.as_json() for step in self.steps],
            "ingredients": [{"before": old, "now": now} for old, now in self.lines],
            "swaps": [{"from": swap.old, "to": swap.new} for swap in self.swaps],
            "notes": list(self.notes),
        }


def make_detour(recipe: Recipe, plan: Plan, wishes: Wishes) -> Detour:
    """Return the recipe and the plan with the wishes, and what differs.

    Args:
        recipe: The recipe, cut into shots as the plan is.
        plan: Its plan.
        wishes: From `wishes_of`.

    Raises:
        InputError: There is no wish, a thing or step is not in the recipe, no substitute is known, or
            nothing would be left.
    """
    if wishes.empty:
        raise InputError("There is nothing to change.", "Name a change, such as --swap.")
    recipe = cut_into_shots(recipe, "one")
    shots = _without_steps(recipe, plan, wishes.skip)
    swaps = _swaps(recipe, plan, wishes)
    title, lines = recipe.title, list(recipe.ingredients)
    for swap in swaps:
        shots = _with_swap(shots, plan, swap)
        lines = [_line(line, swap) for line in lines]
        title = _title(title, swap)
    shots = _with_added(recipe, plan, shots, wishes.add)
    lines, old_lines = _with_added_foods(recipe, shots, lines)
    there = servings_in(recipe.notes)
    factor, count = _factor(wishes.servings, there)
    if factor != 1:
        shots = [replace(shot, text=scaled_step(shot.text, factor)) for shot in shots]
    _check(recipe, shots)
    base = replace(recipe, title=title, ingredients=tuple(filter(None, lines)))
    changed = recipe_of(base, shots, _edit(swaps, factor))
    changed = replace(changed, notes=(serves(count),) if count else ())
    # Planned with the amounts of before, because more carrots of the same look are no other clip.
    now, notes = replanned(recipe, plan, changed, shots)
    steps = step_diffs(plan, now, shots)
    if factor != 1:
        count_old = len(recipe.ingredients)
        lines = [scaled_line(line, factor) for line in lines[:count_old]] + lines[count_old:]
        changed = replace(changed, ingredients=tuple(filter(None, lines)))
    if lines == list(recipe.ingredients) and all(step.kind == "kept" for step in steps):
        raise InputError(*_no_change(wishes))
    check_wishes(changed, wishes)
    about = [note for swap in swaps for note in swap.notes]
    about += [note for note in map(diet_note, wishes.diet) if note]
    found = [
        *left_over(changed, swaps, wishes),
        *lost_states(plan, steps, now),
        *_news(plan, now),
    ]
    return Detour(
        recipe=changed,
        plan=now,
        steps=steps,
        shots=tuple(shots),
        lines=tuple((old, new) for old, new in zip(old_lines, lines, strict=True) if old != new),
        swaps=tuple(swaps),
        notes=tuple(dict.fromkeys([*about, *notes, *_allergens(recipe, changed), *found])),
    )


def _no_change(wishes: Wishes) -> tuple[str, str]:
    if wishes.diet:
        return (
            f"No food that is known keeps the recipe from being {' and '.join(wishes.diet)}.",
            "Check its ingredients, and ask for another change.",
        )
    return "These wishes change nothing.", "Ask for something else."


def _without_steps(recipe: Recipe, plan: Plan, skip: Sequence[str]) -> list[DetourShot]:
    """Return the shots without the skipped ones. A step's own number skips all of its shots."""
    gone: set[int] = set()
    for name in skip:
        found = [
            number
            for number, shot in plan.names.items()
            if name in (shot, shot.rstrip(LETTERS), f"{number}" if shot == name else "")
        ]
        if not found:
            raise InputError(f"Step {name[:20]} does not exist.", f"Choose {choices(plan)}.")
        gone |= set(found)
    if len(gone) == len(plan.steps):
        raise InputError("All steps are skipped.", "A video needs at least one step.")
    pairs = zip(plan.steps, recipe.parents, strict=True)
    return [
        DetourShot(step.text, step.number, parent)
        for step, parent in pairs
        if step.number not in gone
    ]


def _swaps(recipe: Recipe, plan: Plan, wishes: Wishes) -> list[Swap]:
    swaps = []
    for pair in wishes.swap:
        swaps += [explicit_swap(recipe, plan, *pair), *_head_swap(recipe, *pair)]
    taken = {swap.old for swap in swaps}
    swaps += [
        chosen_swap(recipe, plan, name, wishes.diet, wishes.without) for name in wishes.without
    ]
    taken |= {swap.old for swap in swaps}
    for diet in wishes.diet:
        found = diet_swaps(recipe, plan, diet, wishes.diet, taken, wishes.without)
        swaps += found
        taken |= {swap.old for swap in found}
    return swaps


def _head_swap(recipe: Recipe, old: str, new: str) -> list[Swap]:
    """Return the swap of beef with turkey for ground beef with ground turkey, if nothing else is beef."""
    head, instead = thing_of(old.split()[-1]), thing_of(new.split()[-1])
    if head.name == thing_of(old).name or head.entry is None or head.name == instead.name:
        return []
    rest = [replaced(line, thing_of(old), thing_of(new)) for line in recipe.ingredients]
    if any(names(line, head) for line in rest):
        return []
    return [Swap(head.words, instead.words)] if any(names(t, head) for t in recipe.steps) else []


def _with_swap(shots: Sequence[DetourShot], plan: Plan, swap: Swap) -> list[DetourShot]:
    """Return the shots with a swap; a shot that has nothing left to do goes."""
    old = thing_of(swap.old)
    found = []
    gone = False
    for shot in shots:
        text = shot.text
        shows = shot.old and any(item.name == old.name for item in plan.steps[shot.old - 1].objects)
        named = names(text, old)
        if swap.new:
            text = replaced(text, old, thing_of(swap.new))
            if swap.verb and (named or shows):
                text = with_verb(text, swap.action, swap.verb)
                if not named:
                    text = _with_tool(text, swap.new)
        else:
            text = removed(text, old) if named else text
            # "Dice the onion. Fry it." has nothing to fry without the onion.
            whole = named and not text
            lost = shot.old and _is_first(plan, shot, old.name)
            gone = whole or (named and lost) or (gone and not named)
            text = without_pronoun(text) if gone and lost else text
            if not text or not names_action(text):
                continue
            gone = gone and text != shot.text
        found.append(replace(shot, text=text))
    return found


def _edit(swaps: Sequence[Swap], factor: Fraction) -> Callable[[str], str] | None:
    """Return how the whole text of a step changes; None if its shots have to say it."""
    if any(swap.verb or not swap.new for swap in swaps):
        return None

    def edited(text: str) -> str:
        for swap in swaps:
            text = replaced(text, thing_of(swap.old), thing_of(swap.new))
        return scaled_step(text, factor) if factor != 1 else text

    return edited


def _is_first(plan: Plan, shot: DetourShot, name: str) -> bool:
    """Return True if a food is the first one that a shot shows, oil and spices aside."""
    foods = [item.name for item in plan.steps[shot.old - 1].objects if item.role == "food"]
    return bool(foods) and foods[0] == name


def _title(title: str, swap: Swap) -> str:
    """Return the title with a swap, in capitals if the title has them."""
    if not swap.new:
        return title
    new = thing_of(swap.new)
    capitals = [word[0].isupper() for word in title.split() if word[0].isalpha()]
    if len(capitals) > 1 and sum(capitals) > 0.6 * len(capitals):
        new = replace(new, words=" ".join(w[:1].upper() + w[1:] for w in new.words.split()))
    return replaced(title, thing_of(swap.old), new)


def _with_tool(text: str, tool: str) -> str:
    article = "an" if tool[0] in "aeiou" else "a"
    end = len(text.rstrip(".!"))
    return f"{text[:end]} with {article} {tool}{text[end:]}"


def _line(line: str, swap: Swap) -> str:
    """Return an ingredient line with a swap, "" if nothing is left of it."""
    old = thing_of(swap.old)
    if not names(line, old):
        return line
    if swap.new:
        if swap.amount:
            return f"{swap.new} instead of {line} ({swap.amount})"
        instead = thing_of(swap.new)
        counted = re.match(r"[\s*-]*[\d½¼¾⅓⅔]+ ([a-z]+)[a-z ]*$", line.split(",")[0], re.IGNORECASE)
        counted = None if counted and counted[1].lower() in UNITS else counted
        if counted and not instead.counted and old.counted and swap.factor in ("", "1"):
            return f"{swap.new} instead of {line}"
        new = replaced(line, old, instead)
        try:
            factor = Fraction(swap.factor)
        except (ValueError, ZeroDivisionError):
            return new
        return scaled_line(new, factor) if factor > 0 else new
    rest = removed(line, old)
    others = [word for word in rest.split() if thing_of(word.strip(",.")).entry is not None]
    return rest if others else ""


def _with_added(
    recipe: Recipe, plan: Plan, shots: Sequence[DetourShot], wishes: Sequence[str]
) -> list[DetourShot]:
    found = list(shots)
    group = max(recipe.parents, default=0)
    for wish in wishes:
        after, text = after_and_text(wish)
        group += 1
        cut = cut_into_shots(Recipe("", (text,)), mode_of(recipe)).steps
        at = _place(plan, found, after)
        inside = 0 < at < len(found) and found[at - 1].group == found[at].group
        new = [DetourShot(one, 0, found[at].group if inside else group) for one in cut]
        found[at:at] = new
    return found


def _with_added_foods(
    recipe: Recipe, shots: Sequence[DetourShot], lines: Sequence[str]
) -> tuple[list[str], list[str]]:
    """Return the ingredient lines with the foods of new steps, and the lines before ("" for new ones)."""
    there = list(recipe.ingredients)
    if not there:
        return list(lines), there
    known = {food for line in lines for food in foods_named(line)}
    added = (food for shot in shots if not shot.old for food in foods_named(shot.text))
    texts = " ".join(recipe.steps)
    new = [
        food
        for food in dict.fromkeys(added)
        if food not in known and not names(texts, thing_of(food))
    ]
    return [*lines, *new], [*there, *("" for _ in new)]


def _place(plan: Plan, shots: Sequence[DetourShot], after: str) -> int:
    """Return the place of a new step: after a step, or at the end before the food is served."""
    if after == "0":
        return 0
    if after:
        numbers = [n for n, name in plan.names.items() if after in (name, name.rstrip(LETTERS))]
        if not numbers:
            raise InputError(f"Step {after[:20]} does not exist.", f"Choose {choices(plan)}.")
        return max((i + 1 for i, s in enumerate(shots) if 0 < s.old <= max(numbers)), default=0)
    last = [shot for shot in shots if shot.group == shots[-1].group] if shots else []
    serves = any(shot.old and plan.steps[shot.old - 1].action == "serve" for shot in last)
    return len(shots) - len(last) if serves else len(shots)


def _factor(servings: str, there: int) -> tuple[Fraction, int]:
    """Return the factor of the amounts, and how many the new recipe serves; 0 if unknown."""
    if not servings:
        return Fraction(1), there
    wanted, named = servings_asked(servings)
    there = named or there
    if not there:
        raise InputError(
            "The recipe does not say how many it serves.", f"Write --servings {wanted}/4 for 4."
        )
    return Fraction(wanted, there), wanted


def _check(recipe: Recipe, shots: Sequence[DetourShot]) -> None:
    if not shots:
        raise InputError("No step is left.", "A video needs at least one step.")
    if len(shots) > MAX_SHOTS or len({shot.group for shot in shots}) > MAX_STEPS:
        raise InputError(
            f"The recipe has {len(shots)} clips then.",
            f"Use at most {MAX_STEPS} steps and {MAX_SHOTS} clips.",
        )


def _allergens(before: Recipe, now: Recipe) -> list[str]:
    old, new = _tags(before), _tags(now)
    found = []
    if new - old:
        found.append(f"The recipe now contains {', '.join(sorted(new - old))}.")
    if old - new:
        found.append(
            f"The foods that procvid knows contain no {' or '.join(sorted(old - new))} now."
        )
    return found


def _tags(recipe: Recipe) -> frozenset[str]:
    texts = texts_of(recipe)
    return frozenset(tag for text in texts for name in foods_named(text) for tag in contains(name))


def _news(old: Plan, new: Plan) -> list[str]:
    """Return the graph's notes on the new plan that the old one did not have."""
    # Imported here because networkx takes a tenth of a second.
    from procvid.plan.graph.graph import task_graph

    known = {_without_numbers(note) for note in task_graph(old).notes}
    return [note for note in task_graph(new).notes if _without_numbers(note) not in known]


def _without_numbers(note: str) -> str:
    return "".join(c for c in note if not c.isdigit())
