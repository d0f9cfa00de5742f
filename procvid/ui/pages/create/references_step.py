"""Step 3 of the Create page: the references of each clip, and changing them before the run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from procvid.errors import InputError
from procvid.media.image import load_image
from procvid.memory.memory import Memory
from procvid.plan.table import apply_rows, with_prompt
from procvid.run.parts import start_memory
from procvid.run.step import preview
from procvid.types import Conditioning, PlannedObject, StepChanges, StepPlan
from procvid.ui import markup
from procvid.ui.pages.create import plan_markup
from procvid.ui.pages.create.plan_step import PlanStep
from procvid.ui.pages.create.recipe_step import RecipeStep
from procvid.ui.pages.create.shared import (
    OWN,
    QUIET,
    REFERENCES,
    PageState,
    Update,
    chosen_memory,
    require_draft,
)
from procvid.ui.pages.picture import SUFFIXES
from procvid.ui.server.context import AppContext
from procvid.ui.server.guard import guarded
from procvid.ui.server.jobs import read_options
from procvid.ui.server.pulled_stores import stores_of
from procvid.ui.server.queue import Draft, RunOptions
from procvid.ui.server.uploads import uploaded
from procvid.ui.server.visitors import visitor_of

NO_REFERENCES = "Press “Find references” in step 2. The images that guide each clip appear here."
HINTS = {
    "default": "Each clip starts from these images. The first image of a thing stays for the whole "
    "video.",
    OWN: "Each clip starts from these images in your own library.",
    "none": "No reference images: the prompt alone guides each clip.",
}
PULLED_HINT = "Each clip starts from these images in the downloaded store."
MAX_CHOICES = 8
Changed = Mapping[int, StepChanges]


@dataclass(frozen=True)
class ReferencesStep:
    """The components of step 3."""

    shown: gr.HTML
    which: gr.Dropdown
    choices: gr.Gallery
    choice_ids: gr.State
    pin: gr.Button
    hide: gr.Button
    upload: gr.UploadButton
    reset: gr.Button


def build() -> ReferencesStep:
    """Lay out the step."""
    shown = gr.HTML(markup.empty(NO_REFERENCES))
    with gr.Accordion("Change a reference", open=False):
        gr.HTML(
            '<p class="pv-small">Choose an object. Then select another image of it, upload your own, '
            "or pin or hide the current one.</p>"
        )
        which = gr.Dropdown(label="Object", choices=[])
        choices = gr.Gallery(
            label="Alternatives",
            columns=4,
            height=150,
            allow_preview=False,
            interactive=False,
            visible=False,
            elem_classes="pv-gallery",
        )
        with gr.Row():
            pin = gr.Button("Pin", size="sm")
            hide = gr.Button("Hide", size="sm")
            upload = gr.UploadButton("Upload", file_types=SUFFIXES, size="sm")
            reset = gr.Button("Reset", size="sm")
    return ReferencesStep(shown, which, choices, gr.State([]), pin, hide, upload, reset)


@dataclass(frozen=True)
class Spot:
    """The reference that a visitor changes.

    Attributes:
        draft: Recipe and plan.
        changed: Changes so far, by step.
        which: "2 frying pan" for an object of a step, or None.
        options: Options of the run, with the memory to search.
        hint: The sentence above the tiles.
    """

    draft: Draft
    changed: Changed
    which: str | None
    options: RunOptions
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
        """Read the values of the components. Raise InputError, or gr.Error without a plan."""
        stores = stores_of(request)
        options = read_options(seed or 0, chosen_memory(memory, own), None, stores=stores)
        return cls(require_draft(draft), changed, which, options, HINTS.get(memory, PULLED_HINT))

    def chosen(self) -> tuple[StepPlan, PlannedObject, StepChanges]:
        """Return the step, the object, and the changes to the step's other objects.

        Raises:
            InputError: Nothing is chosen, or the plan has no such object.
        """
        number, _, name = str(self.which or "").partition(" ")
        for step in self.draft.plan.steps:
            for item in step.objects:
                if (str(step.number), item.name) == (number, name):
                    return step, item, without(self.changed.get(step.number, StepChanges()), name)
        raise InputError("No object is chosen.", "Choose one from the list first.")


def wire(
    context: AppContext,
    state: PageState,
    recipe: RecipeStep,
    plan: PlanStep,
    step: ReferencesStep,
) -> None:
    """Connect the events of the step, and the button that opens it."""

    def find_references(
        draft: Draft | None,
        rows: list[list[Any]],
        changed: Changed,
        memory: str,
        seed: float | None,
        own: str = "",
        number: int | None = None,
        prompt: str = "",
        request: gr.Request | None = None,
    ) -> Update:
        edited = apply_rows(require_draft(draft).plan, rows)
        if number:
            # This event may arrive before the prompt field's own event.
            edited = with_prompt(edited, number, prompt)
        draft = replace(require_draft(draft), plan=edited)
        context.allowance.spend(visitor_of(request), "searches")
        names = edited.names
        objects = [
            (f"Step {names[planned.number]}: {item.name}", f"{planned.number} {item.name}")
            for planned in edited.steps
            for item in planned.objects
        ]
        return {
            state.draft: draft,
            plan.shown: plan_markup.plan_list(edited),
            step.shown: tiles_of(Spot.of(request, draft, changed, None, memory, seed, own)),
            step.which: gr.Dropdown(choices=objects, value=None),
            step.choices: gr.Gallery(value=[], visible=False),
            state.walk: gr.Tabs(selected=REFERENCES),
        }

    def tiles_of(spot: Spot) -> str:
        found, _ = references_of(spot)
        return markup.note(spot.hint) + markup.reference_list(spot.draft.plan, found)

    def references_of(spot: Spot) -> tuple[list[Conditioning], Memory | None]:
        parts = context.parts(spot.options.memory)
        memory = start_memory(parts, spot.options.seed, spot.draft.plan)
        return preview(parts, spot.draft.plan, memory, spot.changed), memory

    def with_changes(spot: Spot, planned: StepPlan, changes: StepChanges) -> Update:
        changed = {**spot.changed, planned.number: changes}
        return {state.changes: changed, step.shown: tiles_of(replace(spot, changed=changed))}

    def current_crop(spot: Spot, planned: StepPlan, item: PlannedObject) -> str:
        found, _ = references_of(spot)
        name = spot.draft.plan.names[planned.number]
        return crop_of(next(one for one in found if one.step == planned.number), item, name)

    def list_alternatives(request: gr.Request | None, *values: Any) -> Update:
        spot = Spot.of(request, *values)
        planned, item, _ = spot.chosen()
        _, memory = references_of(spot)
        hits = memory.choices(item, planned.number, planned.objects, MAX_CHOICES) if memory else []
        hits = [hit for hit in hits if hit.crop.image is not None]
        pictures = [(hit.crop.image, f"{hit.crop.state} · {hit.score:.2f}") for hit in hits]
        return {
            step.choices: gr.Gallery(value=pictures, selected_index=None, visible=bool(pictures)),
            step.choice_ids: [hit.crop.id for hit in hits],
        }

    def pin_reference(request: gr.Request | None, *values: Any) -> Update:
        spot = Spot.of(request, *values)
        planned, item, kept = spot.chosen()
        crop = current_crop(spot, planned, item)
        return with_changes(spot, planned, replace(kept, chosen={**kept.chosen, item.name: crop}))

    def hide_reference(request: gr.Request | None, *values: Any) -> Update:
        spot = Spot.of(request, *values)
        planned, item, kept = spot.chosen()
        crop = current_crop(spot, planned, item)
        return with_changes(spot, planned, replace(kept, banned=(*kept.banned, crop)))

    def reset_reference(request: gr.Request | None, *values: Any) -> Update:
        spot = Spot.of(request, *values)
        planned, _, kept = spot.chosen()
        return with_changes(spot, planned, replace(kept, banned=()))

    def swap_reference(
        request: gr.Request | None, event: gr.SelectData, ids: list[str], *values: Any
    ) -> Update:
        spot = Spot.of(request, *values)
        planned, item, kept = spot.chosen()
        index = event.index if isinstance(event.index, int) else 0
        if not 0 <= index < len(ids):
            raise InputError("This image is no longer available.", "Choose the object again.")
        crop = ids[index]
        return with_changes(spot, planned, replace(kept, chosen={**kept.chosen, item.name: crop}))

    def upload_reference(request: gr.Request | None, file: str, *values: Any) -> Update:
        spot = Spot.of(request, *values)
        planned, item, kept = spot.chosen()
        limit = context.profile.max_references
        if len(kept.uploads) + len(kept.chosen) >= limit:
            name = spot.draft.plan.names[planned.number]
            raise InputError(f"Step {name} has {limit} references already.", "Reset one.")
        image = load_image(uploaded(file, "picture"))
        added = replace(kept, uploads=(*kept.uploads, image), shows=(*kept.shows, item.name))
        return with_changes(spot, planned, added)

    options = [recipe.memory, recipe.seed, state.own_memory]
    plan.button.click(
        guarded(find_references),
        [state.draft, plan.table, state.changes, *options, plan.which, plan.prompt],
        [state.draft, plan.shown, step.shown, step.which, step.choices, state.walk],
        api_visibility="private",
        show_progress="minimal",
        show_progress_on=plan.button,
    )
    values = [state.draft, state.changes, step.which, *options]
    step.which.input(guarded(list_alternatives), values, [step.choices, step.choice_ids], **QUIET)
    changed = [state.changes, step.shown]
    step.pin.click(guarded(pin_reference), values, changed, **QUIET)
    step.hide.click(guarded(hide_reference), values, changed, **QUIET)
    step.reset.click(guarded(reset_reference), values, changed, **QUIET)
    step.choices.select(guarded(swap_reference), [step.choice_ids, *values], changed, **QUIET)
    step.upload.upload(guarded(upload_reference), [step.upload, *values], changed, **QUIET)


def without(before: StepChanges, name: str) -> StepChanges:
    """Return the changes of a step without those of one object."""
    kept = [i for i, shown in enumerate(before.shows) if shown != name]
    return replace(
        before,
        uploads=tuple(before.uploads[i] for i in kept),
        shows=tuple(before.shows[i] for i in kept),
        chosen={key: crop for key, crop in before.chosen.items() if key != name},
    )


def crop_of(found: Conditioning, item: PlannedObject, step_name: str) -> str:
    """Return the id of the crop for an object. Raise InputError if there is none."""
    for slot in found.slots:
        if slot.object_name == item.name and slot.origin != "upload":
            return slot.crop_id
    raise InputError(
        f"Step {step_name} has no image of the {item.name} from the memory.",
        "Choose an alternative, or upload your own.",
    )
