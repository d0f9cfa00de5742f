"""What a build has finished so far, clip by clip: one SQLite file, whole after a kill at any moment."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from procvid.errors import OutputError, StoreError
from procvid.memory import columns
from procvid.memory.store import CropStore, with_rows
from procvid.storage.atomic import output_error, remove

FILE = "journal.sqlite"
LENGTH_BYTES = 8


class Journal:
    """The finished clips of one request; of another request nothing is taken up.

    Args:
        folder: Made when it is not there.
        request: What decides the store; a journal of another one is begun anew.

    Raises:
        OutputError: the folder cannot be written.
    """

    def __init__(self, folder: Path, request: bytes) -> None:
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise output_error(folder, error) from error
        try:
            self._database = self._open(request)
        except sqlite3.DatabaseError:
            # Not a database any more: nothing is lost but time.
            for name in (FILE, f"{FILE}-wal", f"{FILE}-shm"):
                remove(folder / name)
            try:
                self._database = self._open(request)
            except sqlite3.Error as error:
                raise self._cannot_write(error) from error

    def _open(self, request: bytes) -> sqlite3.Connection:
        database = sqlite3.connect(self._folder / FILE, isolation_level=None)
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=NORMAL")
        database.execute("CREATE TABLE IF NOT EXISTS request (body BLOB)")
        database.execute(
            "CREATE TABLE IF NOT EXISTS clips "
            "(number INTEGER PRIMARY KEY, crops INTEGER, body BLOB, sha256 TEXT)"
        )
        if database.execute("SELECT body FROM request").fetchall() != [(request,)]:
            database.execute("DELETE FROM clips")
            database.execute("DELETE FROM request")
            database.execute("INSERT INTO request VALUES (?)", (request,))
        return database

    def numbers(self) -> dict[int, int]:
        """The finished clips by number, each with its number of crops; damaged ones are forgotten."""
        good: dict[int, int] = {}
        try:
            rows = self._database.execute("SELECT number, crops, body, sha256 FROM clips")
            for number, num_crops, body, sha256 in rows:
                if isinstance(body, bytes) and columns.digest(body) == sha256:
                    good[number] = num_crops
        except sqlite3.DatabaseError:
            # What was read before the damage is good, the rest is made again.
            return good
        return good

    def keep(self, number: int, store: CropStore) -> None:
        """Note a clip as finished, on the disk, with its crops and their vectors."""
        table = columns.parquet_bytes(store.crops.facts, store.crops.pictures)
        vectors = columns.vectors_bytes(store.image_vectors, store.text_vectors, store.vectors)
        body = len(table).to_bytes(LENGTH_BYTES, "big") + table + vectors
        try:
            self._database.execute(
                "INSERT OR REPLACE INTO clips VALUES (?, ?, ?, ?)",
                (number, len(store), body, columns.digest(body)),
            )
        except sqlite3.Error as error:
            raise self._cannot_write(error) from error

    def crops(self, number: int, like: CropStore) -> CropStore:
        """The crops of a finished clip, as a store otherwise like `like`.

        Raises:
            StoreError: they have been damaged since.
        """
        row = self._database.execute(
            "SELECT body, sha256 FROM clips WHERE number = ?", (number,)
        ).fetchone()
        if row is None or columns.digest(row[0]) != row[1]:
            raise StoreError(
                f"What was kept of clip {number} is damaged.", "Run the same command again."
            )
        length = int.from_bytes(row[0][:LENGTH_BYTES], "big")
        table, rest = row[0][LENGTH_BYTES : LENGTH_BYTES + length], row[0][LENGTH_BYTES + length :]
        facts, pictures = columns.crops_from_parquet(table)
        image_vectors, text_vectors, _ = columns.vectors_from_bytes(rest, len(facts))
        return with_rows(like, facts, pictures, image_vectors, text_vectors)

    def close(self) -> None:
        """Let go of the file; what is kept stays."""
        self._database.close()

    def _cannot_write(self, error: sqlite3.Error) -> OutputError:
        return OutputError(
            f"Cannot write {self._folder / FILE}: {error}.",
            "Free some space or choose another folder; what is finished is kept.",
        )
