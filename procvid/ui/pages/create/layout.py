"""The Create page: five steps from the recipe to the reviewed video."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import gradio as gr

from procvid.ui.pages.create import (
    at_once,
    changing,
    comparing,
    open_run,
    plan_step,
    recipe_step,
    references_step,
    review_step,
    sketch,
    video_step,
)
from procvid.ui.pages.create.shared import PLAN, RECIPE, REFERENCES, REVIEW, VIDEO, PageState
from procvid.ui.server.context import AppContext

POLL_S = 0.7
"""Seconds between two polls of a run in progress."""
TO_THE_TOP = "() => document.getElementById('create-steps').scrollIntoView({block: 'start'})"


@dataclass(frozen=True)
class CreatePage:
    """The components of the Create page."""

    state: PageState
    recipe: recipe_step.RecipeStep
    plan: plan_step.PlanStep
    references: references_step.ReferencesStep
    make: gr.Button
    video: video_step.VideoStep
    review: review_step.ReviewStep
    compare: comparing.CompareParts
    opener: open_run.RunOpener


def build(
    context: AppContext,
    page: gr.Blocks,
    own_memory: gr.BrowserState,
    compared: gr.BrowserState,
    sync: gr.Button,
) -> CreatePage:
    """Lay out the page and connect its events, all of which are private.

    Args:
        context: The app.
        page: The whole page.
        own_memory: Id of the visitor's own memory.
        compared: The two runs that the Evaluate tab compares.
        sync: Pressed when another tab of the browser has added a run.
    """
    with gr.Tabs(selected=RECIPE, elem_id="create-steps", elem_classes="pv-stepper") as walk:
        with gr.Tab("Recipe", id=RECIPE):
            recipe = recipe_step.build(context)
        with gr.Tab("Plan", id=PLAN):
            plan = plan_step.build()
        with gr.Tab("References", id=REFERENCES) as references_tab:
            references = references_step.build()
            sketches = sketch.build()
            make = gr.Button("Make the video", variant="primary", elem_classes="pv-next")
        with gr.Tab("Video", id=VIDEO):
            video = video_step.build()
            gr.HTML(f'<p class="pv-small">{escape(context.retention.summary)}</p>')
        with gr.Tab("Review", id=REVIEW) as review_tab:
            review = review_step.build(review_tab)
    state = PageState(
        page=page,
        walk=walk,
        draft=gr.State(None),
        changes=gr.State({}),
        run_id=gr.State(""),
        seen=gr.State(None),
        runs=gr.BrowserState([], storage_key="procvid-runs", secret="procvid"),
        last_run=gr.BrowserState("", storage_key="procvid-last-run", secret="procvid"),
        own_memory=own_memory,
        timer=gr.Timer(POLL_S, active=False),
        sync=sync,
    )
    # A long plan leaves the page scrolled down; the next step must start at the top.
    walk.change(None, None, None, js=TO_THE_TOP, api_visibility="private")
    recipe_step.wire(context, page, recipe)
    at_once.wire(context, state, recipe, plan, video)
    plan_step.wire(context, state, recipe, plan)
    references_step.wire(context, state, recipe, plan, references, references_tab)
    sketch.wire(context, state, recipe, sketches)
    video_step.wire(context, state, recipe, make, video)
    review_step.wire(context, state, video, review)
    opener = open_run.RunOpener(context, state, recipe, plan, video, review)
    open_run.wire(opener, page)
    changing.wire_plan(context, state, recipe, plan)
    changing.wire_review(context, opener)
    comparing.wire(context, state, review.compare, compared)
    return CreatePage(state, recipe, plan, references, make, video, review, review.compare, opener)
