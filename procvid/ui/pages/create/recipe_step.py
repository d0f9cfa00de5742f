"""Step 1 of the Create page: the recipe and the options of the run."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from procvid.errors import InputError, ProcvidError
from procvid.plan.recipe.parse import read_recipe
from procvid.plan.recipe.written import recipe_text
from procvid.run.restore import restored
from procvid.ui.pages.create import run_options, showcase
from procvid.ui.pages.create.run_options import OptionFields
from procvid.ui.pages.create.shared import QUIET, Update
from procvid.ui.pressed import pressable, read_press
from procvid.ui.server.context import AppContext
from procvid.ui.server.estimate import estimate
from procvid.ui.server.guard import for_the_page, guarded
from procvid.ui.server.jobs import read_options
from procvid.ui.server.uploads import read_recipe_file

VIDEOS = (".mp4",)
RECIPE_BOX, MAKE = "pv-recipe", "pv-make"
"""Element ids of the recipe and of the button that makes the video."""

DEMO = "Demo without a GPU: clips are small cartoons."
WITH_GPU = (
    "With a CUDA GPU, Phantom-Wan makes cooking footage of 832x480 px, 5 s a clip; docs/gpu.md names "
    "the cards."
)

WAIT = "async (...values) => { await new Promise(done => setTimeout(done, 300)); return values; }"
"""Waits until the visitor pauses; the events of earlier keys are then dropped."""

CTRL_ENTER = f"""() => {{
  document.addEventListener('keydown', (event) => {{
    if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
    const box = document.querySelector('#{RECIPE_BOX} textarea');
    if (!box || event.target !== box) return;
    event.preventDefault();
    // The box sends its text when it loses the focus.
    box.blur();
    setTimeout(() => document.getElementById('{MAKE}')?.click(), 50);
  }});
}}"""
"""Ctrl+Enter or Cmd+Enter in the recipe presses "Make the video"."""


@dataclass(frozen=True)
class RecipeStep:
    """The components of step 1.

    `make` makes the video at once; `button` makes the plan alone.
    """

    recipe: gr.Textbox
    upload: gr.UploadButton
    make: gr.Button
    button: gr.Button
    estimate: gr.HTML
    show: gr.HTML
    examples: gr.HTML
    options: OptionFields

    @property
    def memory(self) -> gr.Dropdown:
        """The field of the memory."""
        return self.options.memory

    @property
    def shots(self) -> gr.Dropdown:
        """The field of the shots."""
        return self.options.shots

    @property
    def seed(self) -> gr.Number:
        """The field of the seed."""
        return self.options.seed

    @property
    def steps(self) -> gr.Slider:
        """The field of the denoising steps."""
        return self.options.steps

    @property
    def fast(self) -> gr.Checkbox:
        """The field of the shortcuts."""
        return self.options.fast

    @property
    def lora(self) -> gr.Dropdown:
        """The field of the LoRA."""
        return self.options.lora

    @property
    def key(self) -> gr.Textbox:
        """The field of the visitor's own key."""
        return self.options.key


def build(context: AppContext) -> RecipeStep:
    """Lay out the step: the recipe beside what comes of it, and the examples below."""
    notice = demo_notice(context)
    if notice:
        gr.HTML(notice, elem_classes="pv-demo-block")
    with gr.Row(elem_classes="pv-first"):
        with gr.Column(elem_classes="pv-left"):
            recipe = gr.Textbox(
                label="Recipe",
                show_label=False,
                lines=9,
                max_lines=12,
                placeholder="Paste a recipe here: a title, then one step per line.\n\n"
                "Carrot omelette\n1. Slice the carrot on the cutting board.\n"
                "2. Fry the carrot in the frying pan.",
                elem_id=RECIPE_BOX,
            )
            with gr.Row(elem_classes="pv-go"):
                make = gr.Button("Make the video", variant="primary", elem_id=MAKE)
                button = gr.Button("Check the plan first")
            estimated = gr.HTML(elem_classes="pv-estimate")
            options = run_options.build(context.profile)
            upload = gr.UploadButton(
                "Open file",
                file_types=[".txt", ".md", ".json", ".html", ".htm", ".mp4"],
                size="sm",
                elem_classes="pv-upload",
            )
        with gr.Column(elem_classes="pv-right"):
            show = gr.HTML(showcase.rows(), js_on_load=showcase.MOTION)
        examples = pressable(
            showcase.card_list(showcase.read_cards(context)), elem_classes="pv-cards"
        )
    return RecipeStep(recipe, upload, make, button, estimated, show, examples, options)


