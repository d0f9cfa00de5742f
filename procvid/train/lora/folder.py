"""Read a training folder: clips or images, their texts, and crops of the objects they show.

`metadata.jsonl` or `metadata.parquet` has one row per example (docs/lora.md):

    {"file_name": "clips/1.mp4", "text": "Slice the carrot.", "source_id": "recipe-7",
     "wants": [{"name": "cutting board"}, {"name": "carrot", "state": "whole"}],
     "crops": [{"file_name": "crops/1-board.png", "name": "cutting board", "state": ""}]}

Only `file_name` and `text` are required. The crops of a row are references for *other* rows of the
same `source_id`: an example never sees its own crops (Phantom's cross-pair training).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, get_args

import pyarrow as pa
import pyarrow.parquet as pq

from procvid.errors import InputError
from procvid.run.preferences import REJECTED
from procvid.storage.files import sha256_of
from procvid.storage.names import as_on_disk
from procvid.storage.text import lines_of
from procvid.types import Role

LISTS = ("metadata.jsonl", "metadata.parquet")
PICTURES = (".png", ".jpg", ".jpeg", ".webp")
VIDEOS = (".mp4", ".mov", ".mkv", ".webm")
MAX_BYTES = 1024**3
MAX_CHARS = 5_000
HINT = "Each row needs file_name and text; docs/lora.md lists all columns."


@dataclass(frozen=True)
class ReferenceCrop:
    """An image of an object; `state` is "" if it has none."""

    file: Path
    name: str
    state: str


@dataclass(frozen=True)
class Example:
    """A row of the list.

    Attributes:
        key: Unique name: the file name, with the start time for a part of a video, and the worse clip.
        file: Clip or image.
        text: Prompt.
        source_id: Recipe or video it belongs to; "" for none.
        wants: (name, state) of its references, in order; state "" accepts any state.
        crops: Crops of the objects it shows.
        references: Its own references, in order; with them, `wants` and crops of others do not count.
        rejected: Another clip of the same prompt and references that is worse, or None.
        start_s: Start of the clip in the video, s.
        end_s: End of the clip, s; None for the end of the video.
        split: "train", or another name for held-out examples.
        focus_xyxy: Box in which the loss may count more, as shares 0 to 1 of the frame.
        prior: True if the base model's output is the target.
        action: Action of the step, for `procvid train rl` and `procvid train director`.
        title: Title of its recipe or video, for `procvid train director`.
        objects: (name, role, state before, state after) of the planned objects, for `procvid train rl`.
    """

    key: str
    file: Path
    text: str
    source_id: str
    wants: tuple[tuple[str, str], ...] = ()
    crops: tuple[ReferenceCrop, ...] = ()
    start_s: float = 0.0
    end_s: float | None = None
    split: str = "train"
    focus_xyxy: tuple[float, float, float, float] | None = None
    prior: bool = False
    action: str = ""
    objects: tuple[tuple[str, Role, str, str], ...] = ()
    references: tuple[ReferenceCrop, ...] = ()
    rejected: Path | None = None
    title: str = ""

    @property
    def pictures(self) -> tuple[ReferenceCrop, ...]:
        """Its crops and references."""
        return self.crops + self.references


@dataclass(frozen=True)
class TrainingFolder:
    """The examples of a folder.

    Attributes:
        examples: In the order of the list.
        sha256: Hash over the rows and all files they name.
        hashes: Hash of each file.
        missing: Reason for each file that is missing.
    """

    examples: tuple[Example, ...]
    sha256: str
    hashes: Mapping[Path, str]
    missing: Mapping[Path, str]


def read_training_folder(folder: Path) -> TrainingFolder:
    """Read the list of a folder and hash its files. Missing files are listed in `missing`.

    Raises:
        InputError: The list is missing, unreadable or empty, a row is wrong, or two rows are equal.
    """
    lists = [folder / name for name in LISTS if (folder / name).is_file()]
    if len(lists) != 1:
        raise InputError(
            f"{str(folder)!r} holds {len(lists)} of {' and '.join(LISTS)}.",
            "Keep exactly one of them.",
        )
    rows = _rows(lists[0])
    if not rows:
        raise InputError(f"{lists[0].name} has no rows.", HINT)
    examples = tuple(_example(row, k, folder) for k, row in enumerate(rows, start=1))
    keys: dict[str, int] = {}
    for number, example in enumerate(examples, start=1):
        first = keys.setdefault(example.key, number)
        if first != number:
            raise InputError(f"Rows {first} and {number} are both {example.key!r}.", "Remove one.")
    files = {e.file for e in examples} | {one.file for e in examples for one in e.pictures}
    files |= {e.rejected for e in examples if e.rejected}
    hashes = {file: sha256_of(file) for file in sorted(files) if file.is_file()}
    missing = {file: "file not found" for file in sorted(files) if file not in hashes}
    digest = hashlib.sha256(json.dumps(rows, sort_keys=True, ensure_ascii=True).encode())
    for file in sorted(files):
        digest.update(f"\n{file.relative_to(folder)} {hashes.get(file, '-')}".encode())
    return TrainingFolder(examples, digest.hexdigest(), hashes, missing)


def _rows(file: Path) -> list[Mapping[str, Any]]:
    try:
        if file.stat().st_size > MAX_BYTES:
            raise InputError(f"{file.name} is larger than {MAX_BYTES:,} bytes.", HINT)
        if file.suffix == ".parquet":
            return list(pq.read_table(file).to_pylist())
        lines = enumerate(lines_of(file.read_text(encoding="utf-8")), start=1)
        return [_row(line, number, file) for number, line in lines if line.strip()]
    except (OSError, ValueError, RecursionError, pa.ArrowException) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:120]
        raise InputError(f"{file.name} cannot be read ({reason}).", HINT) from error


def _row(line: str, number: int, file: Path) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(f"Line {number} of {file.name} is not JSON.", HINT) from error


def _example(row: object, number: int, folder: Path) -> Example:
    where = f"Row {number}"
    if not isinstance(row, Mapping):
        raise InputError(f"{where} is not a JSON object.", HINT)
    start, end = row.get("start_s") or 0.0, row.get("end_s")
    if not _is_time(start) or not (end is None or (_is_time(end) and end > start)):
        raise InputError(f"{where} has an invalid time span: {start!r} to {end!r}.", HINT)
    file = _file(row, where, folder, (*PICTURES, *VIDEOS))
    key = str(row["file_name"]) + (f"@{start:g}" if start or end is not None else "")
    rejected = _file(row, where, folder, VIDEOS, REJECTED) if row.get(REJECTED) else None
    key += f" and not {row[REJECTED]}" if rejected else ""
    crops = _pictures(row, "crops", where, folder)
    wants = tuple(
        (_text(each, "name", where), _text(each, "state", where, empty=True))
        for each in _objects(row, "wants", where)
    )
    return Example(
        key=key,
        file=file,
        text=_text(row, "text", where),
        source_id=_text(row, "source_id", where, empty=True),
        wants=wants or tuple(dict.fromkeys((crop.name, crop.state) for crop in crops)),
        crops=crops,
        references=_pictures(row, "references", where, folder),
        rejected=rejected,
        start_s=float(start),
        end_s=None if end is None else float(end),
        split=_text(row, "split", where, empty=True) or "train",
        focus_xyxy=_box(row, "focus_xyxy", where),
        prior=_flag(row, "prior", where),
        action=_text(row, "action", where, empty=True),
        title=_text(row, "title", where, empty=True),
        objects=tuple(
            (
                _text(each, "name", where),
                _role(each, where),
                _text(each, "state_before", where, empty=True),
                _text(each, "state_after", where, empty=True),
            )
            for each in _objects(row, "objects", where)
        ),
    )


def _pictures(
    row: Mapping[str, Any], key: str, where: str, folder: Path
) -> tuple[ReferenceCrop, ...]:
    return tuple(
        ReferenceCrop(
            _file(each, f"{key} of {where.lower()}", folder, PICTURES),
            _text(each, "name", where),
            _text(each, "state", where, empty=True),
        )
        for each in _objects(row, key, where)
    )


def _objects(row: Mapping[str, Any], key: str, where: str) -> Sequence[Mapping[str, Any]]:
    value = row.get(key) or []
    if not isinstance(value, list) or not all(isinstance(each, Mapping) for each in value):
        raise InputError(f"{where}: {key} is not a list of JSON objects.", HINT)
    return value


def _box(row: Mapping[str, Any], key: str, where: str) -> tuple[float, float, float, float] | None:
    value = row.get(key)
    if value is None:
        return None
    if isinstance(value, list) and len(value) == 4 and all(_is_time(v) and v <= 1 for v in value):
        x0, y0, x1, y1 = map(float, value)
        if x0 < x1 and y0 < y1:
            return x0, y0, x1, y1
    raise InputError(f"{where}: {key} is not a box [x0, y0, x1, y1] with values 0 to 1.", HINT)


def _role(row: Mapping[str, Any], where: str) -> Role:
    for role in get_args(Role):
        if row.get("role") == role:
            return cast(Role, role)
    raise InputError(
        f"{where}: the role {str(row.get('role'))[:40]!r} is unknown.",
        f"Choose one of {', '.join(get_args(Role))}.",
    )


def _flag(row: Mapping[str, Any], key: str, where: str) -> bool:
    value = row.get(key) or False
    if not isinstance(value, bool):
        raise InputError(f"{where}: {key} is neither true nor false.", HINT)
    return value


def _text(row: Mapping[str, Any], key: str, where: str, empty: bool = False) -> str:
    value = row.get(key)
    if value is None and empty:
        return ""
    if not isinstance(value, str) or not (empty or value.strip()) or len(value) > MAX_CHARS:
        raise InputError(f"{where} has no valid {key} ({str(value)[:40]!r}).", HINT)
    return value.strip()


def _file(
    row: Mapping[str, Any],
    where: str,
    folder: Path,
    suffixes: tuple[str, ...],
    key: str = "file_name",
) -> Path:
    name = _text(row, key, where)
    path = Path(name)
    if path.is_absolute() or ".." in path.parts or path.suffix.lower() not in suffixes:
        raise InputError(
            f"{where} names the file {name[:80]!r}.",
            f"Give a file inside the folder that ends in {', '.join(suffixes)}.",
        )
    return as_on_disk(folder / path)


def _is_time(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return 0 <= value < float("inf")
