"""The Evaluate page: measure runs or uploaded clips, and compare two runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from procvid.errors import RunError
from procvid.evaluate.metrics import DEFAULT, METRICS, title_of
from procvid.evaluate.scores import REPORT, SCORES, TABLE
from procvid.run.folder import VIDEO, read_run
from procvid.ui.events import ON_GPU, QUIET, Updates
from procvid.ui.markup import empty
from procvid.ui.pages.evaluate import markup
from procvid.ui.server.context import AppContext
from procvid.ui.server.evaluating import (
    EvaluationView,
    inputs_of,
    read_backbones,
    read_metrics,
    stream_evaluation,
)
from procvid.ui.server.guard import guarded

NOTHING = "Choose a run or upload clips, then press Evaluate."
BACKBONES = [
    ("Server default", "auto"),
    ("Tiny", "tiny"),
    ("Published (CLIP, DINO, Grounding DINO: 1.4 GB)", "published"),
]
DOWNLOADS = {REPORT: "Report (HTML)", TABLE: "Table (CSV)", SCORES: "Scores (JSON)"}


@dataclass(frozen=True)
class EvaluationWidgets:
    """The components that show an evaluation."""

    rows: gr.HTML
    downloads: dict[str, gr.DownloadButton]
    players: gr.HTML
    together: gr.Button
    plots: list[gr.Plot]

    @property
    def all(self) -> list[Any]:
        """Return all components."""
        return [self.rows, *self.downloads.values(), self.players, self.together, *self.plots]


def build(context: AppContext, page: gr.Blocks, compared: gr.BrowserState) -> None:
    """Lay out the page and wire its events; all of them are private.

    Args:
        context: Context of the app.
        page: The whole page.
        compared: Ids of the two runs to compare, set by the Create page.
    """
    last_run = gr.BrowserState("", storage_key="procvid-last-run", secret="procvid")
    gr.HTML(
        '<p class="pv-small">Measures how consistent a video is: the five metrics of the paper, and '
        "corrected forms that a frozen or pasted video cannot win. Metrics that do not apply say "
        "why.</p>"
    )
    with gr.Row():
        with gr.Column():
            first = gr.Textbox(
                label="Run", placeholder="run id", info="Filled in with your last video."
            )
            second = gr.Textbox(label="Compare with run", placeholder="run id", info="Optional.")
        with gr.Column():
            clips = gr.File(
                label="Or upload clips, in order",
                file_count="multiple",
                file_types=[".mp4", ".mov", ".mkv", ".webm"],
                height=120,
            )
            texts = gr.Textbox(
                label="Recipe of the clips", lines=3, info="A recipe, or one line per clip."
            )
    with gr.Accordion("Metrics", open=False):
        chosen = gr.CheckboxGroup(
            choices=[(f"{title_of(name)} ({name})", name) for name in METRICS],
            value=list(DEFAULT),
            show_label=False,
            label="Metrics",
        )
    backbones = gr.Radio(
        choices=BACKBONES,
        value="auto",
        label="Backbones",
        info="The models of the metrics. Tiny ones know the toy kitchen only.",
    )
    with gr.Row():
        start = gr.Button("Evaluate", variant="primary")
        stop = gr.Button("Stop", variant="stop")
    w = _result_widgets()

    def score(
        run: str, other: str, files: list[str] | None, recipe: str, names: list[str], models: str
    ) -> Iterator[Updates]:
        # Uploaded clips come first: the run may have been filled in automatically.
        ids = [] if files else [run.strip(), other.strip()]
        runs = inputs_of(context, ids, files or [], recipe)
        metrics, models = read_metrics(names), read_backbones(models)
        yield {w.rows: markup.score_rows(EvaluationView(metrics))} | _cleared(w)
        for view, _ in stream_evaluation(context, runs, metrics, models):
            updates = {w.rows: markup.score_rows(view)}
            yield updates if view.scores is None else updates | _finished(context, w, view)

    def fill_in(run_id: str) -> Updates:
        return {first: _known(context, run_id)}

    def fill_in_both(pair: list[str] | None) -> Updates:
        # The pair comes from the visitor's browser, so it may be anything.
        one, other = pair if isinstance(pair, list) and len(pair) == 2 else ("", "")
        return {first: _known(context, one), second: _known(context, other)}

    running = start.click(
        guarded(score), [first, second, clips, texts, chosen, backbones], w.all, **QUIET, **ON_GPU
    )
    stop.click(None, None, None, cancels=[running], api_visibility="private")
    w.together.click(None, None, None, js=markup.IN_STEP, api_visibility="private")
    page.load(guarded(fill_in), last_run, first, **QUIET)
    compared.change(guarded(fill_in_both), compared, [first, second], **QUIET)


def _result_widgets() -> EvaluationWidgets:
    rows = gr.HTML(empty(NOTHING))
    with gr.Row():
        downloads = {
            name: gr.DownloadButton(label, visible=False) for name, label in DOWNLOADS.items()
        }
    players = gr.HTML()
    together = gr.Button("Play both", visible=False)
    plots = []
    for _ in range(2):
        with gr.Row():
            plots += [gr.Plot(visible=False, show_label=False) for _ in range(2)]
    return EvaluationWidgets(rows, downloads, players, together, plots)


def _known(context: AppContext, run_id: str) -> str:
    """Return the id if the run exists, else ""."""
    try:
        context.existing_folder_of(run_id)
    except RunError:
        return ""
    return run_id


def _cleared(w: EvaluationWidgets) -> Updates:
    """Hide downloads, videos and plots of an earlier evaluation."""
    hidden = [*w.downloads.values(), w.together, *w.plots]
    return {w.players: ""} | {each: type(each)(visible=False) for each in hidden}


def _finished(context: AppContext, w: EvaluationWidgets, view: EvaluationView) -> Updates:
    # Imported here because Plotly takes half a second, which would delay the start.
    from procvid.evaluate import plots

    assert view.scores is not None
    videos = _videos(context, view)
    figures = (
        plots.joint_plot(view.scores, "joint_ratio"),
        plots.step_plot(view.scores, "step_retrieval"),
        plots.gap_plot(view.scores),
        plots.object_plot(view.scores["runs"][0]),
    )
    updates: Updates = {
        button: gr.DownloadButton(value=str(view.file(name)), visible=True)
        for name, button in w.downloads.items()
    }
    updates |= {w.players: markup.pair(videos), w.together: gr.Button(visible=len(videos) == 2)}
    for plot, figure in zip(w.plots, figures, strict=True):
        value = figure and plots.on_page(figure)
        updates[plot] = gr.Plot(value=value, visible=figure is not None)
    return updates


def _videos(context: AppContext, view: EvaluationView) -> list[tuple[str, Any]]:
    """Return the finished videos of the evaluated runs of this server, each with its caption."""
    found = []
    for name in view.runs:
        try:
            folder = context.existing_folder_of(name)
            request = read_run(folder).request
        except RunError:
            continue
        with_or_without = "without" if request.memory == "none" else "with"
        if (folder / VIDEO).is_file():
            caption = f"{request.recipe.title}, {with_or_without} memory ({name})"
            found.append((caption, folder / VIDEO))
    return found
