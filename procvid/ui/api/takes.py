"""Endpoint of takes: /takes."""

from __future__ import annotations

from typing import cast

import gradio as gr

from procvid.errors import InputError
from procvid.ui.api.answers import TakesAnswer
from procvid.ui.api.typed import endpoint
from procvid.ui.server.context import AppContext
from procvid.ui.server.takes import keep_take, list_takes, remove_take, take_json
from procvid.ui.server.visitors import visitor_of


def mount(context: AppContext) -> None:
    """Add the endpoint to the enclosing Blocks."""

    def takes(
        run_id: str,
        step: int,
        keep: int = 0,
        delete: int = 0,
        request: gr.Request | None = None,
    ) -> TakesAnswer:
        """List the takes of a step; keep one as its clip, or delete one first.

        Parameters:
            run_id: as in the events of /generate
            step: its number in the plan, from 1
            keep: number of the take that becomes the clip of the step; 0 for none
            delete: number of a take to delete; 0 for none. The clip of the step cannot be deleted
        """
        if keep and delete:
            raise InputError("Both keep and delete are given.", "Send one of them.")
        if keep:
            context.allowance.spend(visitor_of(request), "searches")
            keep_take(context, run_id, step, keep)
        elif delete:
            remove_take(context, run_id, step, delete)
        found = [take_json(take) for take in list_takes(context, run_id, step)]
        stale = context.view_of(run_id).stale
        answer = {"run_id": run_id, "step": step, "takes": found, "stale": stale}
        return cast(TakesAnswer, answer)

    endpoint(takes, TakesAnswer, concurrency_limit=4)
