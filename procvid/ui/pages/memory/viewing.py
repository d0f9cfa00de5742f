"""Show the pictures of a memory: page by page, narrowed, or as a search found them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import gradio as gr

from procvid.memory.find import search
from procvid.memory.store import CropStore
from procvid.types import Crop
from procvid.ui.browser import READ_MEMORY
from procvid.ui.events import ON_GPU, QUIET, Updates
from procvid.ui.markup import note
from procvid.ui.pages.memory import markup
from procvid.ui.pages.picture import as_shown, shown_picture
from procvid.ui.pressed import read_press
from procvid.ui.server.context import AppContext
from procvid.ui.server.guard import guarded
from procvid.ui.server.memories import ANY, browse, can_undo, has_own, kinds, row_of, shown_store
from procvid.wiring.stores import build_rules, find_calibration

if TYPE_CHECKING:
    from procvid.ui.pages.memory.layout import MemoryWidgets

ON_A_PAGE = 20
MAX_WORDS = 400
DETAILS = "pv-chosen-crop"
INTO_VIEW = f"""() => {{
  if (innerWidth < 600) document.getElementById('{DETAILS}')?.scrollIntoView({{block: 'center'}});
}}"""
"""Script that scrolls to the details, which are below the pictures on a phone."""


@dataclass(frozen=True)
class Now:
    """What the page shows, or is to show.

    Attributes:
        own: Id of the visitor's own memory; "" for the default one.
        text: Words to search for, or "".
        picture: File of a picture to search with, or None.
        name: Only this object; `ANY` for all.
        state: Only this state; `ANY` for all.
        at: The page, from 1.
        crop_id: The selected picture, or "".
        marked: The marked pictures.
    """

    own: str
    text: str = ""
    picture: str | None = None
    name: str = ANY
    state: str = ANY
    at: int = 1
    crop_id: str = ""
    marked: Sequence[str] = ()

    @property
    def words(self) -> str:
        """The words of the search."""
        return " ".join((self.text or "").split())[:MAX_WORDS]


def wire(context: AppContext, page: gr.Blocks, w: MemoryWidgets, sync: gr.Button) -> None:
    """Wire the events that show pictures."""

    def open_tab(own: str) -> Updates:
        return show(context, w, Now(own))

    def look(*values: Any) -> Updates:
        return show(context, w, replace(Now(*values), at=1))

    def drop(*values: Any) -> Updates:
        now = Now(*values)
        image = shown_picture(now.picture)
        if image is None:
            return {w.picture: None}
        return show(context, w, replace(now, at=1)) | as_shown(w.picture, now.picture, image)

    def back(*values: Any) -> Updates:
        now = Now(*values)
        return show(context, w, replace(now, at=now.at - 1))

    def forth(*values: Any) -> Updates:
        now = Now(*values)
        return show(context, w, replace(now, at=now.at + 1))

    def choose(own: str, event: gr.EventData) -> Updates:
        pressed = read_press(event)
        store = shown_store(context, own)
        return chosen(w, store.crops[row_of(store, pressed.value)], pressed.data.get("score", ""))

    def draw(own: str) -> Updates:
        # Imported here because Plotly takes half a second, which would delay the start.
        from procvid.memory.plane import plane_figure

        return {w.plane: gr.Plot(value=plane_figure(shown_store(context, own)), visible=True)}

    page.load(guarded(open_tab), w.own, w.shown, **QUIET)
    sync.click(None, w.own, w.own, js=READ_MEMORY, api_visibility="private")
    sync.click(guarded(open_tab), w.own, w.shown, js=READ_MEMORY, **QUIET)
    for event in (w.search.click, w.text.submit, w.picture.clear, w.name.input, w.state.input):
        event(guarded(look), w.now, w.shown, **QUIET, **ON_GPU)
    w.picture.upload(guarded(drop), w.now, [*w.shown, w.picture], **QUIET, **ON_GPU)
    w.previous.click(guarded(back), w.now, w.shown, **QUIET)
    w.following.click(guarded(forth), w.now, w.shown, **QUIET)
    w.grid.select(
        guarded(choose),
        w.own,
        [w.chosen, w.crop, w.tools, w.new_name, w.new_state, w.ban],
        **QUIET,
    ).success(None, None, None, js=INTO_VIEW)
    w.draw.click(guarded(draw), w.own, w.plane, **QUIET)


def show(context: AppContext, w: MemoryWidgets, now: Now) -> Updates:
    """Return the pictures that were asked for, the filters, and the history.

    A filter that the memory does not have is dropped.
    """
    store = shown_store(context, now.own)
    names, states = kinds(store)
    name = now.name if now.name in {value for _, value in names} else ANY
    state = now.state if now.state in {value for _, value in states} else ANY
    rows, reason = _rows(context, store, now, name, state)
    last = max(1, -(-len(rows) // ON_A_PAGE))
    number = min(max(1, now.at), last)
    start = (number - 1) * ON_A_PAGE
    tiles = [
        markup.Tile(store.crops[row], score, store.crops.facts[row].id in now.marked)
        for row, score in rows[start : start + ON_A_PAGE]
    ]
    place = f"{start + 1} to {start + len(tiles)} of {len(rows)}" if tiles else ""
    calibrated = find_calibration(store.embedder) is not None
    return {
        w.grid: markup.tiles(tiles, now.crop_id),
        w.page: number,
        w.previous: gr.Button(interactive=number > 1),
        w.place: markup.place(place),
        w.following: gr.Button(interactive=number < last),
        w.note: gr.HTML(value=note(reason) if reason else "", visible=bool(reason)),
        w.overview: markup.overview(store, has_own(context, now.own), calibrated),
        w.name: gr.Dropdown(choices=names, value=name),
        w.state: gr.Dropdown(choices=states, value=state),
        w.history: markup.edits(store.history),
        w.undo: gr.Button(markup.undo_words(store.history), visible=can_undo(context, now.own)),
    }


def _rows(
    context: AppContext, store: CropStore, now: Now, name: str, state: str
) -> tuple[list[tuple[int, float | None]], str]:
    """Return rows with their similarity, None if nothing was searched for, and why there are none."""
    image = shown_picture(now.picture)
    if not now.words and image is None:
        with_pictures = store.crops.pictures
        rows = [row for row in browse(store, name, state) if with_pictures[row] is not None]
        return [(row, None) for row in rows], "" if rows else "No picture of this kind."
    if not browse(store, name, state):
        return [], "No picture of this kind."
    found = search(
        store,
        context.parts("default").embedder,
        ON_A_PAGE,
        text=now.words,
        image=image,
        state=None if state == ANY else state,
        rules=build_rules(store.embedder),
        name=None if name == ANY else name,
    )
    return [(match.row, match.score) for match in found.matches], found.reason


def chosen(w: MemoryWidgets, crop: Crop | None, score: str = "") -> Updates:
    """Return the selected picture: its id, facts, name, state, and the label of Hide."""
    return {
        w.chosen: crop.id if crop else "",
        w.crop: markup.chosen_crop(crop, score),
        w.tools: gr.Column(visible=crop is not None),
        w.new_name: crop.name if crop else "",
        w.new_state: crop.state if crop else "",
        w.ban: gr.Button("Unhide" if crop and crop.banned else "Hide"),
    }
