"""One process at a time works in a run folder, or writes its results to another."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from procvid.errors import OutputError, RunError
from procvid.storage.files import output_errors

LOCK = ".lock"


class AlreadyHeldError(RunError):
    """Another process, `pid` or "unknown", holds the lock."""

    def __init__(self, folder: Path, pid: str) -> None:
        super().__init__(
            f"Another process (pid {pid}) works in {str(folder)!r}.",
            "Wait until it is done, stop it, or choose another folder.",
        )
        self.pid = pid


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold `folder` until the block ends; the kernel lets go of it when the process dies.

    Raises:
        RunError: Another process, or another run of this one, works there.
        OutputError: The folder cannot be written.
    """
    with output_errors(folder):
        descriptor = _take(folder / LOCK)
    with _held(folder / LOCK, descriptor):
        yield


@contextmanager
def output_folder(folder: Path) -> Iterator[None]:
    """Make `folder` where it is not there and hold it until the block ends: before the work, so that
    a place that cannot be written costs none. One that was made here and stays empty is gone after it.

    Raises:
        RunError: Another process, or another thread of this one, writes there.
        OutputError: It is a file, or cannot be made or written.
    """
    made = not folder.exists()
    if not made and not folder.is_dir():
        raise OutputError(f"The output {str(folder)!r} is a file, not a folder.", "Choose another.")
    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    try:
        with locked(folder):
            yield
    finally:
        if made:
            with suppress(OSError):
                folder.rmdir()


@contextmanager
def locked_file(path: Path) -> Iterator[None]:
    """Hold a lock file of any name until the block ends, made for it and removed after it.

    Raises:
        AlreadyHeldError: Another process holds it.
        OSError: It cannot be made.
    """
    with _held(path, _take(path)):
        yield


@contextmanager
def _held(path: Path, descriptor: int) -> Iterator[None]:
    try:
        os.truncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
    finally:
        # Removed while it is still held, so that nobody takes a lock file that is about to go.
        with suppress(FileNotFoundError):
            path.unlink()
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
            raise AlreadyHeldError(path.parent, owner or "unknown") from error
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
