"""Hash files of models."""

from __future__ import annotations

import hashlib
from pathlib import Path


def file_sha256(file: Path) -> str:
    """Return the hex sha256 of a file, read in pieces."""
    digest = hashlib.sha256()
    with file.open("rb") as opened:
        while piece := opened.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()
