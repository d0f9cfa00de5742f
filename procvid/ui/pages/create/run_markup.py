"""Render a run as HTML: progress, a card per step, players. All text is escaped here."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from procvid.ui.markup import empty, file_url, missing, notes, picture_url, tiles
from procvid.ui.server.stream import RunView, StepView


def storyboard(view: RunView) -> str:
    """Return a card per step with its clip, references and marks."""
    if not view.steps:
        return empty("The clips appear here, one by one.")
    groups = view.plan.groups if view.plan else ()
    cards = "".join(
        _cards(number, [_card(view, view.steps[shot.number]) for shot in group])
        for number, group in enumerate(groups, start=1)
    )
    shape = f"--pv-shape: {view.width} / {view.height}"
    return f'<div class="pv-board" style="{shape}">{cards}</div>'


def _cards(number: int, cards: Sequence[str]) -> str:
    """Return the card of a step, or a frame around the cards of its shots."""
    if len(cards) == 1:
        return cards[0]
    return (
        f'<section class="pv-group" aria-label="Step {number}">'
        f'<p class="pv-small">Step {number}, {len(cards)} shots</p>{"".join(cards)}</section>'
    )


def player(view: RunView) -> str:
    """Return a player of the whole video with captions; "" before the video is made."""
    if view.video is None or view.captions is None:
        return ""
    return _video(view.video, view.captions, "Whole video")


def _video(video: Path, captions: Path, label: str) -> str:
    return (
        f'<video class="pv-video" controls muted playsinline preload="metadata" '
        f'aria-label="{escape(label)}" src="{file_url(video)}">'
        f'<track kind="captions" srclang="en" label="Steps" default '
        f'src="{file_url(captions)}"></video>'
    )


def _card(view: RunView, step: StepView) -> str:
    if step.clip is not None:
        screen = (
            f'<video controls muted loop autoplay playsinline preload="metadata" '
            f'aria-label="Clip of step {step.name}" src="{file_url(step.clip)}"></video>'
        )
    else:
        screen = f"<span>{escape(_waiting(view, step))}</span>"
    names = {s.number: s.name for s in view.steps.values()}
    slots = step.conditioning.slots if step.conditioning else ()
    lacking = missing(step.conditioning) if step.conditioning else ""
    if lacking:
        lacking = f"<details><summary>Without a reference</summary>{lacking}</details>"
    now = " now" if step.number == view.current and (step.clip is None or step.remaking) else ""
    return (
        f'<article class="pv-card{now}"><div class="pv-screen">{screen}</div>'
        f'<div class="pv-cardbody"><p class="pv-text">{step.name}. {escape(step.text)}</p>'
        f"{_marks(view, step)}{tiles(slots, names, small=True)}{lacking}</div></article>"
    )


def _marks(view: RunView, step: StepView) -> str:
    marks = []
    if step.stale:
        marks.append(("loud", f"⚠ stale: shows an old take of step {view.name_of(step.stale)}"))
    if step.locked:
        marks.append(("loud", "🔒 locked"))
    if step.seed and step.clip is not None:
        marks.append(("", f"seed {step.seed}"))
    return "".join(f'<p class="pv-mark {kind}">{escape(text)}</p>' for kind, text in marks)


def _waiting(view: RunView, step: StepView) -> str:
    if view.ended:
        return "not made"
    return "generating…" if step.number == view.current else "waiting"


def status(view: RunView) -> str:
    """Return the progress bar with the state, the time left, a preview, and any error."""
    percent = round(100 * view.fraction)
    left = "" if view.ended or view.eta_s is None else f"about {duration_words(view.eta_s)} left"
    bar = (
        f'<div class="pv-bar" role="progressbar" aria-label="Video" aria-valuemin="0" '
        f'aria-valuemax="100" aria-valuenow="{percent}"><div style="width:{percent}%"></div></div>'
    )
    broken = notes("The last attempt failed:", [view.trouble] if view.trouble else [], "bad")
    preview = ""
    if view.preview is not None and not view.ended:
        caption = f"Preview of step {view.name_of(view.current)}"
        preview = (
            f'<figure class="pv-preview"><img alt="" src="{picture_url(view.preview)}">'
            f"<figcaption>{caption}</figcaption></figure>"
        )
    return (
        f'<div class="pv-status"><p role="status"><b>{escape(view.sentence)}</b>'
        f"<span>{escape(left)}</span></p>{bar}{preview}{broken}</div>"
    )


def warnings(view: RunView) -> str:
    """Return the warnings of the run. Several are folded under their number."""
    if len(view.warnings) < 2:
        return notes("Note:", view.warnings, "warn")
    items = "".join(f"<li>{escape(text)}</li>" for text in view.warnings)
    return (
        f'<details class="pv-note warn"><summary>{len(view.warnings)} notes</summary>'
        f"<ul>{items}</ul></details>"
    )


def duration_words(seconds: float) -> str:
    """Return a duration in words: 95 -> "1 min 35 s"."""
    whole = max(1, round(seconds))
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
