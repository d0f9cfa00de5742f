"""Step 4 of the Create page: start a run and follow its progress."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from procvid.types import StepChanges
from procvid.ui import markup
from procvid.ui.browser import REMEMBER
from procvid.ui.pages.create import run_markup
from procvid.ui.pages.create.recipe_step import RecipeStep
from procvid.ui.pages.create.run_options import coherence_of
from procvid.ui.pages.create.shared import (
    AT_ONCE,
    EDITING,
    SOON,
    VIDEO,
    PageState,
    Update,
    chosen_memory,
    require_draft,
)
from procvid.ui.server.context import AppContext
from procvid.ui.server.guard import guarded
from procvid.ui.server.jobs import read_options, resume_run, start_run
from procvid.ui.server.pulled_stores import loras_of, stores_of
from procvid.ui.server.queue import Draft
from procvid.ui.server.redo import fitted
from procvid.ui.server.stream import RunView
from procvid.ui.server.visitors import visitor_of

NO_CLIPS = "Press “Make the video” in step 3. The clips appear here, one by one."


STATUS = "pv-video-status"
IS_WATCHING = f"""(...values) => {{
  const watching = Boolean(document.getElementById('{STATUS}')?.offsetParent);
  if (watching) window.procvidWatchedAt = Date.now();
  return [...values.slice(0, -1), watching];
}}"""
"""Sets the last input of an event to true if the visitor looks at the Video step.

The player of the whole video reads the time of this, and starts the video of a run just watched.
"""


@dataclass(frozen=True)
class VideoStep:
    """The components of step 4.

    Attributes:
        status: State and progress.
        stop: Stops the run.
        resume: Makes the missing and stale steps.
        review: Opens the Review step.
        board: A card per step.
        notes: The warnings.
        watching: Input for `IS_WATCHING`.
    """

    status: gr.HTML
    stop: gr.Button
    resume: gr.Button
    review: gr.Button
    board: gr.HTML
    notes: gr.HTML
    watching: gr.Checkbox

    @property
    def outputs(self) -> list[Any]:
        """The components that `watch` fills, without the state of the page."""
        return [self.status, self.board, self.notes, self.stop, self.resume, self.review]


def build() -> VideoStep:
    """Lay out the step."""
    status = gr.HTML(markup.empty(NO_CLIPS), elem_id=STATUS, apply_default_css=False)
    with gr.Row(elem_classes="pv-runbuttons"):
        stop = gr.Button("Stop", variant="stop", visible=False, scale=0)
        resume = gr.Button("Resume", variant="primary", visible=False, scale=0)
        review = gr.Button("Review the clips", visible=False, scale=0)
    board = gr.HTML(js_on_load=run_markup.BOARD_SCRIPT, apply_default_css=False)
    watching = gr.Checkbox(visible=False)
    return VideoStep(status, stop, resume, review, board, gr.HTML(), watching)


def wire(
    context: AppContext,
    state: PageState,
    recipe: RecipeStep,
    make_button: gr.Button,
    step: VideoStep,
) -> None:
    """Connect the events of the step, and the button that starts the run."""

    def make(
        draft: Draft | None,
        changed: Mapping[int, StepChanges],
        memory: str,
        seed: float | None,
        steps: float,
        fast: bool,
        own: str = "",
        request: gr.Request | None = None,
        lora: str = "",
        size: str = "",
        frames: int | None = None,
        takes: int = 1,
        verify: bool = False,
        rolling: bool = False,
    ) -> Update:
        options = read_options(
            seed or 0,
            chosen_memory(memory, own),
            int(steps) or None,
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
        changes = {number: fitted(of_step) for number, of_step in changed.items()}
        feed = start_run(context, require_draft(draft), options, visitor_of(request), changes)
        return show_new_run(state, step, feed.snapshot())

    def resume(run_id: str, request: gr.Request | None = None) -> Update:
        feed = resume_run(context, run_id, visitor_of(request))
        return watch(state, step, feed.snapshot(), None)

    def stop(run_id: str) -> Any:
        context.worker.stop(run_id)
        return gr.Button("Stopping…", interactive=False)

    watched = watch_outputs(state, step)
    # After the last change of the plan or the references is stored.
    make_button.click(lambda: None, None, None, **EDITING).then(
        guarded(make),
        [
            state.draft, state.changes, recipe.memory, recipe.seed, recipe.steps, recipe.fast,
            state.own_memory, recipe.lora, recipe.options.size, recipe.options.frames,
            recipe.options.takes, recipe.options.verify, recipe.options.rolling,
        ],
        new_run_outputs(state, step),
        **SOON,
    ).success(None, state.last_run, None, js=REMEMBER, api_visibility="private")  # fmt: skip
    step.resume.click(guarded(resume), state.run_id, watched, **SOON)
    step.stop.click(guarded(stop), state.run_id, step.stop, **AT_ONCE)


def watch_outputs(state: PageState, step: VideoStep) -> list[Any]:
    """Return the outputs of an event that returns `watch`."""
    return [*step.outputs, state.timer, state.seen]


def watch(state: PageState, step: VideoStep, view: RunView, seen: Any) -> Update:
    """Show a run in the Video step.

    Args:
        state: The state of the page.
        step: The components to fill.
        view: The run.
        seen: The value of `state.seen`: state and HTML as shown last. Only what changed since is sent.
    """
    drawn = {
        step.status: run_markup.status(view),
        step.board: run_markup.storyboard(view),
        step.notes: run_markup.warnings(view),
    }
    shows = (view.state, *drawn.values())
    before = seen if isinstance(seen, tuple) and len(seen) == len(shows) else ("",) * len(shows)
    changed: Update = {
        part: html
        for (part, html), old in zip(drawn.items(), before[1:], strict=True)
        if html != old
    }
    changed |= {state.timer: gr.Timer(active=not view.ended), state.seen: shows}
    if view.state == before[0]:
        return changed
    return {
        **changed,
        step.stop: gr.Button("Stop", interactive=True, visible=not view.ended),
        step.resume: gr.Button(
            "Redo stale steps" if view.state == "stale" else "Resume",
            visible=view.state in ("stopped", "failed", "stale"),
        ),
        step.review: gr.Button(visible=view.ended and bool(view.clips)),
    }


def was_in_progress(seen: Any) -> bool:
    """Return True if the page has shown this run in progress; `seen` is the value of `state.seen`."""
    return isinstance(seen, tuple) and bool(seen) and seen[0] in ("waiting", "running")


def new_run_outputs(state: PageState, step: VideoStep) -> list[Any]:
    """Return the outputs of an event that returns `show_new_run`."""
    return [state.run_id, state.last_run, state.walk, *watch_outputs(state, step)]


def show_new_run(state: PageState, step: VideoStep, view: RunView) -> Update:
    """Open the Video step with a new run."""
    return {
        state.run_id: view.run_id,
        state.last_run: view.run_id,
        state.walk: gr.Tabs(selected=VIDEO),
        **watch(state, step, view, None),
    }
