"""The size of the default store, read from its manifest."""

from __future__ import annotations

import json
from pathlib import Path

import procvid

_FOLDER = Path(procvid.__file__).parent / "assets" / "default_memory"
_COUNTS = json.loads((_FOLDER / "manifest.json").read_text(encoding="utf-8"))["counts"]
CROPS: int = _COUNTS["crops"]
NAMES: int = _COUNTS["names"]
