"""The Create tab's second half: begin a run, look after it, come back to it, and mend its steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from procvid.errors import InputError, ProcvidError, RunError
from procvid.types import StepChanges
from procvid.ui import markup
from procvid.ui.pages.create import run_markup
from procvid.ui.pages.create.planning import (
    AT_ONCE,
    QUIET,
    REVIEW,
    SOON,
    VIDEO,
    PlanStep,
    RecipeStep,
    Shared,
    chosen_memory,
    shown_plan,
    there,
)
from procvid.ui.pages.create.redo import fitted, lock, read_changes, redo
from procvid.ui.server.context import AppContext
from procvid.ui.server.guard import guarded, one_line
from procvid.ui.server.guests import guest_of
from procvid.ui.server.jobs import begin, go_on, read_wishes
from procvid.ui.server.packing import PACKED, pack
from procvid.ui.server.pulled_stores import loras_of, stores_of
from procvid.ui.server.queue import Draft
from procvid.ui.server.runs import read_label
from procvid.ui.server.stream import RunView
from procvid.ui.server.uploads import read_pictures

MAX_RUNS = 30
"""So many runs a browser remembers."""

ADDRESS = "(id) => { if (id) history.replaceState(null, '', '?run=' + id); }"
"""The page's address names the run, so that it opens again with it."""


@dataclass(frozen=True)
class VideoStep:
    """The components of step 4, and the button that leads to it."""

    make: gr.Button
    status: gr.HTML
    stop: gr.Button
    resume: gr.Button
    board: gr.HTML
    review: gr.Button


@dataclass(frozen=True)
class ReviewStep:
    """The components of step 5."""

    status: gr.HTML
    video: gr.HTML
    download: gr.DownloadButton
    pack: gr.Button
    packed: gr.DownloadButton
    refresh: gr.Button
    board: gr.HTML
    which: gr.Dropdown
    seed: gr.Textbox
    prompt: gr.Textbox
    leave_out: gr.CheckboxGroup
    pictures: gr.File
    shows: gr.Dropdown
    redo: gr.Button
    lock: gr.Button
    compare: gr.Button
    side_by_side: gr.Button


@dataclass(frozen=True)
class RunList:
    """The visitor's own runs."""

    row: gr.Row
    which: gr.Dropdown
    button: gr.Button


def wire(
    context: AppContext,
    shared: Shared,
    first: RecipeStep,
    second: PlanStep,
    w: VideoStep,
    r: ReviewStep,
    mine: RunList,
) -> None:
    """Give the components their events; all of them are private."""
    watched = watched_by(shared, w)
    reviewed = [r.status, r.video, r.download, r.packed, r.refresh, r.board, r.which]
    wired = _Wiring(context, shared, first, second, w, r, mine, watched, reviewed)
    _wire_run(wired)
    _wire_review(wired)
    _wire_list(wired)


def watched_by(shared: Shared, w: VideoStep) -> list[Any]:
    """What `watch` fills."""
    return [w.status, w.board, w.stop, w.resume, w.review, shared.timer, shared.seen]


@dataclass(frozen=True)
class _Wiring:
    context: AppContext
    shared: Shared
    first: RecipeStep
    second: PlanStep
    video: VideoStep
    review: ReviewStep
    mine: RunList
    watched: list[Any]
    reviewed: list[Any]


def _wire_run(it: _Wiring) -> None:
    context, shared, w = it.context, it.shared, it.video

    def make(
        draft: Draft | None,
        changed: Mapping[int, StepChanges],
        memory: str,
        seed: float | None,
        steps: float,
        fast: bool,
        own: str = "",
        runs: list[str] | None = None,
        request: gr.Request | None = None,
        lora: str = "",
    ) -> tuple[Any, ...]:
        wishes = read_wishes(
            seed or 0,
            chosen_memory(memory, own),
            int(steps) or None,
            fast,
            stores_of(request),
            lora,
            loras_of(request) if lora else (),
        )
        changes = {number: fitted(of_step) for number, of_step in changed.items()}
        feed = begin(context, there(draft), wishes, guest_of(request), changes)
        run_id = feed.snapshot().run_id
        listed = [run_id, *(runs or [])][:MAX_RUNS]
        shown = watch(feed.snapshot(), None)
        return run_id, run_id, listed, gr.Walkthrough(selected=VIDEO), *shown

    def poll(run_id: str, seen: Any) -> tuple[Any, ...]:
        try:
            return watch(context.view_of(run_id), seen)
        except ProcvidError as error:
            gone = markup.note(str(error), "bad")
            return gone, *[gr.skip()] * 4, gr.Timer(active=False), seen

    def resume(run_id: str, request: gr.Request | None = None) -> tuple[Any, ...]:
        return watch(go_on(context, run_id, guest_of(request)).snapshot(), None)

    def stop(run_id: str) -> Any:
        context.worker.stop(run_id)
        return gr.Button("Stopping…", interactive=False)

    w.make.click(
        guarded(make),
        [
            shared.draft, shared.changes, it.first.memory, it.first.seed, it.first.steps,
            it.first.fast, shared.own_memory, shared.runs, it.first.lora,
        ],
        [shared.run_id, shared.last_run, shared.runs, shared.walk, *it.watched],
        **SOON,
    ).success(None, shared.last_run, None, js=ADDRESS, api_visibility="private")  # fmt: skip
    shared.timer.tick(guarded(poll), [shared.run_id, shared.seen], it.watched, **AT_ONCE)
    w.resume.click(guarded(resume), shared.run_id, it.watched, **SOON)
    w.stop.click(guarded(stop), shared.run_id, w.stop, **AT_ONCE)


