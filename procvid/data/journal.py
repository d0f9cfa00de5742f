"""Keep the finished work of each video and stage in a SQLite file that survives a kill.

An entry counts only for the input it was made from. So a new video, or one whose captions changed,
is processed, and nothing else is.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from procvid.data.source import Row
from procvid.errors import InputError
from procvid.storage.journal import Journal


class StageJournal(Journal):
    """The finished work of a curation folder, by stage and video."""

    def prepare(self, database: sqlite3.Connection) -> None:
        """Create the table."""
        database.execute(
            "CREATE TABLE IF NOT EXISTS done (stage TEXT, video TEXT, input TEXT, body TEXT, "
            "PRIMARY KEY (stage, video)) WITHOUT ROWID"
        )

    def has(self, stage: str, video_id: str, key: str) -> bool:
        """Return True if this stage is done for this input of a video."""
        row = self._one("input", stage, video_id)
        return row is not None and row == key

    def keep(self, stage: str, video_id: str, key: str, body: Row) -> None:
        """Write the result of a stage for a video."""
        with self.writing():
            self.database.execute(
                "INSERT OR REPLACE INTO done VALUES (?, ?, ?, ?)",
                (stage, video_id, key, as_line(body)),
            )

    def clear(self, stage: str) -> None:
        """Delete all results of a stage."""
        with self.writing():
            self.database.execute("DELETE FROM done WHERE stage = ?", (stage,))

    def bodies(self, stage: str) -> Iterator[tuple[str, Row]]:
        """Yield the results of a stage, ordered by video id."""
        rows = self.database.execute(
            "SELECT video, body FROM done WHERE stage = ? ORDER BY video", (stage,)
        )
        with self._reading():
            for video_id, body in rows:
                yield video_id, json.loads(body)

    def body(self, stage: str, video_id: str) -> Row | None:
        """Return the result of a stage for one video, or None."""
        row = self._one("body", stage, video_id)
        return None if row is None else json.loads(row)

    def _one(self, column: str, stage: str, video_id: str) -> str | None:
        with self._reading():
            row = self.database.execute(
                f"SELECT {column} FROM done WHERE stage = ? AND video = ?", (stage, video_id)
            ).fetchone()
            return None if row is None else str(row[0])

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.DatabaseError, ValueError) as error:
            raise InputError(
                f"The file {self.file} is damaged.",
                "Remove it and run the same command again. All videos are processed again.",
            ) from error


def as_line(row: Row) -> str:
    """Return JSON on one line. Equal values give equal text."""
    return json.dumps(row, ensure_ascii=False, sort_keys=True, separators=(", ", ": "))


def key_of(row: Row) -> str:
    """Return the sha256 of an input."""
    return hashlib.sha256(as_line(row).encode("utf-8", "replace")).hexdigest()
