"""Values as HTML: plan, reference tiles, storyboard, progress. All text is escaped here."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

import numpy as np
from PIL import Image as PillowImage

from procvid.types import Conditioning, Image, Plan, PlannedObject, Slot, StepPlan
from procvid.ui.stream import RunView, StepView

TILE_PX = 192
"""Longest side of a tile's picture, in pixels; the full crop lies in the run folder."""

LIKELIHOOD_WORDS = {
    "highly_likely": "must stay the same",
    "likely": "likely the same",
    "unlikely": "may change",
}
ORIGIN_WORDS = {"memory": "from the memory", "run": "from this video", "upload": "yours"}


def note(text: str, kind: str = "") -> str:
    """A framed sentence; `kind` is "", "warn" or "bad"."""
    return f'<div class="pv-note {kind}"><p>{escape(text)}</p></div>'


def notes(lead: str, texts: Sequence[str], kind: str = "") -> str:
    """A framed list under a lead sentence; "" without texts."""
    if not texts:
        return ""
    items = "".join(f"<li>{escape(text)}</li>" for text in texts)
    return f'<div class="pv-note {kind}"><p>{escape(lead)}</p><ul>{items}</ul></div>'


def empty(text: str) -> str:
    """What stands where nothing is yet, and says what to do."""
    return f'<div class="pv-empty">{escape(text)}</div>'


def plan_list(plan: Plan) -> str:
    """The plan to read: each step with its objects and how they change."""
    steps = "".join(_plan_step(step) for step in plan.steps)
    return f'<ol class="pv-steps">{steps}</ol>'


def _plan_step(step: StepPlan) -> str:
    chips = "".join(_chip(o) for o in sorted(step.objects, key=lambda o: -o.importance))
    return (
        f'<li class="pv-step"><span class="pv-num">{step.number}</span><div>'
        f'<p class="pv-text">{escape(step.text)}</p><ul class="pv-chips">{chips}</ul>'
        f"<details><summary>Words for the model</summary><p>{escape(step.prompt)}</p></details>"
        "</div></li>"
    )


def _chip(item: PlannedObject) -> str:
    if item.state_before == item.state_after:
        state = escape(item.state_after)
    else:
        state = f"{escape(item.state_before)} → {escape(item.state_after)}"
    must = " must" if item.likelihood == "highly_likely" else ""
    return (
        f'<li class="pv-chip{must}" title="{LIKELIHOOD_WORDS[item.likelihood]}">'
        f'<b>{escape(item.name)}</b> <span class="pv-turn">{state}</span></li>'
    )


def reference_list(plan: Plan, conditionings: Iterable[Conditioning]) -> str:
    """The tiles of each step, and what was looked for in vain with the reason."""
    texts = {step.number: step.text for step in plan.steps}
    steps = "".join(_reference_step(texts.get(c.step, ""), c) for c in conditionings)
    return f'<ol class="pv-steps">{steps}</ol>'


def _reference_step(text: str, conditioning: Conditioning) -> str:
    body = tiles(conditioning.slots)
    if not body:
        body = '<p class="pv-small">No reference: the words alone guide this clip.</p>'
    return (
        f'<li class="pv-step"><span class="pv-num">{conditioning.step}</span><div>'
        f'<p class="pv-text">{escape(text)}</p>{body}{_missing(conditioning)}</div></li>'
    )


def tiles(slots: Sequence[Slot], *, small: bool = False) -> str:
    """Numbered pictures with the words that name them in the prompt; "" without slots."""
    if not slots:
        return ""
    items = "".join(_tile(slot, small=small) for slot in slots)
    return f'<ul class="pv-tiles">{items}</ul>'


