"""The library: cards, titles, deletion with undo, posters, and what a browser may send."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from gradio_client import Client
from PIL import Image as PillowImage

from procvid.errors import InputError, RunError
from procvid.ui.pages.create import layout as create
from procvid.ui.pages.create.layout import CreatePage
from procvid.ui.pages.library import layout
from procvid.ui.pages.library.layout import JUST_DELETED_S, matching, read_minutes
from procvid.ui.pages.library.markup import date_words, library
from procvid.ui.server.clearing import Retention, clear
from procvid.ui.server.context import AppContext, new_run_id
from procvid.ui.server.jobs import make_draft, resume_run
from procvid.ui.server.library import (
    KEPT_S,
    MAX_TITLE,
    LibraryFacts,
    VideoCard,
    clean_title,
    delete,
    poster_of,
    read_cards,
    read_facts,
    rename,
    restore,
    set_twin,
    title_of,
    twin_of,
)
from procvid.ui.server.packing import pack
from procvid.ui.server.queue import Job, RunOptions
from procvid.ui.server.visitors import LOCAL
from tests.ui.running import Events, events_of, finished

NOON_S = 1_796_123_100.0
"""1 December 2026, 11:05 UTC, a Tuesday."""


@pytest.fixture(scope="module")
def made(context: AppContext, recipe: str) -> str:
    """A finished run."""
    job = Job(new_run_id(), make_draft(context, recipe), RunOptions(memory="none", steps=2))
    context.worker.submit(job)
    assert finished(context, job.run_id).state == "done"
    return job.run_id


@pytest.fixture
def run_id(context: AppContext, made: str) -> Iterator[str]:
    """A copy of the finished run, to change."""
    copied = new_run_id()
    shutil.copytree(context.folder_of(made), context.folder_of(copied))
    yield copied
    shutil.rmtree(context.folder_of(copied), ignore_errors=True)


def test_a_card_tells_what_a_run_is(context: AppContext, made: str) -> None:
    (card,) = read_cards(context, [made, made, "0" * 16, "../etc", None, 7])
    assert (card.title, card.has_memory, card.seed, card.state) == (
        "Carrot omelette", False, 0, "done",
    )  # fmt: skip
    assert (card.done, card.num_steps, card.progress) == (2, 2, 1.0)
    assert card.duration_s > 1 and abs(card.made_at_s - time.time()) < 600
    for nothing in (None, "abc", 5, {}, [[]]):
        assert read_cards(context, nothing) == []


def test_a_title_is_given_and_taken_back(context: AppContext, run_id: str) -> None:
    rename(context, run_id, "  عجة 👩‍🍳 \x00 \u202eitalic\n ")
    assert title_of(context, run_id) == "عجة 👩‍🍳 italic"
    rename(context, run_id, "x" * MAX_TITLE)
    assert title_of(context, run_id) == "x" * MAX_TITLE
    for wrong in ("x" * (MAX_TITLE + 1), 5, None, ["a"]):
        with pytest.raises(InputError):
            rename(context, run_id, wrong)
    rename(context, run_id, " ")
    assert title_of(context, run_id) == "Carrot omelette"
    assert clean_title(clean_title("a\u2028b \ud800")) == "a b"


@pytest.mark.parametrize(
    "damaged",
    [
        "",
        "[]",
        "{",
        '{"title": 5}',
        '{"title": "a\\u0000b"}',
        '{"deleted_at": "now"}',
        '{"deleted_at": true}',
        '{"deleted_at": 1e999}',
        '{"deleted_at": -1}',
        '{"twin": "../../etc"}',
        json.dumps({"title": "x" * 70_000}),
        "[" * 60_000,
    ],
)
def test_a_damaged_file_holds_nothing(tmp_path: Path, damaged: str) -> None:
    (tmp_path / "library.json").write_text(damaged)
    assert read_facts(tmp_path) == LibraryFacts()


def test_a_deleted_run_is_gone_until_it_is_restored(context: AppContext, run_id: str) -> None:
    rename(context, run_id, "Mine")
    delete(context, run_id)
    delete(context, run_id)
    for use in (
        context.view_of,
        context.job_of,
        context.existing_folder_of,
        lambda one: resume_run(context, one, LOCAL),
        lambda one: rename(context, one, "x"),
        lambda one: poster_of(context, one),
        lambda one: title_of(context, one),
    ):
        with pytest.raises(RunError, match=r"This video was deleted\. .*Undo"):
            use(run_id)
    assert read_cards(context, [run_id])[0].deleted_at_s
    restore(context, run_id)
    assert context.view_of(run_id).state == "done" and title_of(context, run_id) == "Mine"
    for change in (delete, restore):
        with pytest.raises(RunError, match="no such video"):
            change(context, "0" * 16)


def test_it_is_removed_for_good_after_a_day_even_with_a_locked_step(
    context: AppContext, run_id: str
) -> None:
    folder = context.folder_of(run_id)
    (folder / "locked.json").write_text('{"steps": [1]}')
    delete(context, run_id)
    later_s = time.time() + KEPT_S
    assert clear(context.runs_folder, Retention(), context.worker, later_s - 60) == []
    assert clear(context.runs_folder, Retention(), context.worker, later_s + 60) == [run_id]
    assert not folder.exists() and read_cards(context, [run_id]) == []


def test_a_run_in_progress_is_stopped_and_one_that_waits_can_be_restored(
    context: AppContext, recipe: str
) -> None:
    draft = make_draft(context, recipe)
    running, waiting = (
        Job(new_run_id(), draft, RunOptions(memory="none", steps=60)) for _ in range(2)
    )
    feed = context.worker.submit(running)
    context.worker.submit(waiting)
    ids = [running.run_id, waiting.run_id]
    rename(context, waiting.run_id, "Later")
    cards = {card.run_id: card for card in read_cards(context, ids)}
    assert cards[waiting.run_id].title == "Later" and cards[waiting.run_id].is_busy
    for view, _ in feed.follow():
        if view.denoised:
            break
    for one in reversed(ids):
        delete(context, one)
    for _ in feed.follow():
        pass
    for one in ids:
        restore(context, one)
    states = {card.run_id: card.state for card in read_cards(context, ids)}
    assert states == {running.run_id: "stopped", waiting.run_id: "failed"}
    assert context.job_of(waiting.run_id).draft == draft
    for one in ids:
        delete(context, one)
    assert set(
        clear(context.runs_folder, Retention(), context.worker, time.time() + 2 * KEPT_S)
    ) == set(ids)
    assert context.worker.tickets.read(waiting.run_id) is None


def test_the_poster_is_a_small_picture_that_follows_its_clip(
    context: AppContext, run_id: str
) -> None:
    folder = context.folder_of(run_id)
    before = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    poster = poster_of(context, run_id)
    assert poster is not None and max(PillowImage.open(poster).size) <= 320
    made_ns = poster.stat().st_ino
    assert poster_of(context, run_id) == poster and poster.stat().st_ino == made_ns
    os.utime(folder / "steps" / "02" / "clip.mp4")
    poster_of(context, run_id)
    assert poster.stat().st_ino != made_ns
    assert {file: file.read_bytes() for file in before} == before
    rename(context, run_id, "Mine")
    zipped = pack(run_id, folder, context.runs_folder / "packed" / "poster.zip")
    assert b"poster.jpg" not in zipped.read_bytes() and b"library.json" not in zipped.read_bytes()
    (folder / "steps" / "02" / "clip.mp4").write_bytes(b"no video")
    assert poster_of(context, run_id) is None


def test_two_runs_know_each_other_as_twins(context: AppContext, run_id: str, made: str) -> None:
    set_twin(context, run_id, made)
    assert (twin_of(context, run_id), twin_of(context, made)) == (made, run_id)
    delete(context, run_id)
    assert twin_of(context, made) == ""
    with pytest.raises(RunError):
        set_twin(context, made, "../..")


CARD = VideoCard("0" * 16, Path("/nowhere"), "Egg", NOON_S, True, 3, "done", 2, 2, 1.0, 4.25)


def test_the_date_is_in_words_of_the_visitors_clock() -> None:
    assert date_words(NOON_S, 0, NOON_S) == "today 11:05"
    assert date_words(NOON_S, -60, NOON_S) == "today 12:05"
    assert date_words(NOON_S, 12 * 60, NOON_S + 86_400) == "yesterday 23:05"
    assert date_words(NOON_S, 0, NOON_S + 9 * 86_400) == "1 Dec"
    assert date_words(NOON_S, 0, NOON_S + 99 * 86_400) == "1 Dec 2026"
    assert [read_minutes(clock) for clock in (-60, 60.0, "x", None, 1e9, True)] == [
        -60,
        60,
        0,
        0,
        0,
        0,
    ]


def test_cards_are_escaped_distinct_and_shown_a_dozen_at_a_time() -> None:
    same = [replace(CARD, title='<b>"x"', seed=seed) for seed in (3, 4)]
    shown = library(same, 12, 0, has_runs=True)
    assert "<b>&quot;" not in shown and "seed 3" in shown and "seed 4" in shown
    one = library([CARD], 12, 0, has_runs=True)
    assert "seed" not in one and "with memory" in one and "4.2" in one and "Show more" not in one
    many = library([CARD] * 14, 12, 0, has_runs=True)
    assert many.count("<li") == 12 and "Show more" in many and "14 videos" in many
    one_left = library([CARD, replace(CARD, deleted_at_s=NOON_S)], 12, 0, has_runs=True)
    assert "1 video<" in one_left
    running = replace(CARD, state="running", done=1, num_steps=5, progress=0.3)
    shown = library([running], 12, 0, has_runs=True)
    assert "30 %" in shown and "1 of 5 clips" in shown
    assert "Create tab" in library([], 12, 0, has_runs=False)
    assert "No video matches" in library([], 12, 0, has_runs=True)


def test_cards_are_found_by_words_and_state() -> None:
    egg = replace(CARD, title="Fried Egg on toast")
    cards = [egg, replace(CARD, title="Soup", state="failed"), replace(CARD, deleted_at_s=NOON_S)]
    assert matching(cards, "EGG fried", "all", NOON_S) == [egg]
    assert matching(cards, "", "stopped", NOON_S + 1e6) == [cards[1]]
    assert matching(cards, None, "all", NOON_S) == cards
    assert matching(cards, "", "all", NOON_S + JUST_DELETED_S) == cards[:2]
    assert matching(cards, "", "deleted", NOON_S + 1e6) == [cards[2]]
    for wrong in ("x", None, []):
        with pytest.raises(InputError):
            matching(cards, "", wrong)


@pytest.fixture(scope="module")
def page(context: AppContext) -> tuple[CreatePage, Events, dict[str, Any]]:
    """A Create page and a Library page: their events, and the components of the library by name."""
    with gr.Blocks() as app:
        own, compared = gr.BrowserState(""), gr.BrowserState(["", ""])
        with gr.Tabs() as tabs, gr.Tab("Create") as tab:
            created = create.build(context, app, own, compared, gr.Button())
            layout.build(context, created, tab, tabs)
    press = next(f for f in app.fns.values() if f.name == "press_card")
    names = ("find", "listing", "timer", "most", "done", "tabs")
    return created, events_of(app), dict(zip(names, press.outputs, strict=False))


@pytest.fixture
def press(page: tuple[CreatePage, Events, dict[str, Any]]) -> Callable[..., dict[Any, Any]]:
    """Return a function that presses a button of a card."""
    request = SimpleNamespace(query_params={}, headers={}, client=None)

    def pressed(act: str, run_id: str, shown: str = "", **data: str) -> dict[Any, Any]:
        event = gr.EventData(None, {"act": act, "run": run_id, **data})
        values = ([run_id], 0, "", "all", 12, shown, None, "", request)
        return dict(page[1]["press_card"](event, *values))

    return pressed


def test_a_press_opens_renames_deletes_and_restores(
    page: tuple[CreatePage, Events, dict[str, Any]],
    press: Callable[..., dict[Any, Any]],
    run_id: str,
) -> None:
    created, on, parts = page
    opened = press("open", run_id)
    assert (
        opened[parts["tabs"]].selected == "create" and opened[parts["done"]] == f"opened {run_id}"
    )
    assert opened[created.state.run_id] == run_id
    renamed = press("rename", run_id, value="Mine")
    assert 'value="Mine"' in renamed[parts["listing"]] and renamed[parts["done"]] == "changed"
    deleted = press("delete", run_id, run_id)
    assert "You can undo it for 24 hours" in deleted[parts["listing"]]
    assert "was deleted" in deleted[created.video.status] and deleted[parts["done"]] == "left"
    # Another tab that shows the same run learns it.
    synced = on["sync_library"]([run_id], 0, "", "all", 12, run_id, None)
    assert "was deleted" in synced[created.video.status]
    with pytest.raises(gr.Error, match="This video was deleted"):
        press("open", run_id)
    restored = press("restore", run_id)
    assert 'value="Mine"' in restored[parts["listing"]]
    synced = on["sync_library"]([run_id], 0, "", "all", 12, run_id, "closed")
    assert "Done" in synced[created.video.status]
    assert press("more", run_id)[parts["most"]] == 24
    left = on["refresh_library"]([run_id], 0, "left", "", "all", 12)
    assert list(left) == [parts["timer"]] and not left[parts["timer"]].active
    for act, one in (("open", "../etc"), ("delete", "0" * 16), ("fly", run_id), ("rename", "")):
        with pytest.raises(gr.Error):
            press(act, one)


def test_the_endpoint_lists_renames_deletes_and_restores(client: Client, run_id: str) -> None:
    def call(*values: Any) -> Any:
        return client.predict(*values, api_name="/library")["cards"]

    (card,) = call([run_id], "rename", "Über 🍳")
    assert (card["title"], card["state"], card["memory"]) == ("Über 🍳", "done", False)
    assert card["poster"].endswith("poster.jpg")
    (card,) = call([run_id, run_id], "delete", "")
    assert card["deleted"] and card["poster"] is None
    with pytest.raises(Exception, match="This video was deleted"):
        client.predict(run_id, api_name="/run")
    assert not call([run_id], "restore", "")[0]["deleted"]
    assert call(["0" * 16], "list", "") == [] == call([], "list", "")
    for wrong in (([run_id] * 1001, "list"), ("x", "list"), ([7], "list"), ([run_id], "drop")):
        with pytest.raises(Exception, match=r"\."):
            call(*wrong, "")


@pytest.mark.slow
def test_a_list_of_500_runs_is_read_from_the_cache(context: AppContext, made: str) -> None:
    ids = [new_run_id() for _ in range(500)]
    for one in ids:
        shutil.copytree(context.folder_of(made), context.folder_of(one), copy_function=os.link)
    assert len(read_cards(context, ids)) == 500
    began_s = time.perf_counter()
    assert len(read_cards(context, ids)) == 500
    print(f"500 cards in {1000 * (time.perf_counter() - began_s):.0f} ms")
    for one in ids:
        shutil.rmtree(context.folder_of(one))
