"""State and settings that the steps of the Create page share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from procvid.ui.server.queue import Draft

RECIPE, PLAN, REFERENCES, VIDEO, REVIEW = 1, 2, 3, 4, 5

NO_PLAN = "Paste a recipe in step 1 and press “Make the plan”."
OWN = "mine"
"""Value of the Memory field for the visitor's own image library."""

QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
AT_ONCE: dict[str, Any] = {**QUIET, "queue": False}
"""For events that cannot fail: Gradio does not show the errors of events outside its queue."""
SOON: dict[str, Any] = {**QUIET, "concurrency_limit": 8}
"""For events that put a run into the worker's queue, which takes no time."""

EDITING: dict[str, Any] = {**QUIET, "concurrency_id": "plan", "concurrency_limit": 1}
"""For edits of a draft, and for what must wait for them: they are worked on one after another."""

Update = dict[Any, Any]
"""Updates of an event: new values by component. Other outputs stay unchanged."""


@dataclass(frozen=True)
class PageState:
    """The state of the Create page.

    Attributes:
        page: The whole page.
        walk: The five steps.
        draft: Recipe and plan, or None.
        changes: Changes to the references before the first clip, by step.
        run_id: The run that the page shows, or "".
        seen: State of that run as shown on the page; see `video_step.watch`.
        runs: Ids of the visitor's runs as an older version stored them; `browser.LIST` adds to it.
        last_run: The latest of them; stored in the browser, and used by the Evaluate tab.
        own_memory: Id of the visitor's own memory, or ""; stored in the browser.
        timer: Polls the run while it is in progress.
        sync: Pressed when another tab of the browser has added a run.
    """

    page: gr.Blocks
    walk: gr.Tabs
    draft: gr.State
    changes: gr.State
    run_id: gr.State
    seen: gr.State
    runs: gr.BrowserState
    last_run: gr.BrowserState
    own_memory: gr.BrowserState
    timer: gr.Timer
    sync: gr.Button


def chosen_memory(chosen: str, own: str) -> str:
    """Return the memory to use: a visitor without one of their own gets the default."""
    return (own or "default") if chosen == OWN else chosen


def require_draft(draft: Draft | None) -> Draft:
    """Return the draft, or raise gr.Error if there is none."""
    if draft is None:
        raise gr.Error(NO_PLAN, title="No plan yet", print_exception=False)
    return draft
