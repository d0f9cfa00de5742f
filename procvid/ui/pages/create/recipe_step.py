"""Step 1 of the Create page: the recipe and the options of the run."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from procvid.errors import InputError, RecipeError
from procvid.media.video import read_metadata
from procvid.run.examples import example_recipes, finished_of
from procvid.settings import MAX_STEPS
from procvid.types import Recipe, ShotMode
from procvid.ui.pages.create import run_markup
from procvid.ui.pages.create.shared import OWN, QUIET, Update
from procvid.ui.server.context import AppContext
from procvid.ui.server.guard import guarded
from procvid.ui.server.jobs import read_seed, whole_number
from procvid.ui.server.pulled_stores import loras_of, stores_of
from procvid.ui.server.uploads import read_recipe_file

VIDEOS = (".mp4",)
MAX_SLIDER_STEPS = 60
MEMORY_LABELS = {
    "default": "Shared image library",
    OWN: "My image library (edit it in the Memory tab)",
    "none": "None: no reference images",
}
SHOT_LABELS: dict[ShotMode, str] = {"auto": "One per action", "one": "One per step"}


@dataclass(frozen=True)
class RecipeStep:
    """The components of step 1."""

    recipe: gr.Textbox
    upload: gr.UploadButton
    memory: gr.Dropdown
    shots: gr.Dropdown
    seed: gr.Number
    steps: gr.Slider
    fast: gr.Checkbox
    lora: gr.Dropdown
    key: gr.Textbox
    button: gr.Button


def build(context: AppContext) -> RecipeStep:
    """Lay out the step; the examples and the lists of pulled releases get their events here."""
    recipe = gr.Textbox(
        label="Recipe",
        lines=10,
        max_lines=24,
        placeholder="A title, then one step per line.\n\nCarrot omelette\n1. Slice the carrot on the "
        "cutting board.\n2. Fry the carrot in the frying pan.",
        info="Plain text, Markdown, JSON, or the source of a recipe page.",
    )
    _examples(context, recipe)
    upload = gr.UploadButton(
        "Open a recipe file, a saved web page, or a video made by procvid",
        file_types=[".txt", ".md", ".json", ".html", ".htm", ".mp4"],
        size="sm",
        elem_classes="pv-upload",
    )
    with gr.Accordion("Options", open=False):
        memory = gr.Dropdown(
            choices=_memories(),
            value="default",
            label="Memory",
            info="Where reference images come from. Stores pulled in the Hub tab are listed too.",
        )
        shots = gr.Dropdown(
            choices=[(label, mode) for mode, label in SHOT_LABELS.items()],
            value="auto",
            label="Shots",
            info="Make one clip per action, or one per step.",
        )
        with gr.Row():
            seed = gr.Number(
                label="Seed", value=0, precision=0, minimum=0, info="Same seed, same video."
            )
            steps = gr.Slider(
                label="Denoising steps",
                value=0,
                minimum=0,
                maximum=min(MAX_SLIDER_STEPS, MAX_STEPS),
                step=1,
                info="0 uses the default. More steps take longer and look cleaner.",
            )
        fast = gr.Checkbox(
            label="Fast",
            value=False,
            info="At most half the model calls, for slightly different clips.",
        )
        lora = gr.Dropdown(
            choices=_loras(),
            value="",
            label="LoRA",
            info="Adapts the video model. Pull LoRAs in the Hub tab.",
        )
        key = gr.Textbox(
            label="OpenAI key",
            type="password",
            max_lines=1,
            info="Optional: a language model makes the plan, at your cost. The key is used once and "
            "not stored.",
        )
    for field, choices in ((memory, list_memories), (lora, list_loras)):
        field.focus(guarded(choices), None, field, **QUIET)
    button = gr.Button("Make the plan", variant="primary", elem_classes="pv-next")
    return RecipeStep(recipe, upload, memory, shots, seed, steps, fast, lora, key, button)


def _examples(context: AppContext, recipe: gr.Textbox) -> None:
    examples = example_recipes(context.examples_folder.resolve())
    if not examples:
        return
    gr.HTML('<p class="pv-small">Or try an example:</p>')
    with gr.Row(elem_classes="pv-examples"):
        buttons = [gr.Button(_title(file), size="sm") for file in examples]
    finished = gr.HTML()

    def opener(file: Path) -> Callable[[], Update]:
        def open_example() -> Update:
            made = finished_of(file, context.profile.name)
            return {
                recipe: file.read_text(encoding="utf-8"),
                finished: run_markup.finished_example(_title(file), *made) if made else "",
            }

        return open_example

    for file, button in zip(examples, buttons, strict=True):
        button.click(opener(file), None, [recipe, finished], **QUIET)


def _title(file: Path) -> str:
    return file.stem.replace("_", " ").capitalize()


def _memories(request: gr.Request | None = None) -> list[tuple[str, str]]:
    """Return the memories to choose from, as (label, value)."""
    return [(label, name) for name, label in {**MEMORY_LABELS, **stores_of(request)}.items()]


def list_memories(request: gr.Request) -> gr.Dropdown:
    """Refresh the choices: a store may have been pulled since the page was opened."""
    return gr.Dropdown(choices=_memories(request))


def _loras(request: gr.Request | None = None) -> list[tuple[str, str]]:
    """Return the LoRAs to choose from, as (label, value)."""
    return [("None", ""), *((label, name) for name, label in loras_of(request).items())]


def list_loras(request: gr.Request) -> gr.Dropdown:
    """Refresh the choices: a LoRA may have been pulled since the page was opened."""
    return gr.Dropdown(choices=_loras(request))


def wire(step: RecipeStep) -> None:
    """Connect the upload button."""

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
        request = _request_in(Path(file))
        try:
            recipe = Recipe(
                str(request["title"]),
                tuple(str(text) for text in request["steps"]),
                tuple(str(item) for item in request["ingredients"]),
            )
            return {
                step.recipe: recipe_text(recipe),
                step.seed: read_seed(request["seed"]),
                step.steps: whole_number("steps", request["denoising_steps"]),
                step.fast: bool(request["fast"]),
                step.memory: "none" if request["memory"] == "none" else "default",
                # Videos of older versions have one clip per step.
                step.shots: "auto" if request.get("shots", "one") == "auto" else "one",
            }
        except (KeyError, TypeError) as error:
            raise _no_settings(Path(file)) from error

    step.upload.upload(
        guarded(restore),
        step.upload,
        [step.recipe, step.seed, step.steps, step.fast, step.memory, step.shots],
        **QUIET,
    )


def _request_in(file: Path) -> dict[str, Any]:
    """Return the request in the metadata of a video."""
    try:
        request = json.loads(json.loads(read_metadata(file).get("procvid", ""))["request"])
    except (ValueError, KeyError, TypeError) as error:
        raise _no_settings(file) from error
    if not isinstance(request, dict):
        raise _no_settings(file)
    return request


def _no_settings(file: Path) -> RecipeError:
    return RecipeError(
        f"The video {file.name[:60]!r} has no record of its settings.",
        "Open a whole video made by procvid; a single clip records its own step only.",
    )


def recipe_text(recipe: Recipe) -> str:
    """Return a recipe as editable text."""
    lines = [recipe.title, ""]
    if recipe.ingredients:
        lines += ["Ingredients:", *(f"- {item}" for item in recipe.ingredients), "", "Steps:"]
    return "\n".join(
        [*lines, *(f"{n}. {step}" for n, step in enumerate(recipe.whole_steps, start=1))]
    )
