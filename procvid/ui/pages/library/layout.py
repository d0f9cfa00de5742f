"""The Library page: the visitor's videos as cards, to open, rename, delete and restore."""

from __future__ import annotations

import time
from collections.abc import Sequence
from html import escape
from typing import Any

import gradio as gr

from procvid.errors import InputError
from procvid.ui.browser import DONE, LIBRARY_ID, LIST, WAKING
from procvid.ui.pages.create.layout import CreatePage
from procvid.ui.pages.create.shared import AT_ONCE, QUIET, Update
from procvid.ui.pages.library import markup
from procvid.ui.pressed import pressable, read_press
from procvid.ui.server.context import AppContext
from procvid.ui.server.guard import guarded
from procvid.ui.server.library import (
    MAX_CARDS,
    VideoCard,
    delete,
    read_cards,
    rename,
    restore,
)

AT_FIRST = 12
"""Number of cards at first, and by which “Show more” extends them."""
REFRESH_S = 2.0
"""Seconds between two looks at runs in progress, while the page is visible."""
JUST_DELETED_S = 600.0
"""Seconds for which a deleted video keeps its card with Undo among the others."""
MAX_WORDS = 200
MAX_MINUTES = 14 * 60
STATES = {
    "all": ("All", ()),
    "done": ("Done", ("done",)),
    "busy": ("In progress", ("waiting", "running")),
    "stale": ("Needs redo", ("stale",)),
    "stopped": ("Stopped or failed", ("stopped", "failed")),
    "deleted": ("Deleted", ()),
}
"""Labels of the filter, and the states that each choice shows."""


def build(context: AppContext, created: CreatePage, tab: gr.Tab, tabs: gr.Tabs) -> None:
    """Lay out the page and connect its events, all of which are private.

    Args:
        context: The app.
        created: The Create page, which shows an opened video.
        tab: The tab of this page.
        tabs: The tabs of the whole page.
    """
    with gr.Row(visible=False, elem_classes="pv-find") as find:
        words = gr.Textbox(label="Search", placeholder="Title", max_lines=1, scale=2, min_width=160)
        state = gr.Dropdown(
            label="Status",
            choices=[(label, value) for value, (label, _) in STATES.items()],
            value="all",
            filterable=False,
            scale=1,
            min_width=140,
        )
    listing = pressable(elem_id=LIBRARY_ID)
    gr.HTML(f'<p class="pv-small">{escape(context.retention.summary)}</p>')
    # Filled by scripts.
    minutes, seen = gr.Number(0, visible=False), gr.Textbox("", visible=False)
    most, done = gr.State(AT_FIRST), gr.Textbox("", visible=False)
    timer = gr.Timer(REFRESH_S, active=False)
    opener, of_page = created.opener, created.state

    def show_library(runs: Any, clock: Any, text: Any, chosen: Any, number: int) -> Update:
        cards = read_cards(context, runs)
        listed = matching(cards, text, chosen)
        return {
            find: gr.Row(visible=bool(cards)),
            listing: markup.library(listed, number, read_minutes(clock), has_runs=bool(cards)),
            timer: gr.Timer(active=any(card.is_busy for card in listed)),
        }

    def refresh_library(
        runs: Any, clock: Any, sight: Any, text: Any, chosen: Any, number: int
    ) -> Update:
        if sight == "left":
            return {timer: gr.Timer(active=False)}
        if sight == "hidden":
            return {listing: gr.skip()}
        return show_library(runs, clock, text, chosen, number)

    def sync_library(
        runs: Any, clock: Any, text: Any, chosen: Any, number: int, run_id: str, shown: Any
    ) -> Update:
        return {
            **show_library(runs, clock, text, chosen, number),
            **opener.follow(run_id, shown),
        }

    def press_card(
        event: gr.EventData,
        runs: Any,
        clock: Any,
        text: Any,
        chosen: Any,
        number: int,
        run_id: str,
        shown: Any,
        own_memory: Any,
        request: gr.Request,
    ) -> Update:
        press = read_press(event)
        run = press.data.get("run", "")
        if press.act == "open":
            opened = opener.open(run, own_memory, request)
            return {**opened, tabs: gr.Tabs(selected="create"), done: f"opened {run}"}
        if press.act == "more":
            number = min(number + AT_FIRST, MAX_CARDS)
            return {**show_library(runs, clock, text, chosen, number), most: number, done: ""}
        match press.act:
            case "rename":
                rename(context, run, press.value)
            case "delete":
                delete(context, run)
            case "restore":
                restore(context, run)
            case _:
                raise InputError("This button is out of date.", "Reload the page.")
        left = press.act == "delete" and run == run_id
        return {
            **show_library(runs, clock, text, chosen, number),
            **(opener.follow(run_id, shown) if run == run_id else {}),
            done: "left" if left else "changed",
        }

    asked = [of_page.runs, minutes, words, state, most]
    listed = [find, listing, timer]
    tab.select(guarded(show_library), asked, listed, js=LIST, **QUIET)
    for field in (words, state):
        field.input(
            guarded(show_library), asked, listed, js=LIST, trigger_mode="always_last", **QUIET
        )
    of_page.sync.click(
        guarded(sync_library),
        [*asked, of_page.run_id, of_page.seen],
        [*listed, *opener.outputs],
        js=LIST,
        **QUIET,
    )
    listing.select(
        guarded(press_card),
        [*asked, of_page.run_id, of_page.seen, of_page.own_memory],
        [*listed, most, done, tabs, *opener.outputs],
        js=LIST,
        **QUIET,
    ).then(None, done, None, js=DONE, api_visibility="private")
    timer.tick(
        guarded(refresh_library),
        [of_page.runs, minutes, seen, words, state, most],
        listed,
        js=WAKING,
        **AT_ONCE,
    )


def matching(
    cards: Sequence[VideoCard], words: object, state: object, now_s: float | None = None
) -> list[VideoCard]:
    """Return the cards whose title has all words and whose state is chosen.

    Args:
        cards: All cards.
        words: Words of the title; comes from the browser.
        state: One of `STATES`; comes from the browser.
        now_s: Seconds since 1970; default now.

    Raises:
        InputError: There is no such state.
    """
    if not isinstance(state, str) or state not in STATES:
        raise InputError(f"There is no state {str(state)[:40]!r}.", "Choose one from the list.")
    text = words[:MAX_WORDS] if isinstance(words, str) else ""
    parts = text.casefold().split()
    now_s = time.time() if now_s is None else now_s
    return [
        card
        for card in cards
        if all(part in card.title.casefold() for part in parts) and _is_chosen(card, state, now_s)
    ]


def _is_chosen(card: VideoCard, state: str, now_s: float) -> bool:
    if state == "deleted":
        return card.deleted_at_s > 0
    if card.deleted_at_s:
        return now_s - card.deleted_at_s < JUST_DELETED_S
    return state == "all" or card.state in STATES[state][1]


def read_minutes(clock: object) -> int:
    """Return the minutes by which a visitor's clock is behind UTC; 0 for anything else."""
    is_number = isinstance(clock, int | float) and not isinstance(clock, bool)
    return int(clock) if is_number and abs(clock) <= MAX_MINUTES else 0  # type: ignore[arg-type,call-overload]
