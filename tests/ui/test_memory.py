"""The events of the Memory page, called as Gradio calls them."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
from gradio.data_classes import ImageData

from procvid.media.image import save_png
from procvid.memory import edit
from procvid.memory.store_folder import load_store
from procvid.settings import TINY
from procvid.ui.pages.create.references_step import ReferenceLook
from procvid.ui.pages.memory import editing, viewing
from procvid.ui.pages.memory.layout import _widgets
from procvid.ui.pages.memory.markup import Tile, chosen_crop, tiles
from procvid.ui.pages.memory.viewing import ON_A_PAGE
from procvid.ui.server.context import AppContext
from procvid.ui.server.jobs import start_run
from procvid.ui.server.memories import ANY, browse, change, folder_of, kinds, shown_store
from procvid.ui.server.own_memory import alias_of
from procvid.ui.server.queue import RunOptions
from procvid.ui.server.visitors import LOCAL
from procvid.wiring.stores import load_default_memory
from tests.default_store import CROPS, NAMES
from tests.media.heic import heic_bytes
from tests.ui.events import Events
from tests.ui.running import create_page

PAGES = -(-CROPS // ON_A_PAGE)


@pytest.fixture(scope="module")
def made(context: AppContext) -> tuple[Any, Events]:
    """The page's components, and its events by name, whose answers are keyed by them."""
    with gr.Blocks() as app:
        own, sync = gr.BrowserState(""), gr.Button()
        widgets = _widgets(own)
        viewing.wire(context, app, widgets, sync)
        editing.wire(context, widgets)
    return widgets, {str(f.name): f.fn for f in app.fns.values() if f.fn is not None}


@pytest.fixture(scope="module")
def w(made: tuple[Any, Events]) -> Any:
    return made[0]


@pytest.fixture(scope="module")
def on(made: tuple[Any, Events]) -> Events:
    return made[1]


def pressed(crop_id: str, score: str = "0.50") -> gr.EventData:
    return gr.EventData(None, {"act": "crop", "value": crop_id, "score": score})


def now(
    own: str = "", text: str = "", picture: str | None = None, name: str = ANY, state: str = ANY,
    at: int = 1, crop_id: str = "", marked: tuple[str, ...] = (),
) -> tuple[Any, ...]:  # fmt: skip
    """Return what the page sends with a button."""
    return own, text, picture, name, state, at, crop_id, list(marked)


def ids(html: str) -> list[str]:
    return re.findall(r'value="([^"]+)"', html)


def test_it_opens_with_one_of_each_kind(on: Events, w: Any) -> None:
    shown = on["open_tab"]("")
    assert "Shared picture library" in shown[w.overview] and "No edits yet" in shown[w.history]
    assert f"1 to {ON_A_PAGE} of {CROPS}" in shown[w.place]
    assert not shown[w.previous].interactive and shown[w.following].interactive
    assert len({name for name, _ in shown[w.name].choices}) == NAMES + 1
    by_id = {crop.id: crop for crop in load_default_memory(TINY).crops.facts}
    first = ids(shown[w.grid])
    assert len({(by_id[i].name, by_id[i].state) for i in first}) == len(first) == ON_A_PAGE


def test_pages_are_turned(on: Events, w: Any) -> None:
    second = on["forth"](*now())
    assert second[w.page] == 2 and second[w.previous].interactive
    assert not set(ids(second[w.grid])) & set(ids(on["back"](*now(at=2))[w.grid]))
    last = on["forth"](*now(at=99))
    assert last[w.page] == PAGES and not last[w.following].interactive
    assert on["look"](*now(name="bowl", at=7))[w.page] == 1


def test_a_search_shows_the_likeness(on: Events, w: Any) -> None:
    found = on["look"](*now(text="sliced carrot"))
    best = ids(found[w.grid])[0]
    assert re.search(r'data-score="0\.9\d"', found[w.grid])
    chosen = on["choose"]("", pressed(best, "0.97"))
    assert chosen[w.chosen] == best and chosen[w.new_name] == "carrot"
    assert "<dt>Similarity</dt><dd>0.97" in chosen[w.crop] and "Apache-2.0" in chosen[w.crop]
    assert "Similarity" not in on["choose"]("", pressed(best, "<script>"))[w.crop]
    only = ids(on["look"](*now(text="carrot", state="diced"))[w.grid])
    by_id = {crop.id: crop for crop in load_default_memory(TINY).crops.facts}
    assert {by_id[each].state for each in only} == {"diced"}
    nothing = on["look"](*now(text="zebra spaceship"))
    assert ids(nothing[w.grid]) == [] and nothing[w.note].visible
    assert "Nothing found for &#x27;zebra spaceship&#x27;" in nothing[w.note].value
    assert not on["look"](*now(text="  "))[w.note].visible


