"""The videos to choose from: a card each, with picture, title, memory and date."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from procvid.ui.markup import empty, file_url
from procvid.ui.pages.library.markup import date_words
from procvid.ui.pressed import button
from procvid.ui.server.context import AppContext
from procvid.ui.server.library import VideoCard, poster_in, read_cards

FEW, MORE = 8, 24
"""Number of cards at first, and by which "Show more" extends them."""
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


def cards_html(cards: Sequence[VideoCard], chosen: Sequence[str], most: int, minutes: int) -> str:
    """Return a card for each video to choose from.

    Args:
        cards: The videos.
        chosen: Ids of the chosen ones, in order.
        most: Number of cards to show; those that are chosen are shown too.
        minutes: Minutes by which the visitor's clock is behind UTC.
    """
    if not cards:
        return empty(NONE_YET)
    shown = [c for n, c in enumerate(cards) if n < most or c.run_id in chosen]
    items = "".join(_card(card, chosen, minutes) for card in shown)
    more = ""
    if len(shown) < len(cards):
        more = button("more", "Show more")
    return (
        '<p class="pv-small">Choose one video, or two to compare.</p>'
        f'<ul class="pv-picks">{items}</ul>{more}'
    )


def _card(card: VideoCard, chosen: Sequence[str], minutes: int) -> str:
    place = chosen.index(card.run_id) if card.run_id in chosen else None
    badge = "" if place is None else f'<span class="pv-pick-place">{PLACES[place]}</span>'
    clips = "1&nbsp;clip" if card.done == 1 else f"{card.done}&nbsp;clips"
    poster = poster_in(card.folder)
    picture = '<span class="pv-pick-none"></span>'
    if poster is not None:
        picture = f'<img alt="" loading="lazy" src="{escape(file_url(poster))}">'
    return (
        f'<li><button type="button" class="pv-pick" data-act="pick" data-run="{card.run_id}" '
        f'aria-pressed="{"false" if place is None else "true"}">{picture}{badge}'
        f"<b><bdi>{escape(card.title)}</bdi></b><span>{_memory(card)}</span>"
        f"<span>{date_words(card.made_at_s, minutes)} · {clips}</span></button></li>"
    )


def _memory(card: VideoCard) -> str:
    return "with memory" if card.has_memory else "without memory"


def names_of(cards: Sequence[VideoCard]) -> dict[str, str]:
    """Return a different name for each run: title and memory, and seed or place if that is not enough."""
    names: dict[str, str] = {}
    for place, card in enumerate(cards, start=1):
        name = f"{card.title}, {_memory(card)}"
        for longer in (f"{name}, seed {card.seed}", f"{name}, {place}"):
            if name in names.values():
                name = longer
        names[card.run_id] = name
    return names


def pressed(chosen: Sequence[str], run_id: str) -> list[str]:
    """Return the chosen runs after a card was pressed: at most two, the first one stays."""
    if run_id in chosen:
        return [one for one in chosen if one != run_id]
    return [*chosen[:1], run_id]
