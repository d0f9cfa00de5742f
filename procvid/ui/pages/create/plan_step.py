"""Step 2 of the Create page: the plan, and editing it on its cards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast, get_args

import gradio as gr

from procvid.errors import InputError, ProcvidError
from procvid.plan.edit import (
    EditedPlan,
    ObjectField,
    with_object,
    with_object_field,
    with_prompt,
    with_step,
    with_step_moved,
    with_words,
    without_object,
    without_step,
)
from procvid.plan.recipe.parse import parse_recipe
from procvid.plan.recipe.written import recipe_text
from procvid.plan.shots import mode_of, same_source
from procvid.run.restore import restored
from procvid.types import Plan, StepChanges
from procvid.ui import markup
from procvid.ui.pages.create import change_panel, plan_markup
from procvid.ui.pages.create.change_panel import ChangePanel
from procvid.ui.pages.create.plan_markup import PlanView, element_id
from procvid.ui.pages.create.recipe_step import VIDEOS, RecipeStep
from procvid.ui.pages.create.shared import (
    EDITING,
    NO_PLAN,
    PLAN,
    QUIET,
    PageState,
    Update,
    require_draft,
)
from procvid.ui.pressed import Press, pressable, read_press
from procvid.ui.server.context import AppContext
from procvid.ui.server.guard import guarded
from procvid.ui.server.jobs import make_draft, repeats, stand_ins, undrawable
from procvid.ui.server.queue import Draft
from procvid.ui.server.visitors import visitor_of

MAX_UNDO = 50
OPENED = "This is the plan of the video, with its edits."
Changed = Mapping[int, StepChanges]


@dataclass(frozen=True)
class PlanEdits:
    """The edits of a plan so far.

    Attributes:
        open: The step that is being edited; 0 for none.
        adding: The step after which a new one is being written; 0 for none.
        past: Drafts before the last edits, with their changes to references, the latest last.
    """

    open: int = 0
    adding: int = 0
    past: tuple[tuple[Draft, Changed], ...] = ()


@dataclass(frozen=True)
class PlanStep:
    """The components of step 2."""

    notes: gr.HTML
    shown: gr.HTML
    edits: gr.State
    change: ChangePanel
    button: gr.Button

    @property
    def outputs(self) -> list[Any]:
        """The components that `show_plan` fills."""
        return [self.notes, self.shown, self.edits, self.change.panel, *self.change.outputs]


def build() -> PlanStep:
    """Lay out the step."""
    notes = gr.HTML()
    shown = pressable(markup.empty(NO_PLAN))
    change = change_panel.build("Apply to the plan", "secondary")
    button = gr.Button("Find references", variant="primary", elem_classes="pv-next")
    return PlanStep(notes, shown, gr.State(PlanEdits()), change, button)


def wire(context: AppContext, state: PageState, recipe: RecipeStep, step: PlanStep) -> None:
    """Connect the events of the step, and the button that opens it."""

    def plan_recipe(
        text: str,
        key: str = "",
        request: gr.Request | None = None,
        shots: str = "auto",
        draft: Draft | None = None,
    ) -> Update:
        if draft is not None and same_recipe(draft, text, shots) and not key:
            # Its edits stay; "Plan again" makes a new one.
            return {state.walk: gr.Tabs(selected=PLAN)}
        context.allowance.spend(visitor_of(request), "plans")
        draft = make_draft(context, text, key or "", shots)
        return {
            state.draft: draft,
            state.changes: {},
            state.walk: gr.Tabs(selected=PLAN),
            **show_plan(context, step, draft.plan),
        }

    def open_plan(file: str) -> Update:
        """Open the plan of a video that procvid made."""
        if not isinstance(file, str) or Path(file).suffix.lower() not in VIDEOS:
            return {step.notes: gr.skip()}
        try:
            video = restored(Path(file))
        except ProcvidError:
            # The event that fills the recipe reports it.
            return {step.notes: gr.skip()}
        if video.note:
            gr.Warning(video.note)
        if video.plan is None:
            return {step.notes: gr.skip()}
        shown = show_plan(context, step, video.plan)
        return {
            **shown,
            step.notes: markup.note(OPENED) + shown[step.notes],
            state.draft: Draft(video.recipe, video.plan),
            state.changes: {},
            state.walk: gr.Tabs(selected=PLAN),
        }

    def edit_plan(
        draft: Draft | None,
        changes: Changed,
        edits: PlanEdits,
        event: gr.EventData,
        request: gr.Request | None = None,
    ) -> Update:
        before, press = require_draft(draft), read_press(event)
        if press.act == "again":
            context.allowance.spend(visitor_of(request), "plans")
            text, mode = recipe_text(before.recipe), mode_of(before.recipe)
            new = make_draft(context, text, "", mode)
            return {
                state.draft: new,
                state.changes: {},
                **replan(context, step, new.plan, edits, (before, changes), focus="plan-again"),
            }
        try:
            after, moved, edits, view = edited(before, changes, edits, press)
        except InputError as error:
            names = undrawable(context, before.plan)
            view = PlanView(edits.open, edits.adding, str(error), undo=bool(edits.past))
            shown = plan_markup.plan_list(before.plan, replace(view, undrawable=names))
            return {step.shown: shown}
        names = undrawable(context, after.plan)
        view = replace(view, undo=bool(edits.past), undrawable=names)
        answer: Update = {
            step.shown: plan_markup.plan_list(after.plan, view),
            step.notes: _notes(context, after.plan),
            step.edits: edits,
        }
        if after is not before:
            answer |= {state.draft: after, state.changes: moved, **step.change.clear()}
        if after.recipe != before.recipe:
            answer[recipe.recipe] = recipe_text(after.recipe)
        return answer

    recipe.button.click(
        guarded(plan_recipe),
        [recipe.recipe, recipe.key, recipe.shots, state.draft],
        [state.draft, state.changes, state.walk, *step.outputs],
        api_visibility="private",
        show_progress="minimal",
        show_progress_on=recipe.button,
    )
    recipe.upload.upload(
        guarded(open_plan),
        recipe.upload,
        [state.draft, state.changes, state.walk, *step.outputs],
        **QUIET,
    )
    step.shown.select(
        guarded(edit_plan),
        [state.draft, state.changes, step.edits],
        [state.draft, state.changes, recipe.recipe, *step.outputs],
        trigger_mode="multiple",
        **EDITING,
    )


def same_recipe(draft: Draft, text: str, shots: str) -> bool:
    """Return True if the text is the recipe of the draft, with its later edits."""
    # An edited step may hold words that the recipe of a stranger loses, such as "Notes:" or an emoji.
    same = isinstance(text, str) and text.split() == recipe_text(draft.recipe).split()
    try:
        same = same or same_source(parse_recipe(text), draft.recipe)
    except (ProcvidError, TypeError):
        return False
    return same and (
        shots == mode_of(draft.recipe) or (shots, draft.recipe.has_shots) == ("one", False)
    )


def _notes(context: AppContext, plan: Plan) -> str:
    notes = (*plan.notes, *repeats(context, plan))
    return plan_markup.notes_list(notes, undrawable(context, plan), stand_ins(context, plan))


def show_plan(context: AppContext, step: PlanStep, plan: Plan) -> Update:
    """Show a new plan: its notes and its cards, none of which is being edited."""
    names = undrawable(context, plan)
    return {
        step.notes: _notes(context, plan),
        step.shown: plan_markup.plan_list(plan, PlanView(undrawable=names)),
        step.edits: PlanEdits(),
        step.change.panel: gr.Accordion(visible=True),
        **step.change.clear(),
    }


def replan(
    context: AppContext,
    step: PlanStep,
    plan: Plan,
    edits: PlanEdits,
    before: tuple[Draft, Changed],
    focus: str = "",
) -> Update:
    """Show a plan that takes the place of another one; "Undo" brings that one back.

    Args:
        context: The app.
        step: The components to fill.
        plan: The new plan.
        edits: The edits so far.
        before: The draft before, and its changes to references.
        focus: Id of the element to focus, or "" to keep the focus.
    """
    past = (*edits.past, before)[-MAX_UNDO:]
    view = PlanView(undo=True, undrawable=undrawable(context, plan), focus=focus)
    return {
        step.shown: plan_markup.plan_list(plan, view),
        step.notes: _notes(context, plan),
        step.edits: PlanEdits(past=past),
        **step.change.clear(),
    }


def edited(
    draft: Draft, changes: Changed, edits: PlanEdits, press: Press
) -> tuple[Draft, Changed, PlanEdits, PlanView]:
    """Return the draft, its changes to references, the edits and the view after a press.

    Raises:
        InputError: The edit is refused.
    """
    if press.act == "undo":
        if not edits.past:
            raise InputError("There is nothing to undo.")
        draft, changes = edits.past[-1]
        edits = PlanEdits(past=edits.past[:-1])
        return draft, changes, edits, PlanView(focus="plan-undo")
    number = press.number("step")
    opened = _opened(edits, press, number)
    if opened is not None:
        return draft, changes, opened[0], opened[1]
    after, number, focus = _applied(draft, press, number)
    if after is None:
        return draft, changes, edits, PlanView(edits.open, edits.adding)
    new = Draft(after.recipe, after.plan)
    past = (*edits.past, (draft, changes))[-MAX_UNDO:]
    view = PlanView(number, carried=_carried(draft, after, number), focus=focus)
    return new, moved_changes(changes, after), PlanEdits(number, past=past), view


def _opened(edits: PlanEdits, press: Press, number: int) -> tuple[PlanEdits, PlanView] | None:
    """Return the edits and the view after a press that opens or closes a card; None for others."""
    if press.act == "edit":
        name = press.data.get("name", "")
        focus = element_id(number, name, "state_after") if name else element_id(number, "words")
        return replace(edits, open=number, adding=0), PlanView(number, focus=focus)
    if press.act == "new":
        focus = element_id(number, "insert")
        return replace(edits, open=0, adding=number), PlanView(0, number, focus=focus)
    if press.act == "done":
        focus = element_id(number, "edit")
        return replace(edits, open=0, adding=0), PlanView(focus=focus)
    return None


def _applied(draft: Draft, press: Press, number: int) -> tuple[EditedPlan | None, int, str]:
    """Return the edit, the step that stays open, and the id to focus; None if nothing is edited."""
    recipe, plan, name = draft.recipe, draft.plan, press.data.get("name", "")
    same = {step.number: step.number for step in plan.steps}
    match press.act:
        case "words":
            return with_words(recipe, plan, number, press.value), number, ""
        case "prompt" | "anew":
            text = press.value if press.act == "prompt" else ""
            return EditedPlan(recipe, with_prompt(plan, number, text), same), number, ""
        case "object":
            field = press.data.get("field", "")
            if field not in get_args(ObjectField):
                raise InputError("This field is out of date.", "Reload the page.")
            changed = with_object_field(plan, number, name, cast(ObjectField, field), press.value)
            return EditedPlan(recipe, changed, same), number, ""
        case "remove":
            left = without_object(plan, number, name)
            return EditedPlan(recipe, left, same), number, element_id(number, "add")
        case "add_object":
            more = with_object(plan, number, press.value)
            return EditedPlan(recipe, more, same), number, element_id(number, "add")
        case "insert":
            new = number + 1
            return with_step(recipe, plan, number, press.value), new, element_id(new, "words")
        case "delete":
            left_over = without_step(recipe, plan, number)
            return left_over, 0, element_id(min(number, len(left_over.plan.steps)), "edit")
        case "up" | "down":
            by = with_step_moved(recipe, plan, number, -1 if press.act == "up" else 1)
            place = by.moved[number]
            at_end = place in (1, len(by.plan.steps))
            return by, place, element_id(place, "done" if at_end else press.act)
    return None, number, ""


def _carried(draft: Draft, after: EditedPlan, number: int) -> str:
    """Return which other steps an edit has changed, or ""."""
    now = {after.moved.get(s.number): s for s in draft.plan.steps}
    names = after.plan.names
    also = [
        names[step.number]
        for step in after.plan.steps
        if step.number != number
        and step.number in now
        and [(o.name, o.state_before, o.state_after) for o in now[step.number].objects]
        != [(o.name, o.state_before, o.state_after) for o in step.objects]
    ]
    if not also:
        return ""
    return f"Also changed: step{'s' * (len(also) > 1)} {', '.join(also)}."


def moved_changes(changes: Changed, after: EditedPlan) -> dict[int, StepChanges]:
    """Return the changes to references under the new numbers, for objects that are still shown."""
    shown = {step.number: {item.name for item in step.objects} for step in after.plan.steps}
    moved = {after.moved[n]: changed for n, changed in changes.items() if n in after.moved}
    return {n: _of_objects(changed, shown[n]) for n, changed in moved.items()}


def _of_objects(changes: StepChanges, names: set[str]) -> StepChanges:
    shows = [*changes.shows, *[""] * (len(changes.uploads) - len(changes.shows))]
    kept = [i for i, shown in enumerate(shows) if not shown or shown in names]
    return replace(
        changes,
        uploads=tuple(changes.uploads[i] for i in kept if i < len(changes.uploads)),
        shows=tuple(shows[i] for i in kept),
        chosen={name: crop for name, crop in changes.chosen.items() if name in names},
        left_out=tuple(name for name in changes.left_out if name in names),
        strengths={name: share for name, share in changes.strengths.items() if name in names},
    )