def test_the_first_edit_makes_a_private_copy(
    on: Events, w: Any, context: AppContext, tmp_path: Path
) -> None:
    crop_id = ids(on["look"](*now(name="egg"))[w.grid])[0]
    after = on["rename"]("duck egg", *now(name="egg", crop_id=crop_id))
    own = after[w.own]
    assert own and "Your private picture library" in after[w.overview]
    assert after[w.chosen] == crop_id and after[w.name].value == "duck egg"
    assert "<b>Rename</b>" in after[w.history]
    hidden = on["ban"](*now(own, crop_id=crop_id))
    assert "Hidden" in hidden[w.crop] and hidden[w.ban].value == "Unhide"
    again = on["ban"](*now(own, crop_id=crop_id))
    assert "Hidden" not in again[w.crop] and again[w.ban].value == "Hide"
    assert on["retag"]("boiled", *now(own, crop_id=crop_id))[w.new_state] == "boiled"
    other = ids(on["look"](*now(own, name="egg"))[w.grid])[0]
    marked = on["mark"](*now(own, crop_id=other, marked=(crop_id,)))
    assert marked[w.same].value == "Merge marked (2)" and marked[w.same].visible
    before = len(shown_store(context, own))
    assert on["same"](*now(own, marked=(crop_id, other)))[w.marked] == []
    assert len(shown_store(context, own)) == before - 1
    save_png(tmp_path / "pan.png", shown_store(context, own).crops[0].image)  # type: ignore[arg-type]
    added = on["add"](own, str(tmp_path / "pan.png"), "my pan", "", True)
    assert added[w.name].value == "my pan" and "upload/" in added[w.crop]
    # Other visitors do not see it, and the default store is unchanged.
    assert len(shown_store(context, "")) == len(shown_store(context, "0" * 16)) == CROPS
    parts = context.parts(own)
    assert parts.stores is not None and len(parts.stores[0]) == before
    assert load_store(folder_of(context.runs_folder, own)).history[0].what == "rename"


def test_a_search_and_its_pictures_agree_after_an_edit(
    on: Events, w: Any, context: AppContext
) -> None:
    asked = {"text": "frying pan", "name": "frying pan"}
    first, second, *_ = ids(on["look"](*now(**asked))[w.grid])
    hidden = on["ban"](*now(**asked, crop_id=first))
    own = hidden[w.own]
    assert ids(hidden[w.grid])[0] == first and " · hidden" in hidden[w.grid]
    gone = on["remove"](*now(own, **asked, crop_id=first, marked=(first, second)))
    assert first not in ids(gone[w.grid]) and ids(gone[w.grid])[0] == second
    assert gone[w.chosen] == "" and gone[w.marked] == [second], "what is gone is not marked"
    assert gone[w.same].value == "Merge marked (1)"
    last = on["remove"](*now(own, **asked, crop_id=second, marked=(second,)))
    assert last[w.marked] == [] and not last[w.same].visible


def test_the_last_change_is_undone(on: Events, w: Any, context: AppContext) -> None:
    crop_id = ids(on["open_tab"]("")[w.grid])[0]
    removed = on["remove"](*now(crop_id=crop_id))
    own = removed[w.own]
    assert removed[w.undo].visible and removed[w.undo].value == "Undo “Remove”"
    undone = on["undo"](*now(own))
    assert ids(undone[w.grid])[0] == crop_id and not undone[w.undo].visible
    assert [e.what for e in shown_store(context, own).history] == ["remove", "undo"]
    with pytest.raises(gr.Error, match="nothing to undo"):
        on["undo"](*now(own))
    for nobody in ("", "0" * 16, "../../etc"):
        with pytest.raises(gr.Error, match="nothing to undo"):
            on["undo"](*now(nobody))


