"""Render the library as HTML: a card for each video. All text is escaped here."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from html import escape

from procvid.ui.markup import empty, file_url
from procvid.ui.pressed import button
from procvid.ui.server.library import KEPT_S, MAX_TITLE, VideoCard, poster_in

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
NONE_YET = "Your videos appear here. Paste a recipe in the Create tab to make the first one."
NO_MATCH = "No video matches. Clear the search, or choose another state."
STATE_WORDS = {
    "waiting": "Waiting",
    "stopped": "Stopped",
    "failed": "Failed",
    "stale": "Needs redo",
    "done": "Done",
}


def library(cards: Sequence[VideoCard], most: int, minutes: int, *, has_runs: bool) -> str:
    """Return the first cards of a list, and a button that shows more of them.

    Args:
        cards: The videos that match, newest first.
        most: Maximum number of cards to show.
        minutes: Minutes by which the visitor's clock is behind UTC.
        has_runs: True if the visitor has videos, even if none matches.
    """
    if not cards:
        return empty(NO_MATCH if has_runs else NONE_YET)
    when = [date_words(card.made_at_s, minutes) for card in cards]
    alike = Counter(
        (card.title, card.has_memory, day) for card, day in zip(cards, when, strict=True)
    )
    shown = "".join(
        _deleted(card)
        if card.deleted_at_s
        else _card(card, day, with_seed=alike[card.title, card.has_memory, day] > 1)
        for card, day in list(zip(cards, when, strict=True))[:most]
    )
    rest = len(cards) - most
    more = "" if rest <= 0 else f'<p class="pv-more">{button("more", "Show more")}</p>'
    count = sum(not card.deleted_at_s for card in cards) or len(cards)
    number = "1 video" if count == 1 else f"{count} videos"
    return f'<p class="pv-small" role="status">{number}</p><ul class="pv-videos">{shown}</ul>{more}'


def date_words(at_s: float, minutes: int, now_s: float | None = None) -> str:
    """Return "today 14:05", "yesterday 14:05", "28 Nov" or "28 Nov 2024" for a visitor's clock.

    Args:
        at_s: The time, in seconds since 1970.
        minutes: Minutes by which the visitor's clock is behind UTC.
        now_s: Seconds since 1970; default now.
    """
    zone = timezone(timedelta(minutes=-minutes))
    then = datetime.fromtimestamp(at_s, zone)
    now = datetime.fromtimestamp(time.time() if now_s is None else now_s, zone)
    days = (now.date() - then.date()).days
    if days in (0, 1):
        return f"{'yesterday' if days else 'today'} {then:%H:%M}"
    year = "" if then.year == now.year else f" {then.year}"
    return f"{then.day} {MONTHS[then.month - 1]}{year}"


def _card(card: VideoCard, day: str, *, with_seed: bool) -> str:
    name = escape(card.title)
    memory = "with memory" if card.has_memory else "without memory"
    facts = " · ".join([day, memory, *([f"seed {card.seed}"] if with_seed else [])])
    return (
        f'<li class="pv-video-card">{_poster(card, day)}<div class="pv-cardbody">'
        f'<input class="pv-field pv-rename" data-act="rename" data-run="{card.run_id}" dir="auto" '
        f'maxlength="{MAX_TITLE}" aria-label="Title" title="Rename" value="{name}">'
        f'<p class="pv-mark">{escape(facts)}</p>'
        f'<p class="pv-mark pv-ends"><span>{escape(_length(card))}</span>{_state(card)}</p>'
        f'<p class="pv-ends">{button("open", "Open", hint=f"Open {card.title}", run=card.run_id)}'
        f"{button('delete', 'Delete', kind='quiet', hint=f'Delete {card.title}', run=card.run_id)}"
        "</p></div></li>"
    )


def _poster(card: VideoCard, day: str) -> str:
    file = poster_in(card.folder)
    picture = "<span>No picture yet</span>"
    if file is not None:
        picture = f'<img alt="" loading="lazy" src="{escape(file_url(file))}">'
    return (
        f'<button type="button" class="pv-poster" data-act="open" data-run="{card.run_id}" '
        f'tabindex="-1" aria-label="{escape(f"Open {card.title}, {day}")}">{picture}</button>'
    )


def _length(card: VideoCard) -> str:
    if card.state in ("done", "stale") and card.duration_s:
        return f"{card.duration_s:.1f}\u00a0s"
    return f"{card.done} of {card.num_steps} clip{'' if card.num_steps == 1 else 's'}"


def _state(card: VideoCard) -> str:
    words = STATE_WORDS.get(card.state) or f"{round(100 * card.progress)} %"
    return f'<b class="pv-state {card.state}">{escape(words)}</b>'


def _deleted(card: VideoCard) -> str:
    hours = max(1, round((card.deleted_at_s + KEPT_S - time.time()) / 3600))
    left = "1 hour" if hours == 1 else f"{hours} hours"
    undo = button("restore", "Undo", hint=f"Undo: restore {card.title}", run=card.run_id)
    return (
        f'<li class="pv-video-card deleted"><p class="pv-text" dir="auto">{escape(card.title)}</p>'
        f'<p class="pv-mark">This video was deleted. You can undo it for {left}.</p>'
        f"<p>{undo}</p></li>"
    )
