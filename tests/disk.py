"""Simulate a full disk with a limit of the kernel, and a disk with a chosen free space."""

from __future__ import annotations

import resource
import shutil
from collections import namedtuple
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

Usage = namedtuple("Usage", "total used free")
LARGE_BYTES = 10**12


@contextmanager
def files_no_larger_than(num_bytes: int) -> Iterator[None]:
    """Let the kernel refuse to write past this size, as on a full disk.

    Python ignores the signal of the limit, so the write fails.
    """
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def disk_with(monkeypatch: pytest.MonkeyPatch, free_bytes: int = LARGE_BYTES) -> None:
    """Let every disk report this much free space, so that a test depends on no machine's disk."""
    usage = Usage(max(free_bytes, LARGE_BYTES), 0, free_bytes)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