def test_an_own_memory_guides_a_run(on: Events, w: Any, recipe: str, context: AppContext) -> None:
    board = ids(on["look"](*now(name="cutting board"))[w.grid])[0]
    own = on["ban"](*now(crop_id=board))[w.own]
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
def test_an_id_that_is_none(on: Events, w: Any, own: Any) -> None:
    if own:
        with pytest.raises(gr.Error, match="not a memory id"):
            on["ban"](*now(own, crop_id="0" * 16))
    assert "Shared picture library" in on["open_tab"](own)[w.overview]


def test_what_cannot_be_done_is_a_sentence(on: Events) -> None:
    for event, arguments, said in (
        ("rename", ("pot", *now()), "No picture is selected"),
        ("remove", now(crop_id="nobody"), "This picture no longer exists"),
        ("mark", now(), "No picture is selected"),
        ("same", now(marked=("a",)), "needs two pictures, and 1 are marked"),
        ("same", now(marked=("a", "b")), "This picture no longer exists"),
        ("add", ("", None, "pan", "", False), "The photo or its object is missing"),
        ("choose", ("", pressed("nobody")), "This picture no longer exists"),
        ("choose", ("", gr.EventData(None, ["x"])), "out of date"),
    ):
        with pytest.raises(gr.Error, match=said):
            on[event](*arguments)


def test_words_and_a_picture_are_one_search(
    on: Events, w: Any, context: AppContext, tmp_path: Path
) -> None:
    crops = shown_store(context, "").crops
    by_id = {crop.id: crop.name for crop in crops.facts}
    pan = next(row for row, crop in enumerate(crops.facts) if crop.name == "frying pan")
    picture = str(tmp_path / "pan.png")
    save_png(Path(picture), crops[pan].image)  # type: ignore[arg-type]

    def names(**asked: Any) -> list[str]:
        return [by_id[each] for each in ids(on["drop"](*now(picture=picture, **asked))[w.grid])]

    assert ids(on["drop"](*now(picture=picture))[w.grid])[0] == crops.facts[pan].id
    assert set(names(text="frying pan")) == {"frying pan"} and len(names(text="frying pan")) > 1
    assert set(names(text="a pan", name="frying pan")) == {"frying pan"}
    noise = np.random.default_rng(1).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    save_png(Path(picture), noise)
    nothing = on["drop"](*now(picture=picture, name="bowl"))
    assert ids(nothing[w.grid]) == [] and "Nothing like this picture" in nothing[w.note].value


def test_a_photo_of_a_phone_is_shown_and_found(on: Events, w: Any, tmp_path: Path) -> None:
    photo = tmp_path / "IMG_1.HEIC"
    photo.write_bytes(heic_bytes(np.full((96, 96, 3), 90, np.uint8)))
    # Browsers cannot show the file, so the field gets the picture.
    assert on["drop"](*now(picture=str(photo)))[w.picture].shape == (96, 96, 3)
    assert on["check_photo"](str(photo))[w.photo].shape == (96, 96, 3)


HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"


def test_a_picture_that_cannot_be_shown_is_a_sentence(
    on: Events, w: Any, app: gr.Blocks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(gr, "Warning", lambda text, title: said.append(text))
    (tmp_path / "IMG_1.HEIC").write_bytes(HEIC)
    photo = str(tmp_path / "IMG_1.HEIC")
    # The field is emptied, so that no broken image stays.
    assert on["check_photo"](photo) == {w.photo: None}
    assert on["drop"](*now(picture=photo)) == {w.picture: None}
    assert (
        said
        == ["The HEIC photo IMG_1.HEIC is damaged or of an unknown kind. Save it as JPEG or PNG."]
        * 2
    )
    # Gradio would open the file before the handler is called.
    fields = [block for block in app.blocks.values() if isinstance(block, gr.Image)]
    assert [field.preprocess(ImageData(path=photo)) for field in fields] == [photo] * 2


def test_text_of_a_store_is_escaped(context: AppContext) -> None:
    crop = shown_store(context, "").crops[0]
    evil = dataclasses.replace(crop, description="<script>alert(1)</script>", url='"><img src=x>')
    assert "<script>" not in chosen_crop(evil) and "<img src=x>" not in chosen_crop(evil)
    assert "<script>" not in tiles(
        [Tile(dataclasses.replace(evil, id='"><script>', name="<script>"))]
    )
    store = shown_store(context, "")
    assert len(browse(store, ANY, ANY)) == len(store)
    assert kinds(store)[0][0] == (f"all objects ({CROPS})", ANY)
