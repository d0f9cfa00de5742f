"""`procvid memory merge`: copy stores of one embedder into a new store."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from procvid.cli.memory.editing import licence_file, new_folder
from procvid.cli.sources import store_folder
from procvid.memory import edit
from procvid.memory.duplicates import near_duplicates
from procvid.memory.store import of_rows
from procvid.memory.store_folder import load_store, save_store, writing
from procvid.storage.text import printable
from procvid.wiring import evaluation as wiring_evaluation
from procvid.wiring.stores import embedder_of, profile_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "stores", metavar="STORE", nargs="+", help="store folders, OWNER/NAME, or default"
    )
    parser.add_argument("--out", metavar="DIR", required=True, help="folder of the new store")
    parser.add_argument(
        "--keep-duplicates", action="store_true", help="keep crops that show the same object"
    )
    parser.set_defaults(run=merge)


def merge(arguments: argparse.Namespace) -> None:
    """Write a new store; a single store is copied unchanged."""
    folders = [store_folder(store) for store in arguments.stores]
    embedder = embedder_of(folders[0])
    stores = [load_store(folder, embedder) for folder in folders]
    out = new_folder(arguments.out)
    with writing(out):
        merged = dataclasses.replace(edit.merge_stores(stores[0], stores[1:]), name=out.name)
        if stores[1:] and not arguments.keep_duplicates:
            encoder = wiring_evaluation.build_frame_encoder(profile_of(embedder.info))
            duplicates = near_duplicates(merged, encoder)
            rows = [row for row in range(len(merged)) if row not in duplicates]
            merged = of_rows(merged, rows)
        save_store(merged, out, {} if stores[1:] else licence_file(folders[0]))
    licences = {store.licence for store in stores}
    if len(licences) > 1:
        names = " and ".join(sorted(licence or "none" for licence in licences))
        print(
            printable(
                f"Note: the stores have different licences ({names}). Each crop keeps its own; the "
                "new store has none."
            )
        )
    skipped = sum(map(len, stores)) - len(merged)
    print(f"Done: {Path(arguments.out)} holds {len(merged)} crops.")
    if skipped:
        many = "1 duplicate was" if skipped == 1 else f"{skipped} duplicates were"
        print(f"{many} skipped.")
