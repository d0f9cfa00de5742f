"""Step 3 of the Create page: the references of each clip, and changing them before the run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from procvid.errors import InputError
from procvid.media.image import load_image
from procvid.memory.memory import Memory
from procvid.run.parts import start_memory
from procvid.run.step import preview
from procvid.types import Conditioning, Hit, PlannedObject, Slot, StepChanges, StepPlan
from procvid.ui import markup
from procvid.ui.pages.create.plan_step import PlanStep
from procvid.ui.pages.create.recipe_step import RecipeStep
from procvid.ui.pages.create.references_markup import Alternatives, element_id, reference_list
from procvid.ui.pages.create.shared import (
    EDITING,
    OWN,
    QUIET,
    REFERENCES,
    PageState,
    Update,
    chosen_memory,
    require_draft,
)
from procvid.ui.pressed import Press, pressable, read_press
from procvid.ui.server.context import AppContext
from procvid.ui.server.guard import for_the_page, guarded
from procvid.ui.server.jobs import read_options
from procvid.ui.server.pulled_stores import stores_of
from procvid.ui.server.queue import Draft, RunOptions
from procvid.ui.server.uploads import uploaded
from procvid.ui.server.visitors import visitor_of

NO_REFERENCES = "Make a plan first. The pictures that guide each clip appear here."
HINTS = {
    "default": "Each clip starts from these pictures. Once a clip shows your pan, later clips copy "
    "that pan.",
    OWN: "Each clip starts from these pictures of your own library.",
    "none": "No library is in use: the prompt alone guides each clip.",
}
PULLED_HINT = "Each clip starts from these pictures of the downloaded store."
MAX_CHOICES = 40
STRENGTH_STEP = 0.25
"""How much a press changes how far a clip takes over the look of a picture."""

PAGE = 8
"""Alternatives shown at once."""
MAX_UNDO = 50
Changed = Mapping[int, StepChanges]


@dataclass(frozen=True)
class ReferencesStep:
    """The components of step 3."""

    shown: gr.HTML
    look: gr.State


@dataclass(frozen=True)
class ReferenceLook:
    """What the step shows.

    Attributes:
        of: The draft, options and changes that it shows; None for nothing yet.
        step: Step of the open reference; 0 for none.
        name: Its object.
        first: Position of its first alternative on the page.
        ids: Ids of the crops on offer.
        past: Changes before the last ones, the latest last.
    """

    of: Any = None
    step: int = 0
    name: str = ""
    first: int = 0
    ids: tuple[str, ...] = ()
    past: tuple[Changed, ...] = ()


def build() -> ReferencesStep:
    """Lay out the step."""
    return ReferencesStep(pressable(markup.empty(NO_REFERENCES)), gr.State(ReferenceLook()))


@dataclass(frozen=True)
class Spot:
    """What a visitor changes.

    Attributes:
        draft: Recipe and plan.
        changed: Changes so far, by step.
        options: Options of the run, with the memory to search.
        hint: The sentence above the tiles.
    """

    draft: Draft
    changed: Changed
    options: RunOptions
    hint: str

    @classmethod
    def of(
        cls,
        request: gr.Request | None,
        draft: Any,
        changed: Changed,
        memory: str,
        seed: Any,
        own: str = "",
    ) -> Spot:
        """Read the values of the components. Raise InputError, or gr.Error without a plan."""
        stores = stores_of(request)
        options = read_options(seed or 0, chosen_memory(memory, own), None, stores=stores)
        return cls(require_draft(draft), changed, options, HINTS.get(memory, PULLED_HINT))

    @property
    def key(self) -> tuple[Any, ...]:
        """What the references depend on."""
        return self.draft, self.options, dict(self.changed)

    def item(self, number: int, name: str) -> tuple[StepPlan, PlannedObject]:
        """Return a step and its object. Raise InputError if the plan has no such object."""
        for step in self.draft.plan.steps:
            for item in step.objects:
                if (step.number, item.name) == (number, name):
                    return step, item
        raise InputError("This picture is out of date.", "Open the step again.")


@dataclass(frozen=True, eq=False)
class _Found:
    """The references as they are now."""

    conditionings: list[Conditioning]
    memory: Memory | None

    def slot(self, number: int, name: str) -> Slot | None:
        """Return the slot of an object at a step, or None."""
        slots = next((c.slots for c in self.conditionings if c.step == number), ())
        return next((slot for slot in slots if slot.object_name == name), None)


def wire(
    context: AppContext,
    state: PageState,
    recipe: RecipeStep,
    plan: PlanStep,
    step: ReferencesStep,
    tab: gr.Tab,
) -> None:
    """Connect the events of the step, and what opens it: its tab and the button of the plan."""

    def find_references(
        draft: Draft | None,
        changed: Changed,
        look: ReferenceLook,
        memory: str,
        seed: float | None,
        own: str = "",
        request: gr.Request | None = None,
    ) -> Update:
        require_draft(draft)
        shown = open_references(draft, changed, look, memory, seed, own, request)
        return {**shown, state.walk: gr.Tabs(selected=REFERENCES)}

    def open_references(
        draft: Draft | None,
        changed: Changed,
        look: ReferenceLook,
        memory: str,
        seed: float | None,
        own: str = "",
        request: gr.Request | None = None,
    ) -> Update:
        if draft is None:
            return {step.shown: markup.empty(NO_REFERENCES)}
        spot = Spot.of(request, draft, changed, memory, seed, own)
        if spot.key == look.of:
            return {step.shown: gr.skip()}
        context.allowance.spend(visitor_of(request), "searches")
        past = look.past if look.of and look.of[0] == draft else ()
        return shown_at(spot, ReferenceLook(past=past))

    def press_reference(
        draft: Draft | None,
        changed: Changed,
        look: ReferenceLook,
        memory: str,
        seed: float | None,
        own: str,
        event: gr.EventData,
        request: gr.Request | None = None,
    ) -> Update:
        spot, press = Spot.of(request, draft, changed, memory, seed, own), read_press(event)
        try:
            now, look = pressed(spot, look, press)
            focus = focus_after(look, press)
            return {**shown_at(now, look, focus=focus), state.changes: dict(now.changed)}
        except InputError as error:
            if not look.step:
                raise
            return shown_at(spot, look, problem=for_the_page(error))

    def pressed(spot: Spot, look: ReferenceLook, press: Press) -> tuple[Spot, ReferenceLook]:
        if press.act == "undo":
            if not look.past:
                raise InputError("There is nothing to undo.")
            return replace(spot, changed=look.past[-1]), replace(look, past=look.past[:-1])
        number, name = press.number("step"), press.data.get("name", "")
        spot.item(number, name)
        if press.act == "close" or (
            press.act == "open" and (number, name) == (look.step, look.name)
        ):
            return spot, ReferenceLook(look.of, past=look.past)
        if press.act == "open":
            return spot, ReferenceLook(look.of, number, name, past=look.past)
        if press.act == "page":
            first = look.first + (PAGE if press.data.get("to") == "next" else -PAGE)
            return spot, replace(look, first=first)
        changed = {**spot.changed, **changes_after(spot, look, press, number, name)}
        past = (*look.past, spot.changed)[-MAX_UNDO:]
        return replace(spot, changed=changed), replace(look, past=past)

    def changes_after(
        spot: Spot, look: ReferenceLook, press: Press, number: int, name: str
    ) -> Changed:
        before = spot.changed.get(number, StepChanges())
        match press.act:
            case "pick":
                place = press.number("place")
                if (number, name) != (look.step, look.name) or place >= len(look.ids):
                    raise InputError("This picture is no longer offered.", "Open it again.")
                return {number: with_crop(before, name, look.ids[place])}
            case "upload":
                image = load_image(uploaded(press.value, "picture"))
                return {number: with_upload(before, name, image, limit)}
            case "leave_out":
                kept = without(before, name)
                return {number: replace(kept, left_out=(*kept.left_out, name))}
            case "hide":
                slot = references_of(spot).slot(number, name)
                if slot is None or slot.origin == "upload":
                    raise InputError("Only a picture of the library can be hidden.", "Press Reset.")
                kept = without(before, name)
                return {number: replace(kept, banned=(*kept.banned, slot.crop_id))}
            case "weaker" | "stronger":
                strength = before.strengths.get(name, 1.0)
                strength += STRENGTH_STEP if press.act == "stronger" else -STRENGTH_STEP
                others = {n: share for n, share in before.strengths.items() if n != name}
                mine = {name: max(0.0, strength)} if strength < 1 else {}
                return {number: replace(before, strengths={**others, **mine})}
            case "everywhere":
                return everywhere(spot, number, name)
            case "reset":
                banned = tuple(crop for crop in before.banned if crop not in look.ids)
                strengths = {n: share for n, share in before.strengths.items() if n != name}
                return {number: replace(without(before, name), banned=banned, strengths=strengths)}
        raise InputError("This button is out of date.", "Reload the page.")

    def everywhere(spot: Spot, number: int, name: str) -> Changed:
        """Return the changes that give all steps with this object the same picture, or none."""
        _, item = spot.item(number, name)
        slot = references_of(spot).slot(number, name)
        changed = {}
        for other in same_steps(spot, item):
            before = spot.changed.get(other, StepChanges())
            if slot is None:
                changed[other] = replace(without(before, name), left_out=(*before.left_out, name))
            elif slot.origin == "upload":
                changed[other] = with_upload(before, name, slot.image, limit)
            else:
                changed[other] = with_crop(before, name, slot.crop_id)
        return changed

    def references_of(spot: Spot) -> _Found:
        parts = context.parts(spot.options.memory)
        memory = start_memory(parts, spot.options.seed, spot.draft.plan)
        return _Found(preview(parts, spot.draft.plan, memory, spot.changed), memory)

    def shown_at(spot: Spot, look: ReferenceLook, *, focus: str = "", problem: str = "") -> Update:
        found, plan_now = references_of(spot), spot.draft.plan
        opened = None
        if look.step:
            hits = hits_of(spot, look, found)
            first = max(0, min(look.first, (len(hits) - 1) // PAGE * PAGE))
            look = replace(look, ids=tuple(hit.crop.id for hit in hits), first=first)
            opened = alternatives(spot, look, found, hits, problem)
        left_out = {number: changes.left_out for number, changes in spot.changed.items()}
        html = reference_list(
            plan_now, found.conditionings, spot.hint, opened,
            undo=bool(look.past), focus=focus, left_out=left_out,
        )  # fmt: skip
        return {step.shown: html, step.look: replace(look, of=spot.key)}

    limit = context.profile.max_references
    values = [
        state.draft, state.changes, step.look, recipe.memory, recipe.seed, state.own_memory,
    ]  # fmt: skip
    shown = [step.shown, step.look]
    # The first event waits until earlier edits of the plan are done.
    plan.button.click(lambda: None, None, None, **EDITING).then(
        guarded(find_references),
        values,
        [*shown, state.walk],
        api_visibility="private",
        show_progress="minimal",
        show_progress_on=plan.button,
    )
    tab.select(lambda: None, None, None, **EDITING).then(
        guarded(open_references), values, shown, api_visibility="private", show_progress="minimal"
    )
    step.shown.select(guarded(press_reference), values, [*shown, state.changes], **QUIET)


def hits_of(spot: Spot, look: ReferenceLook, found: _Found) -> list[Hit]:
    """Return the alternatives for the open reference that have an image, best first."""
    planned, item = spot.item(look.step, look.name)
    if found.memory is None:
        return []
    hits = found.memory.choices(item, planned.number, planned.objects, MAX_CHOICES)
    return [hit for hit in hits if hit.crop.image is not None]


def alternatives(
    spot: Spot, look: ReferenceLook, found: _Found, hits: list[Hit], problem: str
) -> Alternatives:
    """Return the open strip."""
    _, item = spot.item(look.step, look.name)
    changes = spot.changed.get(look.step, StepChanges())
    slot = found.slot(look.step, look.name)
    return Alternatives(
        step=look.step,
        name=look.name,
        hits=hits[look.first : look.first + PAGE],
        first=look.first,
        total=len(hits),
        current="" if slot is None else slot.crop_id,
        hidden=changes.banned,
        about=about(spot, look, found),
        everywhere=everywhere_label(spot, item) if slot or look.name in changes.left_out else "",
        left_out=look.name in changes.left_out and slot is None,
        strength=changes.strengths.get(look.name, 1.0),
        problem=problem,
    )


def about(spot: Spot, look: ReferenceLook, found: _Found) -> str:
    """Return which other steps show the open reference's picture, and which show another one."""
    slot, names = found.slot(look.step, look.name), spot.draft.plan.names
    if slot is None:
        return ""
    there = {number: found.slot(number, look.name) for number in names if number != look.step}
    shown = {names[number]: other for number, other in there.items() if other is not None}
    strength = "" if slot.strength == 1 else f"Its look counts {slot.strength:.0%}. "
    same = [n for n, o in shown.items() if o.image is slot.image or o.crop_id == slot.crop_id]
    lists = ((same, "the same picture"), ([n for n in shown if n not in same], "another picture"))
    return strength + " ".join(
        f"Step{'s' * (len(which) > 1)} {_listed(which)} use{'s' * (len(which) == 1)} {what}."
        for which, what in lists
        if which
    )


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def same_steps(spot: Spot, item: PlannedObject) -> list[int]:
    """Return the steps that show an object; of a food, those that begin with it in the same state."""
    return [
        step.number
        for step in spot.draft.plan.steps
        for other in step.objects
        if other.name == item.name
        and (item.role != "food" or other.state_before == item.state_before)
    ]


