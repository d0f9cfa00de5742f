"""The same recipe with and without the memory, same seeds: made here, set side by side in Evaluate."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import gradio as gr

from procvid.ui.pages.create.planning import QUIET, SOON, VIDEO, Shared
from procvid.ui.pages.create.watching import MAX_RUNS, ReviewStep, VideoStep, watch, watched_by
from procvid.ui.server.context import AppContext
from procvid.ui.server.guard import guarded
from procvid.ui.server.guests import guest_of
from procvid.ui.server.jobs import begin


def wire(
    context: AppContext,
    shared: Shared,
    w: VideoStep,
    r: ReviewStep,
    compared: gr.BrowserState,
    tabs: gr.Tabs,
) -> None:
    """Give the buttons their events; both are private."""

    def make_other(
        run_id: str, runs: list[str] | None, request: gr.Request | None = None
    ) -> tuple[Any, ...]:
        job = context.job_of(run_id)
        memory = "default" if job.wishes.memory == "none" else "none"
        wishes = replace(job.wishes, memory=memory)
        feed = begin(context, job.draft, wishes, guest_of(request))
        view = feed.snapshot()
        return (
            view.run_id,
            view.run_id,
            [view.run_id, *(runs or [])][:MAX_RUNS],
            [run_id, view.run_id] if memory == "none" else [view.run_id, run_id],
            gr.Button(visible=True),
            gr.Walkthrough(selected=VIDEO),
            *watch(view, None),
        )

    def open_evaluate() -> Any:
        return gr.Tabs(selected="evaluate")

    outputs = [shared.run_id, shared.last_run, shared.runs, compared, r.side_by_side, shared.walk]
    r.compare.click(
        guarded(make_other),
        [shared.run_id, shared.runs],
        [*outputs, *watched_by(shared, w)],
        **SOON,
    )
    r.side_by_side.click(guarded(open_evaluate), None, tabs, **QUIET)
