"""Checks and output shared by the commands that write a store."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from procvid.cli.sources import store_folder
from procvid.errors import InputError
from procvid.hub.names import hub_id_of
from procvid.memory.edit import OpenStore, changing
from procvid.memory.store import CropStore
from procvid.memory.store_folder import LICENCE, kept_beside
from procvid.protocols import Embedder
from procvid.settings import TINY
from procvid.settings.environment import user_path
from procvid.wiring.stores import default_memory


def add_store_and_crops(parser: argparse.ArgumentParser) -> None:
    """Add the store that a command edits, and the crops."""
    parser.add_argument("store", metavar="STORE", help="store folder")
    parser.add_argument("ids", metavar="ID", nargs="+", help="crop ids, as search prints them")


def own_store(wanted: str) -> Path:
    """Return the folder of a store that the user may edit.

    Raises:
        InputError: The store is the shared default, or a release on the Hub.
    """
    if hub_id_of(wanted, "memory") is not None:
        raise InputError(
            f"There is no folder {wanted!r}, and a release on the Hub is read-only.",
            f"Edit a copy of it: `procvid hub pull {wanted} --to STORE`.",
        )
    default = default_memory(TINY)
    if wanted == "default" or store_folder(wanted).resolve() == default.resolve():
        raise InputError(
            "The default store is read-only.",
            "Edit a copy of it: `procvid memory merge default --out STORE`.",
        )
    return user_path(wanted)


def new_folder(wanted: str) -> Path:
    """Return the folder of a new store.

    Raises:
        InputError: The folder exists and is not empty.
    """
    out = user_path(wanted)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{str(out)!r} already exists.", "Choose another --out.")
    return out


@contextmanager
def edited(folder: Path, embedder: Embedder) -> Iterator[OpenStore]:
    """Open a store for one edit, and print a note when the edit makes a pulled store the user's."""
    with changing(folder, embedder) as opened:
        yield opened
    if opened.origin:
        print(
            f"Note: this store was pulled as {opened.origin} and is now your own. Its card and "
            "licence stay; scores.json and release.json no longer apply and were removed."
        )


def licence_file(folder: Path) -> dict[str, bytes]:
    """Return the licence text of a store, which goes with every copy."""
    return {name: data for name, data in kept_beside(folder).items() if name == LICENCE}


def crops_are(ids: list[str]) -> str:
    """Return "1 crop is" or "3 crops are"."""
    count = len(set(ids))
    return "1 crop is" if count == 1 else f"{count} crops are"


def crops_left(store: CropStore) -> str:
    """Return "1 crop is left" or "1,234 crops are left"."""
    return "1 crop is left" if len(store) == 1 else f"{len(store):,} crops are left"
