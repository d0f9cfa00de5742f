"""The panel that makes a film to take away: voice, captions, shape, GIF, or a recipe card."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from procvid.ui.pages.create.shared import PageState, Update
from procvid.ui.server.context import AppContext
from procvid.ui.server.stream import RunView


@dataclass(frozen=True)
class TakeAway:
    """The components of the panel."""

    panel: gr.Accordion

    @property
    def outputs(self) -> list[Any]:
        """The components that `offer` and `hide` fill."""
        return [self.panel]


def build() -> TakeAway:
    """Lay out the panel; it is hidden until there is a video."""
    with gr.Accordion("Take it with you", open=False, visible=False) as panel:
        gr.HTML()
    return TakeAway(panel)


def offer(film: TakeAway, view: RunView) -> Update:
    """Show the panel if the run has a video."""
    return {film.panel: gr.Accordion(visible=view.video is not None)}


def hide(film: TakeAway) -> Update:
    """Hide the panel."""
    return {film.panel: gr.Accordion(visible=False)}


def wire(context: AppContext, state: PageState, film: TakeAway) -> None:
    """Connect the events of the panel."""
