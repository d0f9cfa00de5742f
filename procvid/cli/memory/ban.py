"""`procvid memory ban`: exclude crops from retrieval, or allow them again."""

from __future__ import annotations

import argparse

from procvid.cli.memory.editing import add_store_and_crops, crops_are, edited, own_store
from procvid.memory import edit
from procvid.wiring.stores import embedder_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_store_and_crops(parser)
    parser.add_argument("--undo", action="store_true", help="allow the crops again")
    parser.set_defaults(run=ban)


def ban(arguments: argparse.Namespace) -> None:
    """Exclude crops from retrieval, or allow them again."""
    folder = own_store(arguments.store)
    with edited(folder, embedder_of(folder)) as opened:
        opened.store = edit.ban(opened.store, arguments.ids, banned=not arguments.undo)
    state = "allowed again" if arguments.undo else "banned and no longer retrieved"
    print(f"Done: {crops_are(arguments.ids)} {state}.")
