"""Crops of a memory and its history as HTML; all text is escaped here."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from procvid.memory.history import Edit
from procvid.memory.store import CropStore
from procvid.types import Crop
from procvid.ui.markup import empty, picture_url

MAX_EDITS = 50


def overview(store: CropStore, own: bool, calibrated: bool = True) -> str:
    """Whose memory this is, what it holds, and whether its embedder has been calibrated."""
    banned = sum(crop.banned for crop in store.crops.facts)
    told = (
        f"{len(store)} crops of {len({crop.name for crop in store.crops.facts})} objects"
        f"{f', {banned} banned' if banned else ''}. "
    )
    told += (
        "This memory is yours alone; choose “Yours” in the Create tab to make videos with it."
        if own
        else "This is the default memory, which everybody reads and nobody changes: your first "
        "change makes a copy of your own."
    )
    if not calibrated:
        told += (
            f" Nobody has calibrated {store.embedder.id} here, so a picture that does not look like "
            "its name is not noticed (procvid memory calibrate)."
        )
    return f'<p class="pv-small">{escape(told)}</p>'


def chosen_crop(crop: Crop | None, score: float | None = None) -> str:
    """All that is known of a crop."""
    if crop is None:
        return empty("Press a picture to see where it comes from, and to change it.")
    x0, y0, x1, y1 = (round(edge) for edge in crop.box_xyxy)
    facts = {
        "Object": f"{crop.name} ({crop.role})",
        "State": crop.state or "none",
        "Looks like": crop.description,
        "Also shows": ", ".join(crop.shows),
        "Source": f"{crop.source_id}, at {crop.time_s:.2f} s",
        "Box": f"{x0}, {y0} to {x1}, {y1} px",
        "Found by": "" if score is None else f"similarity {score:.2f}",
        "Detector": f"{crop.detector_score:.2f} sure, quality {crop.quality:.2f}",
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
    banned = "<p><b>Banned:</b> it is never used.</p>" if crop.banned else ""
    return f'<div class="pv-about pv-crop">{picture}{banned}<dl>{rows}</dl></div>'


def edits(history: Sequence[Edit]) -> str:
    """What was changed, the newest first."""
    if not history:
        return empty("Nobody has changed this memory.")
    items = "".join(_edit(edit) for edit in list(history)[::-1][:MAX_EDITS])
    more = len(history) - MAX_EDITS
    older = f'<p class="pv-small">and {more} older ones</p>' if more > 0 else ""
    return f'<ul class="pv-edits">{items}</ul>{older}'


def _edit(edit: Edit) -> str:
    change = " → ".join(words for words in (edit.before, edit.after) if words)
    count = len(edit.crop_ids)
    crops = f"{count} crop{'s' if count != 1 else ''}" if count else ""
    told = ", ".join(words for words in (change, crops) if words)
    return f"<li><b>{escape(edit.what)}</b> {escape(told)} <i>{escape(edit.at)}</i></li>"
