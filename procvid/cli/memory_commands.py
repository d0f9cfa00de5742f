"""Which function runs which `procvid memory` command; what is heavy is imported when it is asked for."""

from __future__ import annotations

import argparse
from collections.abc import Callable

READING = {"build", "search", "info", "history", "calibrate"}


def command_of(name: str) -> Callable[[argparse.Namespace], None]:
    """The function of a command under `memory`."""
    if name in READING or name == "map":
        from procvid.cli import memory

        return memory.plane if name == "map" else getattr(memory, name)
    from procvid.cli import memory_edit

    return getattr(memory_edit, name)  # type: ignore[no-any-return]
