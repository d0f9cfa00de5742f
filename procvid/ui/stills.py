"""Still pictures of clips, as small JPEG data URLs for thumbnails and posters."""

from __future__ import annotations

import base64
import io
from functools import lru_cache
from pathlib import Path

from PIL import Image as Pillow

from procvid.errors import InputError
from procvid.media.decode import probe, stream_frames

THUMBNAIL_PX = 160
"""Longest side of a thumbnail, in pixels."""


def still_url(clip: Path, px: int = THUMBNAIL_PX) -> str:
    """Return the middle frame of a clip as a data URL, or "" if the clip cannot be read."""
    try:
        return _still(clip, clip.stat().st_mtime_ns, px)
    except (InputError, OSError):
        return ""


@lru_cache(maxsize=512)
def _still(clip: Path, changed_at_ns: int, px: int) -> str:
    """Return the data URL; `changed_at_ns` makes a redone clip a new entry of the cache."""
    middle_s = probe(clip).duration_s / 2
    frame = next((image for _, image in stream_frames(clip, middle_s)), None)
    if frame is None:
        return ""
    picture = Pillow.fromarray(frame)
    picture.thumbnail((px, px))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
