"""Waiting for what the app's worker does."""

from __future__ import annotations

from procvid.ui.server.context import AppContext
from procvid.ui.server.stream import RunView


def finished(context: AppContext, run_id: str) -> RunView:
    """The run when the worker is done with it."""
    feed = context.worker.feed(run_id)
    if feed is not None:
        for _ in feed.follow():
            pass
    return context.view_of(run_id)
