"""`procvid memory same`: merge crops that show the same object."""

from __future__ import annotations

import argparse

from procvid.cli.memory.editing import add_store_and_crops, crops_left, edited, own_store
from procvid.memory import edit
from procvid.wiring.stores import embedder_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.description = "Merge crops that show the same object; the first in the store stays."
    add_store_and_crops(parser)
    parser.set_defaults(run=same)


def same(arguments: argparse.Namespace) -> None:
    """Keep the first of the crops and delete the others."""
    folder = own_store(arguments.store)
    with edited(folder, embedder_of(folder)) as opened:
        opened.store = edit.merge_crops(opened.store, arguments.ids)
        left = crops_left(opened.store)
    print(f"Done: {left}.")
