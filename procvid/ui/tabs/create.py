"""The Create tab: recipe -> plan -> references -> video, four steps of one walkthrough."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gradio as gr

from procvid.settings import MAX_STEPS
from procvid.ui import markup, plan_table
from procvid.ui.context import MEMORIES, AppContext, new_run_id
from procvid.ui.guard import guarded
from procvid.ui.jobs import (
    Draft,
    Job,
    draft_of,
    new_view,
    preview_references,
    read_text,
    read_wishes,
    stream_run,
    undrawable,
)
from procvid.ui.stream import RunView

RECIPE, PLAN, REFERENCES, VIDEO = 1, 2, 3, 4

NO_PLAN = "Paste a recipe in step 1 and press “Make the plan”."
NO_REFERENCES = "Press “Find references” in step 2: the crops that guide each clip appear here."
NO_CLIPS = "Press “Make the video” in step 3: the clips appear here, one by one."
TO_THE_TOP = "() => document.getElementById('create-steps').scrollIntoView({block: 'start'})"
MEMORY_LABELS = {"default": "default store, and this video's own clips", "none": "no references"}


@dataclass(frozen=True)
class Widgets:
    """The components that the events of this tab read and write."""

    walk: gr.Walkthrough
    recipe: gr.Textbox
    memory: gr.Radio
    seed: gr.Number
    steps: gr.Slider
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
    draft: gr.State
    job: gr.State


def build(context: AppContext) -> None:
    """Lay out the tab and wire its events; all of them are private."""
    draft, job = gr.State(None), gr.State(None)
    with gr.Walkthrough(selected=RECIPE, elem_id="create-steps") as walk:
        with gr.Step("Recipe", id=RECIPE):
            recipe, upload, memory, seed, steps, plan_button = _recipe_step(context)
        with gr.Step("Plan", id=PLAN):
            plan_notes = gr.HTML()
            plan_list = gr.HTML(markup.empty(NO_PLAN))
            table = _table()
            references_button = gr.Button(
                "Find references", variant="primary", elem_classes="pv-next"
            )
        with gr.Step("References", id=REFERENCES):
            references = gr.HTML(markup.empty(NO_REFERENCES))
            make_button = gr.Button("Make the video", variant="primary", elem_classes="pv-next")
        with gr.Step("Video", id=VIDEO):
            status = gr.HTML(markup.empty(NO_CLIPS))
            with gr.Row():
                stop_button = gr.Button("Stop", variant="stop", visible=False)
                resume_button = gr.Button("Go on", variant="primary", visible=False)
            video = gr.HTML()
            download = gr.DownloadButton("Download the video", visible=False)
            board = gr.HTML()
    widgets = Widgets(
        walk, recipe, memory, seed, steps, plan_button, plan_notes, plan_list, table,
        references_button, references, make_button, status, stop_button, resume_button,
        board, video, download, draft, job,
    )  # fmt: skip
    # A long plan leaves the page scrolled down, where the next step would begin unseen.
    walk.change(None, None, None, js=TO_THE_TOP, api_visibility="private")
    upload.upload(
        guarded(read_text), upload, recipe, api_visibility="private", show_progress="hidden"
    )
    _wire_plan(context, widgets)
    _wire_video(context, widgets)


def _recipe_step(context: AppContext) -> tuple[Any, ...]:
    recipe = gr.Textbox(
        label="Recipe",
        lines=10,
        max_lines=24,
        placeholder="A title, then one step a line.\n\nCarrot omelette\n1. Slice the carrot on the "
        "cutting board.\n2. Fry the carrot in the frying pan.",
        info="Plain text, Markdown, JSON, or the source of a recipe page.",
    )
    examples = sorted(context.examples_folder.glob("*.*")) if context.examples_folder else []
    examples = [file for file in examples if file.suffix in (".txt", ".md", ".json")]
    if examples:
        gr.HTML('<p class="pv-small">Or try one of these:</p>')
        with gr.Row(elem_classes="pv-examples"):
            for file in examples:
                button = gr.Button(_example_name(file), size="sm")
                button.click(
                    _opener(file),
                    None,
                    recipe,
                    api_visibility="private",
                    show_progress="hidden",
                )
    upload = gr.UploadButton(
        "Open a recipe file",
        file_types=[".txt", ".md", ".json", ".html"],
        size="sm",
        elem_classes="pv-upload",
    )
    with gr.Accordion("Options", open=False):
        memory = gr.Radio(
            choices=[(MEMORY_LABELS[name], name) for name in MEMORIES],
            value="default",
            label="Memory",
            info="Where the pictures come from that keep the pan the same pan.",
        )
        with gr.Row():
            seed = gr.Number(
                label="Seed", value=0, precision=0, minimum=0, info="Same seed, same video."
            )
            steps = gr.Slider(
                label="Denoising steps",
                value=0,
                minimum=0,
                maximum=min(60, MAX_STEPS),
                step=1,
                info="0 is the profile's own number; more is slower and cleaner.",
            )
    plan_button = gr.Button("Make the plan", variant="primary", elem_classes="pv-next")
    return recipe, upload, memory, seed, steps, plan_button


def _example_name(file: Path) -> str:
    return file.stem.replace("_", " ").capitalize()


def _opener(file: Path) -> Callable[[], str]:
    def example_text() -> str:
        return file.read_text(encoding="utf-8")

    return example_text


def _table() -> gr.Dataframe:
    with gr.Accordion("Change objects and states", open=False):
        gr.HTML(
            '<p class="pv-small">Each row is an object of a step. Edit a cell, add a row, or empty '
            "one to leave the object out. Kind: vessel, surface, tool or food. Stays the same: "
            "highly likely, likely or unlikely.</p>"
        )
        return gr.Dataframe(
            headers=plan_table.HEADERS,
            datatype="str",
            type="array",
            column_count=len(plan_table.HEADERS),
            interactive=True,
            wrap=True,
            show_label=False,
            label="Objects and states",
            max_height=420,
            column_widths=["64px", "150px", "96px", "120px", "120px", "130px"],
        )


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
        draft: Draft | None, rows: list[list[Any]], memory: str, seed: float | None
    ) -> tuple[Any, ...]:
        draft = replace(there(draft), plan=plan_table.apply_rows(there(draft).plan, rows))
        found = preview_references(context, draft.plan, read_wishes(seed or 0, memory, None))
        shown = markup.note(REFERENCES_HINT[memory]) + markup.reference_list(draft.plan, found)
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
        api_visibility="private",
        show_progress="hidden",
    )
    w.references_button.click(
        guarded(find_references),
        [w.draft, w.table, w.memory, w.seed],
        [w.draft, w.plan_list, w.references, w.walk],
        api_visibility="private",
        concurrency_id="gpu",
        concurrency_limit=1,
        show_progress="minimal",
        show_progress_on=w.references_button,
    )


def there(draft: Draft | None) -> Draft:
    """The draft, or a message that there is none yet."""
    if draft is None:
        raise gr.Error(NO_PLAN, title="No plan yet", print_exception=False)
    return draft


UNDRAWABLE = (
    "This model was never taught {names}. The video will show something plain in place of that; "
    "the rest is drawn as planned."
)
REFERENCES_HINT = {
    "default": "What the memory offers before the first clip is made. As the clips come, this "
    "video's own pictures take the place of these: so the pan stays the same pan.",
    "none": "You chose to make the video without references.",
}


def _wire_video(context: AppContext, w: Widgets) -> None:
    shown = [w.status, w.board, w.stop_button, w.resume_button, w.video, w.download]

    def begin(
        draft: Draft | None, memory: str, seed: float | None, steps: float
    ) -> tuple[Any, ...]:
        job = Job(new_run_id(), there(draft), read_wishes(seed or 0, memory, int(steps) or None))
        shown_now = _show(new_view(context, job), board=True)
        return job, gr.Walkthrough(selected=VIDEO), *shown_now

    def go_on() -> tuple[Any, ...]:
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
        "api_visibility": "private",
        "concurrency_id": "gpu",
        "concurrency_limit": 1,
        "show_progress": "hidden",
    }
    w.make_button.click(
        guarded(begin),
        [w.draft, w.memory, w.seed, w.steps],
        [w.job, w.walk, *shown],
        api_visibility="private",
        queue=False,
        show_progress="hidden",
    ).success(**making)
    w.resume_button.click(
        go_on,
        None,
        [w.stop_button, w.resume_button],
        api_visibility="private",
        queue=False,
        show_progress="hidden",
    ).success(**making)
    w.stop_button.click(
        guarded(stop),
        w.job,
        w.stop_button,
        api_visibility="private",
        queue=False,
        show_progress="hidden",
    )


def _show(view: RunView, *, board: bool) -> tuple[Any, ...]:
    """The run on the page: status, board, stop, resume, video, download."""
    done = view.state == "done"
    return (
        markup.status(view),
        markup.storyboard(view) if board else gr.skip(),
        gr.Button("Stop", interactive=True, visible=not view.ended),
        gr.Button(visible=view.state in ("stopped", "failed")),
        markup.player(view) if board else gr.skip(),
        gr.DownloadButton(value=str(view.video) if done else None, visible=done),
    )
