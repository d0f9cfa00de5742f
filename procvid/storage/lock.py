"""Let one process at a time work in a folder."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from procvid.errors import OutputError, RunError
from procvid.stopping import stop_if_asked
from procvid.storage.atomic import output_errors

LOCK = ".lock"
# Long enough to try again when the last owner removes its lock file at this very moment.
TIMEOUT_S = 0.05
POLL_S = 0.01
OWN_S = 60.0
"""Longest wait for another thread of this process."""


class AlreadyHeldError(RunError):
    """Another process, `pid` or "unknown", holds the lock."""

    def __init__(self, folder: Path, pid: str) -> None:
        super().__init__(
            f"Another process (pid {pid}) works in {str(folder)!r}.",
            "Wait until it finishes, stop it, or choose another folder.",
        )
        self.pid = pid


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold `folder` until the block ends. The kernel releases it when the process dies.

    Raises:
        RunError: Another process, or another run of this process, works there.
        OutputError: The folder cannot be written.
    """
    with output_errors(folder):
        if not folder.is_dir():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(folder))
        lock = _acquired(folder / LOCK)
    with _held(folder / LOCK, lock):
        yield


def wait_for_own(folder: Path, limit_s: float = OWN_S) -> None:
    """Wait until no other thread of this process works in `folder`, at most `limit_s` seconds.

    Raises:
        Stopped: The work was asked to stop.
    """
    ends_s = time.monotonic() + limit_s
    while folder.is_dir() and time.monotonic() < ends_s:
        stop_if_asked()
        try:
            with locked(folder):
                return
        except AlreadyHeldError as error:
            if error.pid != str(os.getpid()):
                return
        time.sleep(POLL_S)


@contextmanager
def output_folder(folder: Path) -> Iterator[None]:
    """Create `folder` if needed and hold it until the block ends.

    Use it before long work, so that an unwritable place is found first. A folder that was created
    here and is still empty at the end is removed.

    Raises:
        RunError: Another process, or another thread of this process, writes there.
        OutputError: The path is a file, or the folder cannot be created or written.
    """
    created = not folder.exists()
    if not created and not folder.is_dir():
        raise OutputError(
            f"The output {str(folder)!r} is a file, not a folder.", "Choose another path."
        )
    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    try:
        with locked(folder):
            yield
    finally:
        if created:
            with suppress(OSError):
                folder.rmdir()


@contextmanager
def locked_file(path: Path) -> Iterator[None]:
    """Hold a lock file of any name until the block ends. Create it before and remove it after.

    Raises:
        AlreadyHeldError: Another process holds it.
        OSError: The file cannot be created.
    """
    with _held(path, _acquired(path)):
        yield


def _acquired(path: Path) -> FileLock:
    # A generator of events may be closed by another thread than the one that started it.
    lock = FileLock(path, mode=0o644, thread_local=False, fallback_to_soft=False)
    try:
        lock.acquire(timeout=TIMEOUT_S, poll_interval=POLL_S)
    except Timeout as error:
        raise AlreadyHeldError(path.parent, _owner(path)) from error
    return lock


@contextmanager
def _held(path: Path, lock: FileLock) -> Iterator[None]:
    try:
        path.write_text(f"{os.getpid()}\n")
        yield
    finally:
        # Remove the file while we hold it, so that no other process locks a file that is about to be removed.
        with suppress(FileNotFoundError):
            path.unlink()
        lock.release()


def _owner(path: Path) -> str:
    try:
        return path.read_text(errors="replace")[:32].strip() or "unknown"
    except OSError:
        return "unknown"
