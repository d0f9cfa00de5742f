"""The References step: see what guides each clip, and change it before anything is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from procvid.errors import InputError
from procvid.media.image import load_image
from procvid.memory.memory import Memory
from procvid.plan.table import apply_rows, with_prompt
from procvid.run.parts import Parts, start_memory
from procvid.run.step import conditioning_of
from procvid.types import Conditioning, PlannedObject, StepChanges, StepPlan
from procvid.ui import markup
from procvid.ui.pages.create import plan_markup
from procvid.ui.pages.create.planning import (
    OWN,
    QUIET,
    REFERENCES,
    PlanStep,
    RecipeStep,
    Shared,
    chosen_memory,
    there,
)
from procvid.ui.server.context import AppContext
from procvid.ui.server.guard import guarded
from procvid.ui.server.guests import guest_of
from procvid.ui.server.jobs import read_wishes
from procvid.ui.server.pulled_stores import stores_of
from procvid.ui.server.queue import Draft, Wishes
from procvid.ui.server.uploads import uploaded

HINTS = {
    "default": "What the memory offers before the first clip is made. As the clips come, this "
    "video's own pictures take the place of these: so the pan stays the same pan.",
    OWN: "What your own memory offers before the first clip is made.",
    "none": "You chose to make the video without references.",
}
PULLED_HINT = "What the store from the Hub offers before the first clip is made."
MAX_CHOICES = 8
Changed = Mapping[int, StepChanges]


@dataclass(frozen=True)
class ReferenceStep:
    """The components of step 3."""

    shown: gr.HTML
    which: gr.Dropdown
    choices: gr.Gallery
    choice_ids: gr.State
    pin: gr.Button
    ban: gr.Button
    upload: gr.UploadButton
    reset: gr.Button


@dataclass(frozen=True)
class Spot:
    """Where on the page something is changed.

    Attributes:
        draft: Recipe and plan.
        changed: By step, what was changed so far.
        which: "2 frying pan" for an object of a step, or None.
        wishes: Which memory is asked.
        hint: What is said above the tiles.
    """

    draft: Draft
    changed: Changed
    which: str | None
    wishes: Wishes
    hint: str

    @classmethod
    def of(
        cls,
        request: gr.Request | None,
        draft: Any,
        changed: Changed,
        which: Any,
        memory: str,
        seed: Any,
        own: str = "",
    ) -> Spot:
        """From the values of the components. Raises InputError, or gr.Error without a plan."""
        stores = stores_of(request)
        wishes = read_wishes(seed or 0, chosen_memory(memory, own), None, stores=stores)
        return cls(there(draft), changed, which, wishes, HINTS.get(memory, PULLED_HINT))

    def chosen(self) -> tuple[StepPlan, PlannedObject, StepChanges]:
        """The step and the object that are meant, and what was changed of the step's other objects.

        Raises:
            InputError: Nothing is chosen, or the plan has no such object.
        """
        number, _, name = str(self.which or "").partition(" ")
        for step in self.draft.plan.steps:
            for item in step.objects:
                if (str(step.number), item.name) == (number, name):
                    return step, item, without(self.changed.get(step.number, StepChanges()), name)
        raise InputError("No object is chosen.", "Choose a step and an object of the list first.")


def wire(
    context: AppContext, shared: Shared, first: RecipeStep, second: PlanStep, w: ReferenceStep
) -> None:
    """Give the components their events; all of them are private."""

    def find_references(
        draft: Draft | None,
        rows: list[list[Any]],
        changed: Changed,
        memory: str,
        seed: float | None,
        own: str = "",
        number: int | None = None,
        words: str = "",
        request: gr.Request | None = None,
    ) -> tuple[Any, ...]:
        plan = apply_rows(there(draft).plan, rows)
        if number:
            # Words that were just typed: this event may be here before their own.
            plan = with_prompt(plan, number, words)
        draft = replace(there(draft), plan=plan)
        context.allowance.spend(guest_of(request), "searches")
        shown = look(Spot.of(request, draft, changed, None, memory, seed, own))
        objects = [
            (f"Step {step.number}: {item.name}", f"{step.number} {item.name}")
            for step in draft.plan.steps
            for item in step.objects
        ]
        return (
            draft,
            plan_markup.plan_list(draft.plan),
            shown,
            gr.Dropdown(choices=objects, value=None),
            gr.Gallery(value=[], visible=False),
            gr.Walkthrough(selected=REFERENCES),
        )

    def look(spot: Spot) -> str:
        parts, store = store_of(spot)
        found = [
            conditioning_of(parts, step, store, spot.changed.get(step.number, StepChanges()))
            for step in spot.draft.plan.steps
        ]
        return markup.note(spot.hint) + markup.reference_list(spot.draft.plan, found)

    def store_of(spot: Spot) -> tuple[Parts, Memory | None]:
        parts = context.parts(spot.wishes.memory)
        return parts, start_memory(parts, spot.wishes.seed, spot.draft.plan)

    def after(spot: Spot, step: StepPlan, changes: StepChanges) -> tuple[Any, str]:
        changed = {**spot.changed, step.number: changes}
        return changed, look(replace(spot, changed=changed))

    def shown_crop(spot: Spot, step: StepPlan, item: PlannedObject) -> str:
        parts, store = store_of(spot)
        before = spot.changed.get(step.number, StepChanges())
        return crop_of(conditioning_of(parts, step, store, before), item)

    def offer(request: gr.Request | None, *asked: Any) -> tuple[Any, Any]:
        spot = Spot.of(request, *asked)
        step, item, _ = spot.chosen()
        _, store = store_of(spot)
        hits = store.choices(item, step.number, step.objects, MAX_CHOICES) if store else []
        hits = [hit for hit in hits if hit.crop.image is not None]
        pictures = [(hit.crop.image, f"{hit.crop.state} · {hit.score:.2f}") for hit in hits]
        shown = gr.Gallery(value=pictures, selected_index=None, visible=bool(pictures))
        return shown, [hit.crop.id for hit in hits]

    def pin_reference(request: gr.Request | None, *asked: Any) -> tuple[Any, str]:
        spot = Spot.of(request, *asked)
        step, item, kept = spot.chosen()
        crop = shown_crop(spot, step, item)
        return after(spot, step, replace(kept, chosen={**kept.chosen, item.name: crop}))

    def ban_reference(request: gr.Request | None, *asked: Any) -> tuple[Any, str]:
        spot = Spot.of(request, *asked)
        step, item, kept = spot.chosen()
        crop = shown_crop(spot, step, item)
        return after(spot, step, replace(kept, banned=(*kept.banned, crop)))

    def reset_reference(request: gr.Request | None, *asked: Any) -> tuple[Any, str]:
        spot = Spot.of(request, *asked)
        step, _, kept = spot.chosen()
        return after(spot, step, replace(kept, banned=()))

    def swap_reference(
        request: gr.Request | None, event: gr.SelectData, ids: list[str], *asked: Any
    ) -> tuple[Any, str]:
        spot = Spot.of(request, *asked)
        step, item, kept = spot.chosen()
        index = event.index if isinstance(event.index, int) else 0
        if not 0 <= index < len(ids):
            raise InputError("This picture is not offered any more.", "Choose the object again.")
        return after(spot, step, replace(kept, chosen={**kept.chosen, item.name: ids[index]}))

    def give_reference(request: gr.Request | None, file: str, *asked: Any) -> tuple[Any, str]:
        spot = Spot.of(request, *asked)
        step, item, kept = spot.chosen()
        if len(kept.uploads) + len(kept.chosen) >= context.profile.max_references:
            raise InputError(
                f"Step {step.number} has its {context.profile.max_references} references.",
                "Free one.",
            )
        image = load_image(uploaded(file, "picture"))
        given = replace(kept, uploads=(*kept.uploads, image), shows=(*kept.shows, item.name))
        return after(spot, step, given)

    wished = [first.memory, first.seed, shared.own_memory]
    second.button.click(
        guarded(find_references),
        [
            shared.draft,
            second.table,
            shared.changes,
            *wished,
            second.which,
            second.prompt,
        ],
        [shared.draft, second.shown, w.shown, w.which, w.choices, shared.walk],
        api_visibility="private",
        show_progress="minimal",
        show_progress_on=second.button,
    )
    w.which.input(
        guarded(offer),
        [shared.draft, shared.changes, w.which, *wished],
        [w.choices, w.choice_ids],
        **QUIET,
    )
    asked, told = [shared.draft, shared.changes, w.which, *wished], [shared.changes, w.shown]
    w.pin.click(guarded(pin_reference), asked, told, **QUIET)
    w.ban.click(guarded(ban_reference), asked, told, **QUIET)
    w.reset.click(guarded(reset_reference), asked, told, **QUIET)
    w.choices.select(guarded(swap_reference), [w.choice_ids, *asked], told, **QUIET)
    w.upload.upload(guarded(give_reference), [w.upload, *asked], told, **QUIET)


def without(before: StepChanges, name: str) -> StepChanges:
    """What was changed of a step, but for one object."""
    kept = [i for i, shown in enumerate(before.shows) if shown != name]
    return replace(
        before,
        uploads=tuple(before.uploads[i] for i in kept),
        shows=tuple(before.shows[i] for i in kept),
        chosen={key: crop for key, crop in before.chosen.items() if key != name},
    )


def crop_of(found: Conditioning, item: PlannedObject) -> str:
    """The crop that stands for an object now. Raises InputError when there is none."""
    for slot in found.slots:
        if slot.object_name == item.name and slot.origin != "upload":
            return slot.crop_id
    raise InputError(
        f"Step {found.step} has no picture of the {item.name} from the memory.",
        "Choose one of those offered, or give your own.",
    )
