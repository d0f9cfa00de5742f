"""The Memory page: browse the pictures, search them, edit them, and add a photo."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import gradio as gr

from procvid.ui.pages.memory import editing, markup, viewing
from procvid.ui.pages.picture import picture_field
from procvid.ui.pressed import pressable
from procvid.ui.server.context import AppContext
from procvid.ui.server.memories import ANY

ADDING = (
    '<p class="pv-small">Add an object from your own kitchen, for example your pan. procvid '
    "finds it in the photo and cuts it out. The photo stays in your private library.</p>"
)


@dataclass(frozen=True)
class MemoryWidgets:
    """The components that the events of this page read and write."""

    own: gr.BrowserState
    page: gr.State
    chosen: gr.State
    marked: gr.State
    overview: gr.HTML
    text: gr.Textbox
    picture: gr.Image
    name: gr.Dropdown
    state: gr.Dropdown
    search: gr.Button
    note: gr.HTML
    grid: gr.HTML
    previous: gr.Button
    place: gr.HTML
    following: gr.Button
    crop: gr.HTML
    tools: gr.Column
    ban: gr.Button
    remove: gr.Button
    mark: gr.Button
    same: gr.Button
    new_name: gr.Textbox
    rename: gr.Button
    new_state: gr.Textbox
    retag: gr.Button
    undo: gr.Button
    photo: gr.Image
    photo_name: gr.Textbox
    photo_state: gr.Textbox
    photo_whole: gr.Checkbox
    add: gr.Button
    draw: gr.Button
    plane: gr.Plot
    history: gr.HTML

    @property
    def now(self) -> list[Any]:
        """The components of a `viewing.Now`, in its order."""
        asked = [self.own, self.text, self.picture, self.name, self.state]
        return [*asked, self.page, self.chosen, self.marked]

    @property
    def shown(self) -> list[Any]:
        """The components that `viewing.show` writes."""
        return [
            self.grid, self.page, self.previous, self.place, self.following, self.note,
            self.overview, self.name, self.state, self.history, self.undo,
        ]  # fmt: skip


def build(
    context: AppContext, page: gr.Blocks, own_memory: gr.BrowserState, sync: gr.Button
) -> None:
    """Lay out the page and wire its events; all of them are private.

    Args:
        context: Context of the app.
        page: The whole page.
        own_memory: Id of the visitor's own memory, "" before the first change.
        sync: Pressed when another tab of the browser has made another own memory.
    """
    w = _widgets(own_memory)
    viewing.wire(context, page, w, sync)
    editing.wire(context, w)


def _widgets(own_memory: gr.BrowserState) -> MemoryWidgets:
    made: dict[str, Any] = {
        "own": own_memory,
        "page": gr.State(1),
        "chosen": gr.State(""),
        "marked": gr.State([]),
        "overview": gr.HTML(),
    }
    made |= _search_widgets()
    made["note"] = gr.HTML(visible=False)
    with gr.Row():
        with gr.Column(scale=5, min_width=280):
            made["grid"] = pressable(markup.tiles([]))
            with gr.Row(elem_classes="pv-turn-pages"):
                made["previous"] = gr.Button("Previous", size="sm", interactive=False, min_width=90)
                made["place"] = gr.HTML()
                made["following"] = gr.Button("Next", size="sm", interactive=False, min_width=90)
        with gr.Column(scale=3, min_width=280):
            made["crop"] = gr.HTML(markup.chosen_crop(None), elem_id=viewing.DETAILS)
            made |= _edit_widgets()
    made |= _lower_widgets()
    return MemoryWidgets(**{field.name: made[field.name] for field in fields(MemoryWidgets)})


def _search_widgets() -> dict[str, Any]:
    made: dict[str, Any] = {}
    with gr.Row():
        with gr.Column(scale=3, min_width=260):
            made["text"] = gr.Textbox(
                label="Search by words", placeholder="sliced carrot", max_length=viewing.MAX_WORDS
            )
            with gr.Row():
                made["name"] = gr.Dropdown(
                    label="Object", choices=[("all objects", ANY)], value=ANY, min_width=130
                )
                made["state"] = gr.Dropdown(
                    label="State", choices=[("any state", ANY)], value=ANY, min_width=130
                )
            made["search"] = gr.Button("Search", variant="primary")
        with gr.Column(scale=2, min_width=220):
            made["picture"] = picture_field(
                label="Search by picture, alone or with words", height=216
            )
    return made


def _edit_widgets() -> dict[str, Any]:
    made: dict[str, Any] = {}
    with gr.Column(visible=False) as made["tools"]:
        with gr.Row():
            made["ban"] = gr.Button("Hide", min_width=80)
            made["remove"] = gr.Button("Remove", variant="stop", min_width=80)
            made["mark"] = gr.Button("Mark to merge", min_width=160)
        with gr.Accordion("Rename, change the state", open=False):
            with gr.Row(elem_classes="pv-last"):
                made["new_name"] = gr.Textbox(label="Name", max_length=80, min_width=120)
                made["rename"] = gr.Button("Rename", min_width=90)
            with gr.Row(elem_classes="pv-last"):
                made["new_state"] = gr.Textbox(label="New state", max_length=80, min_width=120)
                made["retag"] = gr.Button("Set state", min_width=90)
    made["same"] = gr.Button(editing.SAME, visible=False)
    made["undo"] = gr.Button("Undo", visible=False)
    return made


def _lower_widgets() -> dict[str, Any]:
    made: dict[str, Any] = {}
    with gr.Accordion("Add a photo", open=False):
        gr.HTML(ADDING)
        with gr.Row():
            made["photo"] = picture_field(label="Photo", height=216, min_width=220)
            with gr.Column(min_width=220):
                made["photo_name"] = gr.Textbox(
                    label="Object in the photo", placeholder="frying pan", max_length=80
                )
                made["photo_state"] = gr.Textbox(
                    label="Its state", placeholder="whole, sliced…", max_length=80
                )
                made["photo_whole"] = gr.Checkbox(
                    label="Use the whole photo", info="Skips detecting the object."
                )
                made["add"] = gr.Button("Add photo", variant="primary")
    with gr.Accordion("Map", open=False):
        made["draw"] = gr.Button("Draw map", size="sm")
        made["plane"] = gr.Plot(visible=False, show_label=False)
    with gr.Accordion("History", open=False):
        made["history"] = gr.HTML()
    return made
