"""A person's memory by a name that reads and does not write.

Its id is the key to change it, so no run may hold it: whoever is sent the address of a run can read
all of that run's files.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from procvid.ui.server.memories import FOLDER, MEMORY_ID

ALIAS = re.compile(r"own-[0-9a-f]{16}")


def alias_of(memory: str) -> str:
    """The reading name of a memory's id; any other name as it is."""
    if not MEMORY_ID.fullmatch(memory):
        return memory
    return "own-" + hashlib.sha256(f"procvid memory {memory}".encode()).hexdigest()[:16]


def find_folder(runs_folder: Path, memory: str) -> Path | None:
    """The folder of a memory, by its id or its reading name; None when there is none."""
    if MEMORY_ID.fullmatch(memory) and (runs_folder / FOLDER / memory).is_dir():
        return runs_folder / FOLDER / memory
    if not ALIAS.fullmatch(memory) or not (runs_folder / FOLDER).is_dir():
        return None
    for folder in (runs_folder / FOLDER).iterdir():
        if alias_of(folder.name) == memory:
            return folder
    return None
