"""Read large JSON files key by key, CSV tables and timed annotations."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from procvid.errors import InputError, UnavailableError
from procvid.types import TimedText

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
    try:
        with path.open("rb") as file:
            yield from ijson.kvitems(file, prefix, use_float=True)
    except OSError as error:
        raise InputError(f"The file {path} cannot be read.", "Check its name.") from error
    except (ijson.JSONError, ValueError) as error:
        raise InputError(f"The file {path.name} is not JSON, or is truncated.") from error


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


def timed_text(start: object, end: object, text: object) -> TimedText | None:
    """Return a timed text, or None if the times are no numbers or the text is no string."""
    if isinstance(text, str) and _is_number(start) and _is_number(end):
        return TimedText(float(start), float(end), text)  # type: ignore[arg-type]
    return None


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def segments(rows: object, text_of: Any) -> tuple[TimedText, ...]:
    """Return annotations `{"segment": [start, end], ...}` without invalid ones."""
    found = []
    for row in rows if isinstance(rows, list) else []:
        span = row.get("segment") if isinstance(row, dict) else None
        if isinstance(span, list) and len(span) == 2:
            text = timed_text(span[0], span[1], text_of(row))
            if text is not None:
                found.append(text)
    return tuple(found)
