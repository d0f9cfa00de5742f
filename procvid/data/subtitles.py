"""Subtitle files (.vtt, .srt) through pysubs2."""

from __future__ import annotations

from pathlib import Path

from procvid.errors import InputError, UnavailableError
from procvid.types import TimedText

SUFFIXES = (".vtt", ".srt")
MAX_BYTES = 32 * 1024 * 1024


def read_subtitles(path: Path) -> tuple[TimedText, ...]:
    """The cues of a file as they stand in it; UTF-8, or Latin-1 where it is not that.

    Raises:
        InputError: it cannot be read, is too large, or holds no cue.
        UnavailableError: pysubs2 is not installed.
    """
    try:
        import pysubs2
    except ImportError as error:
        raise UnavailableError(
            "Subtitles are read by pysubs2, which is not installed.", "pip install 'procvid[data]'"
        ) from error
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"The subtitles {path.name} are larger than {MAX_BYTES:,} bytes.")
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"The subtitles {path.name} cannot be read.") from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    try:
        events = list(pysubs2.SSAFile.from_string(text, format_=path.suffix[1:].lower()))
    except (pysubs2.Pysubs2Error, ValueError, LookupError) as error:
        raise InputError(f"The subtitles {path.name} are damaged.") from error
    if not events:
        raise InputError(f"The subtitles {path.name} hold no cue.")
    return tuple(TimedText(e.start / 1000, e.end / 1000, e.plaintext) for e in events)
