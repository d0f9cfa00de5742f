"""`procvid memory export`: copy a store without its images."""

from __future__ import annotations

import argparse
from pathlib import Path

from procvid.cli.memory.editing import licence_file, new_folder
from procvid.cli.sources import add_store, store_folder
from procvid.memory.store import without_pixels
from procvid.memory.store_folder import load_store, save_store, writing


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_store(parser)
    parser.add_argument("--out", metavar="DIR", required=True, help="folder of the copy")
    parser.set_defaults(run=export)


def export(arguments: argparse.Namespace) -> None:
    """Write the copy."""
    folder = store_folder(arguments.store)
    store = load_store(folder)
    with writing(new_folder(arguments.out)):
        save_store(without_pixels(store), Path(arguments.out), licence_file(folder))
    print(f"Done: {arguments.out} holds {len(store)} crops without images.")
