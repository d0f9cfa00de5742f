"""One process at a time writes a store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from procvid.errors import StoreError
from procvid.storage.atomic import output_error, restore
from procvid.storage.lock import AlreadyHeldError, locked_file


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Hold the store at `path` until the block ends; what a killed writer left there is put right.

    The lock lies beside the store, for the folder itself is replaced by each change.

    Raises:
        StoreError: another process writes this store.
        OutputError: the folder that it lies in cannot be written.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with locked_file(path.with_name(f".{path.name}.lock")):
            restore(path)
            yield
    except AlreadyHeldError as error:
        raise StoreError(
            f"Another process (pid {error.pid}) writes the store {path}.",
            "Wait until it is done, or stop it.",
        ) from error
    except OSError as error:
        raise output_error(path, error) from error