def everywhere_label(spot: Spot, item: PlannedObject) -> str:
    """Return the label of the button for all steps; "" if there is one step only."""
    if len(same_steps(spot, item)) < 2:
        return ""
    if item.role == "food":
        return f"Use in every step with {item.state_before} {item.name}"
    return "Use in every step"


def focus_after(look: ReferenceLook, press: Press) -> str:
    """Return the id to focus after a press; "" to keep the focus."""
    number, name = press.data.get("step", ""), press.data.get("name", "")
    if press.act == "undo" or not number:
        return "ref-undo" if press.act == "undo" else ""
    if press.act == "close" or (press.act == "open" and not look.step):
        return element_id(int(number), name)
    if press.act == "open":
        return element_id(look.step, look.name, "pick", "0")
    if press.act in ("leave_out", "hide"):
        return element_id(look.step, look.name, "close")
    return ""


def with_crop(before: StepChanges, name: str, crop: str) -> StepChanges:
    """Return the changes of a step with a crop chosen for an object."""
    kept = without(before, name)
    banned = tuple(other for other in kept.banned if other != crop)
    return replace(kept, banned=banned, chosen={**kept.chosen, name: crop})


def with_upload(before: StepChanges, name: str, image: Any, limit: int) -> StepChanges:
    """Return the changes of a step with a person's image of an object.

    Raises:
        InputError: The step has `limit` chosen references already.
    """
    kept = without(before, name)
    if len(kept.uploads) + len(kept.chosen) >= limit:
        raise InputError(f"A step takes {limit} pictures of your choice.", "Reset one first.")
    return replace(kept, uploads=(*kept.uploads, image), shows=(*kept.shows, name))


def without(before: StepChanges, name: str) -> StepChanges:
    """Return the changes of a step without those of one object."""
    kept = [i for i, shown in enumerate(before.shows) if shown != name]
    return replace(
        before,
        uploads=tuple(before.uploads[i] for i in kept),
        shows=tuple(before.shows[i] for i in kept),
        chosen={key: crop for key, crop in before.chosen.items() if key != name},
        left_out=tuple(other for other in before.left_out if other != name),
    )
