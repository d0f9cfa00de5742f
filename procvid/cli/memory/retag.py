"""`procvid memory retag`: change the state of crops."""

from __future__ import annotations

import argparse

from procvid.cli.memory.editing import add_store_and_crops, crops_are, edited, own_store
from procvid.memory import edit
from procvid.storage.text import printable
from procvid.wiring.stores import embedder_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_store_and_crops(parser)
    parser.add_argument("--to", metavar="STATE", required=True, help="new state, such as sliced")
    parser.set_defaults(run=retag)


def retag(arguments: argparse.Namespace) -> None:
    """Change the state of crops."""
    folder = own_store(arguments.store)
    embedder = embedder_of(folder)
    with edited(folder, embedder) as opened:
        opened.store = edit.retag(opened.store, arguments.ids, arguments.to, embedder)
    print(printable(f"Done: {crops_are(arguments.ids)} now {arguments.to}."))
