"""The Memory page: browse the crops, search them, edit them, and add a photo."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import gradio as gr

from procvid.errors import InputError
from procvid.media.image import load_image
from procvid.memory import edit
from procvid.memory.find import find, search_text
from procvid.memory.photo import crop_of_photo
from procvid.memory.store import CropStore
from procvid.memory.words import canonical, named, usual_state
from procvid.plan.cast import known_as
from procvid.protocols import Embedder
from procvid.types import Crop, Image
from procvid.ui.browser import READ_MEMORY
from procvid.ui.events import ON_GPU, QUIET, Updates
from procvid.ui.markup import note
from procvid.ui.pages.memory import markup
from procvid.ui.pages.picture import picture_field, shown_picture
from procvid.ui.server.context import AppContext, new_run_id
from procvid.ui.server.guard import guarded
from procvid.ui.server.memories import ANY, browse, change, has_own, kinds, shown_store
from procvid.wiring.stores import build_rules, find_calibration

ON_A_PAGE = 24
MAX_TEXT = 400
SAME = "Merge marked"

GalleryRows = list[tuple[str, float | None]]
"""Ids of the crops in the gallery, each with its similarity if it was searched for."""


@dataclass(frozen=True)
class MemoryWidgets:
    """The components that the events of this page read and write."""

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
    note: gr.HTML


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
    _wire_viewing(context, page, w, sync)
    _wire_editing(context, w)


def _widgets(own_memory: gr.BrowserState) -> MemoryWidgets:
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
            label="Search by text",
            placeholder="sliced carrot",
            max_length=MAX_TEXT,
            scale=4,
            min_width=160,
        )
        made["search"] = gr.Button("Search", variant="primary", scale=1, min_width=96)
    made["note"] = gr.HTML(visible=False)
    with gr.Accordion("Search by image", open=False):
        made["picture"] = picture_field(label="Image to search with", height=160)
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
            made["crop"] = gr.HTML(markup.chosen_crop(None))
            made |= _edit_widgets()
    made |= _lower_widgets()
    return MemoryWidgets(**{field.name: made[field.name] for field in fields(MemoryWidgets)})


def _edit_widgets() -> dict[str, Any]:
    made: dict[str, Any] = {}
    with gr.Accordion("Edit", open=False):
        with gr.Row(elem_classes="pv-last"):
            made["new_name"] = gr.Textbox(label="Name", max_length=80, min_width=120)
            made["rename"] = gr.Button("Rename", min_width=90)
        with gr.Row(elem_classes="pv-last"):
            made["new_state"] = gr.Textbox(label="New state", max_length=80, min_width=120)
            made["retag"] = gr.Button("Set state", min_width=90)
        with gr.Row():
            made["ban"] = gr.Button("Hide", min_width=110)
            made["remove"] = gr.Button("Remove", variant="stop", min_width=90)
        with gr.Row():
            made["mark"] = gr.Button("Mark", min_width=90)
            made["same"] = gr.Button(SAME, min_width=150)
    return made


def _lower_widgets() -> dict[str, Any]:
    made: dict[str, Any] = {}
    with gr.Accordion("Add a photo", open=False):
        gr.HTML(
            '<p class="pv-small">Add an object from your own kitchen, for example your pan. procvid '
            "finds it in the photo and cuts it out. The photo stays in your private library.</p>"
        )
        with gr.Row():
            made["photo"] = picture_field(label="Photo", height=180, min_width=220)
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


def _wire_viewing(context: AppContext, page: gr.Blocks, w: MemoryWidgets, sync: gr.Button) -> None:
    def open_tab(own: str) -> Updates:
        store = shown_store(context, own)
        return _page_of(w, store, ANY, ANY, 1) | _frame(context, w, own, store)

    def narrow(own: str, name: str, state: str) -> Updates:
        return _page_of(w, shown_store(context, own), name, state, 1)

    def turn(own: str, name: str, state: str, number: float | None) -> Updates:
        return _page_of(w, shown_store(context, own), name, state, int(number or 1))

    def search(own: str, text: str, name: str, state: str) -> Updates:
        words = " ".join((text or "").split())[:MAX_TEXT]
        if not words:
            raise InputError("The search is empty.", "Enter some words, or search by image.")
        return _found(own, words, name, state)

    def search_picture(own: str, picture: str, name: str, state: str) -> Updates:
        image = shown_picture(picture)
        return {w.picture: None} if image is None else _found(own, image, name, state)

    def _found(own: str, wanted: str | Image, name: str, state: str) -> Updates:
        store = shown_store(context, own)
        embedder = context.parts("default").embedder
        only_state, only_name = None if state == ANY else state, None if name == ANY else name
        if isinstance(wanted, str):
            rules = build_rules(store.embedder)
            found = search_text(
                store, embedder, wanted, ON_A_PAGE, only_state, rules, name=only_name
            )
            matches, reason = found.matches, found.reason
        else:
            names = [only_name] if only_name else []
            matches = tuple(find(store, embedder, wanted, ON_A_PAGE, only_state, names=names))
            reason = ""
        rows = [(match.row, match.score) for match in matches]
        return _gallery(w, store, rows) | _page_number(w, 1, 1) | _note(w, reason)

    def choose(own: str, shown: GalleryRows, event: gr.SelectData) -> Updates:
        index = event.index if isinstance(event.index, int) else 0
        if not 0 <= index < len(shown):
            return _chosen(w, None)
        crop_id, score = shown[index]
        store = shown_store(context, own)
        return _chosen(w, store.crops[_row(store, crop_id)], score)

    def draw(own: str) -> Updates:
        # Imported here because Plotly takes half a second, which would delay the start.
        from procvid.memory.plane import plane_figure

        return {w.plane: gr.Plot(value=plane_figure(shown_store(context, own)), visible=True)}

    looked = [w.gallery, w.shown, w.page, w.note]
    around = [w.overview, w.name, w.state, w.history]
    page.load(guarded(open_tab), w.own, [*looked, *around], **QUIET)
    sync.click(None, w.own, w.own, js=READ_MEMORY, api_visibility="private")
    sync.click(guarded(open_tab), w.own, [*looked, *around], js=READ_MEMORY, **QUIET)
    for chosen in (w.name, w.state):
        chosen.input(guarded(narrow), [w.own, w.name, w.state], looked, **QUIET)
    w.page.input(guarded(turn), [w.own, w.name, w.state, w.page], looked, **QUIET)
    for event in (w.search.click, w.text.submit):
        event(guarded(search), [w.own, w.text, w.name, w.state], looked, **QUIET, **ON_GPU)
    w.picture.upload(
        guarded(search_picture),
        [w.own, w.picture, w.name, w.state],
        [*looked, w.picture],
        **QUIET,
        **ON_GPU,
    )
    w.gallery.select(
        guarded(choose),
        [w.own, w.shown],
        [w.chosen, w.crop, w.new_name, w.new_state, w.ban],
        **QUIET,
    )
    w.draw.click(guarded(draw), w.own, w.plane, **QUIET)


def _wire_editing(context: AppContext, w: MemoryWidgets) -> None:
    def changed(
        own: str, what: Callable[[CropStore, Embedder], CropStore], crop_id: str = ""
    ) -> Updates:
        own = own or new_run_id()
        store = change(context, own, what)
        rows = [row for row, crop in enumerate(store.crops.facts) if crop.id == crop_id]
        crop = store.crops[rows[0]] if rows else None
        name = ANY if crop is None else crop.name
        return (
            {w.own: own}
            | _page_of(w, store, name, ANY, 1)
            | _frame(context, w, own, store, name)
            | _chosen(w, crop)
        )

    def rename(own: str, crop_id: str, name: str) -> Updates:
        known = known_as(canonical(name or ""))
        role = known.role if known else None
        return changed(
            own, lambda store, clip: edit.rename(store, _one(crop_id), name, clip, role), crop_id
        )

    def retag(own: str, crop_id: str, state: str) -> Updates:
        return changed(
            own, lambda store, clip: edit.retag(store, _one(crop_id), state, clip), crop_id
        )

    def ban(own: str, crop_id: str) -> Updates:
        def toggled(store: CropStore, _: Embedder) -> CropStore:
            banned = store.crops.facts[_row(store, *_one(crop_id))].banned
            return edit.ban(store, [crop_id], banned=not banned)

        return changed(own, toggled, crop_id)

    def remove(own: str, crop_id: str, marked: list[str]) -> Updates:
        updates = changed(own, lambda store, _: edit.remove_crops(store, _one(crop_id)))
        return updates | _marked(w, [each for each in marked if each != crop_id])

    def mark(marked: list[str], crop_id: str) -> Updates:
        return _marked(w, list(dict.fromkeys([*marked, *_one(crop_id)])))

    def same(own: str, marked: list[str]) -> Updates:
        if len(marked) < 2:
            raise InputError(
                f"Merging needs two crops, and {len(marked)} are marked.",
                "Select each crop of the same object and press Mark.",
            )
        updates = changed(own, lambda store, _: edit.merge_crops(store, marked), marked[0])
        return updates | _marked(w, [])

    def check_photo(photo: str) -> Updates:
        return {w.photo: None} if shown_picture(photo) is None else {}

    def add(own: str, photo: str | None, name: str, state: str, whole: bool) -> Updates:
        if not photo or not canonical(name):
            raise InputError(
                "The photo or its object is missing.",
                "Add a photo and enter what it shows, for example frying pan.",
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

    after = [w.own, w.gallery, w.shown, w.page, w.note, w.overview, w.name, w.state, w.history,
             w.chosen, w.crop, w.new_name, w.new_state, w.ban]  # fmt: skip
    for button, what, inputs, more in (
        (w.rename, rename, [w.own, w.chosen, w.new_name], []),
        (w.retag, retag, [w.own, w.chosen, w.new_state], []),
        (w.ban, ban, [w.own, w.chosen], []),
        (w.remove, remove, [w.own, w.chosen, w.marked], [w.marked, w.same]),
        (w.same, same, [w.own, w.marked], [w.marked, w.same]),
        (w.add, add, [w.own, w.photo, w.photo_name, w.photo_state, w.photo_whole], []),
    ):
        button.click(guarded(what), inputs, [*after, *more], **QUIET, **ON_GPU)
    w.photo.upload(guarded(check_photo), w.photo, [w.photo], **QUIET)
    w.mark.click(guarded(mark), [w.marked, w.chosen], [w.marked, w.same], **QUIET)


def _page_of(w: MemoryWidgets, store: CropStore, name: str, state: str, number: int) -> Updates:
    rows = browse(store, name, state)
    last = max(1, -(-len(rows) // ON_A_PAGE))
    number = min(max(1, number), last)
    shown = rows[(number - 1) * ON_A_PAGE : number * ON_A_PAGE]
    gallery = _gallery(w, store, [(row, None) for row in shown])
    return gallery | _page_number(w, number, last) | _note(w, "")


def _note(w: MemoryWidgets, reason: str) -> Updates:
    """Return the sentence above the gallery; "" hides it."""
    return {w.note: gr.HTML(value=note(reason) if reason else "", visible=bool(reason))}


def _page_number(w: MemoryWidgets, number: int, last: int) -> Updates:
    return {w.page: gr.Number(value=number, label=f"Page (of {last})" if last > 1 else "Page")}


def _gallery(
    w: MemoryWidgets, store: CropStore, rows: Sequence[tuple[int, float | None]]
) -> Updates:
    pictures, shown = [], []
    for row, score in rows:
        crop = store.crops[row]
        if crop.image is None:
            continue
        caption = named(crop.name, crop.role, crop.state)
        if score is not None:
            caption += f" · {score:.2f}"
        pictures.append((crop.image, f"{caption} · hidden" if crop.banned else caption))
        shown.append((crop.id, score))
    return {w.gallery: gr.Gallery(value=pictures, selected_index=None), w.shown: shown}


def _frame(
    context: AppContext, w: MemoryWidgets, own: str, store: CropStore, name: str = ANY
) -> Updates:
    """Return the summary, the two filters, and the history."""
    names, states = kinds(store)
    return {
        w.overview: markup.overview(
            store, has_own(context, own), find_calibration(store.embedder) is not None
        ),
        w.name: gr.Dropdown(choices=names, value=name),
        w.state: gr.Dropdown(choices=states, value=ANY),
        w.history: markup.edits(store.history),
    }


def _chosen(w: MemoryWidgets, crop: Crop | None, score: float | None = None) -> Updates:
    """Return the selected crop: its id, facts, name, state, and the label of Hide."""
    return {
        w.chosen: crop.id if crop else "",
        w.crop: markup.chosen_crop(crop, score),
        w.new_name: crop.name if crop else "",
        w.new_state: crop.state if crop else "",
        w.ban: gr.Button("Unhide" if crop and crop.banned else "Hide"),
    }


def _marked(w: MemoryWidgets, marked: list[str]) -> Updates:
    return {w.marked: marked, w.same: gr.Button(f"{SAME} ({len(marked)})" if marked else SAME)}


def _one(crop_id: str) -> list[str]:
    if not crop_id:
        raise InputError("No crop is selected.", "Select one in the gallery first.")
    return [crop_id]


def _row(store: CropStore, crop_id: str) -> int:
    for row, crop in enumerate(store.crops.facts):
        if crop.id == crop_id:
            return row
    raise InputError("This crop no longer exists.", "Select another one.")
