"""The documentation's figures are of the shipped reader."""

from __future__ import annotations

from pathlib import Path

import procvid
from procvid.storage.files import sha256_of

READER = Path(procvid.__file__).parent / "assets" / "tiny_reader" / "reader.safetensors"
DOCS = Path(__file__).parents[3] / "docs" / "rl.md"


def test_the_figures_are_of_the_shipped_reader():
    assert f"tiny reader `{sha256_of(READER)[:12]}`" in DOCS.read_text("utf-8")
