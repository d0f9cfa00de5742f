"""The Create tab, laid out: recipe, plan, references, video, review; five steps of one walkthrough."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from pathlib import Path

import gradio as gr

from procvid.plan.table import HEADERS
from procvid.run.examples import example_recipes, finished_of
from procvid.settings import MAX_STEPS
from procvid.ui import markup
from procvid.ui.pages.create import comparing, run_markup, watching
from procvid.ui.pages.create import planning as creating
from procvid.ui.pages.create import references as referring
from procvid.ui.pages.create.planning import (
    NO_PLAN,
    OWN,
    PLAN,
    RECIPE,
    REFERENCES,
    REVIEW,
    VIDEO,
    PlanStep,
    RecipeStep,
    Shared,
)
from procvid.ui.pages.create.references import ReferenceStep
from procvid.ui.pages.create.watching import ReviewStep, RunList, VideoStep
from procvid.ui.server.context import AppContext
from procvid.ui.server.guard import guarded
from procvid.ui.server.pulled_stores import loras_of, stores_of

NO_REFERENCES = "Press “Find references” in step 2: the crops that guide each clip appear here."
NO_CLIPS = "Press “Make the video” in step 3: the clips appear here, one by one."
NOTHING_TO_REVIEW = "When a run has clips, they can be mended here one by one."
POLL_S = 0.7
"""How often the page asks how its run goes."""
MEMORY_LABELS = {
    "default": "default store, and this video's own clips",
    OWN: "yours, as changed in the Memory tab",
    "none": "no references",
}


def build(
    context: AppContext,
    page: gr.Blocks,
    own_memory: gr.BrowserState,
    compared: gr.BrowserState,
    tabs: gr.Tabs,
) -> None:
    """Lay out the tab and wire its events; all of them are private."""
    with gr.Row(visible=False, elem_classes="pv-last") as row:
        chosen = gr.Dropdown(label="Your videos", choices=[], scale=3)
        mine = RunList(row, chosen, gr.Button("Show it", size="sm", scale=0, min_width=120))
    with gr.Walkthrough(selected=RECIPE, elem_id="create-steps") as walk:
        with gr.Step("Recipe", id=RECIPE):
            first = _recipe_step(context)
        with gr.Step("Plan", id=PLAN):
            second = _plan_step()
        with gr.Step("References", id=REFERENCES):
            third = _reference_step()
            make = gr.Button("Make the video", variant="primary", elem_classes="pv-next")
        with gr.Step("Video", id=VIDEO):
            fourth = _video_step(make)
            gr.HTML(f'<p class="pv-small">{escape(context.keeping.summary)}</p>')
        with gr.Step("Review", id=REVIEW):
            fifth = _review_step(context.profile.max_references)
    shared = Shared(
        page=page,
        walk=walk,
        draft=gr.State(None),
        changes=gr.State({}),
        run_id=gr.State(""),
        seen=gr.State(None),
        # Kept in the visitor's browser, so that a closed page finds its runs again.
        runs=gr.BrowserState([], storage_key="procvid-runs", secret="procvid"),
        last_run=gr.BrowserState("", storage_key="procvid-last-run", secret="procvid"),
        own_memory=own_memory,
        timer=gr.Timer(POLL_S, active=False),
    )
    creating.wire(context, shared, first, second)
    referring.wire(context, shared, first, second, third)
    watching.wire(context, shared, first, second, fourth, fifth, mine)
    comparing.wire(context, shared, fourth, fifth, compared, tabs)


def _recipe_step(context: AppContext) -> RecipeStep:
    recipe = gr.Textbox(
        label="Recipe",
        lines=10,
        max_lines=24,
        placeholder="A title, then one step a line.\n\nCarrot omelette\n1. Slice the carrot on the "
        "cutting board.\n2. Fry the carrot in the frying pan.",
        info="Plain text, Markdown, JSON, or the source of a recipe page.",
    )
    examples = example_recipes(context.examples_folder.resolve())
    if examples:
        gr.HTML('<p class="pv-small">Or try one of these:</p>')
        with gr.Row(elem_classes="pv-examples"):
            buttons = [gr.Button(_example_name(file), size="sm") for file in examples]
        finished = gr.HTML()
        for file, button in zip(examples, buttons, strict=True):
            button.click(
                _opener(file, context.profile.name),
                None,
                [recipe, finished],
                api_visibility="private",
                show_progress="hidden",
            )
    upload = gr.UploadButton(
        "Open a recipe, a saved recipe page, or a video made here",
        file_types=[".txt", ".md", ".json", ".html", ".htm", ".mp4"],
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
            info="Half the model calls or fewer, a little further from the exact one.",
        )
        lora = gr.Dropdown(
            choices=_loras(),
            value="",
            label="LoRA",
            info="Changes the model; those that were pulled in the Artifacts tab are here.",
        )
        lora.focus(
            guarded(list_loras), None, lora, api_visibility="private", show_progress="hidden"
        )
        key = gr.Textbox(
            label="Your OpenAI key",
            type="password",
            max_lines=1,
            info="Optional: a language model then makes the plan, at your cost. The key is used for "
            "that and kept nowhere.",
        )
    button = gr.Button("Make the plan", variant="primary", elem_classes="pv-next")
    return RecipeStep(recipe, upload, memory, seed, steps, fast, lora, key, button)


def _memories(request: gr.Request | None = None) -> list[tuple[str, str]]:
    """Memories to choose, as (label, value)."""
    return [(label, name) for name, label in {**MEMORY_LABELS, **stores_of(request)}.items()]


def list_memories(request: gr.Request) -> gr.Dropdown:
    """The choices anew: a store may have been pulled since the page was opened."""
    return gr.Dropdown(choices=_memories(request))


def _loras(request: gr.Request | None = None) -> list[tuple[str, str]]:
    """LoRAs to choose, as (label, value)."""
    return [("none", ""), *((label, name) for name, label in loras_of(request).items())]


def list_loras(request: gr.Request) -> gr.Dropdown:
    """The choices anew, likewise."""
    return gr.Dropdown(choices=_loras(request))


def _example_name(file: Path) -> str:
    return file.stem.replace("_", " ").capitalize()


def _opener(file: Path, profile: str) -> Callable[[], tuple[str, str]]:
    def example_text() -> tuple[str, str]:
        made = finished_of(file, profile)
        shown = "" if made is None else run_markup.finished_example(_example_name(file), *made)
        return file.read_text(encoding="utf-8"), shown

    return example_text


def _plan_step() -> PlanStep:
    notes = gr.HTML()
    shown = gr.HTML(markup.empty(NO_PLAN))
    with gr.Accordion("Change objects and states", open=False):
        gr.HTML(
            '<p class="pv-small">Each row is an object of a step. Edit a cell, add a row, or empty '
            "one to leave the object out. Kind: vessel, surface, tool or food. Stays the same: "
            "highly likely, likely or unlikely.</p>"
        )
        table = gr.Dataframe(
            headers=HEADERS,
            datatype="str",
            type="array",
            column_count=len(HEADERS),
            interactive=True,
            wrap=True,
            show_label=False,
            label="Objects and states",
            max_height=420,
            column_widths=["64px", "150px", "96px", "120px", "120px", "130px"],
        )
    with gr.Accordion("Change the words for the model", open=False):
        which = gr.Dropdown(label="Step", choices=[], info="Choose one to see its words.")
        prompt = gr.Textbox(
            label="Words for the model",
            lines=3,
            info="What the step's references look like is told after these words.",
        )
    button = gr.Button("Find references", variant="primary", elem_classes="pv-next")
    return PlanStep(notes, shown, table, which, prompt, button)


def _reference_step() -> ReferenceStep:
    shown = gr.HTML(markup.empty(NO_REFERENCES))
    with gr.Accordion("Change a reference", open=False):
        gr.HTML(
            '<p class="pv-small">Choose an object, then press another picture of it, give your own, '
            "pin the one that is shown, or ban it.</p>"
        )
        which = gr.Dropdown(label="Object", choices=[])
        choices = gr.Gallery(
            label="Others in the memory",
            columns=4,
            height=150,
            allow_preview=False,
            interactive=False,
            visible=False,
            elem_classes="pv-gallery",
        )
        with gr.Row():
            pin = gr.Button("Pin the shown one", size="sm")
            ban = gr.Button("Ban the shown one", size="sm")
            upload = gr.UploadButton("Give my own picture", file_types=["image"], size="sm")
            reset = gr.Button("As found", size="sm")
    return ReferenceStep(shown, which, choices, gr.State([]), pin, ban, upload, reset)


def _video_step(make: gr.Button) -> VideoStep:
    status = gr.HTML(markup.empty(NO_CLIPS))
    with gr.Row():
        stop = gr.Button("Stop", variant="stop", visible=False)
        resume = gr.Button("Go on", variant="primary", visible=False)
        review = gr.Button("Review the clips", variant="primary", visible=False)
    board = gr.HTML()
    return VideoStep(make, status, stop, resume, board, review)


def _review_step(max_references: int) -> ReviewStep:
    status = gr.HTML(markup.empty(NOTHING_TO_REVIEW))
    video = gr.HTML()
    with gr.Row():
        download = gr.DownloadButton("Download the video", visible=False)
        pack = gr.Button("Pack everything (zip)")
        packed = gr.DownloadButton("Download the zip", visible=False)
        refresh = gr.Button("Make the stale steps again", variant="primary", visible=False)
    board = gr.HTML()
    with gr.Group():
        which = gr.Dropdown(label="Mend a step", choices=[], info="Choose one to make it again.")
        with gr.Row():
            seed = gr.Textbox(label="Seed", placeholder="empty: another one", max_lines=1)
            left_out = gr.CheckboxGroup(label="References to leave out", choices=[], visible=False)
        prompt = gr.Textbox(label="Words for the model", lines=3)
        pictures = gr.File(
            label=f"Pictures to show it, at most {max_references}",
            file_count="multiple",
            file_types=["image"],
            height=120,
        )
        shows = gr.Dropdown(
            label="What they show, in their order",
            choices=[],
            multiselect=True,
            max_choices=max_references,
            info="Leave it empty to have them recognised. A picture that looks like nothing of this "
            "step then stands for no object of it.",
        )
    with gr.Row():
        again = gr.Button("Make this step again", variant="primary")
        lock = gr.Button("Lock this step")
    with gr.Accordion("What does the memory do for it?", open=False):
        gr.HTML(
            '<p class="pv-small">Makes the same recipe once more with the same seeds, without the '
            "memory if this one had it and with it if not. When it is done, the Evaluate tab plays "
            "both in step and tells the differences.</p>"
        )
        with gr.Row():
            compare = gr.Button("Make the other one", size="sm")
            side_by_side = gr.Button("Compare in the Evaluate tab", size="sm", visible=False)
    return ReviewStep(
        status, video, download, pack, packed, refresh, board, which, seed, prompt, left_out,
        pictures, shows, again, lock, compare, side_by_side,
    )  # fmt: skip
