"""JSON files, file hashes, folders flushed to disk, and the leftovers of killed processes."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from procvid.storage.atomic import output_errors, remove, replacing, replacing_folder

# The hidden names that `replacing` and `replacing_folder` give. Older versions wrote no thread id.
_TEMPORARY = re.compile(r"\.(?P<stem>.+)\.(?P<pid>\d+)(?:-\d+)?\.tmp(?P<suffix>\.[^.]+)?")
_MOVED_ASIDE = re.compile(r"\.(?P<name>.+)\.(?P<pid>\d+)(?:-\d+)?\.old")


def write_json(path: Path, value: Any) -> None:
    """Write indented UTF-8 JSON, keys in the given order, and flush it before the rename.

    Raises:
        OutputError: The file cannot be written. The old file stays.
    """
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write((json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode())
        file.flush()
        os.fsync(file.fileno())


def read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file.

    Raises:
        OSError: The file cannot be read.
        ValueError: The file holds something else.
    """
    value = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return value


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder to fill, then flush it to disk and rename it to `path`.

    Raises:
        OutputError: The folder cannot be written. An older folder at `path` stays.
    """
    with replacing_folder(path) as temporary:
        yield temporary
        sync_tree(temporary)
    with output_errors(path):
        _sync(path.parent)


def sync_tree(folder: Path) -> None:
    """Flush every file and folder below `folder` to disk."""
    for parent, _, names in os.walk(folder):
        for name in names:
            _sync(Path(parent) / name)
        _sync(Path(parent))


def is_temporary(name: str) -> bool:
    """Return True if this file name is a temporary name of ours."""
    return bool(_TEMPORARY.fullmatch(name) or _MOVED_ASIDE.fullmatch(name))


def sweep(folder: Path, unlocked: Iterable[str] = ()) -> None:
    """Remove all temporary entries in `folder`, and put back folders that were moved aside.

    Lock the folder first: entries of running processes are removed too.

    Args:
        folder: The folder.
        unlocked: Names of files that are written without the lock. Their entries are removed only
            when the process has ended.

    Raises:
        OutputError: The folder cannot be written.
    """
    free = [folder / name for name in unlocked]
    with output_errors(folder):
        for entry in sorted(folder.iterdir()):
            if any(_belongs_to(entry.name, path) for path in free) and not _has_ended(entry.name):
                continue
            _clear(entry)


def restore(path: Path) -> None:
    """Do the same as `sweep` for `path` alone, and only for entries of processes that have ended."""
    with suppress(OSError):
        for entry in sorted(path.parent.iterdir()):
            if _belongs_to(entry.name, path) and _has_ended(entry.name):
                with suppress(OSError):
                    _clear(entry)


def _clear(entry: Path) -> None:
    moved = _MOVED_ASIDE.fullmatch(entry.name)
    if moved and not entry.with_name(moved["name"]).exists():
        entry.replace(entry.with_name(moved["name"]))
    elif is_temporary(entry.name):
        remove(entry)


def _belongs_to(name: str, path: Path) -> bool:
    if temporary := _TEMPORARY.fullmatch(name):
        return (temporary["stem"], temporary["suffix"] or "") == (path.stem, path.suffix)
    moved = _MOVED_ASIDE.fullmatch(name)
    return moved is not None and moved["name"] == path.name


def _has_ended(name: str) -> bool:
    """Return True if the process that made this temporary name no longer runs."""
    match = _TEMPORARY.fullmatch(name) or _MOVED_ASIDE.fullmatch(name)
    if match is None:
        return False
    try:
        os.kill(int(match["pid"]), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False


def _sync(entry: Path) -> None:
    descriptor = os.open(entry, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
