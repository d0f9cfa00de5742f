"""`procvid memory map`: plot the crops of a store on a plane."""

from __future__ import annotations

import argparse
from pathlib import Path

from procvid.cli.sources import add_store, store_folder
from procvid.errors import InputError
from procvid.memory.plane import plane_page
from procvid.memory.store_folder import load_store
from procvid.storage.atomic import write_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_store(parser)
    parser.add_argument("--out", metavar="FILE.html", required=True, help="page to write")
    parser.set_defaults(run=write_map)


def write_map(arguments: argparse.Namespace) -> None:
    """Write a page that needs no network."""
    out = Path(arguments.out)
    if out.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"{out.name} is not an .html file.", "Choose a name such as map.html.")
    write_text(out, plane_page(load_store(store_folder(arguments.store))))
    print(f"Done: {out}.")
