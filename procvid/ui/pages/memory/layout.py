"""The Memory tab: look through the crops, search them, change them, add a photo of one's own."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import gradio as gr

from procvid.errors import InputError
from procvid.media.image import load_image
from procvid.memory import edit
from procvid.memory.find import find
from procvid.memory.photo import crop_of_photo
from procvid.memory.store import CropStore
from procvid.memory.words import canonical, named, usual_state
from procvid.plan.cast import known_as
from procvid.protocols import Embedder
from procvid.types import Crop
from procvid.ui.pages.memory import markup as memory_markup
from procvid.ui.server.context import AppContext, new_run_id
from procvid.ui.server.guard import guarded
from procvid.ui.server.memories import ANY, browse, change, has_own, kinds, shown_store
from procvid.wiring.stores import find_calibration

ON_A_PAGE = 24
MAX_TEXT = 400
QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
IN_LINE: dict[str, Any] = {"concurrency_id": "gpu", "concurrency_limit": 1}

Shown = list[tuple[str, float | None]]
"""Ids of the crops in the gallery, each with its similarity where it was searched for."""


@dataclass(frozen=True)
class Widgets:
    """The components that the events of this tab read and write."""

    own: gr.BrowserState
    shown: gr.State
    chosen: gr.State
    marked: gr.State
    overview: gr.HTML
    name: gr.Dropdown
    state: gr.Dropdown
    text: gr.Textbox
    picture: gr.Image
    search: gr.Button
    page: gr.Number
    gallery: gr.Gallery
    crop: gr.HTML
    new_name: gr.Textbox
    rename: gr.Button
    new_state: gr.Textbox
    retag: gr.Button
    ban: gr.Button
    remove: gr.Button
    mark: gr.Button
    same: gr.Button
    photo: gr.Image
    photo_name: gr.Textbox
    photo_state: gr.Textbox
    photo_whole: gr.Checkbox
    add: gr.Button
    draw: gr.Button
    plane: gr.Plot
    history: gr.HTML


def build(context: AppContext, page: gr.Blocks, own_memory: gr.BrowserState) -> None:
    """Lay out the tab and wire its events; all of them are private.

    Args:
        context: Of the app.
        page: The whole page.
        own_memory: The id of the person's own memory, "" before the first change.
    """
    w = _widgets(own_memory)
    _wire_looking(context, page, w)
    _wire_changing(context, w)


def _widgets(own_memory: gr.BrowserState) -> Widgets:
    made: dict[str, Any] = {
        "own": own_memory,
        "shown": gr.State([]),
        "chosen": gr.State(""),
        "marked": gr.State([]),
        "overview": gr.HTML(),
    }
    with gr.Row():
        made["name"] = gr.Dropdown(
            label="Object", choices=[("all objects", ANY)], value=ANY, min_width=200
        )
        made["state"] = gr.Dropdown(
            label="State", choices=[("any state", ANY)], value=ANY, min_width=140
        )
        made["page"] = gr.Number(label="Page", value=1, minimum=1, precision=0, min_width=100)
    with gr.Row(elem_classes="pv-last"):
        made["text"] = gr.Textbox(
            label="Search by words",
            placeholder="sliced carrot",
            max_length=MAX_TEXT,
            scale=4,
            min_width=160,
        )
        made["search"] = gr.Button("Search", variant="primary", scale=1, min_width=96)
    with gr.Accordion("Search by a picture", open=False):
        made["picture"] = gr.Image(
            label="Picture to search with", type="filepath", sources=["upload"], height=160
        )
    with gr.Row():
        with gr.Column(scale=3, min_width=280):
            made["gallery"] = gr.Gallery(
                label="Crops",
                show_label=False,
                columns=6,
                height="auto",
                object_fit="contain",
                allow_preview=False,
                interactive=False,
                buttons=[],
                elem_classes="pv-gallery",
            )
        with gr.Column(scale=2, min_width=280):
            made["crop"] = gr.HTML(memory_markup.chosen_crop(None))
            made |= _edit_widgets()
    made |= _lower_widgets()
    return Widgets(**{field.name: made[field.name] for field in fields(Widgets)})


def _edit_widgets() -> dict[str, Any]:
    made: dict[str, Any] = {}
    with gr.Accordion("Change it", open=False):
        with gr.Row(elem_classes="pv-last"):
            made["new_name"] = gr.Textbox(label="It is called", max_length=80, min_width=120)
            made["rename"] = gr.Button("Rename", min_width=90)
        with gr.Row(elem_classes="pv-last"):
            made["new_state"] = gr.Textbox(label="It is", max_length=80, min_width=120)
            made["retag"] = gr.Button("Set state", min_width=90)
        with gr.Row():
            made["ban"] = gr.Button("Ban or allow", min_width=110)
            made["remove"] = gr.Button("Remove", variant="stop", min_width=90)
        with gr.Row():
            made["mark"] = gr.Button("Mark", min_width=90)
            made["same"] = gr.Button("Marked ones are the same", min_width=150)
    return made


def _lower_widgets() -> dict[str, Any]:
    made: dict[str, Any] = {}
    with gr.Accordion("Add a photo of your own", open=False):
        gr.HTML(
            '<p class="pv-small">Your pan, as it is in your kitchen: it is looked for in the photo and '
            "cut out. The photo stays in this memory of yours.</p>"
        )
        with gr.Row():
            made["photo"] = gr.Image(
                label="Photo", type="filepath", sources=["upload"], height=180, min_width=220
            )
            with gr.Column(min_width=220):
                made["photo_name"] = gr.Textbox(
                    label="What it is", placeholder="frying pan", max_length=80
                )
                made["photo_state"] = gr.Textbox(
                    label="Its state", placeholder="whole, sliced…", max_length=80
                )
                made["photo_whole"] = gr.Checkbox(
                    label="Take the whole picture", info="Nothing is looked for in it."
                )
                made["add"] = gr.Button("Add it", variant="primary")
    with gr.Accordion("Map of the memory", open=False):
        made["draw"] = gr.Button("Draw the map", size="sm")
        made["plane"] = gr.Plot(visible=False, show_label=False)
    with gr.Accordion("History", open=False):
        made["history"] = gr.HTML()
    return made


def _wire_looking(context: AppContext, page: gr.Blocks, w: Widgets) -> None:
    def open_tab(own: str) -> tuple[Any, ...]:
        store = shown_store(context, own)
        return *_page_of(store, ANY, ANY, 1), *_frame(context, own, store)

    def narrow(own: str, name: str, state: str) -> tuple[Any, ...]:
        return _page_of(shown_store(context, own), name, state, 1)

    def turn(own: str, name: str, state: str, number: float | None) -> tuple[Any, ...]:
        return _page_of(shown_store(context, own), name, state, int(number or 1))

    def search(own: str, text: str, picture: str | None, state: str) -> tuple[Any, ...]:
        store = shown_store(context, own)
        words = " ".join((text or "").split())[:MAX_TEXT]
        if not words and not picture:
            raise InputError(
                "There is nothing to search for.", "Write some words, or give a picture."
            )
        wanted = words or load_image(Path(str(picture)))
        embedder = context.parts("default").embedder
        found = find(store, embedder, wanted, ON_A_PAGE, None if state == ANY else state)
        return *_gallery(store, [(match.row, match.score) for match in found]), _pages(1, 1)

    def choose(own: str, shown: Shown, event: gr.SelectData) -> tuple[Any, ...]:
        index = event.index if isinstance(event.index, int) else 0
        if not 0 <= index < len(shown):
            return _told(None)
        crop_id, score = shown[index]
        store = shown_store(context, own)
        return _told(store.crops[_row(store, crop_id)], score)

    def draw(own: str) -> Any:
        # Plotly takes half a second to import, which the app's start should not pay for.
        from procvid.memory.plane import plane_figure

        return gr.Plot(value=plane_figure(shown_store(context, own)), visible=True)

    looked = [w.gallery, w.shown, w.page]
    around = [w.overview, w.name, w.state, w.history]
    page.load(guarded(open_tab), w.own, [*looked, *around], **QUIET)
    for chosen in (w.name, w.state):
        chosen.input(guarded(narrow), [w.own, w.name, w.state], looked, **QUIET)
    w.page.input(guarded(turn), [w.own, w.name, w.state, w.page], looked, **QUIET)
    for event in (w.search.click, w.text.submit):
        event(guarded(search), [w.own, w.text, w.picture, w.state], looked, **QUIET, **IN_LINE)
    w.gallery.select(
        guarded(choose), [w.own, w.shown], [w.chosen, w.crop, w.new_name, w.new_state], **QUIET
    )
    w.draw.click(guarded(draw), w.own, w.plane, **QUIET)


def _wire_changing(context: AppContext, w: Widgets) -> None:
    def changed(own: str, what: Any, crop_id: str = "") -> tuple[Any, ...]:
        own = own or new_run_id()
        store = change(context, own, what)
        rows = [row for row, crop in enumerate(store.crops.facts) if crop.id == crop_id]
        crop = store.crops[rows[0]] if rows else None
        name = ANY if crop is None else crop.name
        page = _page_of(store, name, ANY, 1)
        return own, *page, *_frame(context, own, store, name), *_told(crop)

    def rename(own: str, crop_id: str, name: str) -> tuple[Any, ...]:
        known = known_as(canonical(name or ""))
        role = known.role if known else None
        return changed(
            own, lambda store, clip: edit.rename(store, _one(crop_id), name, clip, role), crop_id
        )

    def retag(own: str, crop_id: str, state: str) -> tuple[Any, ...]:
        return changed(
            own, lambda store, clip: edit.retag(store, _one(crop_id), state, clip), crop_id
        )

    def ban(own: str, crop_id: str) -> tuple[Any, ...]:
        def turned(store: CropStore, _: Embedder) -> CropStore:
            banned = store.crops.facts[_row(store, *_one(crop_id))].banned
            return edit.ban(store, [crop_id], banned=not banned)

        return changed(own, turned, crop_id)

    def remove(own: str, crop_id: str) -> tuple[Any, ...]:
        return changed(own, lambda store, _: edit.remove_crops(store, _one(crop_id)))

    def mark(marked: list[str], crop_id: str) -> tuple[list[str], Any]:
        kept = list(dict.fromkeys([*marked, *_one(crop_id)]))
        return kept, gr.Button(f"The {len(kept)} marked ones are the same")

    def same(own: str, marked: list[str]) -> tuple[Any, ...]:
        first = marked[0] if marked else ""
        after_it = changed(own, lambda store, _: edit.merge_crops(store, marked), first)
        return *after_it, [], gr.Button("Marked ones are the same")

    def add(own: str, photo: str | None, name: str, state: str, whole: bool) -> tuple[Any, ...]:
        if not photo or not canonical(name):
            raise InputError(
                "A photo and what it shows are needed.", "Give a picture and write such as pan."
            )
        image, known = load_image(Path(photo)), known_as(canonical(name))
        role = known.role if known else "vessel"
        parts = context.parts("default")
        crop = crop_of_photo(
            image,
            name,
            role,
            state or usual_state(role),
            parts.detector,
            embedder=parts.embedder,
            min_shown=parts.rules.min_shown,
            whole=whole,
        )
        return changed(own, lambda store, clip: edit.add(store, [crop], clip), crop.id)

    told = [w.chosen, w.crop, w.new_name, w.new_state]
    after = [w.own, w.gallery, w.shown, w.page, w.overview, w.name, w.state, w.history, *told]
    for button, what, inputs, more in (
        (w.rename, rename, [w.own, w.chosen, w.new_name], []),
        (w.retag, retag, [w.own, w.chosen, w.new_state], []),
        (w.ban, ban, [w.own, w.chosen], []),
        (w.remove, remove, [w.own, w.chosen], []),
        (w.same, same, [w.own, w.marked], [w.marked, w.same]),
        (w.add, add, [w.own, w.photo, w.photo_name, w.photo_state, w.photo_whole], []),
    ):
        button.click(guarded(what), inputs, [*after, *more], **QUIET, **IN_LINE)
    w.mark.click(guarded(mark), [w.marked, w.chosen], [w.marked, w.same], **QUIET)


def _page_of(store: CropStore, name: str, state: str, number: int) -> tuple[Any, ...]:
    rows = browse(store, name, state)
    last = max(1, -(-len(rows) // ON_A_PAGE))
    number = min(max(1, number), last)
    shown = rows[(number - 1) * ON_A_PAGE : number * ON_A_PAGE]
    return *_gallery(store, [(row, None) for row in shown]), _pages(number, last)


def _pages(number: int, last: int) -> Any:
    return gr.Number(value=number, label=f"Page, of {last}" if last > 1 else "Page")


def _gallery(store: CropStore, rows: list[tuple[int, float | None]]) -> tuple[Any, ...]:
    pictures, shown = [], []
    for row, score in rows:
        crop = store.crops[row]
        if crop.image is None:
            continue
        told = named(crop.name, crop.role, crop.state)
        if score is not None:
            told += f" · {score:.2f}"
        pictures.append((crop.image, f"{told} · banned" if crop.banned else told))
        shown.append((crop.id, score))
    return gr.Gallery(value=pictures, selected_index=None), shown


def _frame(
    context: AppContext, own: str, store: CropStore, name: str = ANY
) -> tuple[Any, Any, Any, Any]:
    """The sentence above, the two lists, and the history."""
    names, states = kinds(store)
    return (
        memory_markup.overview(
            store, has_own(context, own), find_calibration(store.embedder) is not None
        ),
        gr.Dropdown(choices=names, value=name),
        gr.Dropdown(choices=states, value=ANY),
        memory_markup.edits(store.history),
    )


def _told(crop: Crop | None, score: float | None = None) -> tuple[str, str, str, str]:
    """The chosen crop: its id, all that is known of it, its name and its state."""
    if crop is None:
        return "", memory_markup.chosen_crop(None), "", ""
    return crop.id, memory_markup.chosen_crop(crop, score), crop.name, crop.state


def _one(crop_id: str) -> list[str]:
    if not crop_id:
        raise InputError("No crop is chosen.", "Press a picture first.")
    return [crop_id]


def _row(store: CropStore, crop_id: str) -> int:
    for row, crop in enumerate(store.crops.facts):
        if crop.id == crop_id:
            return row
    raise InputError("This crop is not there any more.", "Choose another one.")
