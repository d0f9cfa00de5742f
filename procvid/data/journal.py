"""What is finished, video by video and stage by stage: one SQLite file, whole after a kill at any moment.

An entry counts only for the input that it was made from, so a video that came later, or whose
captions changed, is worked on, and nothing else is.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from procvid.data.source import Row
from procvid.errors import InputError, OutputError
from procvid.storage.atomic import remove

FILE = "journal.sqlite"


class Journal:
    """The finished work in a folder.

    Args:
        folder: Is there.

    Raises:
        OutputError: it cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE
        try:
            self._database = self._open()
        except sqlite3.DatabaseError:
            # Not a database any more: nothing is lost but time.
            for end in ("", "-wal", "-shm"):
                remove(folder / f"{FILE}{end}")
            with self._writing():
                self._database = self._open()

    def _open(self) -> sqlite3.Connection:
        database = sqlite3.connect(self._file, isolation_level=None)
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=NORMAL")
        database.execute(
            "CREATE TABLE IF NOT EXISTS done (stage TEXT, video TEXT, input TEXT, body TEXT, "
            "PRIMARY KEY (stage, video)) WITHOUT ROWID"
        )
        return database

    def has(self, stage: str, video_id: str, key: str) -> bool:
        """Whether this stage is done for this input of a video."""
        row = self._one("input", stage, video_id)
        return row is not None and row == key

    def keep(self, stage: str, video_id: str, key: str, body: Row) -> None:
        """Note what a stage made of a video."""
        with self._writing():
            self._database.execute(
                "INSERT OR REPLACE INTO done VALUES (?, ?, ?, ?)",
                (stage, video_id, key, as_line(body)),
            )

    @contextmanager
    def together(self) -> Iterator[None]:
        """Many entries as one, which is faster by far."""
        with self._writing():
            self._database.execute("BEGIN")
            try:
                yield
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")

    def clear(self, stage: str) -> None:
        """Drop all that a stage made."""
        with self._writing():
            self._database.execute("DELETE FROM done WHERE stage = ?", (stage,))

    def bodies(self, stage: str) -> Iterator[tuple[str, Row]]:
        """What a stage made, in the order of the videos' ids."""
        rows = self._database.execute(
            "SELECT video, body FROM done WHERE stage = ? ORDER BY video", (stage,)
        )
        with self._reading():
            for video_id, body in rows:
                yield video_id, json.loads(body)

    def body(self, stage: str, video_id: str) -> Row | None:
        """What a stage made of one video."""
        row = self._one("body", stage, video_id)
        return None if row is None else json.loads(row)

    def close(self) -> None:
        """Let go of the file; what is kept stays."""
        self._database.close()

    def _one(self, column: str, stage: str, video_id: str) -> str | None:
        with self._reading():
            row = self._database.execute(
                f"SELECT {column} FROM done WHERE stage = ? AND video = ?", (stage, video_id)
            ).fetchone()
            return None if row is None else str(row[0])

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.DatabaseError, ValueError) as error:
            raise InputError(
                f"The file {self._file} is damaged.",
                "Remove it and run the same command again: the videos are worked on anew.",
            ) from error

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise OutputError(
                f"Cannot write {self._file}: {error}.",
                "Free some space; what is finished is kept, and the same command goes on.",
            ) from error


def as_line(row: Row) -> str:
    """JSON on one line; the same value is the same text."""
    return json.dumps(row, ensure_ascii=False, sort_keys=True, separators=(", ", ": "))


def key_of(row: Row) -> str:
    """sha256 of an input."""
    return hashlib.sha256(as_line(row).encode("utf-8", "replace")).hexdigest()
