"""Read subtitle files (.vtt, .srt) with pysubs2."""

from __future__ import annotations

from pathlib import Path

from procvid.errors import InputError, UnavailableError
from procvid.types import TimedText

SUFFIXES = (".vtt", ".srt")
MAX_BYTES = 32 * 1024 * 1024


def read_subtitles(path: Path) -> tuple[TimedText, ...]:
    """Return the cues of a file, read as UTF-8, else as Latin-1.

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
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    try:
        events = list(pysubs2.SSAFile.from_string(text, format_=path.suffix[1:].lower()))
    except (pysubs2.Pysubs2Error, ValueError, LookupError) as error:
        raise InputError(f"The subtitles {path.name} are damaged.") from error
    if not events:
        raise InputError(f"The subtitles {path.name} have no cues.")
    return tuple(TimedText(e.start / 1000, e.end / 1000, e.plaintext) for e in events)