def _tile(slot: Slot, *, small: bool) -> str:
    told = f"Reference {slot.number}: {slot.words}, {slot.state}"
    picture = (
        f'<span class="pv-shot"><img alt="{escape(told)}" src="{picture_url(slot.image)}">'
        f"<span aria-hidden='true'>{slot.number}</span></span>"
    )
    if small:
        return f'<li class="pv-tile" title="{escape(told)}">{picture}</li>'
    return (
        f'<li class="pv-tile"><figure>{picture}<figcaption><b>{escape(slot.words)}</b>'
        f"<i>{escape(slot.state)} · score {slot.score:.2f}</i>"
        f"<i>{ORIGIN_WORDS[slot.origin]}: {escape(slot.source_id)}</i>"
        "</figcaption></figure></li>"
    )


def _missing(conditioning: Conditioning) -> str:
    items = "".join(
        f"<li>{escape(r.object_name)} ({escape(r.wanted_state)}): {escape(r.reason)}</li>"
        for r in conditioning.retrievals
        if r.hit is None
    )
    if not items:
        return ""
    return f'<div class="pv-small">Without a reference:<ul>{items}</ul></div>'


def picture_url(image: Image) -> str:
    """A small PNG of uint8 (H, W, 3) RGB as a data URL."""
    picture = PillowImage.fromarray(np.ascontiguousarray(image))
    picture.thumbnail((TILE_PX, TILE_PX))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def file_url(file: Path) -> str:
    """Where the app serves a file of a run folder, relative to the page."""
    return "gradio_api/file=" + quote(str(file))


def storyboard(view: RunView) -> str:
    """A card per step: its clip when it is done, its references, its warnings."""
    if not view.steps:
        return empty("The clips appear here, one by one, as they are made.")
    cards = "".join(_card(view, step) for step in view.steps.values())
    shape = f"--pv-shape: {view.width} / {view.height}"
    return f'<div class="pv-board" style="{shape}">{cards}</div>'


def player(view: RunView) -> str:
    """The whole video with its captions, "" until it is there."""
    if view.video is None or view.captions is None:
        return ""
    return (
        f'<video class="pv-video" controls muted playsinline preload="metadata" '
        f'aria-label="The whole video" src="{file_url(view.video)}">'
        f'<track kind="captions" srclang="en" label="Steps" default '
        f'src="{file_url(view.captions)}"></video>'
    )


def _card(view: RunView, step: StepView) -> str:
    if step.clip is not None:
        screen = (
            f'<video controls muted loop autoplay playsinline preload="metadata" '
            f'aria-label="Clip of step {step.number}" src="{file_url(step.clip)}"></video>'
        )
    else:
        screen = f"<span>{escape(_waiting(view, step))}</span>"
    slots = step.conditioning.slots if step.conditioning else ()
    missing = _missing(step.conditioning) if step.conditioning else ""
    if missing:
        missing = f"<details><summary>Without a reference</summary>{missing}</details>"
    now = " now" if step.number == view.current and step.clip is None else ""
    return (
        f'<article class="pv-card{now}"><div class="pv-screen">{screen}</div>'
        f'<div class="pv-cardbody"><p class="pv-text">{step.number}. {escape(step.text)}</p>'
        f"{tiles(slots, small=True)}{missing}</div></article>"
    )


def _waiting(view: RunView, step: StepView) -> str:
    if view.ended:
        return "not made"
    return "drawing…" if step.number == view.current else "waiting"


def status(view: RunView) -> str:
    """The progress bar with its sentence, the time left, and the warnings of the run."""
    percent = round(100 * view.fraction)
    left = "" if view.ended or view.eta_s is None else f"about {duration_words(view.eta_s)} left"
    bar = (
        f'<div class="pv-bar" role="progressbar" aria-label="Video" aria-valuemin="0" '
        f'aria-valuemax="100" aria-valuenow="{percent}"><div style="width:{percent}%"></div></div>'
    )
    warned = notes("Please note:", view.warnings, "warn")
    return (
        f'<div class="pv-status"><p role="status"><b>{escape(view.sentence)}</b>'
        f"<span>{escape(left)}</span></p>{bar}{warned}</div>"
    )


def duration_words(seconds: float) -> str:
    """95 -> "1 min 35 s"."""
    whole = max(1, round(seconds))
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
