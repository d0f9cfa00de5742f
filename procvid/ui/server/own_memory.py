"""Read-only names for visitors' memories.

The id of a memory allows changing it, so a run records a read-only name instead: everyone who knows
the address of a run can read its files.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from procvid.ui.server.memories import FOLDER, MEMORY_ID

ALIAS = re.compile(r"own-[0-9a-f]{16}")


def alias_of(memory: str) -> str:
    """Return the read-only name for a memory's id, and any other name unchanged."""
    if not MEMORY_ID.fullmatch(memory):
        return memory
    return "own-" + hashlib.sha256(f"procvid memory {memory}".encode()).hexdigest()[:16]


def find_folder(runs_folder: Path, memory: str) -> Path | None:
    """Return the folder of a memory by its id or its read-only name, or None."""
    if MEMORY_ID.fullmatch(memory) and (runs_folder / FOLDER / memory).is_dir():
        return runs_folder / FOLDER / memory
    if not ALIAS.fullmatch(memory) or not (runs_folder / FOLDER).is_dir():
        return None
    for folder in (runs_folder / FOLDER).iterdir():
        if alias_of(folder.name) == memory:
            return folder
    return None
