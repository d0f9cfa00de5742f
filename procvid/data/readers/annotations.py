"""Read large JSON files key by key, CSV tables and timed annotations."""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from procvid.errors import InputError, UnavailableError
from procvid.types import TimedText

CHUNK_BYTES = 1 << 16
NOT_A_NUMBER = re.compile(rb"-?(?:NaN|Infinity)")
UNFINISHED = b"-\\NaInfity"
"""Bytes that may begin an escape or a token of `NOT_A_NUMBER`."""

MAX_TIME_S = 1e9
"""Longer than any video."""

YOUTUBE = "https://www.youtube.com/watch?v="


def entries(path: Path, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the keys and values of the JSON object at `prefix`.

    Only one value is in memory, so the file may be larger than that.

    Raises:
        InputError: The file cannot be read or is not JSON.
        UnavailableError: ijson is not installed.
    """
    try:
        import ijson
    except ImportError as error:
        raise UnavailableError(
            "Reading annotation files needs ijson, which is not installed.",
            "pip install 'procvid[data]'",
        ) from error
    last, source = "", None
    try:
        with path.open("rb") as file:
            source = _WithoutNaN(file)
            for key, value in ijson.kvitems(source, prefix, use_float=True):
                last = key
                yield key, value
    except OSError as error:
        raise InputError(f"The file {path} cannot be read.", "Check its name.") from error
    except (ijson.JSONError, ValueError) as error:
        place = f" after {last[:60]!r}, near byte {source.num_read:,}" if last and source else ""
        raise InputError(f"The file {path.name} is not JSON, or is truncated{place}.") from error


class _WithoutNaN:
    """A JSON file in which NaN and Infinity, which Python writes and JSON forbids, read as null.

    Args:
        file: The file, opened for bytes.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.num_read = 0
        self._file = file
        self._rest = b""
        self._in_string = False

    def read(self, size: int = -1) -> bytes:
        """Return about `size` bytes, and b"" only at the end."""
        if size == 0:
            return b""
        while True:
            new = self._file.read(max(size, CHUNK_BYTES))
            self.num_read += len(new)
            chunk = self._rest + new
            # A token or an escape may go on in the next chunk.
            end = len(chunk.rstrip(UNFINISHED)) if new else len(chunk)
            chunk, self._rest = chunk[:end], chunk[end:]
            if chunk or not new:
                return self._replaced(chunk)

    def _replaced(self, chunk: bytes) -> bytes:
        parts, done = [], 0
        for found in NOT_A_NUMBER.finditer(chunk):
            before = chunk[done : found.start()]
            self._pass(before)
            parts += [before, found.group() if self._in_string else b"null"]
            done = found.end()
        self._pass(chunk[done:])
        return b"".join([*parts, chunk[done:]])

    def _pass(self, text: bytes) -> None:
        """Follow the quotes, to know whether a string goes on."""
        quotes = text.replace(b"\\\\", b"").replace(b'\\"', b"").count(b'"')
        self._in_string ^= quotes % 2 == 1


def table(path: Path, columns: Sequence[str]) -> Iterator[dict[str, str]]:
    """Yield the rows of a CSV file with a header.

    Raises:
        InputError: The file cannot be read, or lacks a column.
    """
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            missing = [name for name in columns if name not in (rows.fieldnames or ())]
            if missing:
                raise InputError(f"The table {path.name} has no column {missing[0]!r}.")
            for row in rows:
                yield {name: row[name] or "" for name in columns}
    except OSError as error:
        raise InputError(f"The file {path} cannot be read.", "Check its name.") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError(f"The file {path.name} is not a UTF-8 table.") from error


def timed_text(start: object, end: object, text: object) -> TimedText:
    """Return a timed text.

    Times that are no numbers become -1.0 and a text that is no string becomes "". Later stages
    leave such texts out and count them.
    """
    words = text if isinstance(text, str) else ""
    if _is_number(start) and _is_number(end):
        return TimedText(float(start), float(end), words)  # type: ignore[arg-type]
    return TimedText(-1.0, -1.0, words)


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return abs(value) < MAX_TIME_S


def segments(rows: object, text_of: Any) -> tuple[TimedText, ...]:
    """Return annotations `{"segment": [start, end], ...}`, each invalid one with invalid times."""
    found = []
    for row in rows if isinstance(rows, list) else []:
        known = row if isinstance(row, dict) else {}
        span = known.get("segment")
        start, end = span if isinstance(span, list) and len(span) == 2 else (None, None)
        found.append(timed_text(start, end, text_of(known)))
    return tuple(found)
