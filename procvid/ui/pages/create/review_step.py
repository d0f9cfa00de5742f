"""Step 5 of the Create page: the whole video, its downloads, and redoing or locking a step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from procvid.errors import InputError, RunError
from procvid.ui import markup
from procvid.ui.pages.create import run_markup
from procvid.ui.pages.create.shared import QUIET, REVIEW, SOON, VIDEO, PageState, Update
from procvid.ui.pages.create.video_step import VideoStep, watch, watch_outputs
from procvid.ui.pages.picture import SUFFIXES
from procvid.ui.server.context import AppContext
from procvid.ui.server.guard import guarded
from procvid.ui.server.jobs import resume_run
from procvid.ui.server.packing import PACKED, pack
from procvid.ui.server.redo import lock, read_changes, redo
from procvid.ui.server.stream import RunView, StepView
from procvid.ui.server.uploads import read_pictures
from procvid.ui.server.visitors import visitor_of

NOTHING_TO_REVIEW = "Make a video first. Then you can redo its steps in this tab."


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
    notes: gr.HTML
    which: gr.Dropdown
    seed: gr.Textbox
    prompt: gr.Textbox
    replaced: gr.CheckboxGroup
    pictures: gr.File
    shows: gr.Dropdown
    redo: gr.Button
    lock: gr.Button

    @property
    def outputs(self) -> list[Any]:
        """The components that `show_review` fills."""
        return [
            *(self.status, self.video, self.download, self.packed, self.refresh, self.board),
            *(self.notes, self.which),
        ]

    @property
    def fields(self) -> list[Any]:
        """The fields of the step to redo, which `show_fields` fills."""
        return [self.seed, self.prompt, self.replaced, self.shows, self.lock]


def build(max_references: int) -> ReviewStep:
    """Lay out the step."""
    status = gr.HTML(markup.empty(NOTHING_TO_REVIEW))
    video = gr.HTML()
    with gr.Row():
        download = gr.DownloadButton("Download video", visible=False)
        pack = gr.Button("Prepare zip")
        packed = gr.DownloadButton("Download zip", visible=False)
        refresh = gr.Button("Redo stale steps", variant="primary", visible=False)
    board = gr.HTML()
    notes = gr.HTML()
    with gr.Group():
        which = gr.Dropdown(label="Redo a step", choices=[], info="Choose the step to change.")
        with gr.Row():
            seed = gr.Textbox(label="Seed", placeholder="random", max_lines=1)
            replaced = gr.CheckboxGroup(
                label="References to replace with others", choices=[], visible=False
            )
        prompt = gr.Textbox(label="Prompt", lines=3)
        pictures = gr.File(
            label=f"Your own reference images, at most {max_references}",
            file_count="multiple",
            file_types=SUFFIXES,
            height=120,
        )
        shows = gr.Dropdown(
            label="Objects they show, in order",
            choices=[],
            multiselect=True,
            max_choices=max_references,
            info="Leave empty to detect automatically. Images that match no object are ignored.",
        )
    with gr.Row():
        redo = gr.Button("Redo step", variant="primary")
        lock = gr.Button("Lock step")
    return ReviewStep(
        status, video, download, pack, packed, refresh, board, notes, which, seed, prompt, replaced,
        pictures, shows, redo, lock,
    )  # fmt: skip


def wire(context: AppContext, state: PageState, video: VideoStep, step: ReviewStep) -> None:
    """Connect the events of the step, and the button that opens it."""

    def open_review(run_id: str) -> Update:
        view = context.view_of(run_id)
        # The fields may hold values of another run, so clear them.
        return {
            state.walk: gr.Tabs(selected=REVIEW),
            step.pictures: None,
            **show_review(context, step, view),
            step.which: gr.Dropdown(choices=_redoable(view), value=None),
            **show_fields(step, None, ()),
        }

    def choose_to_redo(run_id: str, number: int | None) -> Update:
        view = context.view_of(run_id)
        chosen = view.steps.get(number or 0)
        if chosen is None:
            return show_fields(step, None, ())
        planned = view.plan.steps[chosen.number - 1].objects if view.plan else ()
        return show_fields(step, chosen, [item.name for item in planned])

    def redo_step(
        run_id: str,
        number: int | None,
        seed: str,
        prompt: str,
        replaced: Sequence[str],
        files: Sequence[str] | None,
        shows: Sequence[str] | None = None,
        request: gr.Request | None = None,
    ) -> Update:
        if len(shows or ()) > len(files or ()):
            raise InputError(
                f"There are {len(shows or ())} names for {len(files or ())} images.",
                "Name at most one object per image.",
            )
        chosen = _chosen(context.view_of(run_id), number)
        before = chosen.conditioning.prompt if chosen.conditioning else ""
        changes = read_changes(
            seed=_seed(seed),
            prompt=None if prompt.strip() in ("", before.strip()) else prompt,
            uploads=read_pictures(files, context.profile.max_references),
            banned=list(replaced),
            shows=list(shows or ()),
        )
        feed = redo(context, run_id, chosen.number, changes, visitor_of(request))
        return {step.pictures: None, **open_video(feed.snapshot())}

    def toggle_lock(run_id: str, number: int | None) -> Update:
        chosen = _chosen(context.view_of(run_id), number)
        view = lock(context, run_id, chosen.number, keep=not chosen.locked)
        return {step.lock: _lock_button(not chosen.locked), **show_review(context, step, view)}

    def redo_stale(run_id: str, request: gr.Request | None = None) -> Update:
        return open_video(resume_run(context, run_id, visitor_of(request)).snapshot())

    def open_video(view: RunView) -> Update:
        return {state.walk: gr.Tabs(selected=VIDEO), **watch(state, video, view, None)}

    def pack_all(run_id: str) -> Any:
        target = context.runs_folder / PACKED / f"{run_id}.zip"
        file = pack(run_id, context.existing_folder_of(run_id), target)
        return gr.DownloadButton(value=str(file), visible=True)

    watched = [state.walk, *watch_outputs(state, video)]
    video.review.click(
        guarded(open_review),
        state.run_id,
        [state.walk, step.pictures, *step.outputs, *step.fields],
        **QUIET,
    )
    step.which.input(guarded(choose_to_redo), [state.run_id, step.which], step.fields, **QUIET)
    step.redo.click(
        guarded(redo_step),
        [
            state.run_id, step.which, step.seed, step.prompt, step.replaced, step.pictures,
            step.shows,
        ],
        [step.pictures, *watched],
        **SOON,
    )  # fmt: skip
    step.lock.click(
        guarded(toggle_lock), [state.run_id, step.which], [step.lock, *step.outputs], **QUIET
    )
    step.refresh.click(guarded(redo_stale), state.run_id, watched, **SOON)
    step.pack.click(guarded(pack_all), state.run_id, step.packed, **QUIET)


def _chosen(view: RunView, number: int | None) -> StepView:
    step = view.steps.get(number or 0)
    if step is None:
        raise RunError("No step is chosen.", "Choose one from the list first.")
    return step


def _seed(text: str) -> int | str | None:
    """Return the typed seed, or None if empty. Text that is not a number is returned unchanged."""
    typed = text.strip()
    return int(typed) if typed.isascii() and typed.isdigit() else typed or None


def _lock_button(locked: bool) -> gr.Button:
    return gr.Button("Unlock step" if locked else "Lock step")


def _redoable(view: RunView) -> list[tuple[str, int]]:
    return [(f"Step {s.name}: {s.text[:60]}", s.number) for s in view.steps.values() if s.clip]


def show_fields(step: ReviewStep, chosen: StepView | None, names: Sequence[str]) -> Update:
    """Fill the fields of the step to redo.

    Args:
        step: The components.
        chosen: The step of the run; None clears the fields.
        names: The objects of that step.
    """
    conditioning = chosen.conditioning if chosen else None
    slots = conditioning.slots if conditioning else ()
    references = [(f"{s.number}: {s.words or s.object_name}", s.crop_id) for s in slots]
    return {
        step.seed: "",
        step.prompt: conditioning.prompt if conditioning else "",
        step.replaced: gr.CheckboxGroup(choices=references, value=[], visible=bool(references)),
        step.shows: gr.Dropdown(choices=list(names), value=[], multiselect=True),
        step.lock: _lock_button(chosen is not None and chosen.locked),
    }


def show_review(context: AppContext, step: ReviewStep, view: RunView) -> Update:
    """Fill the Review step with a run; the chosen step stays chosen."""
    has_video = view.video is not None
    return {
        step.status: run_markup.status(view),
        step.video: run_markup.player(view),
        step.download: gr.DownloadButton(
            value=str(view.video) if has_video else None, visible=has_video
        ),
        step.packed: gr.DownloadButton(visible=False),
        step.refresh: gr.Button(visible=view.state == "stale"),
        step.board: run_markup.storyboard(view),
        step.notes: run_markup.warnings(view),
        step.which: gr.Dropdown(choices=_redoable(view)),
    }
