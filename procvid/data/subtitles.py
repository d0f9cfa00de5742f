"""Read subtitle files (.vtt, .srt) with pysubs2."""

from __future__ import annotations

import re
from pathlib import Path

from procvid.errors import InputError, UnavailableError
from procvid.storage.text import decode_text
from procvid.types import TimedText

SUFFIXES = (".vtt", ".srt")
MAX_BYTES = 32 * 1024 * 1024
STAMP = re.compile(r"(?:(\d{1,2}):)?(\d{1,2}):(\d{1,2})(?:[.,](\d{1,3}))?(?=\s|$)")
UNREADABLE = "99:59:59.998 --> 99:59:59.999"
"""Stands for times that cannot be read, so that the words of such a cue stay its own."""

UNREADABLE_MS = 359_999_998


def read_subtitles(path: Path) -> tuple[TimedText, ...]:
    """Return the cues of a file: UTF-8 or UTF-16, else Windows-1252.

    A cue with unreadable times has the times -1.0, so that it is counted.

    Raises:
        InputError: The file cannot be read, is too large, or has no cues.
        UnavailableError: pysubs2 is not installed.
    """
    try:
        import pysubs2
    except ImportError as error:
        raise UnavailableError(
            "Reading subtitles needs pysubs2, which is not installed.",
            "pip install 'procvid[data]'",
        ) from error
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"The subtitles {path.name} are larger than {MAX_BYTES:,} bytes.")
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"The subtitles {path.name} cannot be read.") from error
    text = _with_plain_times(decode_text(data))
    try:
        events = list(pysubs2.SSAFile.from_string(text, format_=path.suffix[1:].lower()))
    except (pysubs2.Pysubs2Error, ValueError, LookupError) as error:
        raise InputError(f"The subtitles {path.name} are damaged.") from error
    if not any(event.start != UNREADABLE_MS for event in events):
        raise InputError(f"The subtitles {path.name} have no cues.")
    return tuple(
        TimedText(-1.0, -1.0, e.plaintext)
        if e.start == UNREADABLE_MS
        else TimedText(e.start / 1000, e.end / 1000, e.plaintext)
        for e in events
    )


def _with_plain_times(text: str) -> str:
    """Write all times as `HH:MM:SS.mmm`, the only form that pysubs2 reads in both formats.

    pysubs2 takes a line with other times for words of the cue before it.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    note = False
    for number, line in enumerate(lines):
        note = bool(line.strip()) and (note or line.startswith("NOTE"))
        if "->" in line and not note:
            lines[number] = _plain_times(line)
    return "\n".join(lines)


def _plain_times(line: str) -> str:
    """Return a line of times in plain form; other lines are unchanged."""
    left, arrow, right = re.split(r"(-+>)", line, maxsplit=1)
    start, end = STAMP.fullmatch(left.strip()), STAMP.match(right.strip())
    if start is None or end is None:
        digits = r"\d" if arrow == "-->" else r"\d:\d"
        return UNREADABLE if re.search(digits, line) else line
    return f"{_plain(start)} --> {_plain(end)}"


def _plain(stamp: re.Match[str]) -> str:
    hours, minutes, seconds, fraction = stamp.groups()
    return f"{hours or '0':0>2}:{minutes:0>2}:{seconds:0>2}.{fraction or '0':0<3}"
