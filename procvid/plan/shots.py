"""Cut the steps of a recipe into shots: one clip for each action that can be seen.

A shot is a run of whole clauses in the step's own words. A clause begins at an imperative; what
leads to it ("In a large bowl, ...") and what follows it ("until ...", "for 5 minutes") belongs to
it. Clauses without a picture of their own (waiting, tasting, a change of the heat, a remark) join
their neighbour. So do options and conditions, and a repeated action at the same place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

from procvid.errors import InputError
from procvid.plan.language.clauses import Clause, read_clauses
from procvid.plan.language.lexicon import words
from procvid.types import Plan, Recipe, ShotMode

MAX_SHOTS_A_STEP = 5
MAX_SHOTS = 60
"""Maximum number of shots per video. A recipe with more steps keeps one shot a step."""
MAX_LISTED = 5
MAX_TITLE_WORDS = 4
LETTERS = "abcdefghijklmnopqrstuvwxyz"
STEP_NUMBER = re.compile(r"\b([Ss]teps? )(\d+)\b")
ENDED = re.compile(r"[.!?][\"'”’)\]]*$")
BLENDING = frozenset({"stir", "mix"})
BAKING = frozenset({"bake", "broil"})
COOKING = BAKING | {"fry", "grill", "toast", "boil"}
PLAIN_ADDING = frozenset("add put pour throw drop pop tip stir in mix in dump".split())


@dataclass(frozen=True)
class _Shot:
    """Clauses that share a clip.

    Attributes:
        start: First character in the step.
        end: Character after the last.
        num_actions: Number of its actions with a picture.
        sentence: Number of the sentence in which it begins.
        last: Its last clause with a picture.
    """

    start: int
    end: int
    num_actions: int
    sentence: int
    last: Clause


def cut_into_shots(
    recipe: Recipe,
    mode: ShotMode = "auto",
    *,
    most_a_step: int = MAX_SHOTS_A_STEP,
    most: int = MAX_SHOTS,
) -> Recipe:
    """Return the recipe with shots in place of its steps; one that was cut before is unchanged.

    A step with one visible action stays unchanged. `parents` gives the step of
    each shot and `written` the steps as they were. A note says which steps have more actions than
    shots.

    Args:
        recipe: The recipe.
        mode: "auto" for a shot per visible action, "one" for a shot per step.
        most_a_step: Maximum number of shots per step.
        most: Maximum number of shots per video; steps then get fewer, at least one each.
    """
    if recipe.parents:
        return recipe
    notes: list[str] = []
    texts: list[tuple[str, ...]] = [(text,) for text in recipe.steps]
    if mode == "auto":
        texts, notes = _cut_all(recipe.steps, most_a_step, most)
    return replace(
        recipe,
        steps=tuple(text for shots in texts for text in shots),
        parents=tuple(n for n, shots in enumerate(texts, start=1) for _ in shots),
        written=recipe.steps,
        notes=(*recipe.notes, *notes),
    )


def _cut_all(
    steps: Sequence[str], most_a_step: int, most: int
) -> tuple[list[tuple[str, ...]], list[str]]:
    """Return the shots of each step, and the notes about limits."""
    actions = [_actions(text) for text in steps]
    limit = most_a_step
    while limit > 1 and sum(min(len(a), limit) for a in actions) > most:
        limit -= 1
    shots = [_within(a, limit) for a in actions]
    over = {n: len(a) for n, a in enumerate(actions, start=1) if len(a) > limit}
    notes = _limit_notes(over, limit)
    if limit < most_a_step and notes:
        notes.insert(0, f"The video has at most {most} shots, so a step has at most {limit}.")
    return [_texts(text, cut) for text, cut in zip(steps, shots, strict=True)], notes


def _limit_notes(over: Mapping[int, int], limit: int) -> list[str]:
    """Return a sentence about the steps with more actions than shots; `over` counts the actions."""
    share = "they share one shot" if limit == 1 else f"some share one of its {limit} shots"
    if len(over) < 2:
        return [f"Step {n} has {count} actions; {share}." for n, count in over.items()]
    *steps, last = map(str, over)
    listed = (
        f"Steps {', '.join(steps)} and {last}" if len(over) <= MAX_LISTED else f"{len(over)} steps"
    )
    return [f"{listed} have more than {limit} action{'s' * (limit > 1)}; some share a shot."]


def mode_of(recipe: Recipe) -> ShotMode:
    """Return the mode that cuts the steps as they are cut, "auto" if both do."""
    fresh = replace(recipe, steps=recipe.whole_steps, parents=(), written=())
    return "auto" if recipe.has_shots or not cut_into_shots(fresh).has_shots else "one"


def same_source(one: Recipe, other: Recipe) -> bool:
    """Return True for the same recipe, however it is cut."""
    return (one.title, one.ingredients, one.whole_steps) == (
        other.title,
        other.ingredients,
        other.whole_steps,
    )


def with_recipe_steps(plan: Plan, recipe: Recipe) -> Plan:
    """Return the plan of a cut recipe with the step of each shot, and its names in the notes."""
    if not recipe.has_shots:
        return plan
    pairs = zip(plan.steps, recipe.parents, strict=True)
    shots = replace(plan, steps=tuple(replace(s, recipe_step=parent) for s, parent in pairs))
    names = shots.names
    notes = (n if n in recipe.notes else _renamed(n, names) for n in plan.notes)
    return replace(shots, notes=tuple(notes))


def _renamed(note: str, names: Mapping[int, str]) -> str:
    """Return a planner's note with "step 4" as the name of that shot, "step 3b"."""
    return STEP_NUMBER.sub(lambda m: f"{m[1]}{names.get(int(m[2]), m[2])}", note)


