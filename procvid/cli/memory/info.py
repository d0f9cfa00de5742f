"""`procvid memory info`: show what a store holds."""

from __future__ import annotations

import argparse
import json
from collections import Counter

from procvid.cli.arguments import add_json
from procvid.cli.sources import add_store, store_folder
from procvid.memory.store_folder import load_store
from procvid.storage.text import printable
from procvid.wiring.stores import find_calibration

NOT_CALIBRATED = "not calibrated for this embedder (run `procvid memory calibrate`)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_store(parser)
    add_json(parser)
    parser.set_defaults(run=info)


def info(arguments: argparse.Namespace) -> None:
    """Print the facts of a store, after checking its files against their hashes."""
    folder = store_folder(arguments.store)
    store = load_store(folder)
    crops = store.crops.facts
    calibration = find_calibration(store.embedder)
    facts = {
        "name": store.name,
        "folder": str(folder),
        "crops": len(store),
        "with_pixels": sum(picture is not None for picture in store.crops.pictures),
        "sources": len({crop.source_id for crop in crops}),
        "names": dict(Counter(crop.name for crop in crops).most_common()),
        "states": dict(Counter(crop.state or "none" for crop in crops).most_common()),
        "banned": sum(crop.banned for crop in crops),
        "licences": dict(Counter(crop.licence or "unknown" for crop in crops).most_common()),
        "edits": len(store.history),
        "index": store.index.facts.reason,
        "thresholds": f"calibrated on {calibration.store}" if calibration else NOT_CALIBRATED,
        "embedder": f"{store.embedder.id} {store.embedder.revision}",
        "dim": store.dim,
        "licence": store.licence,
        "rights": store.rights,
        "notes": list(store.notes),
    }
    if arguments.json:
        print(json.dumps(facts, ensure_ascii=False))
        return
    for key, value in facts.items():
        if isinstance(value, dict):
            value = ", ".join(f"{name} {count}" for name, count in value.items())
        elif isinstance(value, list):
            value = "; ".join(value)
        if value != "":
            print(f"{key.replace('_', ' '):12} {printable(value)}")
