"""Make a run again with or without memory, and open both in the Evaluate tab."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import gradio as gr

from procvid.run.folder import RunFolder, read_run
from procvid.run.generate import step_seed
from procvid.run.takes import seeds_of
from procvid.types import StepChanges
from procvid.ui.browser import REMEMBER
from procvid.ui.pages.create.review_step import ReviewStep
from procvid.ui.pages.create.shared import QUIET, SOON, PageState, Update
from procvid.ui.pages.create.video_step import VideoStep, new_run_outputs, show_new_run
from procvid.ui.server.context import AppContext
from procvid.ui.server.guard import guarded
from procvid.ui.server.jobs import start_run
from procvid.ui.server.visitors import visitor_of


def wire(
    context: AppContext,
    state: PageState,
    video: VideoStep,
    review: ReviewStep,
    compared: gr.BrowserState,
    tabs: gr.Tabs,
) -> None:
    """Connect the two buttons of the Review step."""

    def make_other(run_id: str, request: gr.Request | None = None) -> Update:
        job = context.job_of(run_id)
        memory = "default" if job.options.memory == "none" else "none"
        options = replace(job.options, memory=memory)
        # A redone step has its own seed, which the other run must use too.
        path = context.existing_folder_of(run_id)
        seeds = {
            number: StepChanges(seed=seed)
            for number, seed in seeds_of(RunFolder(path, read_run(path))).items()
            if seed != step_seed(options.seed, number)
        }
        view = start_run(context, job.draft, options, visitor_of(request), seeds).snapshot()
        return {
            compared: [run_id, view.run_id] if memory == "none" else [view.run_id, run_id],
            review.side_by_side: gr.Button(visible=True),
            **show_new_run(state, video, view),
        }

    def open_evaluate() -> Any:
        return gr.Tabs(selected="evaluate")

    review.compare.click(
        guarded(make_other),
        state.run_id,
        [compared, review.side_by_side, *new_run_outputs(state, video)],
        **SOON,
    ).success(None, state.last_run, None, js=REMEMBER, api_visibility="private")
    review.side_by_side.click(guarded(open_evaluate), None, tabs, **QUIET)
