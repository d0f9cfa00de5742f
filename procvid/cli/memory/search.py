"""`procvid memory search`: find the crops nearest to a text or an image."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path

from procvid.cli.arguments import add_json, whole_number
from procvid.cli.sources import add_store, store_folder
from procvid.errors import InputError
from procvid.media.image import load_image
from procvid.memory.find import Found, find, search_text
from procvid.memory.store_folder import load_store
from procvid.storage.text import printable
from procvid.types import Crop
from procvid.wiring.stores import build_rules, embedder_of

MAX_RESULTS = 1000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_store(parser)
    parser.add_argument("text", metavar="TEXT", nargs="?", help="such as 'sliced carrot'")
    parser.add_argument("--image", metavar="FILE", help="image to search with instead of a text")
    parser.add_argument(
        "-k", metavar="N", type=whole_number, default=5, help="number of results (default: 5)"
    )
    parser.add_argument("--state", metavar="S", help="only crops in this state")
    add_json(parser, "print one crop per line as JSON")
    parser.set_defaults(run=search)


def search(arguments: argparse.Namespace) -> None:
    """Print the nearest crops, best first; of crops that look alike only one."""
    text = " ".join((arguments.text or "").split())
    if bool(text) == bool(arguments.image):
        raise InputError(
            "A text and an image exclude each other." if text else "The search text is empty.",
            "Write what to find, such as carrot, or give --image FILE.",
        )
    if not 1 <= arguments.k <= MAX_RESULTS:
        raise InputError(f"{arguments.k} results is out of range.", f"Choose 1 to {MAX_RESULTS}.")
    wanted = load_image(Path(arguments.image)) if arguments.image else text
    folder = store_folder(arguments.store)
    embedder = embedder_of(folder)
    store = load_store(folder, embedder)
    for note in store.notes:
        print(printable(f"Note: {note}"), file=sys.stderr)
    if isinstance(wanted, str):
        rules = build_rules(store.embedder)
        found = search_text(store, embedder, wanted, arguments.k, arguments.state, rules)
    else:
        found = Found(tuple(find(store, embedder, wanted, arguments.k, arguments.state)))
    for match in found.matches:
        _print_crop(match.crop, match.score, arguments.json)
    if not found.matches:
        print(printable(found.reason or "The store has no crops."), file=sys.stderr)


def _print_crop(crop: Crop, score: float, as_json: bool) -> None:
    if as_json:
        facts = dataclasses.asdict(crop)
        del facts["image"]
        print(json.dumps({"score": round(score, 4), **facts}, ensure_ascii=False))
        return
    state = f" ({crop.state})" if crop.state else ""
    source = f"from {crop.source_id} at {crop.time_s:g} s"
    words = [f"{crop.name}{state}", crop.id, source, crop.licence, crop.url]
    words += ["banned"] if crop.banned else []
    print("  ".join([f"{score:.3f}", *(printable(word) for word in words if word)]))
