"""Render notes and reference images as HTML, with all text escaped."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote

import numpy as np
from PIL import Image as PillowImage

from procvid.types import Conditioning, Image, Plan
from procvid.ui.page_words import page_words

TILE_PX = 192
"""Longest side of a tile's image, in pixels; the run folder has the full crop."""

NO_NAMES: Mapping[int, str] = MappingProxyType({})


def note(text: str, kind: str = "") -> str:
    """Return a framed sentence; `kind` is "", "warn" or "bad"."""
    return f'<div class="pv-note {kind}"><p>{escape(page_words(text))}</p></div>'


def notes(lead: str, texts: Sequence[str], kind: str = "") -> str:
    """Return a framed list under a lead sentence, or "" without texts."""
    if not texts:
        return ""
    items = "".join(f"<li>{escape(page_words(text))}</li>" for text in texts)
    return f'<div class="pv-note {kind}"><p>{escape(lead)}</p><ul>{items}</ul></div>'


def empty(text: str) -> str:
    """Return a placeholder with an instruction."""
    return f'<div class="pv-empty">{escape(text)}</div>'


def step_list(plan: Plan, bodies: Mapping[int, str], heads: Mapping[int, str] = NO_NAMES) -> str:
    """Return the steps of the recipe, each with its shots inside, and the HTML of each clip.

    `heads` replaces the words of a clip, by its number.
    """
    names = plan.names
    texts = {
        s.number: heads.get(s.number, f'<p class="pv-text">{escape(s.text)}</p>')
        for s in plan.steps
    }
    items = []
    for number, group in enumerate(plan.groups, start=1):
        shots = [(s.number, bodies[s.number]) for s in group if s.number in bodies]
        inside = "".join(
            f'<section class="pv-take" aria-label="Shot {names[n]}">'
            f'<span class="pv-name">{names[n]}</span>{texts[n]}{body}</section>'
            for n, body in shots
        )
        if len(group) == 1:
            inside = "".join(f"{texts[n]}{body}" for n, body in shots)
        if shots:
            items.append(
                f'<li class="pv-step"><span class="pv-num">{number}</span><div>{inside}</div></li>'
            )
    return f'<ol class="pv-steps">{"".join(items)}</ol>'


def missing(conditioning: Conditioning) -> str:
    """Return the objects without a reference image, and why, or "" if all have one."""
    items = "".join(
        f"<li>{escape(r.object_name)} ({escape(r.wanted_state)}): {escape(r.reason)}</li>"
        for r in conditioning.retrievals
        if r.hit is None
    )
    if not items:
        return ""
    return f'<div class="pv-small">No reference image for:<ul>{items}</ul></div>'


def picture_url(image: Image) -> str:
    """Return a small PNG of a uint8 (H, W, 3) RGB image as a data URL."""
    picture = PillowImage.fromarray(np.ascontiguousarray(image))
    picture.thumbnail((TILE_PX, TILE_PX))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def file_url(file: Path) -> str:
    """Return the address of a file of a run folder, relative to the page.

    It includes the time of the last change, so that browsers load a redone clip.
    """
    try:
        version = f"?v={file.stat().st_mtime_ns:x}"
    except OSError:
        version = ""
    return "gradio_api/file=" + quote(str(file)) + version
