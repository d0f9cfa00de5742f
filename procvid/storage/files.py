"""Files of a run on the disk: flushed, renamed into place, and swept up after a kill."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from procvid.storage.atomic import output_error, remove, replacing, replacing_folder

_TEMPORARY = re.compile(r"^\..+\.\d+(-\d+)?\.tmp(\.[a-z0-9]+)?$")
_MOVED_ASIDE = re.compile(r"^\.(?P<name>.+)\.\d+(-\d+)?\.old$")


@contextmanager
def output_errors(path: Path) -> Iterator[None]:
    """Turn an operating system's error while writing `path` into an `OutputError`."""
    try:
        yield
    except OSError as error:
        raise output_error(path, error) from error


def write_json(path: Path, value: Any) -> None:
    """Write JSON for people: indented, in the order given, UTF-8, on the disk before it is seen.

    Raises:
        OutputError: It cannot be written; the old file stays.
    """
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write((json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode())
        file.flush()
        os.fsync(file.fileno())


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file.

    Raises:
        OSError: It cannot be read.
        ValueError: It holds something else.
    """
    value = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return value


@contextmanager
def whole_folder(place: Path) -> Iterator[Path]:
    """Give a temporary folder to fill; it takes the place of `place`, flushed to the disk first.

    Raises:
        OutputError: It cannot be written; what was at `place` stays.
    """
    with replacing_folder(place) as temporary:
        yield temporary
        sync_tree(temporary)
    with output_errors(place):
        _sync(place.parent)


def sweep(folder: Path) -> None:
    """Remove what a killed process left half-written in `folder`, and finish its renames.

    Raises:
        OutputError: The folder cannot be written.
    """
    with output_errors(folder):
        for entry in sorted(folder.iterdir()):
            moved = _MOVED_ASIDE.match(entry.name)
            if moved and not (folder / moved["name"]).exists():
                entry.replace(folder / moved["name"])
            elif moved or _TEMPORARY.match(entry.name):
                remove(entry)


def is_temporary(name: str) -> bool:
    """Whether a file of this name is one of ours that a killed process may have left."""
    return bool(_TEMPORARY.match(name) or _MOVED_ASIDE.match(name))


def sha256_of(path: Path) -> str:
    """The sha256 of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def sync_tree(folder: Path) -> None:
    """Put every file below `folder`, and the folders themselves, on the disk."""
    for parent, _, names in os.walk(folder):
        for name in names:
            _sync(Path(parent) / name)
        _sync(Path(parent))


def _sync(entry: Path) -> None:
    descriptor = os.open(entry, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
