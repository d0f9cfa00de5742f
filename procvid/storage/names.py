"""File names that look equal but have other bytes.

macOS writes "é" as e and an accent (decomposed, NFD), other systems as one character (NFC). A list
made on one system then names files that the other system does not find.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path


def composed(name: str) -> str:
    """Return a name in composed form (NFC), in which equal names have equal characters."""
    return unicodedata.normalize("NFC", name)


def as_on_disk(path: Path) -> Path:
    """Return the existing path that equals `path` in composed form, or `path` if there is none."""
    if str(path).isascii() or os.path.lexists(path):
        return path
    found = Path(path.anchor)
    for part in path.parts[1:] if path.anchor else path.parts:
        known = os.path.lexists(found / part)
        found /= part if known else _names(found).get(composed(part), part)
    return found if os.path.lexists(found) else path


def _names(folder: Path) -> Mapping[str, str]:
    try:
        return _listed(str(folder), folder.stat().st_mtime_ns)
    except OSError:
        return {}


@lru_cache(maxsize=16)
def _listed(folder: str, _changed_ns: int) -> Mapping[str, str]:
    """Return the names in a folder by their composed form; the cache ends when it changes."""
    return {composed(name): name for name in sorted(os.listdir(folder))}