def demo_notice(context: AppContext) -> str:
    """Return one line that says what a demo makes, with the reason folded; "" if it is none."""
    profile = context.profile
    if not profile.demo:
        return ""
    more = f"{profile.describe(context.profile_reason)} {WITH_GPU}"
    return (
        f'<details class="pv-demo"><summary>{DEMO} <u>More</u></summary>'
        f"<p>{escape(more)}</p></details>"
    )


def wire(context: AppContext, page: gr.Blocks, step: RecipeStep) -> None:
    """Connect the upload button, the examples, the estimate and the keys."""
    cards = showcase.read_cards(context)
    options = step.options

    def choose(event: gr.EventData) -> Update:
        press = read_press(event)
        if press.act == showcase.STRIP:
            return {step.show: showcase.rows(), step.examples: showcase.card_list(cards)}
        card = showcase.chosen(cards, press)
        return {
            step.recipe: _words_of(card.file),
            step.show: showcase.finished(card),
            step.examples: showcase.card_list(cards, card.file.stem),
        }

    def estimated(
        text: str,
        shots: str,
        seed: Any,
        steps: Any,
        fast: bool,
        size: str,
        frames: Any,
        takes: Any = 1,
    ) -> str:
        try:
            chosen = read_options(
                run_options.options_seed(seed),
                "none",
                steps,
                fast,
                size=size,
                frames=frames,
                takes=takes,
            )
        except ProcvidError as error:
            return line(for_the_page(error))
        return line(estimate(context, text, shots, chosen))

    def line(text: str) -> str:
        return f'<p class="pv-small" role="status">{escape(text)}</p>' if text else ""

    filled = [step.recipe, step.show, step.examples]
    step.examples.select(guarded(choose), None, filled, **QUIET).success(
        None, None, None, js=showcase.INTO_VIEW
    )
    step.show.select(guarded(choose), None, filled, **QUIET)
    asked: list[Any] = [
        step.recipe, step.shots, step.seed, step.steps, step.fast, options.size, options.frames,
        options.takes,
    ]  # fmt: skip
    gr.on(
        [field.change for field in asked],
        guarded(estimated),
        asked,
        step.estimate,
        js=WAIT,
        trigger_mode="always_last",
        concurrency_limit=2,
        **QUIET,
    )
    page.load(None, None, None, js=CTRL_ENTER, api_visibility="private")

    def restore(file: str) -> Update:
        """Open a recipe, or a video made by procvid with its seed, steps, speed and memory.

        Raises:
            RecipeError: The file is too large, not text, or a video that procvid did not make.
            InputError: The video cannot be read.
        """
        if not isinstance(file, str):
            raise InputError("No file arrived.", "Choose it again.")
        if Path(file).suffix.lower() not in VIDEOS:
            return {step.recipe: read_recipe_file(file)}
        video = restored(Path(file))
        return {
            step.recipe: recipe_text(video.recipe),
            step.seed: video.seed,
            step.steps: video.steps,
            step.fast: video.fast and context.profile.has_fast,
            step.memory: video.memory,
            step.shots: video.shots,
            **run_options.shown_shape(options, context.profile, video.size, video.frames),
            options.takes: video.takes,
            options.verify: video.verify,
            options.rolling: video.coherence == "rolling",
        }

    step.upload.upload(
        guarded(restore),
        step.upload,
        [
            step.recipe, step.seed, step.steps, step.fast, step.memory, step.shots, options.size,
            options.frames, options.takes, options.verify, options.rolling,
        ],
        **QUIET,
    )  # fmt: skip


def _words_of(file: Path) -> str:
    """Return an example as a person would write it: a text file as it is, a JSON file as text."""
    if file.suffix == ".json":
        return recipe_text(read_recipe(file))
    return file.read_text(encoding="utf-8")
