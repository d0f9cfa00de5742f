"""The events of the Create tab: what each button does, and what the page shows of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from procvid.errors import RunError
from procvid.ui import markup, plan_table
from procvid.ui.context import AppContext, new_run_id
from procvid.ui.guard import guarded
from procvid.ui.jobs import (
    Draft,
    Job,
    draft_of,
    job_of,
    new_view,
    preview_references,
    read_text,
    read_wishes,
    stream_run,
    undrawable,
    view_of,
)
from procvid.ui.pulled_stores import stores_of
from procvid.ui.stream import RunView

RECIPE, PLAN, REFERENCES, VIDEO = 1, 2, 3, 4

NO_PLAN = "Paste a recipe in step 1 and press “Make the plan”."
UNDRAWABLE = (
    "This model was never taught {names}. The video will show something plain in place of that; "
    "the rest is drawn as planned."
)
OWN = "mine"

REFERENCES_HINT = {
    "default": "What the memory offers before the first clip is made. As the clips come, this "
    "video's own pictures take the place of these: so the pan stays the same pan.",
    OWN: "What your own memory offers before the first clip is made.",
    "none": "You chose to make the video without references.",
}
PULLED_HINT = "What the store from the Hub offers before the first clip is made."
TO_THE_TOP = "() => document.getElementById('create-steps').scrollIntoView({block: 'start'})"

QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
AT_ONCE: dict[str, Any] = {**QUIET, "queue": False}
IN_LINE: dict[str, Any] = {"concurrency_id": "gpu", "concurrency_limit": 1}
"""Heavy events wait for each other, and for the endpoints of the same line."""


@dataclass(frozen=True)
class Widgets:
    """The components that the events of this tab read and write."""

    page: gr.Blocks
    walk: gr.Walkthrough
    recipe: gr.Textbox
    upload: gr.UploadButton
    memory: gr.Dropdown
    seed: gr.Number
    steps: gr.Slider
    fast: gr.Checkbox
    plan_button: gr.Button
    plan_notes: gr.HTML
    plan_list: gr.HTML
    table: gr.Dataframe
    references_button: gr.Button
    references: gr.HTML
    make_button: gr.Button
    status: gr.HTML
    stop_button: gr.Button
    resume_button: gr.Button
    board: gr.HTML
    video: gr.HTML
    download: gr.DownloadButton
    last_row: gr.Row
    last_note: gr.HTML
    last_button: gr.Button
    draft: gr.State
    job: gr.State
    last_run: gr.BrowserState
    own_memory: gr.BrowserState


def wire(context: AppContext, w: Widgets) -> None:
    """Give the components their events; all of them are private."""
    # A long plan leaves the page scrolled down, where the next step would begin unseen.
    w.walk.change(None, None, None, js=TO_THE_TOP, api_visibility="private")
    w.upload.upload(guarded(read_text), w.upload, w.recipe, **QUIET)
    _wire_plan(context, w)
    _wire_video(context, w)
    _wire_last_run(context, w)


def _wire_plan(context: AppContext, w: Widgets) -> None:
    def plan_recipe(text: str) -> tuple[Any, ...]:
        draft = draft_of(context, text)
        told = [*draft.plan.notes]
        unknown = undrawable(context, draft.plan)
        if unknown:
            told.insert(0, UNDRAWABLE.format(names=", ".join(unknown)))
        return (
            draft,
            markup.notes("Before you go on:", told, "warn"),
            markup.plan_list(draft.plan),
            plan_table.rows_of(draft.plan),
            gr.Walkthrough(selected=PLAN),
        )

    def edit_plan(draft: Draft | None, rows: list[list[Any]]) -> tuple[Any, Any]:
        if draft is None:
            return gr.skip(), gr.skip()
        edited = replace(draft, plan=plan_table.apply_rows(draft.plan, rows))
        return edited, markup.plan_list(edited.plan)

    def find_references(
        draft: Draft | None,
        rows: list[list[Any]],
        memory: str,
        seed: float | None,
        own: str = "",
        request: gr.Request | None = None,
    ) -> tuple[Any, ...]:
        draft = replace(there(draft), plan=plan_table.apply_rows(there(draft).plan, rows))
        wishes = read_wishes(seed or 0, _memory(memory, own), None, stores=stores_of(request))
        found = preview_references(context, draft.plan, wishes)
        hint = markup.note(REFERENCES_HINT.get(memory, PULLED_HINT))
        shown = hint + markup.reference_list(draft.plan, found)
        return draft, markup.plan_list(draft.plan), shown, gr.Walkthrough(selected=REFERENCES)

    w.plan_button.click(
        guarded(plan_recipe),
        w.recipe,
        [w.draft, w.plan_notes, w.plan_list, w.table, w.walk],
        api_visibility="private",
        show_progress="minimal",
        show_progress_on=w.plan_button,
    )
    w.table.input(
        guarded(edit_plan),
        [w.draft, w.table],
        [w.draft, w.plan_list],
        **QUIET,
    )
    w.references_button.click(
        guarded(find_references),
        [w.draft, w.table, w.memory, w.seed, w.own_memory],
        [w.draft, w.plan_list, w.references, w.walk],
        api_visibility="private",
        **IN_LINE,
        show_progress="minimal",
        show_progress_on=w.references_button,
    )


def _memory(chosen: str, own: str) -> str:
    """The name of a memory, or the id of the person's own; theirs is the default until they change it."""
    return (own or "default") if chosen == OWN else chosen


