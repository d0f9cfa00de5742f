"""Render crops of a memory and its history as HTML, with all text escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from procvid.memory.history import Edit
from procvid.memory.store import CropStore
from procvid.types import Crop
from procvid.ui.markup import empty, picture_url

MAX_EDITS = 50


def overview(store: CropStore, own: bool, calibrated: bool = True) -> str:
    """Return a summary: number of crops, owner, and a warning for an uncalibrated embedder."""
    banned = sum(crop.banned for crop in store.crops.facts)
    parts = [
        f"{len(store)} images of {len({crop.name for crop in store.crops.facts})} objects"
        f"{f', {banned} hidden' if banned else ''}.",
        "Your private image library. To make videos with it, choose it in the Create tab under "
        "Options, Memory."
        if own
        else "Shared image library. Editing it creates your private copy.",
    ]
    if not calibrated:
        parts.append(
            f"{store.embedder.id} is not calibrated, so images that do not match their name are not "
            "filtered out. Run `procvid memory calibrate`."
        )
    return f'<p class="pv-small">{escape(" ".join(parts))}</p>'


def chosen_crop(crop: Crop | None, score: float | None = None) -> str:
    """Return all facts of a crop, with its image."""
    if crop is None:
        return empty("Select an image to see its source and to edit it.")
    x0, y0, x1, y1 = (round(edge) for edge in crop.box_xyxy)
    facts = {
        "Object": f"{crop.name} ({crop.role})",
        "State": crop.state or "none",
        "Looks like": crop.description,
        "Also shows": ", ".join(crop.shows),
        "Source": f"{crop.source_id}, at {crop.time_s:.2f} s",
        "Box": f"{x0}, {y0} to {x1}, {y1} px",
        "Similarity": "" if score is None else f"{score:.2f}",
        "Detector score": f"{crop.detector_score:.2f}, quality {crop.quality:.2f}",
        "Licence": crop.licence or "unknown",
        "Published at": crop.url,
        "Id": crop.id,
    }
    rows = "".join(
        f"<dt>{escape(key)}</dt><dd>{escape(value)}</dd>" for key, value in facts.items() if value
    )
    picture = ""
    if crop.image is not None:
        words = escape(f"{crop.name}, {crop.state}")
        picture = f'<img alt="{words}" src="{picture_url(crop.image)}">'
    banned = "<p><b>Hidden:</b> not used in videos.</p>" if crop.banned else ""
    return f'<div class="pv-about pv-crop">{picture}{banned}<dl>{rows}</dl></div>'


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
    crops = f"{count} crop{'s' if count != 1 else ''}" if count else ""
    details = ", ".join(words for words in (change, crops) if words)
    return f"<li><b>{escape(edit.what)}</b> {escape(details)} <i>{escape(edit.at)}</i></li>"
