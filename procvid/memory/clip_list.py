"""Read the list of clips that a store is built from: JSON lines, one clip each.

    {"file": "videos/a.mp4", "start_s": 3.0, "end_s": 8.0, "text": "Slice the carrot.",
     "source_id": "a", "licence": "CC-BY-4.0", "url": "https://..."}

`start_s`, `end_s`, `licence` (or `license`), `url`, and for `procvid train director` `action` (the short
text of the step) and `title` (of the video) are optional. `file` is relative to the list.
A key that looks like a typo of a missing one is an error. Other unknown keys give a warning.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from procvid.errors import InputError
from procvid.storage.names import as_on_disk
from procvid.storage.text import lines_of

MAX_BYTES = 256 * 1024 * 1024
MAX_CHARS = 2_000
MAX_S = 1e9
"""Longer than any video. A float loses the fractions of larger numbers."""

KEYS = ("file", "text", "source_id", "start_s", "end_s", "licence", "url", "action", "title")
OPTIONAL_TEXTS = ("licence", "url", "action", "title")
LIKELY_TYPO = 0.75

HINT = "Give JSON lines with file, text and source_id, and start_s and end_s in seconds."


@dataclass(frozen=True, slots=True)
class ListedClip:
    """One clip of the list. `end_s` None means the end of the file."""

    file: Path
    text: str
    source_id: str
    start_s: float = 0.0
    end_s: float | None = None
    licence: str = ""
    url: str = ""
    action: str = ""
    title: str = ""


def read_clip_list(
    path: Path, warn: Callable[[str], None] = lambda sentence: None
) -> tuple[ListedClip, ...]:
    """Read a clip list. Empty lines are ignored.

    Args:
        path: The list.
        warn: Receives a sentence for each unknown key.

    Raises:
        InputError: The file is missing, too large or not UTF-8, has no clips or invalid lines, names
            a clip twice, or gives two files one source id.
    """
    path = Path(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"The clip list {path.name} is larger than {MAX_BYTES:,} bytes.", HINT)
        lines = lines_of(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"The clip list {path} cannot be read.", "Check its name.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"The clip list {path.name} is not UTF-8 text.", HINT) from error
    clips: list[tuple[int, ListedClip]] = []
    faults: list[InputError] = []
    unknown: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                clips.append((number, _clip(line, number, path, unknown)))
            except InputError as fault:
                faults.append(fault)
    if len(faults) > 1:
        first = faults[0]
        more = f"{len(faults) - 1} more {'line is' if len(faults) == 2 else 'lines are'} wrong."
        raise InputError(f"{first.message} {more}", first.hint)
    if faults:
        raise faults[0]
    if not clips:
        raise InputError(f"The clip list {path.name} has no clips.", HINT)
    _check_once(clips, path)
    for key, count in unknown.items():
        noun = "line" if count == 1 else "lines"
        warn(f"Unknown key {key[:40]!r} in {count:,} {noun} of {path.name} is ignored.")
    return tuple(clip for _, clip in clips)


def _check_once(clips: Sequence[tuple[int, ListedClip]], path: Path) -> None:
    files: dict[str, tuple[int, Path]] = {}
    spans: dict[tuple[str, float, float | None], int] = {}
    for number, clip in clips:
        first, file = files.setdefault(clip.source_id, (number, clip.file))
        if file != clip.file:
            raise InputError(
                f"Lines {first} and {number} of {path.name} give two files the same source_id "
                f"{clip.source_id[:60]!r}.",
                "Give each file its own source_id.",
            )
        span = (clip.source_id, clip.start_s, clip.end_s)
        if spans.setdefault(span, number) != number:
            raise InputError(
                f"Lines {spans[span]} and {number} of {path.name} name the same clip.",
                "Remove one of them.",
            )


def _clip(line: str, number: int, path: Path, unknown: dict[str, int]) -> ListedClip:
    where = f"Line {number} of {path.name}"
    try:
        row: Any = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where} is not JSON.", HINT) from error
    if not isinstance(row, dict):
        raise InputError(f"{where} is not a JSON object.", HINT)
    american = row.pop("license", None)
    if american is not None and row.setdefault("licence", american) != american:
        raise InputError(
            f"{where} has different values for licence and license.", "Remove one of them."
        )
    for key in row.keys() - KEYS:
        near = get_close_matches(key.lower(), KEYS, 1, LIKELY_TYPO)
        if near and near[0] not in row:
            raise InputError(f"{where} has an unknown key {key[:40]!r}.", f"Write {near[0]!r}.")
        unknown[key] = unknown.get(key, 0) + 1
    for key in OPTIONAL_TEXTS:
        if not isinstance(row.get(key, ""), (str, type(None))):
            raise InputError(f"{where} has a {key} that is not text: {str(row[key])[:40]!r}.", HINT)
    for key in ("file", "text", "source_id"):
        if not isinstance(row.get(key), str) or not row[key].strip():
            raise InputError(f"{where} has no {key}.", HINT)
        if len(row[key]) > MAX_CHARS:
            raise InputError(f"{where} has a {key} of {len(row[key]):,} characters.", HINT)
    for key in ("file", "source_id", "licence", "url"):
        if not str(row.get(key) or "").isprintable():
            raise InputError(f"{where} has a {key} with unprintable characters.", HINT)
    if any("\ud800" <= character <= "\udfff" for character in row["text"]):
        raise InputError(f"{where} has a text that is not valid Unicode.", HINT)
    start_s, end_s = row.get("start_s", 0.0), row.get("end_s")
    if not _is_time(start_s) or not (end_s is None or (_is_time(end_s) and end_s > start_s)):
        span = f"from {repr(start_s)[:20]} to {repr(end_s)[:20]}"
        raise InputError(f"{where} runs {span}, which is not a valid span.", HINT)
    return ListedClip(
        file=as_on_disk(path.parent / row["file"]),
        text=row["text"],
        source_id=row["source_id"],
        start_s=float(start_s),
        end_s=None if end_s is None else float(end_s),
        licence=str(row.get("licence") or "")[:MAX_CHARS],
        url=str(row.get("url") or "")[:MAX_CHARS],
        action=str(row.get("action") or "")[:MAX_CHARS],
        title=str(row.get("title") or "")[:MAX_CHARS],
    )


def _is_time(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return 0 <= value <= MAX_S
