"""Keep the finished clips of a build in a SQLite file that survives a kill at any moment."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from procvid.errors import StoreError
from procvid.memory import columns
from procvid.memory.store import CropStore, with_rows
from procvid.storage.journal import Journal

LENGTH_BYTES = 8


class ClipJournal(Journal):
    """The finished clips of one build request.

    Args:
        folder: Where the file is. Created if it does not exist.
        request: Everything that decides the store. The journal of another request is emptied.

    Raises:
        OutputError: The folder cannot be written.
    """

    def __init__(self, folder: Path, request: bytes) -> None:
        self._request = request
        super().__init__(folder)

    def prepare(self, database: sqlite3.Connection) -> None:
        """Create the tables, and empty them if they belong to another request."""
        database.execute("CREATE TABLE IF NOT EXISTS request (body BLOB)")
        database.execute(
            "CREATE TABLE IF NOT EXISTS clips "
            "(number INTEGER PRIMARY KEY, crops INTEGER, body BLOB, sha256 TEXT)"
        )
        if database.execute("SELECT body FROM request").fetchall() != [(self._request,)]:
            database.execute("DELETE FROM clips")
            database.execute("DELETE FROM request")
            database.execute("INSERT INTO request VALUES (?)", (self._request,))

    def numbers(self) -> dict[int, int]:
        """Return the number of crops of each finished clip by clip number, without damaged clips."""
        good: dict[int, int] = {}
        try:
            rows = self.database.execute("SELECT number, crops, body, sha256 FROM clips")
            for number, num_crops, body, sha256 in rows:
                if isinstance(body, bytes) and columns.digest(body) == sha256:
                    good[number] = num_crops
        except sqlite3.DatabaseError:
            # The rows before the damage are good. The build repeats the others.
            return good
        return good

    def keep(self, number: int, num_crops: int, body: bytes) -> None:
        """Write the crops and vectors of a finished clip, as `packed` returns them."""
        with self.writing():
            self.database.execute(
                "INSERT OR REPLACE INTO clips VALUES (?, ?, ?, ?)",
                (number, num_crops, body, columns.digest(body)),
            )

    def crops(self, number: int, like: CropStore) -> CropStore:
        """Return the crops of a finished clip as a store with the other fields of `like`.

        Raises:
            StoreError: The crops have been damaged since.
        """
        row = self.database.execute(
            "SELECT body, sha256 FROM clips WHERE number = ?", (number,)
        ).fetchone()
        if row is None or columns.digest(row[0]) != row[1]:
            raise StoreError(
                f"The saved crops of clip {number} are damaged.", "Run the same command again."
            )
        length = int.from_bytes(row[0][:LENGTH_BYTES], "big")
        table, rest = row[0][LENGTH_BYTES : LENGTH_BYTES + length], row[0][LENGTH_BYTES + length :]
        facts, pictures = columns.crops_from_parquet(table)
        image_vectors, text_vectors, _ = columns.vectors_from_bytes(rest, len(facts))
        return with_rows(like, facts, pictures, image_vectors, text_vectors)


def packed(store: CropStore) -> bytes:
    """Return the crops and vectors of a clip as the bytes that a journal keeps."""
    table = columns.parquet_bytes(store.crops.facts, store.crops.pictures)
    vectors = columns.vectors_bytes(store.image_vectors, store.text_vectors, store.vectors)
    return len(table).to_bytes(LENGTH_BYTES, "big") + table + vectors
