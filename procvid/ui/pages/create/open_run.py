"""Open a run in the Create page, from the page's address or from the library."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, cast

import gradio as gr

from procvid.errors import ProcvidError
from procvid.plan.recipe.written import recipe_text
from procvid.plan.shots import mode_of
from procvid.ui import markup
from procvid.ui.pages.create.plan_step import PlanStep, show_plan
from procvid.ui.pages.create.recipe_step import RecipeStep
from procvid.ui.pages.create.review_step import ReviewStep, show_review
from procvid.ui.pages.create.run_options import list_loras, list_memories, shown_shape
from procvid.ui.pages.create.shared import OWN, QUIET, REVIEW, VIDEO, PageState, Update
from procvid.ui.pages.create.video_step import VideoStep, watch, watch_outputs
from procvid.ui.server.context import MEMORIES, AppContext
from procvid.ui.server.guard import for_the_page, guarded
from procvid.ui.server.library import DeletedError, read_facts
from procvid.ui.server.own_memory import alias_of
from procvid.ui.server.pulled_stores import loras_of, stores_of
from procvid.ui.server.queue import RunOptions
from procvid.ui.server.twins import asked_runs

NO_VIDEO = "There is no video at this address. Open one in the Library."


@dataclass(frozen=True)
class RunOpener:
    """Fills the steps of the Create page with a run.

    Attributes:
        context: The app.
        state: The state of the page.
        recipe: Step 1.
        plan: Step 2.
        video: Step 4.
        review: Step 5.
    """

    context: AppContext
    state: PageState
    recipe: RecipeStep
    plan: PlanStep
    video: VideoStep
    review: ReviewStep

    @property
    def outputs(self) -> list[Any]:
        """The components that `open` and `follow` fill."""
        recipe, state = self.recipe, self.state
        return [
            recipe.recipe, recipe.shots, recipe.seed, recipe.memory, recipe.steps, recipe.fast,
            recipe.lora, recipe.options.size, recipe.options.frames, recipe.options.takes,
            recipe.options.verify, recipe.options.rolling, state.draft, state.changes,
            state.run_id, state.last_run, state.walk,
            *self.plan.outputs, *watch_outputs(state, self.video), *self.review.outputs,
        ]  # fmt: skip

    def open(self, run_id: str, own_memory: object, request: gr.Request) -> Update:
        """Show a run: its recipe, options and plan, and its clips or its whole video.

        Args:
            run_id: The run.
            own_memory: Id of the visitor's own memory; comes from the browser.
            request: The visitor's request, for the stores that they may use.

        Raises:
            RunError: There is no such run, it was deleted, or its files are damaged.
        """
        job, view = self.context.job_of(run_id), self.context.view_of(run_id)
        recipe, state, loras = self.recipe, self.state, loras_of(request)
        return {
            recipe.recipe: recipe_text(job.draft.recipe),
            recipe.shots: mode_of(job.draft.recipe),
            recipe.seed: job.options.seed,
            recipe.steps: job.options.steps or self.context.profile.sampling.num_inference_steps,
            recipe.fast: job.options.fast and self.context.profile.has_fast,
            recipe.memory: _with_choices(
                list_memories(request), _memory(job.options, own_memory, stores_of(request))
            ),
            recipe.lora: _with_choices(
                list_loras(request), job.options.lora if job.options.lora in loras else ""
            ),
            **_shape(recipe, self.context, job.options),
            recipe.options.takes: job.options.takes,
            recipe.options.verify: job.options.verify,
            recipe.options.rolling: job.options.coherence == "rolling",
            state.draft: job.draft,
            state.changes: self.context.reference_changes(job),
            state.run_id: run_id,
            state.last_run: run_id,
            state.walk: gr.Tabs(selected=REVIEW if view.video else VIDEO),
            **show_plan(self.context, self.plan, job.draft.plan),
            **watch(state, self.video, view, None),
            **show_review(self.context, self.review, view),
        }

    def follow(self, run_id: str, seen: object) -> Update:
        """Update the page after its run was deleted or restored; else return no updates.

        Args:
            run_id: The run that the page shows, or "".
            seen: The value of `PageState.seen`.
        """
        if not run_id:
            return {}
        if not read_facts(self.context.folder_of(run_id)).deleted_at_s:
            return self._reopen(run_id) if seen == "closed" else {}
        video, hidden = self.video, gr.Button(visible=False)
        return {
            video.status: markup.note("This video was deleted. To restore it, open the Library."),
            video.board: "",
            video.notes: "",
            video.stop: hidden,
            video.resume: hidden,
            video.review: hidden,
            self.state.seen: "closed",
            self.state.timer: gr.Timer(active=False),
            self.state.walk: gr.Tabs(selected=VIDEO),
        }

    def _reopen(self, run_id: str) -> Update:
        return watch(self.state, self.video, self.context.view_of(run_id), None)


def wire(opener: RunOpener, page: gr.Blocks) -> None:
    """Open the run in the page's address when the page loads."""

    def arrive(own_memory: str, request: gr.Request) -> Update:
        both = asked_runs(opener.context, dict(request.query_params))
        asked = both.run_id
        if both.lost:
            gr.Warning(both.lost)
        if not asked:
            return {opener.state.run_id: ""}
        try:
            return opener.open(asked, own_memory, request)
        except DeletedError as error:
            gr.Warning(for_the_page(error))
        except ProcvidError:
            gr.Warning(NO_VIDEO)
        return {opener.state.run_id: ""}

    page.load(guarded(arrive), opener.state.own_memory, opener.outputs, **QUIET)


def _memory(options: RunOptions, own: object, stores: Collection[str]) -> str:
    """Return the choice in the Memory field for a run; the default for a library of someone else."""
    if options.memory in MEMORIES or options.memory in stores:
        return options.memory
    is_own = isinstance(own, str) and own and alias_of(own) == alias_of(options.memory)
    return OWN if is_own else "default"


def _shape(recipe: RecipeStep, context: AppContext, options: RunOptions) -> Update:
    size = f"{options.width}x{options.height}"
    return shown_shape(recipe.options, context.profile, size, options.num_frames)


def _with_choices(fresh: gr.Dropdown, value: str) -> gr.Dropdown:
    """Return the update of a list whose choices may have grown since the page was opened."""
    return gr.Dropdown(choices=cast(Any, fresh.choices), value=value)
