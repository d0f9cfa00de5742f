"""The Evaluate tab: choose runs or upload clips, watch each metric come, compare two runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from procvid.errors import RunError
from procvid.evaluate.metrics import DEFAULT, METRICS, title_of
from procvid.evaluate.scores import REPORT, SCORES, TABLE
from procvid.run.folder import VIDEO, read_run
from procvid.ui import markup
from procvid.ui.pages.evaluate import markup as score_markup
from procvid.ui.server.context import AppContext
from procvid.ui.server.evaluating import (
    EvaluationView,
    inputs_of,
    read_metrics,
    stream_evaluation,
)
from procvid.ui.server.guard import guarded

NOTHING = "Choose a run or upload clips, and press “Evaluate”: the metrics appear here, one by one."
QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
IN_LINE: dict[str, Any] = {"concurrency_id": "gpu", "concurrency_limit": 1}


def build(context: AppContext, page: gr.Blocks, compared: gr.BrowserState) -> None:
    """Lay out the tab and wire its events; all of them are private."""
    last_run = gr.BrowserState("", storage_key="procvid-last-run", secret="procvid")
    gr.HTML(
        '<p class="pv-small">The paper\'s five metrics as published, and corrected forms that a frozen '
        "or a pasted video cannot win. A metric that cannot be had says why; it never shows 0 for that.</p>"
    )
    with gr.Row():
        with gr.Column():
            first = gr.Textbox(
                label="Run",
                placeholder="16 characters of 0-9 and a-f",
                info="Your last video is filled in.",
            )
            second = gr.Textbox(
                label="Compare with run", placeholder="optional", info="Two runs, side by side."
            )
        with gr.Column():
            clips = gr.File(
                label="Or upload clips, in order",
                file_count="multiple",
                file_types=[".mp4", ".mov", ".mkv", ".webm"],
                height=120,
            )
            texts = gr.Textbox(
                label="Their recipe", lines=3, info="A recipe, or one text a line and clip."
            )
    with gr.Accordion("Metrics", open=False):
        chosen = gr.CheckboxGroup(
            choices=[(f"{title_of(name)} ({name})", name) for name in METRICS],
            value=list(DEFAULT),
            show_label=False,
            label="Metrics",
        )
    with gr.Row():
        start = gr.Button("Evaluate", variant="primary")
        stop = gr.Button("Stop", variant="stop")
    rows = gr.HTML(markup.empty(NOTHING))
    with gr.Row():
        downloads = [
            gr.DownloadButton(label, visible=False)
            for label in ("Report (HTML)", "Table (CSV)", "Scores (JSON)")
        ]
    players = gr.HTML()
    together = gr.Button("Play both in step", visible=False)
    with gr.Row():
        shown = [gr.Plot(visible=False, show_label=False) for _ in range(2)]
    with gr.Row():
        shown += [gr.Plot(visible=False, show_label=False) for _ in range(2)]

    def score(
        run: str, other: str, files: list[str] | None, told: str, names: list[str]
    ) -> Iterator[tuple[Any, ...]]:
        # Uploaded clips are what the person just gave, so they go before a run that was filled in.
        ids = [] if files else [run.strip(), other.strip()]
        runs = inputs_of(context, ids, files or [], told)
        metrics = read_metrics(names)
        yield score_markup.score_rows(EvaluationView(metrics)), *_cleared()
        for view, _ in stream_evaluation(context, runs, metrics):
            if view.scores is None:
                yield score_markup.score_rows(view), *[gr.skip()] * 9
            else:
                yield score_markup.score_rows(view), *_finished(context, view)

    def fill_in(run_id: str) -> str:
        try:
            context.existing_folder_of(run_id)
        except RunError:
            return ""
        return run_id

    def fill_in_both(pair: list[str] | None) -> tuple[str, str]:
        # It comes out of the visitor's browser, as whatever they made of it.
        one, other = pair if isinstance(pair, list) and len(pair) == 2 else ("", "")
        return fill_in(one), fill_in(other)

    running = start.click(
        guarded(score),
        [first, second, clips, texts, chosen],
        [rows, *downloads, players, together, *shown],
        **QUIET,
        **IN_LINE,
    )
    stop.click(None, None, None, cancels=[running], api_visibility="private")
    together.click(None, None, None, js=score_markup.IN_STEP, api_visibility="private")
    page.load(guarded(fill_in), last_run, first, **QUIET)
    compared.change(guarded(fill_in_both), compared, [first, second], **QUIET)


def _cleared() -> list[Any]:
    """Downloads, players and plots before there is anything to show."""
    hidden: list[Any] = [gr.DownloadButton(visible=False) for _ in range(3)]
    return [*hidden, "", gr.Button(visible=False), *[gr.Plot(visible=False) for _ in range(4)]]


def _finished(context: AppContext, view: EvaluationView) -> list[Any]:
    # Plotly takes half a second to import, which the app's start should not pay for.
    from procvid.evaluate import plots

    assert view.scores is not None
    downloads = [
        gr.DownloadButton(value=str(view.file(name)), visible=True)
        for name in (REPORT, TABLE, SCORES)
    ]
    videos = _videos(context, view)
    figures = [
        plots.joint_plot(view.scores, "joint_ratio"),
        plots.step_plot(view.scores, "step_retrieval"),
        plots.gap_plot(view.scores),
        plots.object_plot(view.scores["runs"][0]),
    ]
    return [
        *downloads,
        score_markup.pair(videos),
        gr.Button(visible=len(videos) == 2),
        *[
            gr.Plot(value=figure and plots.on_page(figure), visible=figure is not None)
            for figure in figures
        ],
    ]


def _videos(context: AppContext, view: EvaluationView) -> list[tuple[str, Any]]:
    """The videos of the runs of this server that were evaluated, when finished, each with what it is."""
    found = []
    for name in view.runs:
        try:
            folder = context.existing_folder_of(name)
            request = read_run(folder).request
        except RunError:
            continue
        with_or_without = "without" if request.memory == "none" else "with"
        if (folder / VIDEO).is_file():
            told = f"{name}: {request.recipe.title}, {with_or_without} memory"
            found.append((told, folder / VIDEO))
    return found