def there(draft: Draft | None) -> Draft:
    """The draft, or a message that there is none yet."""
    if draft is None:
        raise gr.Error(NO_PLAN, title="No plan yet", print_exception=False)
    return draft


def _wire_video(context: AppContext, w: Widgets) -> None:
    shown = _run_outputs(w)

    def begin(
        draft: Draft | None,
        memory: str,
        seed: float | None,
        steps: float,
        fast: bool,
        own: str = "",
        request: gr.Request | None = None,
    ) -> tuple[Any, ...]:
        wishes = read_wishes(
            seed or 0, _memory(memory, own), int(steps) or None, fast, stores_of(request)
        )
        job = Job(new_run_id(), there(draft), wishes)
        context.expect(job.run_id)
        shown_now = _show(new_view(context, job), board=True)
        return job, job.run_id, gr.Walkthrough(selected=VIDEO), *shown_now

    def go_on(job: Job) -> tuple[Any, ...]:
        context.expect(job.run_id)
        return gr.Button("Stop", interactive=True, visible=True), gr.Button(visible=False)

    def make(job: Job) -> Iterator[tuple[Any, ...]]:
        shown_before: tuple[int, int] | None = None
        for view, _ in stream_run(context, job):
            # The storyboard is drawn anew only when it has something new: its players start over.
            shows = (len(view.clips), view.current)
            yield _show(view, board=shows != shown_before or view.ended)
            shown_before = shows

    def stop(job: Job) -> Any:
        context.stop(job.run_id)
        return gr.Button("Stopping…", interactive=False)

    making = {
        "fn": guarded(make),
        "inputs": w.job,
        "outputs": shown,
        **QUIET,
        **IN_LINE,
    }
    w.make_button.click(
        guarded(begin),
        [w.draft, w.memory, w.seed, w.steps, w.fast, w.own_memory],
        [w.job, w.last_run, w.walk, *shown],
        **AT_ONCE,
    ).success(**making)
    w.resume_button.click(
        guarded(go_on),
        w.job,
        [w.stop_button, w.resume_button],
        **AT_ONCE,
    ).success(**making)
    w.stop_button.click(
        guarded(stop),
        w.job,
        w.stop_button,
        **AT_ONCE,
    )


def _run_outputs(w: Widgets) -> list[Any]:
    """What `_show` fills."""
    return [w.status, w.board, w.stop_button, w.resume_button, w.video, w.download]


def _show(view: RunView, *, board: bool) -> tuple[Any, ...]:
    """The run on the page: status, board, stop, resume, video, download."""
    if not board:
        return markup.status(view), *[gr.skip()] * 5
    done = view.state == "done"
    return (
        markup.status(view),
        markup.storyboard(view),
        gr.Button("Stop", interactive=True, visible=not view.ended),
        gr.Button(visible=view.state in ("stopped", "failed")),
        markup.player(view),
        gr.DownloadButton(value=str(view.video) if done else None, visible=done),
    )


def _wire_last_run(context: AppContext, w: Widgets) -> None:
    """A page that was closed finds its run again; what was not made yet can go on."""

    def offer(run_id: str) -> tuple[Any, ...]:
        try:
            view = view_of(context, run_id)
        except RunError:
            # Cleared away, or of another server: nothing to offer.
            return gr.Row(visible=False), gr.skip()
        if view.plan is None:
            return gr.Row(visible=False), gr.skip()
        told = f"Your last video: {view.plan.title}, {len(view.clips)} of {len(view.steps)} clips."
        return gr.Row(visible=True), markup.note(told)

    def show_last(run_id: str) -> tuple[Any, ...]:
        job, view = job_of(context, run_id), view_of(context, run_id)
        return (
            job.draft,
            job,
            gr.Row(visible=False),
            markup.plan_list(job.draft.plan),
            plan_table.rows_of(job.draft.plan),
            gr.Walkthrough(selected=VIDEO),
            *_show(view, board=True),
        )

    w.page.load(guarded(offer), w.last_run, [w.last_row, w.last_note], **QUIET)
    w.last_button.click(
        guarded(show_last),
        w.last_run,
        [w.draft, w.job, w.last_row, w.plan_list, w.table, w.walk, *_run_outputs(w)],
        **QUIET,
    )
