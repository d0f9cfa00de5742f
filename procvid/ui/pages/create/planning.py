"""The Create tab's first half: what the buttons of the Recipe and Plan steps do."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from procvid.errors import InputError
from procvid.plan.table import apply_rows, rows_of, with_prompt
from procvid.types import Plan
from procvid.ui import markup
from procvid.ui.pages.create import plan_markup
from procvid.ui.pages.create.restoring import restore
from procvid.ui.server.context import AppContext
from procvid.ui.server.guard import guarded
from procvid.ui.server.guests import guest_of
from procvid.ui.server.jobs import draft_of, undrawable
from procvid.ui.server.queue import Draft

RECIPE, PLAN, REFERENCES, VIDEO, REVIEW = 1, 2, 3, 4, 5

NO_PLAN = "Paste a recipe in step 1 and press “Make the plan”."
UNDRAWABLE = (
    "This model was never taught {names}. The video will show something plain in place of that; "
    "the rest is drawn as planned."
)
OWN = "mine"
TO_THE_TOP = "() => document.getElementById('create-steps').scrollIntoView({block: 'start'})"

QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
AT_ONCE: dict[str, Any] = {**QUIET, "queue": False}
"""For what cannot fail: Gradio shows nobody the errors of an event that did not wait in its queue."""
SOON: dict[str, Any] = {**QUIET, "concurrency_limit": 8}
"""For what puts a run into the worker's queue, which takes no time."""


@dataclass(frozen=True)
class Shared:
    """What all steps of the tab share.

    Attributes:
        page: The whole page.
        walk: The steps.
        draft: Recipe and plan, or None.
        changes: By step, what was changed of its references before the first clip.
        run_id: Of the run that the page shows, or "".
        seen: What of it the page shows already.
        runs: Ids of the visitor's runs, the last one first; kept in their browser.
        last_run: The first of them, which the Evaluate tab fills in.
        own_memory: The id of their own memory, or "".
        timer: Looks after the run while it is in work.
    """

    page: gr.Blocks
    walk: gr.Walkthrough
    draft: gr.State
    changes: gr.State
    run_id: gr.State
    seen: gr.State
    runs: gr.BrowserState
    last_run: gr.BrowserState
    own_memory: gr.BrowserState
    timer: gr.Timer


@dataclass(frozen=True)
class RecipeStep:
    """The components of step 1."""

    recipe: gr.Textbox
    upload: gr.UploadButton
    memory: gr.Dropdown
    seed: gr.Number
    steps: gr.Slider
    fast: gr.Checkbox
    lora: gr.Dropdown
    key: gr.Textbox
    button: gr.Button


@dataclass(frozen=True)
class PlanStep:
    """The components of step 2."""

    notes: gr.HTML
    shown: gr.HTML
    table: gr.Dataframe
    which: gr.Dropdown
    prompt: gr.Textbox
    button: gr.Button


def wire(context: AppContext, shared: Shared, first: RecipeStep, second: PlanStep) -> None:
    """Give the components their events; all of them are private."""
    # A long plan leaves the page scrolled down, where the next step would begin unseen.
    shared.walk.change(None, None, None, js=TO_THE_TOP, api_visibility="private")

    def plan_recipe(text: str, key: str = "", request: gr.Request | None = None) -> tuple[Any, ...]:
        context.allowance.spend(guest_of(request), "plans")
        draft = draft_of(context, text, key or "")
        return draft, {}, *shown_plan(context, draft.plan), gr.Walkthrough(selected=PLAN)

    def edit_plan(draft: Draft | None, rows: list[list[Any]]) -> tuple[Any, ...]:
        if draft is None:
            return gr.skip(), gr.skip(), gr.skip(), gr.skip()
        try:
            edited = replace(draft, plan=apply_rows(draft.plan, rows))
        except InputError as error:
            # Where the table is, and not in a message box: that comes when the person goes on with it.
            told = markup.notes("The table cannot be used as it is:", [str(error)], "bad")
            return gr.skip(), told, gr.skip(), gr.skip()
        notes, shown, *_ = shown_plan(context, edited.plan)
        return edited, notes, shown, gr.Dropdown(value=None)

    def choose_step(draft: Draft | None, number: int | None) -> str:
        return there(draft).plan.steps[number - 1].prompt if number else ""

    def edit_prompt(draft: Draft | None, number: int | None, prompt: str) -> tuple[Any, Any]:
        edited = replace(there(draft), plan=with_prompt(there(draft).plan, number, prompt))
        return edited, plan_markup.plan_list(edited.plan)

    first.upload.upload(
        guarded(restore),
        first.upload,
        [first.recipe, first.seed, first.steps, first.fast, first.memory],
        **QUIET,
    )
    plan_outputs = [second.notes, second.shown, second.table, second.which]
    first.button.click(
        guarded(plan_recipe),
        [first.recipe, first.key],
        [shared.draft, shared.changes, *plan_outputs, shared.walk],
        api_visibility="private",
        show_progress="minimal",
        show_progress_on=first.button,
    )
    second.table.input(
        guarded(edit_plan),
        [shared.draft, second.table],
        [shared.draft, second.notes, second.shown, second.which],
        **QUIET,
    )
    second.which.input(guarded(choose_step), [shared.draft, second.which], second.prompt, **QUIET)
    second.prompt.blur(
        guarded(edit_prompt),
        [shared.draft, second.which, second.prompt],
        [shared.draft, second.shown],
        **QUIET,
    )


def shown_plan(context: AppContext, plan: Plan) -> tuple[Any, ...]:
    """A plan on the page: what is to be known of it, the list, the table, the choice of a step."""
    told = [*plan.notes]
    unknown = undrawable(context, plan)
    if unknown:
        told.insert(0, UNDRAWABLE.format(names=", ".join(unknown)))
    steps = [(f"Step {s.number}: {s.text[:60]}", s.number) for s in plan.steps]
    return (
        markup.notes("Before you go on:", told, "warn"),
        plan_markup.plan_list(plan),
        rows_of(plan),
        gr.Dropdown(choices=steps, value=None),
    )


def chosen_memory(chosen: str, own: str) -> str:
    """The name of a memory, or the id of the person's own; theirs is the default until they change it."""
    return (own or "default") if chosen == OWN else chosen


def there(draft: Draft | None) -> Draft:
    """The draft, or a message that there is none yet."""
    if draft is None:
        raise gr.Error(NO_PLAN, title="No plan yet", print_exception=False)
    return draft
