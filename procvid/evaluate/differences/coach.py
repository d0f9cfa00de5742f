"""A person's own clip beside the recipe: which step it shows, what differs, and what that means.

A difference is a mistake if the dish or a later step needs what the recipe says, and a variation if the
dish comes out the same or nearly so. Both rest on the plan and on a table of substitutions, and each
remark says on which. Nothing here judges whether food is safe to eat.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from procvid.errors import InputError, UnavailableError
from procvid.evaluate.differences.clips import Comparer, moves, view_of
from procvid.evaluate.inputs import ClipInput, RunInput
from procvid.evaluate.sampling import sample
from procvid.plan.detour.table import substitutes
from procvid.protocols import CoachReader
from procvid.types import Plan, PlannedObject, StepPlan
from procvid.types.difference import ClipDifferences, ClipView, Difference

Meaning = Literal["mistake", "variation"]
NUM_GUESSES = 3
TIE = 1e-6
NOTHING = ClipDifferences()
OTHER_PURPOSE = OTHER_METHOD = 4
"""Severity from which a tool or an ingredient has another purpose, and a technique is another method."""

VERBS = {
    form: verb
    for verb, *others in (
        ("peel", "peeled", "peeling"), ("slice", "sliced", "slicing"), ("dice", "diced", "dicing"),
        ("mash", "mashed", "mashing"), ("fry", "fried", "frying"), ("boil", "boiled", "boiling"),
        ("bake", "baked", "baking"), ("stir", "stirred", "stirring"), ("mix", "mixed", "mixing"),
    )
    for form in (verb, *others)
}  # fmt: skip
"""Verbs of techniques by their forms; a vision model answers in its own words."""

CUTS = {
    "slice": "slices cook more slowly than dice",
    "dice": "dice cook faster than slices",
}
"""What the other cut does; the dish stays the same."""

HEATS = {
    "fry": "fried food browns and loses water",
    "boil": "boiled food softens and does not brown",
    "bake": "baked food browns slowly and dries",
}


@dataclass(frozen=True)
class StepGuess:
    """A step that the clip may show: its number, its name, and how well it fits, 0 to 1."""

    number: int
    name: str
    fit: float


@dataclass(frozen=True)
class Remark:
    """A difference from the recipe, with what it means and on what that rests."""

    difference: Difference
    meaning: Meaning
    why: str


@dataclass(frozen=True)
class Coached:
    """What a coach says about a clip.

    Attributes:
        guesses: The three steps that fit best, the best first.
        step: Number of the step that the clip is compared with; 0 if it shows none.
        asked: True if the person named the step.
        remarks: What differs from it.
        found: All that was read, without what is the kitchen's own.
        notes: Notes for the person.
    """

    guesses: tuple[StepGuess, ...]
    step: int
    asked: bool
    remarks: tuple[Remark, ...] = ()
    found: ClipDifferences = NOTHING
    notes: tuple[str, ...] = ()


def coach(
    run: RunInput,
    plan: Plan,
    clip: ClipInput,
    comparer: Comparer,
    reader: CoachReader,
    step: int = 0,
) -> Coached:
    """Return which step a clip shows and what it does differently.

    Args:
        run: The run, whose clips a reader may compare with.
        plan: Its plan.
        clip: The person's clip.
        comparer: Knows which clips the reader can read.
        reader: Reads the clip.
        step: Number of the step that it should show; 0 to find out.

    Raises:
        InputError: The clip cannot be read, or the plan has no such step.
        UnavailableError: The reader does not know such clips.
        ServiceError: A service is not available.
    """
    if step and step not in plan.names:
        raise InputError(f"The recipe has no step {step}.", f"Give 1 to {len(plan.steps)}.")
    sampled = sample(clip, None)
    comparer.check(sampled, clip.file.name if clip.file else "B")
    view = view_of(sampled)
    fits = reader.fits(plan, view)
    order = sorted(range(len(fits)), key=lambda k: -fits[k])
    guesses = tuple(
        StepGuess(plan.steps[k].number, plan.names[plan.steps[k].number], round(fits[k], 3))
        for k in order[:NUM_GUESSES]
    )
    notes = [] if moves(sampled) else ["The clip does not move, so its action is a guess."]
    if not step and fits[order[0]] < reader.least_fit:
        return Coached(
            guesses, 0, asked=False, notes=(*notes, "The clip shows no step of the recipe.")
        )
    ties = [k for k in order if fits[k] > fits[order[0]] - TIE]
    if not step and len(ties) > 1:
        names = " and ".join(plan.names[plan.steps[k].number] for k in sorted(ties))
        notes.append(f"Steps {names} look alike; the first is meant, unless you name another.")
    number = step or plan.steps[min(ties)].number
    planned = plan.steps[number - 1]
    try:
        against = reader.against(planned, view, _made(run, number))
    except UnavailableError as error:
        why = f"The clip is not compared with step {plan.names[number]}: {error.message}"
        return Coached(guesses, 0, bool(step), notes=(*notes, why))
    found = _of_the_step(against, plan, planned)
    remarks = tuple(_remark(each, planned) for each in found.found)
    return Coached(guesses, number, bool(step), remarks, found, (*notes, *found.notes))


def _made(run: RunInput, number: int) -> ClipView | None:
    """Return the generated clip of a step; None if it is missing or damaged."""
    clip = next((each for each in run.clips if each.number == number), None)
    try:
        return None if clip is None else view_of(sample(clip, None))
    except InputError:
        return None


def _of_the_step(found: ClipDifferences, plan: Plan, step: StepPlan) -> ClipDifferences:
    """Return the differences without looks, colours, and foods that earlier steps brought in."""
    before = {item.name for each in plan.steps[: step.number] for item in each.objects}
    kept = tuple(
        each
        for each in found.found
        if each.category != "looks" and each.severity > 1 and not (not each.a and each.b in before)
    )
    return replace(found, found=kept)


def _remark(each: Difference, step: StepPlan) -> Remark:
    meaning, why = _meaning(each, step)
    return Remark(each, meaning, why)


def _meaning(each: Difference, step: StepPlan) -> tuple[Meaning, str]:
    """Return what a difference means, and why."""
    match each.category:
        case "techniques":
            return _technique(each, step)
        case "actions":
            return "mistake", f"the step asks to {step.action}"
        case "tools" if each.severity >= OTHER_PURPOSE:
            return "mistake", "it serves another purpose or changes the outcome"
        case "tools" if not (each.a and each.b):
            return "variation", f"the recipe {'uses' if each.a else 'does not use'} it here"
        case "tools":
            return "variation", "it serves the same purpose"
        case _:
            return _ingredient(each, step)


def _technique(each: Difference, step: StepPlan) -> tuple[Meaning, str]:
    a, b = _verb(each.a), _verb(each.b)
    if a in CUTS and b in CUTS and a != b:
        return "variation", CUTS[b]
    if a in HEATS and b in HEATS and a != b:
        return "mistake", f"{HEATS[b]}; {HEATS[a]}"
    if {a, b} == {"stir", "mix"}:
        return "variation", "both mix the food"
    if a != b or each.severity >= OTHER_METHOD:
        return "mistake", f"the step asks to {a or step.action}"
    return "variation", "the method is the same"


def _verb(words: str) -> str:
    """Return the verb of an answer in words, such as "slice" for "sliced with a knife", or ""."""
    return next((VERBS[word] for word in words.lower().split() if word in VERBS), "")


def _ingredient(each: Difference, step: StepPlan) -> tuple[Meaning, str]:
    if each.a and each.b and each.subject in (each.a, each.b):
        rows = [row for row in substitutes(each.a, ("any",)) if row.instead == each.b]
        if rows:
            return "variation", f"{each.b} is a known substitute for {each.a}"
        return "mistake", f"{each.b} is no known substitute for {each.a}"
    if not each.b:
        return "mistake", f"the step needs the {each.a or each.subject}"
    if not each.a:
        return "variation", "the recipe does not ask for it here"
    if each.severity >= OTHER_PURPOSE or " " in each.a or not each.subject:
        meaning: Meaning = "mistake" if each.severity >= OTHER_PURPOSE else "variation"
        return meaning, f"the recipe has {each.a} here"
    planned: PlannedObject | None = next((o for o in step.objects if o.name == each.subject), None)
    if planned is not None and planned.state_before == each.a:
        return "mistake", f"an earlier step leaves the {each.subject} {each.a}"
    return "variation", f"the recipe has the {each.subject} {each.a} here"
