"""Notes, reference tiles and pictures as HTML. All text is escaped here."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

import numpy as np
from PIL import Image as PillowImage

from procvid.types import Conditioning, Image, Plan, Slot

TILE_PX = 192
"""Longest side of a tile's picture, in pixels; the full crop lies in the run folder."""

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
        f'<p class="pv-text">{escape(text)}</p>{body}{missing(conditioning)}</div></li>'
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
        f"<i>{escape(_state_and_score(slot))}</i>"
        f"<i>{ORIGIN_WORDS[slot.origin]}: {escape(slot.source_id)}</i>"
        "</figcaption></figure></li>"
    )


def _state_and_score(slot: Slot) -> str:
    # A person's own picture was not looked for, so nothing was scored.
    told = [slot.state] if slot.state else []
    if slot.origin != "upload":
        told.append("chosen by you" if slot.chosen else f"score {slot.score:.2f}")
    return " · ".join(told)


def missing(conditioning: Conditioning) -> str:
    """The objects without a reference, and why; "" when there are none."""
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
    """Where the app serves a file of a run folder, relative to the page.

    A clip that was made again has another address, or the browser would show the old one.
    """
    try:
        version = f"?v={file.stat().st_mtime_ns:x}"
    except OSError:
        version = ""
    return "gradio_api/file=" + quote(str(file)) + version
