"""The endpoint /evaluate."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from procvid.errors import InputError
from procvid.ui.api.answers import Evaluation
from procvid.ui.api.typed import endpoint
from procvid.ui.server.context import AppContext
from procvid.ui.server.evaluating import (
    answer_json,
    inputs_of,
    read_backbones,
    read_metrics,
    stream_evaluation,
)
from procvid.ui.server.visitors import visitor_of


def mount(context: AppContext) -> None:
    """Add the endpoints to the enclosing Blocks."""

    def evaluate(
        run_ids: list[str] | None = None,
        clips: list[gr.FileData] | None = None,
        texts: str = "",
        metrics: list[str] | None = None,
        backbones: str = "auto",
        request: gr.Request | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Measure runs or uploaded clips; streams events, the last one has all scores.

        Parameters:
            run_ids: runs of this server, at most four
            clips: or uploaded clips of one recipe, in order
            texts: the recipe of the clips, or one line per clip
            metrics: metric ids; omit it for the default ones
            backbones: tiny knows the toy kitchen only, published (1.4 GB) any clip; auto is the server's
        """
        given = run_ids or []
        if not isinstance(given, list) or not isinstance(clips or [], list):
            raise InputError("The runs or clips are not a list.", "Send [] for none.")
        models = read_backbones(backbones)
        context.allowance.spend(visitor_of(request), "evaluations")
        runs = inputs_of(context, given, clips or [], texts)
        chosen = read_metrics(metrics)
        for view, event in stream_evaluation(context, runs, chosen, models):
            yield answer_json(view, event)

    endpoint(evaluate, Evaluation, concurrency_id="gpu", concurrency_limit=1)
