"""WebVTT captions: one cue per step of the recipe."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from procvid.errors import InputError
from procvid.storage.atomic import write_text

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u2028\u2029]")


def timestamp(time_s: float) -> str:
    """Return seconds as `HH:MM:SS.mmm`."""
    milliseconds = round(time_s * 1000)
    seconds, milliseconds = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}.{milliseconds:03d}"


def cue_text(text: str) -> str:
    """Return the text in the form that WebVTT shows literally, without tags and empty lines."""
    clean = CONTROL.sub(" ", text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " "))
    lines = [" ".join(line.split()) for line in clean.split("\n")]
    joined = "\n".join(line for line in lines if line)
    return joined.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def vtt(cues: Sequence[tuple[float, float, str]]) -> str:
    """Return a WebVTT document of `(start_s, end_s, text)` cues. Empty cues are left out.

    Raises:
        InputError: A cue ends before it starts, or starts before 0 s.
    """
    blocks = ["WEBVTT"]
    for start_s, end_s, text in cues:
        if not 0 <= start_s < end_s:
            raise InputError(
                f"A caption cannot run from {start_s} s to {end_s} s.",
                "Use a start of 0 s or later and an end after the start.",
            )
        words = cue_text(text)
        if words:
            blocks.append(f"{timestamp(start_s)} --> {timestamp(end_s)}\n{words}")
    return "\n\n".join(blocks) + "\n"


def write_vtt(path: Path, cues: Sequence[tuple[float, float, str]]) -> None:
    """Write captions as a WebVTT file in UTF-8, atomically.

    Raises:
        InputError: The times of a cue are invalid.
        OutputError: The file cannot be written.
    """
    write_text(Path(path), vtt(cues))
