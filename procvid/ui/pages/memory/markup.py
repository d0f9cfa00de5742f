"""Render crops of a memory and its history as HTML, with all text escaped."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from zlib import crc32

from procvid.memory.history import Edit
from procvid.memory.store import CropStore
from procvid.memory.words import named
from procvid.types import Crop
from procvid.ui.markup import empty, picture_url

MAX_EDITS = 50
SCORE = re.compile(r"-?[01]\.\d\d")
WHAT = {"ban": "Hide", "unban": "Unhide", "retag": "Set state", "describe": "Describe"} | {
    what: what.capitalize()
    for what in ("rename", "add", "remove", "merge", "rebuild", "pull", "undo")
}
"""Words of the page for an edit."""


def overview(store: CropStore, own: bool, calibrated: bool = True) -> str:
    """Return a summary: number of crops, owner, and a warning for an uncalibrated embedder."""
    banned = sum(crop.banned for crop in store.crops.facts)
    parts = [
        f"{len(store)} pictures of {len({crop.name for crop in store.crops.facts})} objects"
        f"{f', {banned} hidden' if banned else ''}.",
        "Your private picture library. To make videos with it, choose it in the Create tab under "
        "Options, Memory."
        if own
        else "Shared picture library. Editing it creates your private copy.",
    ]
    if not calibrated:
        parts.append(
            f"{store.embedder.id} is not calibrated, so pictures that do not match their name are not "
            "filtered out. Run `procvid memory calibrate`."
        )
    return f'<p class="pv-small">{escape(" ".join(parts))}</p>'


@dataclass(frozen=True, eq=False)
class Tile:
    """A picture of the memory, with its similarity if it was searched for."""

    crop: Crop
    score: float | None = None
    marked: bool = False


def tiles(shown: Sequence[Tile], selected: str = "") -> str:
    """Return the pictures as a group of radio buttons, each with its caption below."""
    if not shown:
        return empty("Nothing to show.")
    items = "".join(_tile(tile, tile.crop.id == selected) for tile in shown)
    # Gradio changes only what differs, and would keep the choice of a radio button. An element of
    # another name is replaced.
    tag = f"pv-{crc32(items.encode()):08x}"
    return f'<{tag} class="pv-pictures" role="radiogroup" aria-label="Pictures">{items}</{tag}>'


def _tile(tile: Tile, checked: bool) -> str:
    crop = tile.crop
    assert crop.image is not None
    marks = " · ".join(
        word
        for word, known in (
            (f"{tile.score:.2f}" if tile.score is not None else "", tile.score is not None),
            ("hidden", crop.banned),
            ("marked", tile.marked),
        )
        if known
    )
    score = "" if tile.score is None else f' data-score="{tile.score:.2f}"'
    return (
        f'<label class="pv-picture{" hidden-one" if crop.banned else ""}">'
        f'<input type="radio" name="pv-picture" data-act="crop" value="{escape(crop.id)}"{score}'
        f'{" checked" if checked else ""}><span class="pv-shot">'
        f'<img alt="" src="{picture_url(crop.image)}"></span>'
        f"<b>{escape(named(crop.name, crop.role, crop.state))}</b>"
        f"<i>{escape(marks)}</i></label>"
    )


def place(text: str) -> str:
    """Return which pictures are shown, such as "1 to 24 of 494"."""
    return f'<p class="pv-small" role="status">{escape(text)}</p>'


def chosen_crop(crop: Crop | None, score: str = "") -> str:
    """Return the facts of a picture; those that few people need are folded."""
    if crop is None:
        return empty("Select a picture to edit it and to see where it comes from.")
    x0, y0, x1, y1 = (round(edge) for edge in crop.box_xyxy)
    main = {
        "Object": crop.name,
        "State": crop.state or "none",
        "Similarity": score if SCORE.fullmatch(score) else "",
        "Licence": crop.licence or "unknown",
    }
    more = {
        "Role": crop.role,
        "Looks like": crop.description,
        "Also shows": ", ".join(crop.shows),
        "Source": f"{crop.source_id}, at {crop.time_s:.2f} s",
        "Box": f"{x0}, {y0} to {x1}, {y1} px",
        "Detector": f"score {crop.detector_score:.2f}, quality {crop.quality:.2f}",
        "Published at": crop.url,
        "Id": crop.id,
    }
    image = ""
    if crop.image is not None:
        words = escape(f"{crop.name}, {crop.state}")
        image = f'<img alt="{words}" src="{picture_url(crop.image)}">'
    banned = "<p><b>Hidden:</b> not used in videos.</p>" if crop.banned else ""
    return (
        f'<div class="pv-about pv-crop">{image}{banned}{_facts(main)}'
        f"<details><summary>Source and details</summary>{_facts(more)}</details></div>"
    )


def _facts(facts: Mapping[str, str]) -> str:
    rows = (f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in facts.items() if v)
    return f"<dl>{''.join(rows)}</dl>"


def undo_words(history: Sequence[Edit]) -> str:
    """Return the label of the button that takes back the last change."""
    return f"Undo “{WHAT.get(history[-1].what, history[-1].what)}”" if history else "Undo"


def edits(history: Sequence[Edit]) -> str:
    """Return the edits, newest first."""
    if not history:
        return empty("No edits yet.")
    items = "".join(_edit(edit) for edit in list(history)[::-1][:MAX_EDITS])
    more = len(history) - MAX_EDITS
    older = f'<p class="pv-small">and {more} older edits</p>' if more > 0 else ""
    return f'<ul class="pv-edits">{items}</ul>{older}'


def _edit(edit: Edit) -> str:
    change = " → ".join(words for words in (edit.before, edit.after) if words)
    count = len(edit.crop_ids)
    crops = f"{count} picture{'s' if count != 1 else ''}" if count else ""
    details = ", ".join(words for words in (change, crops) if words)
    what = WHAT.get(edit.what, edit.what)
    return f"<li><b>{escape(what)}</b> {escape(details)} <i>{escape(edit.at)}</i></li>"
