"""Wait for the app's worker, and call the events of the Create page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from procvid.ui.pages.create.layout import CreatePage, build
from procvid.ui.server.context import AppContext
from procvid.ui.server.stream import RunView

Events = dict[str, Callable[..., Any]]


def finished(context: AppContext, run_id: str) -> RunView:
    """Return the run when the worker is done with it."""
    feed = context.worker.feed(run_id)
    if feed is not None:
        for _ in feed.follow():
            pass
    return context.view_of(run_id)


def events_of(app: gr.Blocks) -> Events:
    """Return the events of a page by name."""
    return {f.name: f.fn for f in app.fns.values()}


def create_page(context: AppContext) -> tuple[CreatePage, Events, gr.BrowserState]:
    """Build a Create page of its own: its components, its events, and the runs to compare.

    The answers of the events are keyed by these components.
    """
    with gr.Blocks() as app:
        own, compared = gr.BrowserState(""), gr.BrowserState(["", ""])
        with gr.Tabs(), gr.Tab("Create"):
            page = build(context, app, own, compared, gr.Button())
    return page, events_of(app), compared


def pressed(act: str, **data: Any) -> gr.EventData:
    """Return the event of a pressed button or a changed field."""
    return gr.EventData(None, {"act": act, **{key: str(value) for key, value in data.items()}})