def number_of(plan: Plan, name: str) -> int:
    """Return the number of the clip that a person calls "3" or "3b".

    Raises:
        InputError: There is no such step, or the step has several shots.
    """
    asked = name.strip().lower()
    numbers = {one: number for number, one in plan.names.items()}
    if asked in numbers:
        return numbers[asked]
    shots = [n for n in numbers if n.rstrip(LETTERS) == asked]
    if shots:
        raise InputError(f"Step {asked} has the shots {', '.join(shots)}.", "Choose one of them.")
    shown = asked if asked.isalnum() and len(asked) < 9 else repr(asked[:20])
    raise InputError(f"Step {shown} does not exist.", f"Choose {choices(plan)}.")


def choices(plan: Plan) -> str:
    """Return the names that a person can choose from: "1 to 5", or "one of 1, 2a, 2b, 3"."""
    if len(plan.groups) == len(plan.steps):
        return f"1 to {len(plan.steps)}"
    return f"one of {', '.join(plan.names.values())}"


def num_actions(text: str) -> int:
    """Return the number of actions of a step that have a picture of their own, at least 1."""
    return len(_actions(text))


def _texts(text: str, shots: Sequence[_Shot]) -> tuple[str, ...]:
    if len(shots) < 2:
        return (text,)
    *cut, last = (_tidy(text[shot.start : shot.end]) for shot in shots)
    return (*(_ended(one) for one in cut), last)


def _ended(text: str) -> str:
    return text if ENDED.search(text) else f"{text}."


def _tidy(text: str) -> str:
    """Return clauses as a sentence: without the words that joined them to their neighbours."""
    text = re.sub(r"^(?:[\s,;:&\u2013\u2014-]|(?:and|then|but)\b)+", "", text.strip(), flags=re.I)
    text = re.sub(r"(?:[\s,;:&\u2013\u2014-]|\b(?:and|then|but))+$", "", text, flags=re.I)
    return text[:1].upper() + text[1:]


@lru_cache(maxsize=512)
def _actions(text: str) -> tuple[_Shot, ...]:
    """Return the shots of a step without a limit: one per visible action."""
    shots: list[_Shot] = []
    waiting: Clause | None = None
    for clause in _with_heading(text, list(read_clauses(text))):
        if waiting is not None:
            clause = replace(clause, start=waiting.start)
            waiting = None
        if not clause.visible and (clause.forward or not shots):
            waiting = clause
        elif shots and (not clause.visible or _continues(shots[-1].last, clause)):
            shots[-1] = _joined(shots[-1], clause)
        else:
            shots.append(_Shot(clause.start, clause.end, 1, clause.sentence, clause))
    if waiting is not None:
        end = replace(waiting, visible=False)
        shots = [*shots[:-1], _joined(shots[-1], end)] if shots else [_whole(text, end)]
    return tuple(shots)


def _with_heading(text: str, clauses: list[Clause]) -> list[Clause]:
    """Return the clauses; a short first sentence whose action later sentences describe is a heading."""
    first, *later = clauses
    if first.verb is None or not later or later[0].sentence == 0:
        return clauses
    after = later if text[later[0].start :].lstrip().startswith("In ") else later[1:]
    again = any(c.verb is not None and c.verb.action == first.verb.action for c in after)
    short = len(words(text[: first.end])) <= MAX_TITLE_WORDS
    return [replace(first, visible=False, forward=True), *later] if again and short else clauses


def _whole(text: str, clause: Clause) -> _Shot:
    return _Shot(0, len(text), 1, 0, clause)


def _joined(shot: _Shot, clause: Clause) -> _Shot:
    if not clause.visible:
        return replace(shot, end=clause.end)
    last = shot.last if _is_bare_blend(clause) else clause
    places = clause.places or shot.last.places
    last = replace(last, end=clause.end, places=places, sentence=clause.sentence)
    return replace(shot, end=clause.end, last=last)


def _continues(before: Clause, clause: Clause) -> bool:
    """Return True for the same action at the same place, and for a bare stir after an addition."""
    if before.verb is None or clause.verb is None:
        return False
    elsewhere = bool(clause.places - before.places)
    first, second = before.verb, clause.verb
    if _is_bare_blend(clause) and before.end < clause.start:
        return False
    if first.action.name == "flip" and clause.bare and second.action.name in COOKING:
        return True
    if "oven" in before.places and second.action.name in BAKING:
        return True
    if _is_bare_blend(clause) and not elsewhere:
        return first.action.name in BLENDING | {"add", "coat", "melt"}
    if first.action.name != second.action.name or elsewhere:
        return False
    alike = {first.name, second.name} <= PLAIN_ADDING or first.name == second.name
    return alike or first.action.name not in ("add", "remove", "serve")


def _is_bare_blend(clause: Clause) -> bool:
    """Return True for "stir well", which is seen together with what it stirs."""
    return clause.bare and clause.verb is not None and clause.verb.action.name in BLENDING


def _within(actions: Sequence[_Shot], limit: int) -> list[_Shot]:
    """Join neighbours, those with the fewest actions and of one sentence first, to the limit."""
    shots = list(actions)
    while len(shots) > limit:
        pairs = list(pairwise(shots))
        cost = [(a.num_actions + b.num_actions, a.last.sentence != b.sentence) for a, b in pairs]
        at = cost.index(min(cost))
        before, after = pairs[at]
        shots[at : at + 2] = [replace(after, start=before.start, num_actions=cost[at][0])]
    return shots
