"""Options of a run on the Create page: a preset for everybody, and the fields that it sets."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from procvid.run.takes import MAX_AT_ONCE
from procvid.settings import MAX_STEPS, Profile
from procvid.types import Coherence, ShotMode
from procvid.ui.pages.create.shared import AT_ONCE, OWN, QUIET, Update
from procvid.ui.server.guard import guarded
from procvid.ui.server.pulled_stores import loras_of, stores_of

MAX_SLIDER_STEPS = 60
MAX_RANDOM_SEED = 2**31 - 1
MEMORY_LABELS = {
    "default": "Shared picture library",
    OWN: "My picture library (edit it in the Memory tab)",
    "none": "None: no reference pictures",
}
SHOT_LABELS: dict[ShotMode, str] = {"auto": "One per action", "one": "One per step"}
PRESET_LABELS = {"draft": "Draft", "standard": "Standard", "best": "Best"}

CAPTIONS = """(shown) => {
  const set = (video) => [...video.textTracks].forEach(t => { t.mode = shown ? 'showing' : 'hidden'; });
  document.querySelectorAll('video').forEach(set);
  if (window.procvidCaptions) document.removeEventListener('loadedmetadata', window.procvidCaptions, true);
  window.procvidCaptions = (event) => set(event.target);
  document.addEventListener('loadedmetadata', window.procvidCaptions, true);
}"""
"""Shows or hides the captions of every player, also of those that come later."""


@dataclass(frozen=True)
class OptionFields:
    """The fields of the options."""

    preset: gr.Radio
    memory: gr.Dropdown
    shots: gr.Dropdown
    size: gr.Dropdown
    frames: gr.Dropdown
    seed: gr.Number
    dice: gr.Button
    steps: gr.Slider
    fast: gr.Checkbox
    rolling: gr.Checkbox
    takes: gr.Dropdown
    verify: gr.Checkbox
    lora: gr.Dropdown
    key: gr.Textbox
    captions: gr.Checkbox


def presets_of(profile: Profile) -> Mapping[str, tuple[int, bool, bool]]:
    """Return of each preset the denoising steps, and whether it is fast and sees the clip before."""
    steps = profile.sampling.num_inference_steps
    presets = {"draft": (steps, True, False)} if profile.has_fast else {}
    return {**presets, "standard": (steps, False, False), "best": (steps, False, True)}


def coherence_of(rolling: object) -> Coherence:
    """Return the coherence that the box stands for."""
    return "rolling" if rolling is True else "none"


def build(profile: Profile) -> OptionFields:
    """Lay out the presets and the folded fields, and connect the events between them."""
    presets = presets_of(profile)
    preset = gr.Radio(
        choices=[(PRESET_LABELS[name], name) for name in presets],
        value="standard",
        label="Quality",
        show_label=False,
        container=False,
        visible=len(presets) > 1,
        elem_classes="pv-segments",
    )
    with gr.Accordion("Options", open=False, elem_classes="pv-more"):
        memory = gr.Dropdown(
            choices=_memories(),
            value="default",
            label="Memory",
            info="Where reference pictures come from. Libraries downloaded in the Hub tab are listed too.",
        )
        shots = gr.Dropdown(
            choices=[(label, mode) for mode, label in SHOT_LABELS.items()],
            value="auto",
            label="Shots",
            info="Make one clip per action, or one per step.",
        )
        size, frames = _shape(profile)
        with gr.Row(elem_classes="pv-last"):
            seed = gr.Number(label="Seed", value=0, precision=0, info="Same seed, same video.")
            dice = gr.Button("Random", size="sm", scale=0)
        steps = gr.Slider(
            label="Denoising steps",
            value=profile.sampling.num_inference_steps,
            minimum=1,
            maximum=min(MAX_SLIDER_STEPS, MAX_STEPS),
            step=1,
            info="More steps take longer. The default suits most videos.",
        )
        fast = gr.Checkbox(
            label="Fast",
            value=False,
            visible=profile.has_fast,
            info="Makes at most half the model calls. Clips differ slightly.",
        )
        rolling = gr.Checkbox(
            label="Keep the place",
            value=False,
            info="Each clip sees the end of the clip before, so counter and things beside change less.",
        )
        takes = gr.Dropdown(
            choices=[("1", 1), *((f"{n}, keep the best", n) for n in range(2, MAX_AT_ONCE + 1))],
            value=1,
            label="Takes of each step",
            info="More takes need as many times the time. All of them are kept.",
        )
        verify = gr.Checkbox(
            label="Check the clips",
            value=False,
            info="Makes another take where a clip contradicts the plan.",
        )
        lora = gr.Dropdown(
            choices=_loras(),
            value="",
            label="LoRA",
            info="Adapts the video model. Download LoRAs in the Hub tab.",
        )
        key = gr.Textbox(
            label="OpenAI key",
            type="password",
            max_lines=1,
            info="Optional: a language model makes the plan, at your cost. The key is used once and "
            "not stored.",
        )
        captions = gr.Checkbox(label="Captions", value=True, info="Show the steps in the players.")
    fields = OptionFields(
        preset, memory, shots, size, frames, seed, dice, steps, fast, rolling, takes, verify, lora, key,
        captions,
    )  # fmt: skip
    _wire(fields, presets)
    return fields


def _wire(fields: OptionFields, presets: Mapping[str, tuple[int, bool, bool]]) -> None:
    chosen: list[Any] = [fields.steps, fields.fast, fields.rolling]

    def use_preset(name: str) -> Update:
        return dict(zip(chosen, presets.get(name, presets["standard"]), strict=True))

    def name_preset(*values: object) -> str | None:
        return next((name for name, preset in presets.items() if preset == values), None)

    def random_seed() -> int:
        return random.randint(0, MAX_RANDOM_SEED)

    fields.preset.input(guarded(use_preset), fields.preset, chosen, **QUIET)
    for field in (fields.steps.release, fields.fast.input, fields.rolling.input):
        field(guarded(name_preset), chosen, fields.preset, **QUIET)
    fields.dice.click(guarded(random_seed), None, fields.seed, **AT_ONCE)
    fields.captions.input(None, fields.captions, None, js=CAPTIONS, api_visibility="private")
    for listed, choices in ((fields.memory, list_memories), (fields.lora, list_loras)):
        listed.focus(guarded(choices), None, listed, **QUIET)


def _shape(profile: Profile) -> tuple[gr.Dropdown, gr.Dropdown]:
    """Return the fields of aspect and length; a field without a choice is hidden."""
    sizes, counts, default = size_choices(profile), frame_choices(profile), profile.sampling
    fps = default.fps
    with gr.Row(visible=len(sizes) > 1 or len(counts) > 1):
        size = gr.Dropdown(
            choices=[(f"{shape_name(w, h)}, {w} x {h}", f"{w}x{h}") for w, h in sizes],
            value=f"{default.width}x{default.height}",
            label="Format",
            visible=len(sizes) > 1,
        )
        frames = gr.Dropdown(
            choices=[(f"{round(count / fps, 1):g} s", count) for count in counts],
            value=default.num_frames,
            label="Length of a clip",
            visible=len(counts) > 1,
        )
    return size, frames


def size_choices(profile: Profile) -> tuple[tuple[int, int], ...]:
    """Return (width, height) pairs to choose from, the default first: wide, high and square."""
    if profile.sizes:
        return profile.sizes
    width, height = profile.sampling.width, profile.sampling.height
    side = round((width * height) ** 0.5 / profile.size_multiple) * profile.size_multiple
    shapes = [(width, height), (height, width), (side, side)]
    most_wide, most_high = profile.max_size
    if most_wide * most_high > width * height:
        shapes += [(most_wide, most_high), (most_high, most_wide)]
    return tuple(dict.fromkeys(shapes))


def frame_choices(profile: Profile) -> tuple[int, ...]:
    """Return the frame counts to choose from: those of whole seconds, and the default."""
    if profile.frame_counts:
        return profile.frame_counts
    fps = profile.sampling.fps
    whole = (fps * seconds // 4 * 4 + 1 for seconds in range(2, profile.max_frames // fps + 1))
    counts = {*whole, profile.sampling.num_frames}
    return tuple(sorted(count for count in counts if count <= profile.max_frames))


def shown_shape(fields: OptionFields, profile: Profile, size: str, frames: int | None) -> Update:
    """Return the updates that show the format and length of a run, where the fields offer them."""
    sizes = [f"{width}x{height}" for width, height in size_choices(profile)]
    default = profile.sampling
    return {
        fields.size: size if size in sizes else f"{default.width}x{default.height}",
        fields.frames: frames if frames in frame_choices(profile) else default.num_frames,
    }


def shape_name(width: int, height: int) -> str:
    """Return the shape of a frame in a word."""
    if width == height:
        return "Square"
    return "Wide" if width > height else "High"


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


def options_seed(value: Any) -> Any:
    """Return the value of the seed field; an empty field is 0."""
    return 0 if value is None else value
