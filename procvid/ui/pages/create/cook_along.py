"""The panel that compares a visitor's own clip with the recipe of the video."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from procvid.errors import InputError
from procvid.ui.differences import coached_words
from procvid.ui.pages.create.shared import QUIET, PageState, Update
from procvid.ui.server.context import AppContext
from procvid.ui.server.differences import coach_clip
from procvid.ui.server.guard import guarded
from procvid.ui.server.stream import RunView
from procvid.ui.server.visitors import visitor_of

ANY = "Find out which step it is"
LOOKING = '<p class="pv-small" role="status">Watching your clip…</p>'


@dataclass(frozen=True)
class CookAlong:
    """The components of the panel."""

    panel: gr.Accordion
    clip: gr.File
    step: gr.Dropdown
    compare: gr.Button
    result: gr.HTML

    @property
    def outputs(self) -> list[Any]:
        """The components that `offer` and `hide` fill."""
        return [self.panel, self.step, self.result]


def build() -> CookAlong:
    """Lay out the panel; it is hidden until there is a video."""
    with gr.Accordion("Compare your own clip with a step", open=False, visible=False) as panel:
        gr.HTML(
            '<p class="pv-small">Upload a clip of your own cooking: which step it is, what differs, '
            "and whether that is a mistake or a variation. Only you see the clip. It does not "
            "judge food safety.</p>"
        )
        clip = gr.File(label="Your clip", file_types=[".mp4", ".mov", ".mkv", ".webm"], height=110)
        step = gr.Dropdown([(ANY, "")], value="", label="Step")
        compare = gr.Button("Compare with the recipe", variant="primary")
        result = gr.HTML()
    return CookAlong(panel, clip, step, compare, result)


def offer(parts: CookAlong, view: RunView) -> Update:
    """Show the panel if the run has a video, with the steps to choose from."""
    steps = view.plan.steps if view.plan else ()
    names = view.plan.names if view.plan else {}
    choices = [(ANY, "")] + [
        (f"Step {names[step.number]}: {step.text[:60]}", names[step.number]) for step in steps
    ]
    return {
        parts.panel: gr.Accordion(visible=view.video is not None),
        parts.step: gr.Dropdown(choices=choices, value=""),
        parts.result: "",
    }


def hide(parts: CookAlong) -> Update:
    """Hide the panel."""
    return {parts.panel: gr.Accordion(visible=False), parts.result: ""}


def wire(context: AppContext, state: PageState, parts: CookAlong) -> None:
    """Connect the events of the panel."""

    def compare(
        run_id: str, clip: str | None, step: str | None, request: gr.Request | None = None
    ) -> Iterator[Update]:
        if not clip:
            raise InputError("There is no clip yet.", "Upload one.")
        context.allowance.spend(visitor_of(request), "evaluations")
        yield {parts.result: LOOKING}
        try:
            coached, plan = coach_clip(context, run_id, clip, step or "")
        except Exception:
            yield {parts.result: ""}
            raise
        yield {parts.result: coached_words(coached, plan)}

    parts.compare.click(
        guarded(compare), [state.run_id, parts.clip, parts.step], [parts.result], **QUIET
    )
