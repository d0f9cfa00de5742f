"""The events of the Memory page, called as Gradio calls them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from gradio.data_classes import ImageData

from procvid.media.image import save_png
from procvid.memory import edit
from procvid.memory.store_folder import load_store
from procvid.settings import TINY
from procvid.ui.pages.create.references_step import ReferenceLook
from procvid.ui.pages.memory.layout import ON_A_PAGE
from procvid.ui.pages.memory.markup import chosen_crop
from procvid.ui.server.context import AppContext
from procvid.ui.server.jobs import start_run
from procvid.ui.server.memories import ANY, browse, change, folder_of, kinds, shown_store
from procvid.ui.server.own_memory import alias_of
from procvid.ui.server.queue import RunOptions
from procvid.ui.server.visitors import LOCAL
from procvid.wiring.stores import load_default_memory
from tests.default_store import CROPS, NAMES
from tests.ui.events import Events, events_of
from tests.ui.running import create_page

PAGES = -(-CROPS // ON_A_PAGE)
OWN, GALLERY, SHOWN, PAGE, NOTE, OVERVIEW, NAME, STATE, HISTORY, CHOSEN, CROP = range(11)


@pytest.fixture(scope="module")
def on(app: Any) -> Events:
    return events_of(app)


def pressed(index: int) -> gr.SelectData:
    return gr.SelectData(None, {"index": index, "value": None})


def test_it_opens_with_one_of_each_kind(on: Events) -> None:
    gallery, shown, page, _, overview, names, _, history = on["open_tab"]("")
    assert len(shown) == len(gallery.value) == 24 and "Shared image library" in overview
    assert page.label == f"Page (of {PAGES})" and on["turn"]("", ANY, ANY, 99)[2].value == PAGES
    assert on["narrow"]("", "bowl", ANY)[2].label == "Page (of 3)"
    assert len({name for name, _ in names.choices}) == NAMES + 1 and "No edits yet" in history
    store = load_default_memory(TINY)
    by_id = {crop.id: crop for crop in store.crops.facts}
    assert len({(by_id[i].name, by_id[i].state) for i, _ in shown}) == 24


def test_a_search_shows_the_likeness(on: Events) -> None:
    _, shown, *_ = on["search"]("", "sliced carrot", ANY, ANY)
    crop_id, crop, name, state, _ = on["choose"]("", shown, pressed(0))
    assert crop_id == shown[0][0] and (name, state) == ("carrot", "sliced")
    assert "<dt>Similarity</dt><dd>0.9" in crop and "Apache-2.0" in crop
    _, only, *_ = on["search"]("", "carrot", ANY, "diced")
    store = load_default_memory(TINY)
    states = {c.state for c in store.crops.facts if c.id in {one for one, _ in only}}
    assert states == {"diced"}
    gallery, none, _, note = on["search"]("", "zebra spaceship", ANY, ANY)
    assert gallery.value == [] and none == []
    assert note.visible and "Nothing found for &#x27;zebra spaceship&#x27;" in note.value
    assert not on["turn"]("", ANY, ANY, 1)[3].visible
    with pytest.raises(gr.Error, match="search is empty"):
        on["search"]("", "  ", ANY, ANY)


def test_the_first_edit_makes_a_private_copy(
    on: Events, context: AppContext, tmp_path: Path
) -> None:
    _, shown, *_ = on["turn"]("", "egg", ANY, 1)
    crop_id = shown[0][0]
    after = on["rename"]("", crop_id, "duck egg")
    own = after[OWN]
    assert own and "Your private image library" in after[OVERVIEW] and after[CHOSEN] == crop_id
    assert "rename" in after[HISTORY] and after[NAME].value == "duck egg"
    hidden = on["ban"](own, crop_id)
    assert "Hidden" in hidden[CROP] and hidden[CHOSEN + 4].value == "Unhide"
    shown_again = on["ban"](own, crop_id)
    assert "Hidden" not in shown_again[CROP] and shown_again[CHOSEN + 4].value == "Hide"
    assert on["retag"](own, crop_id, "boiled")[CHOSEN + 3] == "boiled"
    marked, _ = on["mark"]([], crop_id)
    marked, button = on["mark"](marked, on["turn"](own, "egg", ANY, 1)[1][0][0])
    assert button.value == "Merge marked (2)"
    before = len(shown_store(context, own))
    assert on["same"](own, marked)[-2] == []
    assert len(shown_store(context, own)) == before - 1
    save_png(tmp_path / "pan.png", shown_store(context, own).crops[0].image)  # type: ignore[arg-type]
    added = on["add"](own, str(tmp_path / "pan.png"), "my pan", "", True)
    assert added[NAME].value == "my pan" and "upload/" in added[CROP]
    removed = on["remove"](own, added[CHOSEN], [crop_id, added[CHOSEN]])
    assert removed[CHOSEN] == "" and removed[-2] == [crop_id], "a removed crop is not marked"
    # Other visitors do not see it, and the default store is unchanged.
    assert len(shown_store(context, "")) == len(shown_store(context, "0" * 16)) == CROPS
    parts = context.parts(own)
    assert parts.stores is not None and len(parts.stores[0]) == before - 1
    assert load_store(folder_of(context.runs_folder, own)).history[0].what == "rename"


def test_an_own_memory_guides_a_run(on: Events, recipe: str, context: AppContext) -> None:
    _, shown, *_ = on["turn"]("", "cutting board", ANY, 1)
    own = on["ban"]("", shown[0][0])[OWN]
    facts = shown_store(context, own).crops.facts
    others = [crop.id for crop in facts if crop.name == "cutting board" and not crop.banned]
    change(context, own, lambda store, _: edit.ban(store, others))
    page, create, _ = create_page(context)
    planned = create["plan_recipe"](recipe)
    draft, look = planned[page.state.draft], ReferenceLook()
    feed = start_run(context, draft, RunOptions(steps=1, memory=own), LOCAL)
    *_, (view, _) = feed.follow()
    assert view.state == "done"
    # Anyone with the run's address can read its files, which must not contain the memory's key.
    assert own not in (view.folder / "run.json").read_text()
    assert context.job_of(view.run_id).options.memory == alias_of(own)
    mine, default = (
        create["find_references"](draft, {}, look, "mine", 0, memory)[page.references.shown]
        for memory in (own, "")
    )
    assert "cutting board" in mine and "banned" in mine
    assert "banned" not in default


@pytest.mark.parametrize("own", ["../../etc", "x", "g" * 16, None])
def test_an_id_that_is_none(on: Events, own: Any) -> None:
    if own:
        with pytest.raises(gr.Error, match="not a memory id"):
            on["ban"](own, "0" * 16)
    assert "Shared image library" in on["open_tab"](own)[4]


def test_what_cannot_be_done_is_a_sentence(on: Events) -> None:
    for event, arguments, said in (
        ("rename", ("", "", "pot"), "No crop is selected"),
        ("remove", ("", "nobody", []), "has no crop"),
        ("same", ("", ["a"]), "needs two crops, and 1 are marked"),
        ("add", ("", None, "pan", "", False), "The photo or its object is missing"),
    ):
        with pytest.raises(gr.Error, match=said):
            on[event](*arguments)
    assert on["choose"]("", [], pressed(3))[0] == ""


def test_a_picture_is_searched_for_among_the_objects_that_are_shown(
    on: Events, context: AppContext, tmp_path: Path
) -> None:
    crops = shown_store(context, "").crops
    pan = next(row for row, crop in enumerate(crops.facts) if crop.name == "frying pan")
    save_png(tmp_path / "pan.png", crops[pan].image)  # type: ignore[arg-type]
    _, shown, *_ = on["search_picture"]("", str(tmp_path / "pan.png"), ANY, ANY)
    assert shown[0][1] > 0.9
    _, shown, *_ = on["search_picture"]("", str(tmp_path / "pan.png"), "bowl", ANY)
    by_id = {crop.id: crop.name for crop in crops.facts}
    assert {by_id[crop_id] for crop_id, _ in shown} == {"bowl"}


HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"


def test_a_picture_that_cannot_be_shown_is_a_sentence(
    on: Events, app: gr.Blocks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(gr, "Warning", lambda text, title: said.append(text))
    (tmp_path / "IMG_1.HEIC").write_bytes(HEIC)
    photo = str(tmp_path / "IMG_1.HEIC")
    # The field is emptied, so that no broken image stays.
    assert on["check_photo"](photo) is None
    assert on["search_picture"]("", photo, ANY, ANY)[-1] is None
    assert (
        said
        == [
            "The file IMG_1.HEIC is an HEIC photo, which procvid does not read. Save it as JPEG or PNG."
        ]
        * 2
    )
    # Gradio would open the file before the handler is called.
    fields = [block for block in app.blocks.values() if isinstance(block, gr.Image)]
    assert [field.preprocess(ImageData(path=photo)) for field in fields] == [photo] * 2


def test_text_of_a_store_is_escaped(context: AppContext) -> None:
    crop = shown_store(context, "").crops[0]
    evil = dataclasses.replace(crop, description="<script>alert(1)</script>", url='"><img src=x>')
    assert "<script>" not in chosen_crop(evil) and "<img src=x>" not in chosen_crop(evil)
    store = shown_store(context, "")
    assert len(browse(store, ANY, ANY)) == len(store)
    assert kinds(store)[0][0] == (f"all objects ({CROPS})", ANY)
