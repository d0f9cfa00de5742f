"""Write files and folders so that each one appears complete or not at all.

Everything is written under a temporary name beside its target and then renamed. A killed process,
a full disk or a read-only folder never leaves half a result under the real name.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import get_ident

from procvid.errors import OutputError

REASONS = {
    errno.ENOSPC: ("the disk is full", "Free some space or choose another folder."),
    errno.EDQUOT: ("the disk quota is used up", "Free some space or choose another folder."),
    errno.EFBIG: ("the file is larger than the system allows", "Choose another folder."),
    errno.EROFS: ("the folder is read-only", "Choose a folder you can write to."),
    errno.EACCES: ("permission denied", "Choose a folder you can write to."),
    errno.EPERM: ("permission denied", "Choose a folder you can write to."),
    errno.ENOENT: ("its folder does not exist", "Create the folder first."),
    errno.ENOTDIR: ("part of its path is a file, not a folder", "Choose another folder."),
    errno.ENOTEMPTY: ("another program has put something there", "Choose another folder."),
    errno.ENAMETOOLONG: ("its name is too long", "Choose a shorter name."),
}


def output_error(path: Path, error: OSError) -> OutputError:
    """Return the OutputError that explains why `path` could not be written."""
    unknown = (error.strerror or type(error).__name__, "Choose another folder.")
    number = error.errno
    if isinstance(error, shutil.Error):
        # copytree gathers its errors as text.
        found = re.search(r"\[Errno (\d+)\]", str(error))
        number = int(found[1]) if found else None
    reason, hint = REASONS.get(number or 0, unknown)
    return OutputError(f"Cannot write {path}: {reason}.", hint)


@contextmanager
def output_errors(path: Path) -> Iterator[None]:
    """Turn an OSError while writing `path` into an OutputError."""
    try:
        yield
    except OSError as error:
        raise output_error(path, error) from error


def temporary_name(path: Path) -> Path:
    """Return the hidden name beside `path` to write to first.

    The suffix stays, because writers choose the format by it.
    """
    return path.with_name(f".{path.stem}.{os.getpid()}-{get_ident()}.tmp{path.suffix}")


def remove(path: Path) -> None:
    """Remove a file, or a folder with its contents. Do nothing if it does not exist."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    elif path.exists() or path.is_symlink():
        path.unlink()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary name to write a file to, and rename it to `path` if the block succeeds.

    Raises:
        OutputError: Writing failed. `path` is unchanged and no temporary file is left.
    """
    temporary = temporary_name(path)
    try:
        with output_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            temporary.replace(path)
    finally:
        _remove_quietly(temporary)


@contextmanager
def replacing_folder(path: Path, *, only_empty: bool = False) -> Iterator[Path]:
    """Yield a temporary folder to fill, and rename it to `path` if the block succeeds.

    An older folder at `path` is moved aside first and removed last. If the process is killed
    between the two renames, the older folder stays beside its place, complete. With `only_empty`
    an older folder must be empty.

    Raises:
        OutputError: Writing failed. `path` is unchanged and no temporary folder is left.
    """
    temporary = temporary_name(path)
    older = path.with_name(f".{path.name}.{os.getpid()}-{get_ident()}.old")
    try:
        with output_errors(path):
            _remove_quietly(temporary)
            temporary.mkdir(parents=True)
            yield temporary
            if only_empty and path.is_dir():
                path.rmdir()
            elif path.exists() and not only_empty:
                path.replace(older)
            temporary.replace(path)
    finally:
        if older.exists() and not path.exists():
            older.replace(path)
        _remove_quietly(temporary)
        _remove_quietly(older)


@contextmanager
def new_folder(path: Path, needed_bytes: int = 0) -> Iterator[Path]:
    """Yield a temporary folder to fill, and rename it to the new folder `path` if the block succeeds.

    Args:
        path: Must not exist, or must be an empty folder. A link is followed and kept.
        needed_bytes: Fail before the block if the disk has less free space.

    Raises:
        OutputError: The folder exists or cannot be created, or the disk is too small.
    """
    path = path.resolve()
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise OutputError(f"{str(path)!r} already exists.", "Remove it, or choose another folder.")
    with output_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        free_bytes = shutil.disk_usage(path.parent).free
    if free_bytes < needed_bytes:
        raise OutputError(
            f"{str(path)!r} needs {needed_bytes / 1e9:.1f} GB and the disk has "
            f"{free_bytes / 1e9:.1f} GB free.",
            "Free some space, or choose a folder on another disk.",
        )
    with replacing_folder(path, only_empty=True) as temporary:
        yield temporary


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file atomically.

    Raises:
        OutputError: The file cannot be written.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file atomically, with `\\n` line ends on every system.

    Raises:
        OutputError: The file cannot be written.
    """
    write_bytes(path, text.encode("utf-8"))


def _remove_quietly(path: Path) -> None:
    # A failed cleanup must not hide the error that led to it, such as a read-only parent.
    with suppress(OSError):
        remove(path)
