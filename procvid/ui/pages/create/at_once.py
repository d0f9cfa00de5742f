"""Plan a recipe and start its run with one press."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr

from procvid.types import StepChanges
from procvid.ui.browser import REMEMBER
from procvid.ui.pages.create.plan_step import PlanStep, same_recipe, show_plan
from procvid.ui.pages.create.recipe_step import RecipeStep
from procvid.ui.pages.create.run_options import coherence_of, options_seed
from procvid.ui.pages.create.shared import PageState, Update, chosen_memory
from procvid.ui.pages.create.video_step import VideoStep, new_run_outputs, show_new_run
from procvid.ui.server.context import AppContext
from procvid.ui.server.guard import guarded
from procvid.ui.server.jobs import make_draft, read_options, start_run
from procvid.ui.server.pulled_stores import loras_of, stores_of
from procvid.ui.server.queue import Draft
from procvid.ui.server.redo import fitted
from procvid.ui.server.visitors import visitor_of


def wire(
    context: AppContext, state: PageState, recipe: RecipeStep, plan: PlanStep, video: VideoStep
) -> None:
    """Connect the button that makes the video at once."""
    options = recipe.options

    def make_at_once(
        text: str,
        shots: str,
        memory: str,
        seed: Any,
        steps: Any,
        fast: bool,
        size: str = "",
        frames: Any = None,
        takes: Any = 1,
        verify: Any = False,
        rolling: Any = False,
        lora: str = "",
        key: str = "",
        own: str = "",
        draft: Draft | None = None,
        changed: Mapping[int, StepChanges] | None = None,
        request: gr.Request | None = None,
    ) -> Update:
        chosen = read_options(
            options_seed(seed),
            chosen_memory(memory, own),
            steps,
            fast,
            stores_of(request),
            lora,
            loras_of(request) if lora else (),
            size,
            frames,
            takes,
            verify,
            coherence_of(rolling),
        )
        visitor = visitor_of(request)
        if draft is not None and same_recipe(draft, text, shots) and not key:
            # The plan of this recipe, with its edits and the chosen references.
            changes = {number: fitted(of_step) for number, of_step in (changed or {}).items()}
            feed = start_run(context, draft, chosen, visitor, changes)
            return show_new_run(state, video, feed.snapshot())
        context.allowance.spend(visitor, "plans")
        draft = make_draft(context, text, key or "", shots)
        feed = start_run(context, draft, chosen, visitor)
        return {
            state.draft: draft,
            state.changes: {},
            **show_plan(context, plan, draft.plan),
            **show_new_run(state, video, feed.snapshot()),
        }

    recipe.make.click(
        guarded(make_at_once),
        [
            recipe.recipe, recipe.shots, recipe.memory, recipe.seed, recipe.steps, recipe.fast,
            options.size, options.frames, options.takes, options.verify, options.rolling,
            recipe.lora, recipe.key, state.own_memory, state.draft, state.changes,
        ],
        [state.draft, state.changes, *plan.outputs, *new_run_outputs(state, video)],
        api_visibility="private",
        show_progress="minimal",
        show_progress_on=recipe.make,
        concurrency_limit=8,
    ).success(None, state.last_run, None, js=REMEMBER, api_visibility="private")  # fmt: skip
