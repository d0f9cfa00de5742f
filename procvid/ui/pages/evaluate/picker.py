"""The videos to choose from: a card each, with picture, title, memory and date."""

from __future__ import annotations

import time
from collections.abc import Sequence
from html import escape

from procvid.errors import ProcvidError
from procvid.ui.markup import empty, file_url
from procvid.ui.pressed import button
from procvid.ui.server.context import AppContext
from procvid.ui.server.library import VideoCard, poster_of, read_cards

FEW = 8
"""Number of cards before "Show all" is pressed."""
NONE_YET = "No videos yet. Make one in the Create tab, or upload clips below."
PLACES = ("first", "second")


def choosable(context: AppContext, run_ids: object) -> list[VideoCard]:
    """Return the runs of a list that have a clip, newest first.

    Args:
        context: The app.
        run_ids: Comes from a browser, so it may be anything.
    """
    cards = read_cards(context, run_ids)
    return [card for card in cards if card.done and not card.deleted_at_s]


def cards_html(
    context: AppContext, cards: Sequence[VideoCard], chosen: Sequence[str], *, everything: bool
) -> str:
    """Return a card for each video to choose from.

    Args:
        context: The app.
        cards: The videos.
        chosen: Ids of the chosen ones, in order.
        everything: Show all cards; else the first ones and those that are chosen.
    """
    if not cards:
        return empty(NONE_YET)
    shown = [c for n, c in enumerate(cards) if everything or n < FEW or c.run_id in chosen]
    items = "".join(_card(context, card, chosen) for card in shown)
    more = ""
    if len(shown) < len(cards):
        more = button("all", f"Show all {len(cards)} videos")
    return (
        '<p class="pv-small">Choose one video, or two to compare.</p>'
        f'<ul class="pv-picks">{items}</ul>{more}'
    )


def _card(context: AppContext, card: VideoCard, chosen: Sequence[str]) -> str:
    place = chosen.index(card.run_id) if card.run_id in chosen else None
    badge = "" if place is None else f'<span class="pv-pick-place">{PLACES[place]}</span>'
    memory = "with memory" if card.has_memory else "without memory"
    clips = "1&nbsp;clip" if card.done == 1 else f"{card.done}&nbsp;clips"
    return (
        f'<li><button type="button" class="pv-pick" data-act="pick" data-run="{card.run_id}" '
        f'aria-pressed="{"false" if place is None else "true"}">{_picture(context, card)}{badge}'
        f"<b><bdi>{escape(card.title)}</bdi></b><span>{memory}</span>"
        f"<span>{when(card.made_at_s)} · {clips}</span></button></li>"
    )


def _picture(context: AppContext, card: VideoCard) -> str:
    try:
        poster = poster_of(context, card.run_id)
    except ProcvidError:
        poster = None
    if poster is None:
        return '<span class="pv-pick-none"></span>'
    return f'<img alt="" loading="lazy" src="{file_url(poster)}">'


def when(made_at_s: float) -> str:
    """Return date and time in words: "29 Nov, 19:12"."""
    made = time.localtime(made_at_s)
    return f"{made.tm_mday} {time.strftime('%b, %H:%M', made)}"


def names_of(cards: Sequence[VideoCard]) -> dict[str, str]:
    """Return a different name for each run: title and memory; the date too where that is not enough."""
    names: dict[str, str] = {}
    for card in cards:
        memory = "with memory" if card.has_memory else "without memory"
        name = f"{card.title}, {memory}"
        for longer in (f"{name}, {when(card.made_at_s)}", f"{name}, seed {card.seed}"):
            if name in names.values():
                name = longer
        while name in names.values():
            name += "'"
        names[card.run_id] = name
    return names


def pressed(chosen: Sequence[str], run_id: str) -> list[str]:
    """Return the chosen runs after a card was pressed: at most two, the first one stays."""
    if run_id in chosen:
        return [one for one in chosen if one != run_id]
    return [*chosen[:1], run_id]
