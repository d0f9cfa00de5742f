"""One process at a time works in a run folder."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from procvid.errors import RunError
from procvid.rundir.files import output_errors

LOCK = ".lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold `folder` until the block ends; the kernel lets go of it when the process dies.

    Raises:
        RunError: Another process, or another run of this one, works there.
        OutputError: The folder cannot be written.
    """
    with output_errors(folder):
        descriptor = _take(folder / LOCK)
    try:
        os.truncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
    finally:
        # Removed while it is still held, so that nobody takes a lock file that is about to go.
        with suppress(FileNotFoundError):
            (folder / LOCK).unlink()
        os.close(descriptor)


def _take(path: Path) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _still_there(path, descriptor):
                return descriptor
        except BlockingIOError as error:
            owner = os.read(descriptor, 32).decode(errors="replace").strip()
            os.close(descriptor)
            raise RunError(
                f"Another process (pid {owner or 'unknown'}) works in {str(path.parent)!r}.",
                "Wait until it is done, stop it, or choose another folder.",
            ) from error
        except OSError:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _still_there(path: Path, descriptor: int) -> bool:
    """Whether the file that we hold is the one that others find at `path`."""
    try:
        return path.stat().st_ino == os.fstat(descriptor).st_ino
    except FileNotFoundError:
        return False