def _wire_review(it: _Wiring) -> None:
    context, shared, r = it.context, it.shared, it.review

    def open_review(run_id: str) -> tuple[Any, ...]:
        # What was chosen may be of another run.
        return (
            gr.Walkthrough(selected=REVIEW),
            *review(context.view_of(run_id), anew=True),
            None,
            *unchosen(),
        )

    def choose_to_mend(run_id: str, number: int | None) -> tuple[Any, ...]:
        view = context.view_of(run_id)
        step = view.steps.get(number or 0)
        if step is None:
            return unchosen()
        planned = view.plan.steps[step.number - 1].objects if view.plan else ()
        slots = step.conditioning.slots if step.conditioning else ()
        shown = [(f"{s.number}: {s.words or s.object_name}", s.crop_id) for s in slots]
        return (
            "",
            step.conditioning.prompt if step.conditioning else "",
            gr.CheckboxGroup(choices=shown, value=[], visible=bool(shown)),
            gr.Dropdown(choices=[item.name for item in planned], value=[], multiselect=True),
            gr.Button("Unlock this step" if step.locked else "Lock this step"),
        )

    def again(
        run_id: str,
        number: int | None,
        seed: str,
        prompt: str,
        left_out: Sequence[str],
        files: Sequence[str] | None,
        shows: Sequence[str] | None = None,
        request: gr.Request | None = None,
    ) -> tuple[Any, ...]:
        if len(shows or ()) > len(files or ()):
            raise InputError(
                f"There are {len(shows or ())} names for {len(files or ())} pictures.",
                "Name at most one object for each picture.",
            )
        view = context.view_of(run_id)
        step = view.steps.get(number or 0)
        if step is None:
            raise RunError("No step is chosen.", "Choose one of the list first.")
        before = step.conditioning.prompt if step.conditioning else ""
        changes = read_changes(
            seed=_number(seed),
            prompt=None if prompt.strip() in ("", before.strip()) else prompt,
            uploads=read_pictures(files, context.profile.max_references),
            banned=list(left_out),
            shows=list(shows or ()),
        )
        feed = redo(context, run_id, number, changes, guest_of(request))
        return gr.Walkthrough(selected=VIDEO), None, *watch(feed.snapshot(), None)

    def toggle(run_id: str, number: int | None) -> tuple[Any, ...]:
        step = context.view_of(run_id).steps.get(number or 0)
        keep = step is None or not step.locked
        view = lock(context, run_id, number, keep=keep)
        return gr.Button("Unlock this step" if keep else "Lock this step"), *review(view)

    def refresh(run_id: str, request: gr.Request | None = None) -> tuple[Any, ...]:
        feed = go_on(context, run_id, guest_of(request))
        return gr.Walkthrough(selected=VIDEO), *watch(feed.snapshot(), None)

    def pack_all(run_id: str) -> Any:
        target = context.runs_folder / PACKED / f"{run_id}.zip"
        file = pack(run_id, context.existing_folder_of(run_id), target)
        return gr.DownloadButton("Download the zip", value=str(file), visible=True)

    chosen = [r.seed, r.prompt, r.leave_out, r.shows, r.lock]
    it.video.review.click(
        guarded(open_review),
        shared.run_id,
        [shared.walk, *it.reviewed, r.pictures, *chosen],
        **QUIET,
    )
    r.which.input(
        guarded(choose_to_mend),
        [shared.run_id, r.which],
        chosen,
        **QUIET,
    )
    r.redo.click(
        guarded(again),
        [shared.run_id, r.which, r.seed, r.prompt, r.leave_out, r.pictures, r.shows],
        [shared.walk, r.pictures, *it.watched],
        **SOON,
    )
    r.lock.click(guarded(toggle), [shared.run_id, r.which], [r.lock, *it.reviewed], **QUIET)
    r.refresh.click(guarded(refresh), shared.run_id, [shared.walk, *it.watched], **SOON)
    r.pack.click(guarded(pack_all), shared.run_id, r.packed, **QUIET)


