"""Compare a run with its twin, which has the same seeds but no memory (or has one), in the Review step.

The first press makes the twin, the next ones open it. While it is made its progress shows in place;
then both play in one frame, with a sentence about the jumps between their clips.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from procvid.errors import ProcvidError
from procvid.evaluate.differences.runs import StepDifferences
from procvid.ui import markup
from procvid.ui.browser import REMEMBER_PAIR
from procvid.ui.differences import run_words
from procvid.ui.pages.create import run_markup
from procvid.ui.pages.create.shared import AT_ONCE, QUIET, SOON, PageState, Update
from procvid.ui.server.context import AppContext
from procvid.ui.server.differences import differences_of_runs
from procvid.ui.server.guard import for_the_page, guarded
from procvid.ui.server.stream import RunView
from procvid.ui.server.twins import asked_runs, exists, has_memory, make_twin, measured, sides
from procvid.ui.server.visitors import visitor_of
from procvid.ui.wipe import wipe, wipe_html

POLL_S = 1.0
"""Seconds between two polls of a twin in progress."""
MEASURING = "Measuring the jumps between clips…"


@dataclass(frozen=True)
class CompareParts:
    """The components of the comparison.

    Attributes:
        start: The button.
        differ: Says in words what differs.
        words: What differs.
        stop: Stops the twin that is made.
        note: Progress of the twin, and then the sentence.
        both: The two videos.
        timer: Polls the twin.
        pair: The run and its twin, or two empty ids.
        seen: What the page shows of them.
    """

    start: gr.Button
    differ: gr.Button
    words: gr.HTML
    stop: gr.Button
    note: gr.HTML
    both: gr.HTML
    timer: gr.Timer
    pair: gr.State
    seen: gr.State

    @property
    def outputs(self) -> list[Any]:
        """The components that `show` and `clear` fill."""
        return [
            self.differ,
            self.words,
            self.stop,
            self.note,
            self.both,
            self.timer,
            self.pair,
            self.seen,
        ]


def build() -> CompareParts:
    """Lay out the button and the place of the two videos."""
    start = gr.Button("Compare without memory", size="sm", elem_classes="pv-compare")
    both = wipe()
    differ = gr.Button("What differs, in words", size="sm", visible=False)
    words = gr.HTML()
    note = gr.HTML()
    stop = gr.Button("Stop", variant="stop", size="sm", visible=False)
    timer = gr.Timer(POLL_S, active=False)
    return CompareParts(
        start, differ, words, stop, note, both, timer, gr.State(("", "")), gr.State(None)
    )


def wire(
    context: AppContext, state: PageState, parts: CompareParts, compared: gr.BrowserState
) -> None:
    """Connect the events of the comparison.

    Args:
        context: The app.
        state: The state of the page.
        parts: The components.
        compared: The two runs that the Evaluate tab compares.
    """

    def compare(run_id: str, request: gr.Request | None = None) -> Update:
        twin = make_twin(context, run_id, visitor_of(request))
        return {compared: [run_id, twin], **show(context, parts, (run_id, twin), None)}

    def poll_twin(pair: tuple[str, str], seen: Any) -> Update:
        return show(context, parts, pair, seen)

    def say(pair: tuple[str, str], request: gr.Request | None = None) -> Iterator[Update]:
        context.allowance.spend(visitor_of(request), "evaluations")
        run, twin = pair
        first, second = (twin, run) if has_memory(context, run) else (run, twin)
        steps: list[StepDifferences] = []
        for step in differences_of_runs(context, first, second):
            steps.append(step)
            yield {parts.words: run_words(steps, done=False)}
        yield {parts.words: run_words(steps, done=True)}

    def stop_twin(pair: tuple[str, str]) -> Any:
        context.worker.stop(pair[1])
        return gr.Button("Stopping…", interactive=False)

    def follow_run(run_id: str, pair: tuple[str, str], request: gr.Request | None = None) -> Update:
        """Show the twin that the page's address names, or none for another run."""
        asked = asked_runs(context, {} if request is None else dict(request.query_params))
        label = {parts.start: _label(context, run_id)}
        if run_id and asked.twin and run_id == asked.run_id:
            opened = show(context, parts, (run_id, asked.twin), None)
            return {**label, **opened}
        return label if pair[0] == run_id else {**label, **clear(parts)}

    parts.start.click(guarded(compare), state.run_id, [compared, *parts.outputs], **SOON).success(
        None, compared, None, js=REMEMBER_PAIR, api_visibility="private"
    )
    parts.timer.tick(guarded(poll_twin), [parts.pair, parts.seen], parts.outputs, **AT_ONCE)
    parts.differ.click(guarded(say), parts.pair, [parts.words], **SOON)
    parts.stop.click(guarded(stop_twin), parts.pair, parts.stop, **AT_ONCE)
    state.run_id.change(
        guarded(follow_run),
        [state.run_id, parts.pair],
        [parts.start, *parts.outputs],
        **QUIET,
    )


def _label(context: AppContext, run_id: str) -> gr.Button:
    without = not exists(context, run_id) or has_memory(context, run_id)
    return gr.Button(f"Compare {'without' if without else 'with'} memory")


def clear(parts: CompareParts) -> Update:
    """Show no comparison."""
    return {
        parts.both: "",
        parts.differ: gr.Button(visible=False),
        parts.words: "",
        parts.note: "",
        parts.stop: gr.Button(visible=False),
        parts.timer: gr.Timer(active=False),
        parts.pair: ("", ""),
        parts.seen: None,
    }


def show(context: AppContext, parts: CompareParts, pair: tuple[str, str], seen: Any) -> Update:
    """Show a run and its twin, or the progress of the twin.

    Args:
        context: The app.
        parts: The components to fill.
        pair: The run and its twin.
        seen: The value of `parts.seen`. The videos are drawn again only if they changed since.
    """
    try:
        run, twin = (context.view_of(run_id) for run_id in pair)
    except ProcvidError as error:
        gone = clear(parts)
        return {**gone, parts.note: markup.note(for_the_page(error), "bad")}
    if twin.video is None or run.video is None:
        waiting = twin if twin.video is None else run
        return {
            **clear(parts),
            parts.note: _progress(context, waiting),
            parts.stop: gr.Button("Stop", interactive=True, visible=not waiting.ended),
            parts.timer: gr.Timer(active=not waiting.ended),
            parts.pair: pair,
        }
    sentence = measured(context, run, twin)
    frame = wipe_html(*sides(context, run, twin), width=run.width, height=run.height)
    shown: Update = {
        parts.note: jumps(sentence),
        parts.differ: gr.Button(visible=True),
        parts.stop: gr.Button(visible=False),
        parts.timer: gr.Timer(active=sentence is None),
        parts.pair: pair,
        parts.seen: frame,
    }
    return shown if seen == frame else {**shown, parts.both: frame}


def _progress(context: AppContext, view: RunView) -> str:
    kind = "with" if has_memory(context, view.run_id) else "without"
    if view.ended:
        text = f"The video {kind} memory is not finished. Press Compare to continue."
        broken = markup.note(view.trouble, "bad") if view.trouble else ""
        return f'<p class="pv-small" role="status">{text}</p>{broken}'
    lead = f"Making the same video {kind} memory, with the same seeds."
    return f'<p class="pv-small">{lead}</p>{run_markup.status(view)}'


def jumps(sentence: str | None) -> str:
    """Return the sentence about the jumps; None stands for a measurement in progress."""
    text = MEASURING if sentence is None else sentence
    return f'<p class="pv-jumps" role="status">{escape(text)}</p>' if text else ""
