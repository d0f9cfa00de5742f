"""Change the recipe of a video or of a plan, with the panel of `change_panel`.

The new video takes over the clips in which nothing changes. A changed plan can be undone.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from procvid.errors import InputError
from procvid.plan.edit import EditedPlan
from procvid.plan.recipe.written import recipe_text
from procvid.ui.browser import REMEMBER
from procvid.ui.pages.create.change_markup import difference
from procvid.ui.pages.create.change_panel import ShownChanges, wishes_in
from procvid.ui.pages.create.open_run import RunOpener
from procvid.ui.pages.create.plan_step import Changed, PlanEdits, PlanStep, moved_changes, replan
from procvid.ui.pages.create.recipe_step import RecipeStep
from procvid.ui.pages.create.shared import EDITING, QUIET, SOON, PageState, Update, require_draft
from procvid.ui.server.context import AppContext
from procvid.ui.server.detours import detour_of, detour_of_run, start_detour
from procvid.ui.server.guard import guarded
from procvid.ui.server.queue import Draft
from procvid.ui.server.twins import exists
from procvid.ui.server.visitors import visitor_of

NOT_SHOWN = "Press “Show changes” first."
TAKEN_OVER = (
    "The new video reuses the kept clips. It makes one again only if its reference images change."
)


def wire_review(context: AppContext, opener: RunOpener) -> None:
    """Connect the panel of the Review step."""
    state, panel = opener.state, opener.review.change

    def show_changes(
        run_id: str,
        without: Any,
        swap: Any,
        skip: Any,
        add: Any,
        servings: Any,
        diet: Any,
        request: gr.Request | None = None,
    ) -> Update:
        wishes = wishes_in(without, swap, skip, add, servings, diet)
        context.allowance.spend(visitor_of(request), "plans")
        found = detour_of_run(context, run_id, wishes)
        return {
            panel.shown: ShownChanges(wishes, run_id),
            panel.result: difference(found, TAKEN_OVER),
            panel.apply: gr.Button(visible=True),
        }

    def make_changed(
        run_id: str, shown: ShownChanges | None, own_memory: str, request: gr.Request
    ) -> Update:
        if shown is None or shown.run_id != run_id:
            raise InputError("No changes are shown for this video.", NOT_SHOWN)
        feed = start_detour(context, run_id, shown.wishes, visitor_of(request))
        new = feed.snapshot().run_id
        return {**panel.reset(), **opener.open(new, own_memory, request)}

    def follow_video(run_id: str) -> Update:
        there = bool(run_id) and exists(context, run_id)
        return {panel.panel: gr.Accordion(visible=there), **panel.clear()}

    panel.show.click(guarded(show_changes), [state.run_id, *panel.fields], panel.outputs, **QUIET)
    panel.apply.click(
        guarded(make_changed),
        [state.run_id, panel.shown, state.own_memory],
        [*panel.outputs, *panel.fields, *opener.outputs],
        **SOON,
    ).success(None, state.last_run, None, js=REMEMBER, api_visibility="private")
    state.run_id.change(guarded(follow_video), state.run_id, [panel.panel, *panel.outputs], **QUIET)


def wire_plan(context: AppContext, state: PageState, recipe: RecipeStep, plan: PlanStep) -> None:
    """Connect the panel of the Plan step."""
    panel = plan.change

    def show_plan_changes(
        draft: Draft | None,
        without: Any,
        swap: Any,
        skip: Any,
        add: Any,
        servings: Any,
        diet: Any,
        request: gr.Request | None = None,
    ) -> Update:
        planned = require_draft(draft)
        wishes = wishes_in(without, swap, skip, add, servings, diet)
        context.allowance.spend(visitor_of(request), "plans")
        found = detour_of(planned, wishes)
        return {
            panel.shown: ShownChanges(wishes),
            panel.result: difference(found),
            panel.apply: gr.Button(visible=True),
        }

    def apply_to_plan(
        draft: Draft | None, changes: Changed, edits: PlanEdits, shown: ShownChanges | None
    ) -> Update:
        before = require_draft(draft)
        if shown is None:
            raise InputError("No changes are shown.", NOT_SHOWN)
        found = detour_of(before, shown.wishes)
        moved = {shot.old: n for n, shot in enumerate(found.shots, start=1) if shot.old}
        after = EditedPlan(found.recipe, found.plan, moved)
        return {
            state.draft: Draft(found.recipe, found.plan),
            state.changes: moved_changes(changes, after),
            recipe.recipe: recipe_text(found.recipe),
            **replan(context, plan, found.plan, edits, (before, changes)),
            **panel.reset(),
        }

    panel.show.click(
        guarded(show_plan_changes), [state.draft, *panel.fields], panel.outputs, **EDITING
    )
    panel.apply.click(
        guarded(apply_to_plan),
        [state.draft, state.changes, plan.edits, panel.shown],
        [state.draft, state.changes, recipe.recipe, *plan.outputs, *panel.fields],
        **EDITING,
    )