def _number(text: str) -> int | str | None:
    """A seed as it was typed; what is no number is left for the check to tell."""
    typed = text.strip()
    return int(typed) if typed.isascii() and typed.isdigit() else typed or None


def _wire_list(it: _Wiring) -> None:
    """A page that was closed finds its runs again, also one that its address names."""
    context, shared, mine = it.context, it.shared, it.mine
    opened = [
        shared.draft, shared.changes, shared.run_id, shared.walk, it.second.notes, it.second.shown,
        it.second.table, it.second.which, *it.watched,
    ]  # fmt: skip

    def arrive(
        runs: list[str] | None, last_run: str, request: gr.Request | None = None
    ) -> tuple[Any, ...]:
        # They come out of the visitor's browser, as whatever they made of them.
        kept = [last_run, *(runs if isinstance(runs, list) else [])]
        known = list(dict.fromkeys(run for run in kept if run and isinstance(run, str)))
        labels = {run_id: label(run_id) for run_id in known}
        choices = [(told, run_id) for run_id, told in labels.items() if told]
        row = gr.Row(visible=bool(choices))
        shown = gr.Dropdown(choices=choices, value=choices[0][1] if choices else None)
        asked = "" if request is None else dict(request.query_params).get("run", "")
        if asked and label(asked):
            return row, shown, *show_run(asked)
        if asked:
            gr.Warning(
                f"There is no run {escape(one_line(asked, 40))}: it may have been cleared away."
            )
        return row, shown, *[gr.skip()] * len(opened)

    def label(run_id: str) -> str:
        try:
            feed = context.worker.feed(run_id)
            if feed is not None:
                return _label(feed.snapshot())
            return read_label(run_id, context.existing_folder_of(run_id))
        except ProcvidError:
            # Cleared away, or of another server: nothing to offer.
            return ""

    def show_run(run_id: str | None) -> tuple[Any, ...]:
        if not run_id:
            raise RunError("No video is chosen.", "Choose one of the list first.")
        job, view = context.job_of(run_id), context.view_of(run_id)
        return (
            job.draft,
            {},
            run_id,
            gr.Walkthrough(selected=VIDEO),
            *shown_plan(context, job.draft.plan),
            *watch(view, None),
        )

    def remember(run_id: str) -> str:
        return run_id

    it.shared.page.load(
        guarded(arrive), [shared.runs, shared.last_run], [mine.row, mine.which, *opened], **QUIET
    )
    mine.button.click(guarded(show_run), mine.which, opened, **QUIET).success(
        guarded(remember), mine.which, shared.last_run, **QUIET
    ).then(None, shared.last_run, None, js=ADDRESS, api_visibility="private")


def _label(view: RunView) -> str:
    title = view.plan.title if view.plan else "recipe"
    return f"{title}: {len(view.clips)} of {len(view.steps)} clips, {view.state}"


def watch(view: RunView, seen: Any) -> tuple[Any, ...]:
    """The Video step: status, board, stop, resume, review, timer, and what is seen by that.

    The board is drawn anew only when it has something new: its players start over.
    """
    shows = (
        view.state,
        view.current,
        tuple((s.number, str(s.clip), s.stale, s.locked) for s in view.steps.values()),
    )
    timer = gr.Timer(active=not view.ended)
    if shows == seen:
        return run_markup.status(view), *[gr.skip()] * 4, timer, seen
    return (
        run_markup.status(view),
        run_markup.storyboard(view),
        gr.Button("Stop", interactive=True, visible=not view.ended),
        gr.Button(
            "Make the stale steps again" if view.state == "stale" else "Go on",
            visible=view.state in ("stopped", "failed", "stale"),
        ),
        gr.Button(visible=view.ended and bool(view.clips)),
        timer,
        shows,
    )


def unchosen() -> tuple[Any, ...]:
    """The fields of a step to mend while none is chosen: seed, words, references, pictures, lock."""
    return (
        "",
        "",
        gr.CheckboxGroup(choices=[], value=[], visible=False),
        gr.Dropdown(choices=[], value=[], multiselect=True),
        gr.Button("Lock this step"),
    )


def review(view: RunView, *, anew: bool = False) -> tuple[Any, ...]:
    """The Review step: status, video, downloads, refresh, board, and the steps to choose from.

    The step that is chosen stays so, unless the page is to begin anew with this run.
    """
    there_is = view.video is not None
    steps = [(f"Step {s.number}: {s.text[:60]}", s.number) for s in view.steps.values() if s.clip]
    return (
        run_markup.status(view),
        run_markup.player(view),
        gr.DownloadButton(value=str(view.video) if there_is else None, visible=there_is),
        gr.DownloadButton(visible=False),
        gr.Button(visible=view.state == "stale"),
        run_markup.storyboard(view),
        gr.Dropdown(choices=steps, value=None) if anew else gr.Dropdown(choices=steps),
    )
