"""Keep finished work in one SQLite file that survives a kill at any moment."""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from procvid.errors import OutputError
from procvid.storage.atomic import output_errors, remove

FILE = "journal.sqlite"


class Journal(ABC):
    """Base of the journals: a SQLite database whose loss costs time and nothing else.

    A file that is no longer a database is replaced by an empty one.

    Args:
        folder: Where the file is. Created if it does not exist.

    Raises:
        OutputError: The folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        with output_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / FILE
        try:
            self.database = self._open()
        except sqlite3.DatabaseError:
            for end in ("", "-wal", "-shm"):
                remove(folder / f"{FILE}{end}")
            with self.writing():
                self.database = self._open()

    @abstractmethod
    def prepare(self, database: sqlite3.Connection) -> None:
        """Create the tables that do not exist yet."""

    def _open(self) -> sqlite3.Connection:
        database = sqlite3.connect(self.file, isolation_level=None)
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=NORMAL")
        self.prepare(database)
        return database

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Turn an error of the database while writing into an OutputError."""
        try:
            yield
        except sqlite3.Error as error:
            raise OutputError(
                f"Cannot write {self.file}: {error}.",
                "Free some space or choose another folder. Finished work is kept: run the same "
                "command again to continue.",
            ) from error

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Write many entries as one, which is much faster."""
        with self.writing():
            self.database.execute("BEGIN")
            try:
                yield
            except BaseException:
                self.database.execute("ROLLBACK")
                raise
            self.database.execute("COMMIT")

    def close(self) -> None:
        """Close the file; written entries are kept."""
        self.database.close()
