"""Whole or not at all, for files and folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from procvid.errors import OutputError
from procvid.media.files import replacing, replacing_folder, write_text


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_block_that_fails_leaves_the_older_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "older\n")
    with pytest.raises(ZeroDivisionError), replacing(path) as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    assert path.read_text() == "older\n" and names(tmp_path) == ["a.txt"]


def test_a_folder_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "store"
    for content in ("one", "two"):
        with replacing_folder(path) as temporary:
            (temporary / f"{content}.txt").write_text(content)
    assert names(path) == ["two.txt"] and names(tmp_path) == ["store"]


def test_a_folder_that_fails_leaves_the_older_one(tmp_path: Path) -> None:
    path = tmp_path / "store"
    with replacing_folder(path) as temporary:
        (temporary / "one.txt").write_text("one")
    with pytest.raises(OutputError, match="disk is full"), replacing_folder(path) as temporary:
        (temporary / "two.txt").write_text("two")
        raise OSError(28, "No space left on device")
    assert names(path) == ["one.txt"] and names(tmp_path) == ["store"]


def test_text_has_unix_line_ends(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "é\n")
    assert (tmp_path / "a.txt").read_bytes() == b"\xc3\xa9\n"
