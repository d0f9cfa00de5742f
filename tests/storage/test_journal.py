"""A journal survives damage, and reports a folder that cannot be written."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from procvid.errors import OutputError
from procvid.storage.journal import FILE, Journal


class Notes(Journal):
    """A journal with one table."""

    def prepare(self, database: sqlite3.Connection) -> None:
        database.execute("CREATE TABLE IF NOT EXISTS notes (text TEXT)")

    def add(self, text: str) -> None:
        with self.writing():
            self.database.execute("INSERT INTO notes VALUES (?)", (text,))

    def all(self) -> list[str]:
        return [text for (text,) in self.database.execute("SELECT text FROM notes")]


def test_entries_stay_and_a_damaged_file_is_replaced(tmp_path: Path) -> None:
    first = Notes(tmp_path / "work")
    first.add("one")
    first.close()
    again = Notes(tmp_path / "work")
    assert again.all() == ["one"]
    again.close()
    (tmp_path / "work" / FILE).write_bytes(b"no database" * 100)
    assert Notes(tmp_path / "work").all() == []


def test_a_transaction_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    notes = Notes(tmp_path)
    with pytest.raises(ZeroDivisionError), notes.transaction():
        notes.add("half")
        raise ZeroDivisionError
    assert notes.all() == []
    with notes.transaction():
        notes.add("one")
        notes.add("two")
    assert notes.all() == ["one", "two"]


def test_a_full_disk_is_one_sentence(tmp_path: Path) -> None:
    notes = Notes(tmp_path)
    notes.database.execute("PRAGMA max_page_count = 3")
    with pytest.raises(OutputError, match=rf"Cannot write .*{FILE}: .*full"):
        notes.add("x" * 1_000_000)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="Cannot write"):
        Notes(tmp_path / "file")
