"""Render a run as HTML: progress and a card per step. All text is escaped here.

Gradio keeps the elements that do not change when it updates a gr.HTML, so a player goes on while
the card beside it changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from procvid.run.folder import REFERENCES
from procvid.types import Slot
from procvid.ui.markup import empty, file_url, missing, notes, picture_url
from procvid.ui.pressed import button
from procvid.ui.server.stream import RunView, StepView
from procvid.ui.stills import still_url

BOARD_SCRIPT = """
const calm = matchMedia('(prefers-reduced-motion: reduce)');
const setUp = () => element.querySelectorAll('video[data-clip]').forEach(video => {
  video.muted = true;
  if (video.autoplay && calm.matches) { video.autoplay = false; video.pause(); }
  const button = video.parentElement.querySelector('[data-toggle]');
  if (button && !video.dataset.heard) {
    video.dataset.heard = '1';
    const show = () => button.setAttribute('aria-pressed', String(!video.paused));
    for (const event of ['play', 'pause']) video.addEventListener(event, show);
  }
});
element.addEventListener('click', (event) => {
  const video = event.target.closest('[data-toggle]')?.parentElement.querySelector('video');
  if (video) video.paused ? video.play() : video.pause();
});
const open = new Set();
element.addEventListener('toggle', ({target}) => {
  if (target.dataset.keep) target.open ? open.add(target.dataset.keep) : open.delete(target.dataset.keep);
}, true);
setUp();
watch('value', () => {
  setUp();
  element.querySelectorAll('details[data-keep]').forEach(it => { it.open = open.has(it.dataset.keep); });
});
"""
"""Script of a board: press a clip to pause or play it. Opened details stay open."""

MAX_COLUMNS, MAX_SMALL_COLUMNS = 4, 5
"""Most cards in a row while the clips are made, and in the review."""


def storyboard(
    view: RunView, *, changeable: bool = False, open_step: int = 0, panel: str = ""
) -> str:
    """Return a card per step with its clip, references and marks.

    Args:
        view: The run.
        changeable: Show buttons to redo and lock a step, and stills instead of playing clips.
        open_step: The step whose panel is open; 0 for none.
        panel: HTML of that panel, which follows the card.
    """
    if not view.steps:
        return empty("The clips appear here, one by one.")
    groups = view.plan.groups if view.plan else ()
    cards = []
    for number, group in enumerate(groups, start=1):
        steps = [view.steps[shot.number] for shot in group]
        inside = [
            _card(view, step, changeable=changeable, is_open=step.number == open_step)
            + (panel if step.number == open_step else "")
            for step in steps
        ]
        cards.append(_cards(number, inside))
    most = MAX_SMALL_COLUMNS if changeable else MAX_COLUMNS
    shape = f"--pv-shape: {view.width} / {view.height}; --pv-columns: {columns(len(cards), most)}"
    return f'<div class="pv-board" style="{shape}">{"".join(cards)}</div>'


def columns(num_cards: int, most: int) -> int:
    """Return the number of columns, at most `most`, that leaves no card alone in the last row.

    It is `most`, or the number of cards, if every number leaves one alone.
    """
    widest = min(most, max(1, num_cards))
    return next((n for n in range(widest, 2, -1) if num_cards % n != 1), widest)


def _cards(number: int, cards: Sequence[str]) -> str:
    """Return the card of a step, or a frame around the cards of its shots."""
    if len(cards) == 1:
        return cards[0]
    return (
        f'<section class="pv-group" aria-label="Step {number}">'
        f'<p class="pv-small">Step {number}, {len(cards)} shots</p>{"".join(cards)}</section>'
    )


def _card(view: RunView, step: StepView, *, changeable: bool, is_open: bool) -> str:
    classes = "pv-card"
    if is_in_progress(view, step):
        classes += " now"
    if is_open:
        classes += " open"
    return (
        f'<article class="{classes}" aria-label="Step {step.name}">'
        f'<div class="pv-screen">{_screen(view, step, playing=not changeable)}</div>'
        f'<div class="pv-cardbody"><p class="pv-text">{step.name}. {escape(step.text)}</p>'
        f"{_marks(view, step)}{_references(view, step)}"
        f"{_buttons(view, step, is_open=is_open) if changeable else ''}</div></article>"
    )


def is_in_progress(view: RunView, step: StepView) -> bool:
    """Return True if the worker makes this step now."""
    return not view.ended and step.number == view.current and (step.clip is None or step.remaking)


def _screen(view: RunView, step: StepView, *, playing: bool) -> str:
    if step.clip is None:
        return _drawing(view, step)
    over = _drawing(view, step) if step.remaking and not view.ended else ""
    return clip_player(step.clip, f"clip of step {step.name}", playing=playing) + (
        f'<div class="pv-over">{over}</div>' if over else ""
    )


def clip_player(clip: Path, name: str, *, playing: bool = False) -> str:
    """Return a muted clip that repeats, under a button that plays and pauses it.

    Args:
        clip: Its file.
        name: Its accessible name.
        playing: Start at once.
    """
    start = 'autoplay preload="metadata"' if playing else 'preload="none"'
    still = "" if playing else still_url(clip, 320)
    poster = f' poster="{still}"' if still else ""
    return (
        f'<video data-clip muted loop playsinline {start}{poster} aria-label="{escape(name)}" '
        f'src="{file_url(clip)}"></video><button type="button" class="pv-toggle" data-toggle '
        f'aria-pressed="{"true" if playing else "false"}" aria-label="Play the {escape(name)}">'
        "</button>"
    )


def _drawing(view: RunView, step: StepView) -> str:
    """Return the preview of the clip in progress, or a word on why there is none."""
    if not is_in_progress(view, step):
        return f"<span>{'not made' if view.ended else 'waiting'}</span>"
    words = "generating…"
    if view.denoised and view.denoising_steps:
        words = f"generating {round(100 * view.denoised / view.denoising_steps)} %"
    if view.preview is None:
        return f"<span>{words}</span>"
    return (
        f'<img class="pv-live" alt="Preview of step {step.name}" src="{picture_url(view.preview)}">'
        f'<span class="pv-livetext">{words}</span>'
    )


def _references(view: RunView, step: StepView) -> str:
    if step.conditioning is None:
        return ""
    lacking = missing(step.conditioning)
    if lacking:
        names = [r.object_name for r in step.conditioning.retrievals if r.hit is None]
        lacking = (
            f'<details data-keep="lacking-{step.number}">'
            f"<summary>No reference: {escape(', '.join(names))}</summary>"
            f"{lacking}</details>"
        )
    items = "".join(_tile(step, slot) for slot in step.conditioning.slots)
    return (f'<ul class="pv-tiles">{items}</ul>' if items else "") + lacking


def _tile(step: StepView, slot: Slot) -> str:
    title = escape(f"Reference {slot.number}: {slot.words}, {slot.state}")
    return (
        f'<li class="pv-tile" title="{title}"><span class="pv-shot"><img alt="{title}" '
        f'loading="lazy" src="{reference_url(step, slot)}"><span aria-hidden="true">{slot.number}'
        "</span></span></li>"
    )


def reference_url(step: StepView, slot: Slot) -> str:
    """Return the address of a reference: its file, or the picture itself before the clip is made."""
    if step.clip is not None and not step.remaking:
        file = step.clip.parent / REFERENCES / f"{slot.number}.png"
        if file.is_file():
            return file_url(file)
    return picture_url(slot.image)


def _marks(view: RunView, step: StepView) -> str:
    marks = []
    if step.stale:
        marks.append(f"⚠ shows {old_thing(view, step)}")
    if step.locked:
        marks.append("Locked")
    loud = "".join(f'<p class="pv-mark loud">{escape(text)}</p>' for text in marks)
    takes = f'<p class="pv-mark">{step.num_takes} takes</p>' if step.num_takes > 1 else ""
    return loud + takes


def old_thing(view: RunView, step: StepView) -> str:
    """Return what makes a step stale: "the old frying pan", or "an old take of step 3"."""
    slots = step.conditioning.slots if step.conditioning else ()
    names = [slot.object_name for slot in slots if slot.anchor_step == step.stale]
    if 1 <= len(names) <= 2:
        return f"the old {' and '.join(names)}"
    return f"an old take of step {view.name_of(step.stale)}"


def _buttons(view: RunView, step: StepView, *, is_open: bool) -> str:
    if step.clip is None or not view.ended:
        return ""
    number = step.number
    if step.locked:
        lock = button(
            "unlock", "Unlock", kind="quiet", hint=f"Unlock step {step.name}", step=number
        )
        return f'<div class="pv-actions">{lock}</div>'
    redo = (
        button("close", "Close", hint=f"Close step {step.name}", step=number)
        if is_open
        else button("open", "Redo", hint=f"Redo step {step.name}", step=number)
    )
    lock = button("lock", "Lock", kind="quiet", hint=f"Lock step {step.name}", step=number)
    return f'<div class="pv-actions">{redo}{lock}</div>'


def status(view: RunView) -> str:
    """Return the progress bar with the state, the time left, and any error.

    Only the sentence is a live region: it changes with each clip, the details with each poll.
    """
    percent = round(100 * view.fraction)
    left = "" if view.ended or view.eta_s is None else f"about {duration_words(view.eta_s)} left"
    details = " · ".join(text for text in (view.detail, left) if text)
    bar = (
        f'<div class="pv-bar" role="progressbar" aria-label="Video" aria-valuemin="0" '
        f'aria-valuemax="100" aria-valuenow="{percent}"><div style="width:{percent}%"></div></div>'
    )
    broken = notes("The last attempt failed:", [view.trouble] if view.trouble else [], "bad")
    return (
        f'<div class="pv-status"><div class="pv-stateline"><p role="status"><b>{escape(_sentence(view))}'
        f"</b></p><span>{escape(details)}</span></div>"
        f"{'' if view.state in ('done', 'stale') else bar}{broken}</div>"
    )


def _sentence(view: RunView) -> str:
    """Return the state of the run; one stale step is named with what is old in it."""
    if view.state == "stale" and len(view.stale) == 1:
        step = view.steps[view.stale[0]]
        return f"Step {step.name} still shows {old_thing(view, step)}. Redo it?"
    return view.sentence


def warnings(view: RunView) -> str:
    """Return the warnings of the run, grouped by step and folded under their number."""
    if not view.warnings:
        return ""
    groups: dict[int, list[str]] = {}
    for text in view.warnings:
        groups.setdefault(view.warned_steps.get(text, 0), []).append(text)
    lists = "".join(_group(view, step, groups[step]) for step in sorted(groups))
    number = len(view.warnings)
    counted = "1 note" if number == 1 else f"{number} notes"
    return (
        f'<details class="pv-note warn"><summary>{counted} on this video</summary>{lists}</details>'
    )


def _group(view: RunView, step: int, texts: Sequence[str]) -> str:
    lead = f"Step {view.name_of(step)}: " if step else ""
    items = "".join(f"<li>{escape(text.removeprefix(lead))}</li>" for text in texts)
    title = f"<p><b>Step {escape(view.name_of(step))}</b></p>" if step else ""
    return f"{title}<ul>{items}</ul>"


def duration_words(seconds: float) -> str:
    """Return a duration in words: 95 -> "1 min 35 s"."""
    whole = max(1, round(seconds))
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
