"""The events of the Memory tab, called as the page calls them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from procvid.media.image import save_png
from procvid.memory.crops import load_store
from procvid.settings import TINY
from procvid.ui.pages.memory.layout import ON_A_PAGE
from procvid.ui.pages.memory.markup import chosen_crop, edits
from procvid.ui.server.context import AppContext
from procvid.ui.server.jobs import start_run
from procvid.ui.server.memories import ANY, browse, folder_of, kinds, shown_store
from procvid.ui.server.own_memory import alias_of
from procvid.ui.server.queue import RunOptions
from procvid.ui.server.visitors import LOCAL
from procvid.wiring import run as wiring
from tests.default_store import CROPS, NAMES
from tests.ui.running import create_page

PAGES = -(-CROPS // ON_A_PAGE)
OWN, GALLERY, SHOWN, PAGE, OVERVIEW, NAME, STATE, HISTORY, CHOSEN, CROP = range(10)


@pytest.fixture(scope="module")
def on(app: Any) -> dict[str, Callable[..., Any]]:
    return {f.name: f.fn for f in app.fns.values()}


def pressed(index: int) -> gr.SelectData:
    return gr.SelectData(None, {"index": index, "value": None})


def test_it_opens_with_one_of_each_kind(on: dict[str, Callable[..., Any]]) -> None:
    gallery, shown, page, overview, names, _, history = on["open_tab"]("")
    assert len(shown) == len(gallery.value) == 24 and "everybody reads" in overview
    assert page.label == f"Page, of {PAGES}" and on["turn"]("", ANY, ANY, 99)[2].value == PAGES
    assert on["narrow"]("", "bowl", ANY)[2].label == "Page, of 2"
    assert len({name for name, _ in names.choices}) == NAMES + 1 and "Nobody has changed" in history
    store = wiring.load_default_memory(TINY)
    by_id = {crop.id: crop for crop in store.crops.facts}
    assert len({(by_id[i].name, by_id[i].state) for i, _ in shown}) == 24


def test_a_search_shows_the_likeness(on: dict[str, Callable[..., Any]]) -> None:
    _, shown, _ = on["search"]("", "sliced carrot", None, ANY)
    crop_id, crop, name, state = on["choose"]("", shown, pressed(0))
    assert crop_id == shown[0][0] and (name, state) == ("carrot", "sliced")
    assert "similarity 0.9" in crop and "Apache-2.0" in crop
    _, only, _ = on["search"]("", "carrot", None, "diced")
    store = wiring.load_default_memory(TINY)
    states = {c.state for c in store.crops.facts if c.id in {one for one, _ in only}}
    assert states == {"diced"}
    with pytest.raises(gr.Error, match="nothing to search for"):
        on["search"]("", "  ", None, ANY)


def test_the_first_change_makes_a_memory_of_one_s_own(
    on: dict[str, Callable[..., Any]], context: AppContext, tmp_path: Path
) -> None:
    _, shown, _ = on["turn"]("", "egg", ANY, 1)
    crop_id = shown[0][0]
    after = on["rename"]("", crop_id, "duck egg")
    own = after[OWN]
    assert own and "yours alone" in after[OVERVIEW] and after[CHOSEN] == crop_id
    assert "rename" in after[HISTORY] and after[NAME].value == "duck egg"
    assert "Banned" in on["ban"](own, crop_id)[CROP]
    assert "Banned" not in on["ban"](own, crop_id)[CROP]
    assert on["retag"](own, crop_id, "boiled")[CHOSEN + 3] == "boiled"
    marked, _ = on["mark"]([], crop_id)
    marked, button = on["mark"](marked, on["turn"](own, "egg", ANY, 1)[1][0][0])
    assert "2 marked" in button.value
    before = len(shown_store(context, own))
    assert on["same"](own, marked)[-2] == []
    assert len(shown_store(context, own)) == before - 1
    save_png(tmp_path / "pan.png", shown_store(context, own).crops[0].image)  # type: ignore[arg-type]
    added = on["add"](own, str(tmp_path / "pan.png"), "my pan", "", True)
    assert added[NAME].value == "my pan" and "upload/" in added[CROP]
    assert on["remove"](own, added[CHOSEN])[CHOSEN] == ""
    # Nobody else's pages show it, and the default store is as it was.
    assert len(shown_store(context, "")) == len(shown_store(context, "0" * 16)) == CROPS
    parts = context.parts(own)
    assert parts.stores is not None and len(parts.stores[0]) == before - 1
    assert load_store(folder_of(context.runs_folder, own)).history[0].what == "rename"


def test_one_s_own_memory_guides_a_run(
    on: dict[str, Callable[..., Any]], recipe: str, context: AppContext
) -> None:
    _, shown, _ = on["turn"]("", "cutting board", ANY, 1)
    own = on["ban"]("", shown[0][0])[OWN]
    for crop_id, _ in shown[1:]:
        on["ban"](own, crop_id)
    page, create, _ = create_page(context)
    planned = create["plan_recipe"](recipe)
    draft, rows = planned[page.state.draft], planned[page.plan.table]
    feed = start_run(context, draft, RunOptions(steps=1, memory=own), LOCAL)
    *_, (view, _) = feed.follow()
    assert view.state == "done"
    # Who is sent the run's address can read its files, and must not find the key to the memory.
    assert own not in (view.folder / "run.json").read_text()
    assert context.job_of(view.run_id).options.memory == alias_of(own)
    mine, default = (
        create["find_references"](draft, rows, {}, "mine", 0, memory)[page.references.shown]
        for memory in (own, "")
    )
    assert "cutting board" in mine and "banned" in mine
    assert "banned" not in default


@pytest.mark.parametrize("own", ["../../etc", "x", "g" * 16, None])
def test_an_id_that_is_none(on: dict[str, Callable[..., Any]], own: Any) -> None:
    if own:
        with pytest.raises(gr.Error, match="not a memory id"):
            on["ban"](own, "0" * 16)
    assert "everybody reads" in on["open_tab"](own)[3]


def test_what_cannot_be_done_is_a_sentence(on: dict[str, Callable[..., Any]]) -> None:
    for event, arguments, said in (
        ("rename", ("", "", "pot"), "No crop is chosen"),
        ("remove", ("", "nobody"), "has no crop"),
        ("same", ("", []), "has nothing to change"),
        ("add", ("", None, "pan", "", False), "A photo and what it shows"),
    ):
        with pytest.raises(gr.Error, match=said):
            on[event](*arguments)
    assert on["choose"]("", [], pressed(3))[0] == ""


def test_text_of_a_store_is_escaped(context: AppContext) -> None:
    crop = shown_store(context, "").crops[0]
    evil = dataclasses.replace(crop, description="<script>alert(1)</script>", url='"><img src=x>')
    assert "<script>" not in chosen_crop(evil) and "<img src=x>" not in chosen_crop(evil)
    assert "nothing" not in edits(())
    store = shown_store(context, "")
    assert len(browse(store, ANY, ANY)) == len(store)
    assert kinds(store)[0][0] == (f"all objects ({CROPS})", ANY)
