"""`procvid memory remove`: delete crops."""

from __future__ import annotations

import argparse

from procvid.cli.memory.editing import add_store_and_crops, crops_left, edited, own_store
from procvid.memory import edit
from procvid.wiring.stores import embedder_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_store_and_crops(parser)
    parser.set_defaults(run=remove)


def remove(arguments: argparse.Namespace) -> None:
    """Delete crops."""
    folder = own_store(arguments.store)
    with edited(folder, embedder_of(folder)) as opened:
        opened.store = edit.remove_crops(opened.store, arguments.ids)
        left = crops_left(opened.store)
    print(f"Done: {left}.")
