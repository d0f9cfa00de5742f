"""The Create tab, laid out: recipe -> plan -> references -> video, four steps of one walkthrough."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from procvid.settings import MAX_STEPS
from procvid.ui import markup, plan_table
from procvid.ui.context import AppContext
from procvid.ui.creating import NO_PLAN, OWN, PLAN, RECIPE, REFERENCES, VIDEO, Widgets, wire
from procvid.ui.guard import guarded
from procvid.ui.pulled_stores import stores_of

NO_REFERENCES = "Press “Find references” in step 2: the crops that guide each clip appear here."
NO_CLIPS = "Press “Make the video” in step 3: the clips appear here, one by one."
MEMORY_LABELS = {
    "default": "default store, and this video's own clips",
    OWN: "yours, as changed in the Memory tab",
    "none": "no references",
}


def build(context: AppContext, page: gr.Blocks, own_memory: gr.BrowserState) -> None:
    """Lay out the tab and wire its events; all of them are private."""
    draft, job = gr.State(None), gr.State(None)
    # Kept in the visitor's browser, so that a closed page finds its run again.
    last_run = gr.BrowserState("", storage_key="procvid-last-run", secret="procvid")
    with gr.Row(visible=False, elem_classes="pv-last") as last_row:
        last_note = gr.HTML()
        last_button = gr.Button("Show it", size="sm", scale=0, min_width=120)
    with gr.Walkthrough(selected=RECIPE, elem_id="create-steps") as walk:
        with gr.Step("Recipe", id=RECIPE):
            recipe, upload, memory, seed, steps, fast, plan_button = _recipe_step(context)
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
    wire(
        context,
        Widgets(
            page, walk, recipe, upload, memory, seed, steps, fast, plan_button, plan_notes, plan_list,
            table, references_button, references, make_button, status, stop_button, resume_button, board,
            video, download, last_row, last_note, last_button, draft, job, last_run, own_memory,
        ),
    )  # fmt: skip


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
        memory = gr.Dropdown(
            choices=_memories(),
            value="default",
            label="Memory",
            info="Where the pictures come from that keep the pan the same pan. Stores that were pulled in "
            "the Artifacts tab are here too.",
        )
        memory.focus(
            guarded(list_memories), None, memory, api_visibility="private", show_progress="hidden"
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
        fast = gr.Checkbox(
            label="Fast",
            value=False,
            info="Less than half the time a clip, a little further from the exact one.",
        )
    plan_button = gr.Button("Make the plan", variant="primary", elem_classes="pv-next")
    return recipe, upload, memory, seed, steps, fast, plan_button


def _memories(request: gr.Request | None = None) -> list[tuple[str, str]]:
    """Memories to choose, as (label, value)."""
    return [(label, name) for name, label in {**MEMORY_LABELS, **stores_of(request)}.items()]


def list_memories(request: gr.Request) -> Any:
    """The choices anew: a store may have been pulled since the page was opened."""
    return gr.Dropdown(choices=_memories(request))


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
