"""Change a visitor's own memory, and undo the last change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from procvid.errors import InputError
from procvid.media.image import load_image
from procvid.memory import edit
from procvid.memory.photo import crop_of_photo
from procvid.memory.store import CropStore
from procvid.memory.words import canonical, usual_state
from procvid.plan.cast import known_as
from procvid.protocols import Embedder
from procvid.ui.events import ON_GPU, QUIET, Updates
from procvid.ui.pages.memory.viewing import Now, chosen, show
from procvid.ui.pages.picture import as_shown, shown_picture
from procvid.ui.server.context import AppContext, new_run_id
from procvid.ui.server.guard import guarded
from procvid.ui.server.memories import ANY, change, row_of, shown_store, undo_change

if TYPE_CHECKING:
    from procvid.ui.pages.memory.layout import MemoryWidgets

SAME = "Merge marked"
Edited = Callable[[CropStore, Embedder], CropStore]


def wire(context: AppContext, w: MemoryWidgets) -> None:
    """Wire the events that change the memory. They keep the search and the page."""

    def changed(now: Now, what: Edited, *, at: int, crop_id: str) -> Updates:
        own = now.own or new_run_id()
        store = change(context, own, what)
        return {w.own: own} | after(store, replace(now, own=own, at=at, crop_id=crop_id))

    def after(store: CropStore, now: Now) -> Updates:
        rows = {crop.id: row for row, crop in enumerate(store.crops.facts)}
        # A picture that is gone is no longer marked.
        marked = [each for each in now.marked if each in rows]
        crop = store.crops[rows[now.crop_id]] if now.crop_id in rows else None
        shown = show(context, w, replace(now, marked=marked))
        return shown | chosen(w, crop) | _marked(w, marked)

    def rename(name: str, *values: Any) -> Updates:
        now = Now(*values)
        known = known_as(canonical(name or ""))
        role = known.role if known else None

        def renamed(store: CropStore, clip: Embedder) -> CropStore:
            row_of(store, now.crop_id)
            return edit.rename(store, [now.crop_id], name, clip, role)

        # The picture is shown under its new name.
        now = replace(now, text="", picture=None, name=canonical(name or ""), state=ANY)
        return changed(now, renamed, at=1, crop_id=now.crop_id) | _no_search(w)

    def retag(state: str, *values: Any) -> Updates:
        now = Now(*values)

        def tagged(store: CropStore, clip: Embedder) -> CropStore:
            row_of(store, now.crop_id)
            return edit.retag(store, [now.crop_id], state, clip)

        return changed(replace(now, state=ANY), tagged, at=now.at, crop_id=now.crop_id)

    def ban(*values: Any) -> Updates:
        now = Now(*values)

        def toggled(store: CropStore, _: Embedder) -> CropStore:
            banned = store.crops.facts[row_of(store, now.crop_id)].banned
            return edit.ban(store, [now.crop_id], banned=not banned)

        return changed(now, toggled, at=now.at, crop_id=now.crop_id)

    def remove(*values: Any) -> Updates:
        now = Now(*values)

        def removed(store: CropStore, _: Embedder) -> CropStore:
            row_of(store, now.crop_id)
            return edit.remove_crops(store, [now.crop_id])

        return changed(now, removed, at=now.at, crop_id="")

    def mark(*values: Any) -> Updates:
        now = Now(*values)
        row_of(shown_store(context, now.own), now.crop_id)
        ids = [each for each in now.marked if each != now.crop_id]
        ids = ids if now.crop_id in now.marked else [*ids, now.crop_id]
        shown = show(context, w, replace(now, marked=ids))
        return shown | _marked(w, ids)

    def same(*values: Any) -> Updates:
        now = Now(*values)
        if len(now.marked) < 2:
            raise InputError(
                f"Merging needs two pictures, and {len(now.marked)} are marked.",
                "Select each picture of the same object and press “Mark to merge”.",
            )

        def merged(store: CropStore, _: Embedder) -> CropStore:
            for each in now.marked:
                row_of(store, each)
            return edit.merge_crops(store, now.marked)

        return changed(replace(now, marked=()), merged, at=now.at, crop_id=now.marked[0])

    def undo(*values: Any) -> Updates:
        now = Now(*values)
        return after(undo_change(context, now.own), now)

    def check_photo(photo: str | None) -> Updates:
        image = shown_picture(photo)
        return {w.photo: None} if image is None else as_shown(w.photo, photo, image)

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

        def added(store: CropStore, clip: Embedder) -> CropStore:
            return edit.add(store, [crop], clip)

        now = Now(own, name=crop.name)
        return changed(now, added, at=1, crop_id=crop.id) | _no_search(w)

    results = [w.own, *w.shown, w.chosen, w.crop, w.tools, w.new_name, w.new_state, w.ban,
             w.marked, w.same]  # fmt: skip
    searched = [w.text, w.picture]
    for button, what, inputs, more in (
        (w.rename, rename, [w.new_name, *w.now], searched),
        (w.retag, retag, [w.new_state, *w.now], []),
        (w.ban, ban, w.now, []),
        (w.remove, remove, w.now, []),
        (w.same, same, w.now, []),
        (w.undo, undo, w.now, []),
        (w.add, add, [w.own, w.photo, w.photo_name, w.photo_state, w.photo_whole], searched),
    ):
        button.click(guarded(what), inputs, [*results, *more], **QUIET, **ON_GPU)
    w.photo.upload(guarded(check_photo), w.photo, [w.photo], **QUIET)
    w.mark.click(guarded(mark), w.now, [*w.shown, w.marked, w.same], **QUIET)


def _no_search(w: MemoryWidgets) -> Updates:
    return {w.text: "", w.picture: None}


def _marked(w: MemoryWidgets, marked: Sequence[str]) -> Updates:
    """Return the marks and the button that merges them, which is visible if something is marked."""
    label = f"{SAME} ({len(marked)})"
    return {w.marked: list(marked), w.same: gr.Button(label, visible=bool(marked))}
