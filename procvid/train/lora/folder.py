"""The training folder: clips or pictures, their texts, and the crops of what each one shows.

`metadata.jsonl` or `metadata.parquet` has a row per example (docs/lora.md):

    {"file_name": "clips/1.mp4", "text": "Slice the carrot.", "source_id": "recipe-7",
     "wants": [{"name": "cutting board"}, {"name": "carrot", "state": "whole"}],
     "crops": [{"file_name": "crops/1-board.png", "name": "cutting board", "state": ""}]}

Only `file_name` and `text` are needed. The crops of a row are what *other* rows of its `source_id`
may be shown as references: an example never sees a crop of itself (Phantom's cross-pair training).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from procvid.errors import InputError
from procvid.storage.files import sha256_of

LISTS = ("metadata.jsonl", "metadata.parquet")
PICTURES = (".png", ".jpg", ".jpeg", ".webp")
VIDEOS = (".mp4", ".mov", ".mkv", ".webm")
MAX_BYTES = 1024**3
MAX_CHARS = 5_000
HINT = "Give rows with file_name and text; docs/lora.md tells the rest."


@dataclass(frozen=True)
class ReferenceCrop:
    """A picture of an object; `state` is "" where it has none."""

    file: Path
    name: str
    state: str


@dataclass(frozen=True)
class Example:
    """A row. `wants` are (name, state) of the references, in order; "" takes any state.

    `focus_xyxy` is where the loss may count more, in shares 0 to 1 of what the model is shown. An
    example of the `prior` is there to be done as the base does it.
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


@dataclass(frozen=True)
class TrainingFolder:
    """The rows of a folder, in order, and a hash over them and over every file that they name."""

    examples: tuple[Example, ...]
    sha256: str
    hashes: Mapping[Path, str]
    missing: Mapping[Path, str]


def read_training_folder(folder: Path) -> TrainingFolder:
    """Read the list of a folder and hash its files.

    Files that are not there are left to be counted by whoever reads them.

    Raises:
        InputError: No list, one that cannot be read, rows that are wrong, or one file name twice.
    """
    lists = [folder / name for name in LISTS if (folder / name).is_file()]
    if len(lists) != 1:
        raise InputError(
            f"{str(folder)!r} holds {len(lists)} of {' and '.join(LISTS)}.", "It must have one."
        )
    rows = _rows(lists[0])
    if not rows:
        raise InputError(f"{lists[0].name} names no example.", HINT)
    examples = tuple(_example(row, k, folder) for k, row in enumerate(rows, start=1))
    keys: dict[str, int] = {}
    for number, example in enumerate(examples, start=1):
        first = keys.setdefault(example.key, number)
        if first != number:
            raise InputError(f"Rows {first} and {number} are both {example.key!r}.", "Remove one.")
    files = {e.file for e in examples} | {crop.file for e in examples for crop in e.crops}
    hashes = {file: sha256_of(file) for file in sorted(files) if file.is_file()}
    missing = {file: "there is no such file" for file in sorted(files) if file not in hashes}
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
        lines = file.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines if line.strip()]
    except (OSError, ValueError, RecursionError, pa.ArrowException) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0][:120]
        raise InputError(f"{file.name} cannot be read ({said}).", HINT) from error


def _example(row: object, number: int, folder: Path) -> Example:
    where = f"Row {number}"
    if not isinstance(row, Mapping):
        raise InputError(f"{where} is no object.", HINT)
    start, end = row.get("start_s") or 0.0, row.get("end_s")
    if not _is_time(start) or not (end is None or (_is_time(end) and end > start)):
        raise InputError(f"{where} runs from {start!r} to {end!r}, which is no span.", HINT)
    file = _file(row, where, folder, (*PICTURES, *VIDEOS))
    key = str(row["file_name"]) + (f"@{start:g}" if start or end is not None else "")
    crops = tuple(
        ReferenceCrop(
            _file(crop, f"{where}, a crop", folder, PICTURES),
            _text(crop, "name", where),
            _text(crop, "state", where, empty=True),
        )
        for crop in _objects(row, "crops", where)
    )
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
        start_s=float(start),
        end_s=None if end is None else float(end),
        split=_text(row, "split", where, empty=True) or "train",
        focus_xyxy=_box(row, "focus_xyxy", where),
        prior=_flag(row, "prior", where),
    )


def _objects(row: Mapping[str, Any], key: str, where: str) -> Sequence[Mapping[str, Any]]:
    value = row.get(key) or []
    if not isinstance(value, list) or not all(isinstance(each, Mapping) for each in value):
        raise InputError(f"{where} has {key} that are no list of objects.", HINT)
    return value


def _box(row: Mapping[str, Any], key: str, where: str) -> tuple[float, float, float, float] | None:
    value = row.get(key)
    if value is None:
        return None
    if isinstance(value, list) and len(value) == 4 and all(_is_time(v) and v <= 1 for v in value):
        x0, y0, x1, y1 = map(float, value)
        if x0 < x1 and y0 < y1:
            return x0, y0, x1, y1
    raise InputError(f"{where} has a {key} that is no box in shares of the picture.", HINT)


def _flag(row: Mapping[str, Any], key: str, where: str) -> bool:
    value = row.get(key) or False
    if not isinstance(value, bool):
        raise InputError(f"{where} has a {key} that is neither true nor false.", HINT)
    return value


def _text(row: Mapping[str, Any], key: str, where: str, empty: bool = False) -> str:
    value = row.get(key)
    if value is None and empty:
        return ""
    if not isinstance(value, str) or not (empty or value.strip()) or len(value) > MAX_CHARS:
        raise InputError(f"{where} has no {key} that can be used ({str(value)[:40]!r}).", HINT)
    return value.strip()


def _file(row: Mapping[str, Any], where: str, folder: Path, suffixes: tuple[str, ...]) -> Path:
    name = _text(row, "file_name", where)
    path = Path(name)
    if path.is_absolute() or ".." in path.parts or path.suffix.lower() not in suffixes:
        raise InputError(
            f"{where} names {name[:80]!r}.",
            f"Give a file of the folder that ends in {', '.join(suffixes)}.",
        )
    return folder / path


def _is_time(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return 0 <= value < float("inf")
