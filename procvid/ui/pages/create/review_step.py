"""Step 5 of the Create page: the whole video, its steps, and the film to take away.

The player, the panel of a step and the panel of the film have their own modules. All of them show the
run of `state.run_id`, whichever tab or list has chosen it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from procvid.errors import InputError, ProcvidError
from procvid.ui import markup
from procvid.ui.markup import file_url
from procvid.ui.pages.create import (
    change_panel,
    comparing,
    cook_along,
    player,
    run_markup,
    take_away,
    takes_panel,
)
from procvid.ui.pages.create.shared import AT_ONCE, QUIET, REVIEW, SOON, PageState, Update
from procvid.ui.pages.create.takes_panel import CLOSED, Opened
from procvid.ui.pages.create.video_step import (
    IS_WATCHING,
    VideoStep,
    was_in_progress,
    watch,
    watch_outputs,
)
from procvid.ui.pressed import Press, button, pressable, read_press
from procvid.ui.server.context import AppContext
from procvid.ui.server.guard import guarded
from procvid.ui.server.jobs import resume_run
from procvid.ui.server.library import title_of
from procvid.ui.server.packing import pack_named, video_named
from procvid.ui.server.redo import lock
from procvid.ui.server.stream import RunView
from procvid.ui.server.visitors import Visitor, visitor_of

NOTHING_TO_REVIEW = "Make a video first. Then you can play it and redo its steps here."
GONE = "This video was deleted. Look for it in the Library, or make a new one in the Recipe step."

DOWNLOADS = {"zip": pack_named, "video": video_named}
"""What prepares a file, by the button that asks for it."""

DOWNLOAD = """(parcel) => {
  if (!parcel) return;
  const link = document.createElement('a');
  link.href = parcel.url;
  link.download = parcel.name;
  document.body.appendChild(link).click();
  link.remove();
}"""
"""Saves the file that an event has prepared."""


@dataclass(frozen=True)
class ReviewStep:
    """The components of step 5.

    Attributes:
        tab: The tab of the step.
        status: State of the run, with a button to stop, resume or redo stale steps.
        video: Player of the whole video.
        board: A card per step, with the panel of one step.
        notes: The warnings.
        parcel: Address and name of a file to download.
        opened: The step whose panel is open.
        shown: The HTML that the page shows; only what changes is sent.
        change: The panel that changes the recipe.
        film: The panel of the film to take away.
        coach: The panel that compares a visitor's own clip.
        compare: The comparison with a twin, below the player.
    """

    tab: gr.Tab
    status: gr.HTML
    video: gr.HTML
    board: gr.HTML
    notes: gr.HTML
    parcel: gr.JSON
    opened: gr.State
    shown: gr.State
    change: change_panel.ChangePanel
    film: take_away.TakeAway
    coach: cook_along.CookAlong
    compare: comparing.CompareParts

    @property
    def outputs(self) -> list[Any]:
        """The components that `show_review` fills."""
        return [
            self.status,
            self.video,
            self.board,
            self.notes,
            self.shown,
            *self.film.outputs,
            *self.coach.outputs,
        ]


def build(tab: gr.Tab) -> ReviewStep:
    """Lay out the step."""
    status = pressable(markup.empty(NOTHING_TO_REVIEW), apply_default_css=False)
    video = pressable(script=player.SCRIPT, apply_default_css=False)
    compare = comparing.build()
    scripts = run_markup.BOARD_SCRIPT + takes_panel.SCRIPT
    board = pressable(script=scripts, apply_default_css=False)
    change = change_panel.build("Make this video", "primary")
    film = take_away.build()
    coach = cook_along.build()
    return ReviewStep(
        tab,
        status,
        video,
        board,
        notes=gr.HTML(),
        parcel=gr.JSON(visible=False),
        opened=gr.State(CLOSED),
        shown=gr.State(()),
        change=change,
        film=film,
        coach=coach,
        compare=compare,
    )


def wire(context: AppContext, state: PageState, video: VideoStep, step: ReviewStep) -> None:
    """Connect the events of the step, and the timer that follows a run."""

    def poll(run_id: str, seen: Any, shown: Any, opened: Opened, watching: bool = True) -> Update:
        view = _view(context, run_id)
        if view is None:
            return {**_gone(step), **_gone_from(video), state.timer: gr.Timer(active=False)}
        finished = watching and view.ended and view.video is not None and was_in_progress(seen)
        update = {
            **watch(state, video, view, seen),
            **show_review(context, step, view, opened, shown),
        }
        return {**update, state.walk: gr.Tabs(selected=REVIEW)} if finished else update

    def open_review(run_id: str, shown: Any, opened: Opened) -> Update:
        return {state.walk: gr.Tabs(selected=REVIEW), **refresh(run_id, shown, opened)}

    def refresh(run_id: str, shown: Any, opened: Opened) -> Update:
        view = _view(context, run_id) if run_id else None
        if view is not None:
            return show_review(context, step, view, opened, shown)
        return (
            _gone(step) if run_id else {**_gone(step), step.status: markup.empty(NOTHING_TO_REVIEW)}
        )

    def change_run(run_id: str) -> Update:
        return {step.opened: CLOSED, **refresh(run_id, (), CLOSED)}

    def press(
        event: gr.EventData,
        run_id: str,
        shown: Any,
        opened: Opened,
        request: gr.Request | None = None,
    ) -> Update:
        pressed, visitor = read_press(event), visitor_of(request)
        opened = _do(context, run_id, opened, pressed, visitor)
        view = context.view_of(run_id)
        return {
            step.opened: opened,
            **show_review(context, step, view, opened, shown),
            **watch(state, video, view, None),
        }

    def prepare(event: gr.EventData, run_id: str) -> Any:
        make = DOWNLOADS.get(read_press(event).act)
        if make is None:
            raise InputError("This button is out of date.", "Reload the page.")
        folder = context.existing_folder_of(run_id)
        file = make(context.runs_folder, run_id, folder, title_of(context, run_id))
        return {"url": file_url(file), "name": file.name}

    now = [state.run_id, step.shown, step.opened]
    watched = watch_outputs(state, video)
    state.timer.tick(
        guarded(poll),
        [state.run_id, state.seen, step.shown, step.opened, video.watching],
        [state.walk, *watched, *step.outputs],
        js=IS_WATCHING,
        **AT_ONCE,
    )
    video.review.click(guarded(open_review), now, [state.walk, *step.outputs], **QUIET)
    step.tab.select(guarded(refresh), now, step.outputs, **QUIET)
    state.run_id.change(guarded(change_run), state.run_id, [step.opened, *step.outputs], **QUIET)
    for pressed in (step.status, step.board):
        pressed.select(guarded(press), now, [step.opened, *step.outputs, *watched], **SOON)
    step.video.select(guarded(prepare), state.run_id, step.parcel, **SOON).success(
        None, step.parcel, None, js=DOWNLOAD, api_visibility="private"
    )
    take_away.wire(context, state, step.film, DOWNLOAD)
    cook_along.wire(context, state, step.coach)


def _do(
    context: AppContext, run_id: str, opened: Opened, pressed: Press, visitor: Visitor
) -> Opened:
    """Do what was pressed, and return the step whose panel is open then."""
    match pressed.act:
        case "stop":
            context.worker.stop(run_id)
        case "resume":
            resume_run(context, run_id, visitor)
        case "lock" | "unlock":
            lock(context, run_id, pressed.number("step"), keep=pressed.act == "lock")
            return CLOSED
        case _:
            return takes_panel.do(context, run_id, opened, pressed, visitor)
    return opened


def _view(context: AppContext, run_id: str) -> RunView | None:
    """Return the run, or None if it was deleted."""
    try:
        return context.view_of(run_id)
    except ProcvidError:
        return None


def _gone(step: ReviewStep) -> Update:
    return {
        step.status: markup.note(GONE, "warn"),
        **dict.fromkeys((step.video, step.board, step.notes), ""),
        step.shown: (),
        **take_away.hide(step.film),
        **cook_along.hide(step.coach),
    }


def _gone_from(video: VideoStep) -> Update:
    hidden = gr.Button(visible=False)
    return {
        video.status: markup.note(GONE, "warn"),
        **dict.fromkeys((video.board, video.notes), ""),
        **dict.fromkeys((video.stop, video.resume, video.review), hidden),
    }


def show_review(
    context: AppContext,
    step: ReviewStep,
    view: RunView,
    opened: Opened = CLOSED,
    shown: Any = (),
) -> Update:
    """Show a run in the Review step.

    Args:
        context: The app.
        step: The components to fill.
        view: The run.
        opened: The step whose panel is open.
        shown: The value of `step.shown`: what the page shows already.
    """
    panel = takes_panel.panel(context, view, opened) if view.ended else ""
    drawn = {
        step.status: _status(view),
        step.video: player.player(view, title_of(context, view.run_id)),
        step.board: run_markup.storyboard(
            view, changeable=True, open_step=opened.step if panel else 0, panel=panel
        ),
        step.notes: run_markup.warnings(view),
    }
    known = shown if isinstance(shown, tuple) and len(shown) == len(drawn) else (None,) * len(drawn)
    changed: Update = {
        part: html for (part, html), old in zip(drawn.items(), known, strict=True) if html != old
    }
    # The choices of the film stay as they are while the video is the same.
    offered: Update = {}
    if step.video in changed:
        offered = {**take_away.offer(step.film, view), **cook_along.offer(step.coach, view)}
    return {**changed, step.shown: tuple(drawn.values()), **offered}


def _status(view: RunView) -> str:
    """Return the state of the run and the button for it."""
    offered = ""
    if not view.ended:
        offered = button("stop", "Stop")
    elif view.state == "stale":
        count = len(view.stale)
        what = f"step {view.name_of(view.stale[0])}" if count == 1 else f"{count} steps"
        offered = button("resume", f"Redo {what}", kind="primary")
    elif view.state in ("stopped", "failed"):
        offered = button("resume", "Resume", kind="primary")
    return run_markup.status(view) + (f'<div class="pv-actions">{offered}</div>' if offered else "")
