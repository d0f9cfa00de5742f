"""The visitor's own runs: list them, and open one from the list or from the page's address."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import gradio as gr

from procvid.errors import ProcvidError, RunError
from procvid.plan.shots import mode_of
from procvid.ui.browser import ADDRESS, LIST
from procvid.ui.pages.create.plan_step import PlanStep, show_plan
from procvid.ui.pages.create.recipe_step import RecipeStep, recipe_text
from procvid.ui.pages.create.shared import QUIET, PageState, Update
from procvid.ui.pages.create.video_step import VideoStep, tab_of, watch, watch_outputs
from procvid.ui.server.context import AppContext
from procvid.ui.server.guard import guarded, one_line
from procvid.ui.server.runs import read_label
from procvid.ui.server.stream import RunView


@dataclass(frozen=True)
class RunList:
    """The components of the list."""

    row: gr.Row
    which: gr.Dropdown
    button: gr.Button


def build() -> RunList:
    """Lay out the list; it is hidden until the visitor has runs."""
    with gr.Row(visible=False, elem_classes="pv-last") as row:
        which = gr.Dropdown(label="Your videos", choices=[], scale=3)
        button = gr.Button("Open", size="sm", scale=0, min_width=120)
    return RunList(row, which, button)


def wire(
    context: AppContext,
    state: PageState,
    recipe: RecipeStep,
    plan: PlanStep,
    video: VideoStep,
    runs_of_visitor: RunList,
) -> None:
    """Connect the page's load event and the button of the list."""

    def arrive(runs: list[str] | None, last_run: str, request: gr.Request | None = None) -> Update:
        listed = list_runs(runs, last_run)
        asked = "" if request is None else dict(request.query_params).get("run", "")
        if asked and label(asked):
            return {**listed, **open_run(asked)}
        if asked:
            gr.Warning(f"There is no run {escape(one_line(asked, 40))}. It may have been deleted.")
        return listed

    def list_runs(runs: list[str] | None, last_run: str) -> Update:
        # The values come from the browser, so they are untrusted.
        stored = [last_run, *(runs if isinstance(runs, list) else [])]
        known = list(dict.fromkeys(run for run in stored if run and isinstance(run, str)))
        labels = {run_id: label(run_id) for run_id in known}
        choices = [(text, run_id) for run_id, text in labels.items() if text]
        return {
            runs_of_visitor.row: gr.Row(visible=bool(choices)),
            runs_of_visitor.which: gr.Dropdown(
                choices=choices, value=choices[0][1] if choices else None
            ),
        }

    def label(run_id: str) -> str:
        try:
            feed = context.worker.feed(run_id)
            if feed is not None:
                return _label(feed.snapshot())
            return read_label(run_id, context.existing_folder_of(run_id))
        except ProcvidError:
            # The run was deleted or belongs to another server.
            return ""

    def open_run(run_id: str | None) -> Update:
        if not run_id:
            raise RunError("No video is chosen.", "Choose one from the list first.")
        job, view = context.job_of(run_id), context.view_of(run_id)
        return {
            recipe.recipe: recipe_text(job.draft.recipe),
            recipe.shots: mode_of(job.draft.recipe),
            state.draft: job.draft,
            state.changes: {},
            state.run_id: run_id,
            state.walk: tab_of(view),
            **show_plan(context, plan, job.draft.plan),
            **watch(state, video, view, None),
        }

    def remember(run_id: str) -> str:
        return run_id

    opened = [
        recipe.recipe, recipe.shots, state.draft, state.changes, state.run_id, state.walk, *plan.outputs,
        *watch_outputs(state, video),
    ]  # fmt: skip
    shown = [runs_of_visitor.row, runs_of_visitor.which]
    kept = [state.runs, state.last_run]
    state.page.load(guarded(arrive), kept, [*shown, *opened], js=LIST, **QUIET)
    state.sync.click(guarded(list_runs), kept, shown, js=LIST, **QUIET)
    runs_of_visitor.button.click(guarded(open_run), runs_of_visitor.which, opened, **QUIET).success(
        guarded(remember), runs_of_visitor.which, state.last_run, **QUIET
    ).then(None, state.last_run, None, js=ADDRESS, api_visibility="private")


def _label(view: RunView) -> str:
    title = view.plan.title if view.plan else "recipe"
    return f"{title}: {len(view.clips)} of {len(view.steps)} clips, {view.state}"
