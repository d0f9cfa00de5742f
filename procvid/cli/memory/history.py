"""`procvid memory history`: show the edits of a store."""

from __future__ import annotations

import argparse
import dataclasses
import json

from procvid.cli.arguments import add_json
from procvid.cli.sources import add_store, store_folder
from procvid.memory.store_folder import load_store
from procvid.storage.text import printable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_store(parser)
    add_json(parser, "print one edit per line as JSON")
    parser.set_defaults(run=history)


def history(arguments: argparse.Namespace) -> None:
    """Print the edits of a store, oldest first."""
    store = load_store(store_folder(arguments.store))
    for edit in store.history:
        if arguments.json:
            print(json.dumps(dataclasses.asdict(edit), ensure_ascii=False))
            continue
        change = " -> ".join(words for words in (edit.before, edit.after) if words)
        columns = (edit.at, edit.what, change, " ".join(edit.crop_ids))
        print("  ".join(map(printable, columns)).rstrip())
    if not store.history and not arguments.json:
        print(f"The store {printable(store.name)} has no edits.")
