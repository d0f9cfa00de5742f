"""Endpoints of takes: /takes and /share_takes."""

from __future__ import annotations

from typing import cast

import gradio as gr

from procvid.errors import InputError
from procvid.ui.api.answers import SharedAnswer, TakesAnswer
from procvid.ui.api.typed import endpoint
from procvid.ui.server.context import AppContext
from procvid.ui.server.jobs import whole_number
from procvid.ui.server.takes import keep_take, let_train, list_takes, remove_take, take_json
from procvid.ui.server.visitors import visitor_of

ON_A_PAGE = 20
"""Takes in an answer; clients download the files of each."""


def mount(context: AppContext) -> None:
    """Add the endpoints to the enclosing Blocks."""

    def takes(
        run_id: str,
        step: int,
        keep: int = 0,
        delete: int = 0,
        page: int = 1,
        request: gr.Request | None = None,
    ) -> TakesAnswer:
        """List the takes of a step; keep one as its clip, or delete one first.

        Parameters:
            run_id: as in the events of /generate
            step: its number in the plan, from 1
            keep: number of the take that becomes the clip of the step; 0 for none
            delete: number of a take to delete; 0 for none. The clip of the step cannot be deleted
            page: 1 for the latest takes, 2 for those before them
        """
        if keep and delete:
            raise InputError("Both keep and delete are given.", "Send one of them.")
        if keep:
            context.allowance.spend(visitor_of(request), "searches")
            keep_take(context, run_id, step, keep)
        elif delete:
            remove_take(context, run_id, step, delete)
        found = list_takes(context, run_id, step)
        end = len(found) - (_page(page) - 1) * ON_A_PAGE
        answer = {
            "run_id": run_id,
            "step": step,
            "num_takes": len(found),
            "takes": [take_json(take) for take in found[max(0, end - ON_A_PAGE) : max(0, end)]],
            "stale": context.view_of(run_id).stale,
        }
        return cast(TakesAnswer, answer)

    def share_takes(run_id: str, allowed: bool) -> SharedAnswer:
        """Allow the use of a run's takes, and of the choices among them, for training; or withdraw it.

        Parameters:
            run_id: as in the events of /generate
            allowed: false withdraws it
        """
        let_train(context, run_id, allowed)
        return {"run_id": run_id, "allowed": allowed}

    endpoint(takes, TakesAnswer, concurrency_limit=4)
    endpoint(share_takes, SharedAnswer, concurrency_limit=4)


def _page(value: object) -> int:
    page = whole_number("page", value)
    if page < 1:
        raise InputError(f"There is no page {page}.", "Write 1 for the latest takes.")
    return page
