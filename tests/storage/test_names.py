"""Names that look equal but have other bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

from procvid.storage.names import as_on_disk

COMPOSED, DECOMPOSED = "cr\u00e8me", "cre\u0300me"


@pytest.mark.parametrize("given", [COMPOSED, DECOMPOSED])
def test_the_other_form_is_found(tmp_path: Path, given: str) -> None:
    wanted = tmp_path / given / f"{given}.mp4"
    assert as_on_disk(wanted) == wanted
    other = COMPOSED if given == DECOMPOSED else DECOMPOSED
    file = tmp_path / other / f"{other}.mp4"
    file.parent.mkdir()
    file.write_bytes(b"1")
    assert as_on_disk(wanted) == file
    # An exact name comes first, even when both exist.
    wanted.parent.mkdir()
    wanted.write_bytes(b"2")
    assert as_on_disk(wanted) == wanted


def test_a_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / COMPOSED).write_bytes(b"1")
    assert as_on_disk(Path(DECOMPOSED)) == Path(COMPOSED)
