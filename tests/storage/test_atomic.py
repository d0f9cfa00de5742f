"""Files and folders appear complete or not at all."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from procvid.errors import OutputError
from procvid.storage.atomic import new_folder, replacing, replacing_folder, write_text
from tests.disk import files_no_larger_than


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


def test_a_disk_that_fills_up_while_a_folder_is_copied_is_named(tmp_path: Path) -> None:
    (tmp_path / "from").mkdir()
    (tmp_path / "from" / "weights").write_bytes(bytes(3000))
    with (
        pytest.raises(OutputError, match="larger than the system allows"),
        files_no_larger_than(1000),
        replacing_folder(tmp_path / "to") as new,
    ):
        shutil.copytree(tmp_path / "from", new / "part")
    assert [path.name for path in tmp_path.iterdir()] == ["from"]


def test_text_has_unix_line_ends(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "é\n")
    assert (tmp_path / "a.txt").read_bytes() == b"\xc3\xa9\n"


def test_a_new_folder_spares_its_neighbours_and_follows_a_link(tmp_path, monkeypatch):
    (tmp_path / "out.tmp").mkdir()
    (tmp_path / "out.tmp" / "precious").touch()
    with new_folder(tmp_path / "out") as folder:
        (folder / "a").touch()
    assert (tmp_path / "out" / "a").exists() and (tmp_path / "out.tmp" / "precious").exists()

    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    with new_folder(tmp_path / "link") as folder:
        (folder / "b").touch()
    assert (tmp_path / "empty" / "b").exists() and (tmp_path / "link").is_symlink()

    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with new_folder(Path(".")) as folder:
        (folder / "c").touch()
    assert (tmp_path / "here" / "c").exists()


def test_what_another_program_writes_meanwhile_is_reported_and_kept(tmp_path):
    with pytest.raises(OutputError, match="something there"), new_folder(tmp_path / "out"):
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "other").touch()
    assert [entry.name for entry in tmp_path.iterdir()] == ["out"]


def test_an_existing_folder_is_not_touched(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="already exists"), new_folder(tmp_path):
        pass
    too_large = new_folder(tmp_path / "out", needed_bytes=10**18)
    with pytest.raises(OutputError, match=r"needs 1000000000.0 GB and the disk has"), too_large:
        pass
    assert names(tmp_path) == ["mine.txt"]
