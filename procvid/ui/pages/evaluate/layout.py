"""The Evaluate page: measure runs or uploaded clips, and compare two runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from procvid.errors import ProcvidError
from procvid.evaluate.differences.runs import StepDifferences
from procvid.evaluate.metrics import DEFAULT, METRICS, title_of
from procvid.evaluate.scores import REPORT, SCORES, TABLE
from procvid.ui.browser import LIST
from procvid.ui.differences import run_words
from procvid.ui.events import ON_GPU, QUIET, Updates
from procvid.ui.markup import empty, note
from procvid.ui.pages.evaluate import markup, picker
from procvid.ui.pages.library.layout import read_minutes
from procvid.ui.pressed import pressable, read_press
from procvid.ui.server.context import AppContext
from procvid.ui.server.differences import differences_of_runs
from procvid.ui.server.evaluating import (
    EvaluationView,
    inputs_of,
    read_backbones,
    read_metrics,
    stream_evaluation,
)
from procvid.ui.server.guard import for_the_page, guarded
from procvid.ui.server.twins import sides
from procvid.ui.wipe import wipe, wipe_html

NOTHING = "Choose a video or upload clips, then press Evaluate."
BACKBONES = [
    ("Server default", "auto"),
    ("Tiny", "tiny"),
    ("Published (CLIP, DINO, Grounding DINO: 1.4 GB)", "published"),
]
DOWNLOADS = {REPORT: "Report (HTML)", TABLE: "Table (CSV)", SCORES: "Scores (JSON)"}


@dataclass(frozen=True)
class RunPicker:
    """The components that choose the runs.

    Attributes:
        cards: A card for each run.
        both: The two chosen runs in one frame.
        known: Ids of the visitor's runs, as the browser last sent them.
        chosen: Ids of the chosen ones, at most two.
        most: Number of cards to show.
        minutes: Minutes by which the visitor's clock is behind UTC.
    """

    cards: gr.HTML
    both: gr.HTML
    known: gr.State
    chosen: gr.State
    most: gr.State
    minutes: gr.Number

    @property
    def outputs(self) -> list[Any]:
        """Return all components."""
        return [self.cards, self.both, self.known, self.chosen, self.most]


@dataclass(frozen=True)
class EvaluationWidgets:
    """The components that show an evaluation."""

    words: gr.HTML
    rows: gr.HTML
    downloads: dict[str, gr.DownloadButton]
    plots: list[gr.Plot]

    @property
    def all(self) -> list[Any]:
        """Return all components."""
        return [self.rows, *self.downloads.values(), *self.plots, self.words]


def build(context: AppContext, page: gr.Blocks, compared: gr.BrowserState, tab: gr.Tab) -> None:
    """Lay out the page and wire its events; all of them are private.

    Args:
        context: Context of the app.
        page: The whole page.
        compared: Ids of the two runs to compare, set by the Create page.
        tab: The tab of this page; the list of runs is read again when it opens.
    """
    runs = gr.BrowserState([], storage_key="procvid-runs", secret="procvid")
    last_run = gr.BrowserState("", storage_key="procvid-last-run", secret="procvid")
    gr.HTML(
        '<p class="pv-small">Measures how consistent a video is: the five metrics of the paper, and '
        "corrected forms that a frozen or pasted video cannot win. Metrics that do not apply say "
        "why.</p>"
    )
    p = _run_picker()
    with gr.Accordion("Or upload clips", open=False), gr.Row():
        clips = gr.File(
            label="Clips, in order",
            file_count="multiple",
            file_types=[".mp4", ".mov", ".mkv", ".webm"],
            height=120,
        )
        texts = gr.Textbox(
            value="", label="Recipe of the clips", lines=3, info="A recipe, or one line per clip."
        )
    with gr.Accordion("Metrics and models", open=False):
        chosen = gr.CheckboxGroup(
            choices=[(title_of(name), name) for name in METRICS],
            value=list(DEFAULT),
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
        run_ids: list[str],
        files: list[str] | None,
        recipe: str | None,
        names: list[str],
        models: str,
    ) -> Iterator[Updates]:
        # Uploaded clips come first: the run may have been chosen automatically.
        ids = [] if files else run_ids
        titles = picker.names_of(picker.choosable(context, ids))
        inputs = inputs_of(context, ids, files or [], recipe or "", titles)
        metrics, models = read_metrics(names), read_backbones(models)
        yield {w.rows: markup.score_rows(EvaluationView(metrics)), w.words: ""} | _cleared(w)
        if len(ids) == 2:
            yield from ({w.words: text} for text in _in_words(context, ids))
        for view, _ in stream_evaluation(context, inputs, metrics, models):
            updates = {w.rows: markup.score_rows(view)}
            yield updates if view.scores is None else updates | _finished(w, view)

    def list_runs(
        known: Any, clock: Any, last: Any, pair: Any, before: list[str], most: int
    ) -> Updates:
        # All but `before` comes from the visitor's browser, so it may be anything.
        listed = picker.choosable(context, [*(known if isinstance(known, list) else []), last])
        ids = [card.run_id for card in listed]
        first = _pair_of(pair) if last in _pair_of(pair) else [last]
        return _choose(context, p, ids, before or first, most, clock)

    def choose_both(pair: Any, clock: Any, known: list[str], most: int) -> Updates:
        both = [one for one in _pair_of(pair) if picker.choosable(context, [one])]
        if len(both) != 2:
            return {p.chosen: gr.skip()}
        return _choose(context, p, list(dict.fromkeys([*both, *known])), both, most, clock)

    def pick(
        clock: Any, known: list[str], before: list[str], most: int, event: gr.EventData
    ) -> Updates:
        press = read_press(event)
        if press.act == "more":
            return _choose(context, p, known, before, most + picker.MORE, clock)
        run_id = press.data.get("run", "")
        after = picker.pressed(before, run_id) if run_id in known else before
        return _choose(context, p, known, after, most, clock)

    running = start.click(
        guarded(score), [p.chosen, clips, texts, chosen, backbones], w.all, **QUIET, **ON_GPU
    )
    stop.click(None, None, None, cancels=[running], api_visibility="private")
    listing: dict[str, Any] = {
        "fn": guarded(list_runs),
        "inputs": [runs, p.minutes, last_run, compared, p.chosen, p.most],
        "outputs": p.outputs,
        "js": LIST,
        **QUIET,
    }
    page.load(**listing)
    tab.select(**listing)
    compared.change(
        guarded(choose_both), [compared, p.minutes, p.known, p.most], p.outputs, **QUIET
    )
    p.cards.select(guarded(pick), [p.minutes, p.known, p.chosen, p.most], p.outputs, **QUIET)


def _run_picker() -> RunPicker:
    cards = pressable(empty(picker.NONE_YET))
    minutes = gr.Number(0, visible=False)
    return RunPicker(cards, wipe(), gr.State([]), gr.State([]), gr.State(picker.FEW), minutes)


def _pair_of(value: object) -> list[str]:
    """Return two ids that a browser has sent, or an empty list."""
    if not isinstance(value, list) or len(value) != 2:
        return []
    return [one for one in value if isinstance(one, str) and one]


def _choose(
    context: AppContext, p: RunPicker, known: list[str], chosen: list[str], most: int, clock: object
) -> Updates:
    """Show the cards, and the two chosen videos in one frame."""
    cards = picker.choosable(context, known)
    ids = [card.run_id for card in cards]
    chosen = [one for one in chosen if one in ids]
    return {
        p.cards: picker.cards_html(cards, chosen, most, read_minutes(clock)),
        p.both: _both(context, chosen),
        p.known: ids,
        p.chosen: chosen,
        p.most: most,
    }


def _both(context: AppContext, chosen: list[str]) -> str:
    """Return the two chosen videos, or "" unless both exist."""
    if len(chosen) != 2:
        return ""
    try:
        one, other = (context.view_of(run_id) for run_id in chosen)
        if one.video is None or other.video is None:
            return ""
        return wipe_html(*sides(context, one, other), width=one.width, height=one.height)
    except ProcvidError:
        return ""


def _in_words(context: AppContext, ids: list[str]) -> Iterator[str]:
    """Yield what the second run does differently, as each step is compared."""
    steps: list[StepDifferences] = []
    try:
        for step in differences_of_runs(context, ids[0], ids[1]):
            steps.append(step)
            yield run_words(steps, done=False)
    except ProcvidError as error:
        # The metrics need no reader of differences.
        yield note(for_the_page(error))
    else:
        yield run_words(steps, done=True)


def _result_widgets() -> EvaluationWidgets:
    words = gr.HTML()
    rows = gr.HTML(empty(NOTHING))
    with gr.Row():
        downloads = {
            name: gr.DownloadButton(label, visible=False) for name, label in DOWNLOADS.items()
        }
    plots = []
    for _ in range(2):
        with gr.Row():
            plots += [gr.Plot(visible=False, show_label=False) for _ in range(2)]
    return EvaluationWidgets(words, rows, downloads, plots)


def _cleared(w: EvaluationWidgets) -> Updates:
    """Hide downloads and plots of an earlier evaluation."""
    hidden = [*w.downloads.values(), *w.plots]
    return {each: type(each)(visible=False) for each in hidden}


def _finished(w: EvaluationWidgets, view: EvaluationView) -> Updates:
    # Imported here because Plotly takes half a second, which would delay the start.
    from procvid.evaluate import plots

    assert view.scores is not None
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
    for plot, figure in zip(w.plots, figures, strict=True):
        value = figure and plots.on_page(figure)
        updates[plot] = gr.Plot(value=value, visible=figure is not None)
    return updates
