"""The sketches of step 3: the first picture of each clip, before the video is made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from procvid.run.storyboard import Keyframe, keyframes
from procvid.types import Plan
from procvid.ui.markup import note, picture_url
from procvid.ui.pages.create.recipe_step import RecipeStep
from procvid.ui.pages.create.references_step import Changed, Spot
from procvid.ui.pages.create.run_markup import MAX_COLUMNS, columns
from procvid.ui.pages.create.shared import PageState, Update
from procvid.ui.server.context import AppContext
from procvid.ui.server.guard import guarded
from procvid.ui.server.visitors import visitor_of

ABOUT = "Rough sketches. The clips are sharper and have the same layout."


@dataclass(frozen=True)
class Sketches:
    """The components: the button and the strip."""

    button: gr.Button
    shown: gr.HTML


def build() -> Sketches:
    """Lay out the button and the strip."""
    button = gr.Button("Sketch the clips first", variant="secondary", size="sm")
    return Sketches(button, gr.HTML(visible=False))


def wire(context: AppContext, state: PageState, recipe: RecipeStep, sketches: Sketches) -> None:
    """Connect the button; another plan removes the sketches."""

    def sketch(
        draft: Any,
        changed: Changed,
        memory: str,
        seed: float | None,
        own: str = "",
        request: gr.Request | None = None,
    ) -> Iterator[Update]:
        spot = Spot.of(request, draft, changed, memory, seed, own)
        context.allowance.spend(visitor_of(request), "runs")
        plan, options = spot.draft.plan, spot.options
        drawn: list[Keyframe] = []
        yield {sketches.shown: gr.HTML(note("Waiting for the model…"), visible=True)}
        with context.device.hold() as card:
            parts = context.parts(options.memory, card=card)
            sampling = options.sampling(context.profile)
            for frame in keyframes(parts, plan, sampling, options.seed, spot.changed):
                drawn.append(frame)
                yield {sketches.shown: strip(plan, drawn)}

    values = [state.draft, state.changes, recipe.memory, recipe.seed, state.own_memory]
    sketches.button.click(
        guarded(sketch),
        values,
        [sketches.shown],
        api_visibility="private",
        show_progress="minimal",
        show_progress_on=sketches.button,
    )
    for shown in (state.draft, state.changes):
        shown.change(
            lambda: gr.HTML("", visible=False),
            None,
            sketches.shown,
            api_visibility="private",
            show_progress="hidden",
        )


def strip(plan: Plan, drawn: Sequence[Keyframe]) -> str:
    """Return a card for each sketch, and how many are still to come."""
    cards = "".join(
        f'<article class="pv-card" aria-label="Sketch of step {plan.names[frame.step]}">'
        f'<div class="pv-screen"><img class="pv-live" alt="Sketch of step {plan.names[frame.step]}" '
        f'src="{picture_url(frame.image)}"></div><div class="pv-cardbody"><p class="pv-text">'
        f"{plan.names[frame.step]}. {escape(plan.steps[frame.step - 1].text)}</p></div></article>"
        for frame in drawn
    )
    height, width = drawn[0].image.shape[:2]
    shape = f"--pv-shape: {width} / {height}; --pv-columns: {columns(len(plan.steps), MAX_COLUMNS)}"
    left = len(plan.steps) - len(drawn)
    words = f"{ABOUT} {left} left." if left else ABOUT
    return f'{note(words)}<div class="pv-board" style="{shape}">{cards}</div>'
