"""A file or a folder appears whole or not at all.

Everything is written under a sibling temporary name and renamed, so a killed process, a full disk
or a read-only folder never leaves half a result under the real name.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from threading import get_ident

from procvid.errors import OutputError

REASONS = {
    errno.ENOSPC: ("the disk is full", "Free some space or choose another folder."),
    errno.EDQUOT: ("the disk quota is used up", "Free some space or choose another folder."),
    errno.EFBIG: ("the file would be larger than allowed here", "Choose another folder."),
    errno.EROFS: ("the folder is read-only", "Choose a folder that can be written."),
    errno.EACCES: ("writing there is not permitted", "Choose a folder that can be written."),
    errno.EPERM: ("writing there is not permitted", "Choose a folder that can be written."),
    errno.ENOENT: ("its folder does not exist", "Make the folder first."),
    errno.ENOTDIR: ("a part of its path is a file, not a folder", "Choose another folder."),
    errno.ENOTEMPTY: ("another program has put something there", "Choose another folder."),
    errno.ENAMETOOLONG: ("its name is too long", "Choose a shorter name."),
}


def output_error(path: Path, error: OSError) -> OutputError:
    """The OutputError that tells a person why `path` could not be written."""
    said = error.strerror or type(error).__name__
    reason, hint = REASONS.get(error.errno or 0, (said, "Choose another folder."))
    return OutputError(f"Cannot write {path}: {reason}.", hint)


def temporary_name(path: Path) -> Path:
    """The hidden sibling under which `path` is written first; the suffix stays, writers read it."""
    return path.with_name(f".{path.stem}.{os.getpid()}-{get_ident()}.tmp{path.suffix}")


def remove(path: Path) -> None:
    """Remove a file or a folder with all that is in it; nothing happens when it is not there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    elif path.exists() or path.is_symlink():
        path.unlink()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary name to write a file under; rename it to `path` when the block ends well.

    Raises:
        OutputError: writing failed; `path` is as it was before and nothing else is left.
    """
    temporary = temporary_name(path)
    try:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            temporary.replace(path)
        except OSError as error:
            raise output_error(path, error) from error
    finally:
        _leave_nothing(temporary)


@contextmanager
def replacing_folder(path: Path, *, only_empty: bool = False) -> Iterator[Path]:
    """Give a temporary folder to fill; it takes the place of `path` when the block ends well.

    An older folder at `path` is moved aside first and removed last: a kill between the two renames
    leaves it beside its place, whole. With `only_empty` it is an error unless it is empty.

    Raises:
        OutputError: writing failed; `path` is as it was before and nothing else is left.
    """
    temporary = temporary_name(path)
    older = path.with_name(f".{path.name}.{os.getpid()}-{get_ident()}.old")
    try:
        try:
            _leave_nothing(temporary)
            temporary.mkdir(parents=True)
            yield temporary
            if only_empty and path.is_dir():
                path.rmdir()
            elif path.exists() and not only_empty:
                path.replace(older)
            temporary.replace(path)
        except OSError as error:
            raise output_error(path, error) from error
    finally:
        if older.exists() and not path.exists():
            older.replace(path)
        _leave_nothing(temporary)
        _leave_nothing(older)


@contextmanager
def new_folder(path: Path, needed_bytes: int = 0) -> Iterator[Path]:
    """Give a temporary folder to fill; it becomes `path`, where nothing may be, when the block ends well.

    Args:
        path: Must not exist, or be an empty folder. A link keeps pointing where it does.
        needed_bytes: Answer beforehand when the disk has less.

    Raises:
        OutputError: It exists, cannot be made, or the disk is too small.
    """
    path = path.resolve()
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise OutputError(f"{str(path)!r} is there already.", "Remove it, or choose another.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        free_bytes = shutil.disk_usage(path.parent).free
    except OSError as error:
        raise output_error(path, error) from error
    if free_bytes < needed_bytes:
        raise OutputError(
            f"{str(path)!r} needs {needed_bytes / 1e9:.1f} GB and the disk has "
            f"{free_bytes / 1e9:.1f} GB free.",
            "Free some space, or choose a folder on another disk.",
        )
    with replacing_folder(path, only_empty=True) as temporary:
        yield temporary


def restore(path: Path) -> None:
    """Put back a folder that a killed process had moved aside to replace it, and clear its leavings.

    Only what processes left that are no more is touched.
    """
    if not path.parent.is_dir():
        return
    left = [
        entry
        for begin, end in ((path.name, ".old"), (path.stem, f".tmp{path.suffix}"))
        for entry in path.parent.glob(f".{escape(begin)}.*{escape(end)}")
        if _is_left_over(entry.name)
    ]
    for entry in sorted(left):
        if entry.name.endswith(".old") and not path.exists():
            with suppress(OSError):
                entry.replace(path)
        else:
            _leave_nothing(entry)


def _is_left_over(name: str) -> bool:
    """Whether the process that a temporary name tells of is gone."""
    told = re.search(r"\.(\d+)-\d+\.(?:old|tmp)", name)
    if told is None:
        return False
    try:
        os.kill(int(told.group(1)), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file atomically.

    Raises:
        OutputError: the file cannot be written.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file atomically, with `\\n` line ends on every system.

    Raises:
        OutputError: the file cannot be written.
    """
    write_bytes(path, text.encode("utf-8"))


def _leave_nothing(path: Path) -> None:
    # Cleaning up must not hide the error that made it necessary (e.g. a read-only parent).
    try:
        remove(path)
    except OSError:
        return
