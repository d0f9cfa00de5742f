"""Step 2 of the Create page: the plan, and editing it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from procvid.errors import InputError
from procvid.plan.table import HEADERS, apply_rows, rows_of, with_prompt
from procvid.types import Plan
from procvid.ui import markup
from procvid.ui.pages.create import plan_markup
from procvid.ui.pages.create.recipe_step import RecipeStep
from procvid.ui.pages.create.shared import (
    NO_PLAN,
    PLAN,
    QUIET,
    PageState,
    Update,
    require_draft,
)
from procvid.ui.server.context import AppContext
from procvid.ui.server.guard import guarded
from procvid.ui.server.jobs import make_draft, undrawable
from procvid.ui.server.queue import Draft
from procvid.ui.server.visitors import visitor_of

UNDRAWABLE = "This model cannot draw {names}. The video shows a plain shape instead."


@dataclass(frozen=True)
class PlanStep:
    """The components of step 2."""

    notes: gr.HTML
    shown: gr.HTML
    table: gr.Dataframe
    which: gr.Dropdown
    prompt: gr.Textbox
    button: gr.Button

    @property
    def outputs(self) -> list[Any]:
        """The components that `show_plan` fills."""
        return [self.notes, self.shown, self.table, self.which]


def build() -> PlanStep:
    """Lay out the step."""
    notes = gr.HTML()
    shown = gr.HTML(markup.empty(NO_PLAN))
    with gr.Accordion("Edit objects and states", open=False):
        gr.HTML(
            '<p class="pv-small">Each row is one object of a step. Edit a cell, add a row, or clear '
            "a row to remove the object. Kind: vessel, surface, tool or food. Stays the same: "
            "highly likely, likely or unlikely.</p>"
        )
        table = gr.Dataframe(
            headers=HEADERS,
            datatype="str",
            type="array",
            column_count=len(HEADERS),
            interactive=True,
            wrap=True,
            show_label=False,
            label="Objects and states",
            max_height=420,
            column_widths=["64px", "150px", "96px", "120px", "120px", "130px"],
        )
    with gr.Accordion("Edit prompts", open=False):
        which = gr.Dropdown(label="Step", choices=[], info="Choose a step to see its prompt.")
        prompt = gr.Textbox(
            label="Prompt",
            lines=3,
            info="The looks of the references are appended to this prompt.",
        )
    button = gr.Button("Find references", variant="primary", elem_classes="pv-next")
    return PlanStep(notes, shown, table, which, prompt, button)


def wire(context: AppContext, state: PageState, recipe: RecipeStep, step: PlanStep) -> None:
    """Connect the events of the step, and the button that opens it."""

    def plan_recipe(
        text: str, key: str = "", request: gr.Request | None = None, shots: str = "auto"
    ) -> Update:
        context.allowance.spend(visitor_of(request), "plans")
        draft = make_draft(context, text, key or "", shots)
        return {
            state.draft: draft,
            state.changes: {},
            state.walk: gr.Tabs(selected=PLAN),
            **show_plan(context, step, draft.plan),
        }

    def edit_plan(draft: Draft | None, rows: list[list[Any]]) -> Update:
        if draft is None:
            return {step.notes: gr.skip()}
        try:
            edited = replace(draft, plan=apply_rows(draft.plan, rows))
        except InputError as error:
            # Shown beside the table; a message box appears when the visitor continues.
            return {step.notes: markup.notes("The table has an error:", [str(error)], "bad")}
        # The table keeps what was typed, and the cursor.
        shown = show_plan(context, step, edited.plan)
        return {state.draft: edited, **shown, step.table: gr.skip()}

    def choose_step(draft: Draft | None, number: int | None) -> str:
        return require_draft(draft).plan.steps[number - 1].prompt if number else ""

    def edit_prompt(draft: Draft | None, number: int | None, prompt: str) -> Update:
        before = require_draft(draft)
        edited = replace(before, plan=with_prompt(before.plan, number, prompt))
        return {state.draft: edited, step.shown: plan_markup.plan_list(edited.plan)}

    recipe.button.click(
        guarded(plan_recipe),
        [recipe.recipe, recipe.key, recipe.shots],
        [state.draft, state.changes, state.walk, *step.outputs],
        api_visibility="private",
        show_progress="minimal",
        show_progress_on=recipe.button,
    )
    step.table.input(
        guarded(edit_plan), [state.draft, step.table], [state.draft, *step.outputs], **QUIET
    )
    step.which.input(guarded(choose_step), [state.draft, step.which], step.prompt, **QUIET)
    step.prompt.blur(
        guarded(edit_prompt),
        [state.draft, step.which, step.prompt],
        [state.draft, step.shown],
        **QUIET,
    )


def show_plan(context: AppContext, step: PlanStep, plan: Plan) -> Update:
    """Show a plan: its notes, the list, the table, and the choice of a step."""
    notes = [*plan.notes]
    unknown = undrawable(context, plan)
    if unknown:
        notes.insert(0, UNDRAWABLE.format(names=", ".join(unknown)))
    choices = [(f"Step {plan.names[s.number]}: {s.text[:60]}", s.number) for s in plan.steps]
    return {
        step.notes: markup.notes("Notes on this plan:", notes, "warn"),
        step.shown: plan_markup.plan_list(plan),
        step.table: rows_of(plan),
        step.which: gr.Dropdown(choices=choices, value=None),
    }
