"""`procvid memory calibrate`: find the retrieval thresholds on a store's crops."""

from __future__ import annotations

import argparse
from pathlib import Path

from procvid.cli.sources import add_store, store_folder
from procvid.memory.calibrate import calibrate as find_thresholds
from procvid.memory.store_folder import load_store
from procvid.storage.atomic import write_bytes
from procvid.wiring.stores import calibration_file, embedder_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_store(parser)
    parser.add_argument(
        "--out", metavar="FILE", help="file to write (default: the one all commands read)"
    )
    parser.set_defaults(run=calibrate)


def calibrate(arguments: argparse.Namespace) -> None:
    """Write the thresholds and print their effect on held-out pairs."""
    folder = store_folder(arguments.store)
    embedder = embedder_of(folder)
    store = load_store(folder, embedder)
    calibration = find_thresholds(store, embedder)
    out = Path(arguments.out) if arguments.out else calibration_file(embedder.info)
    write_bytes(out, calibration.to_bytes())
    for name, value in calibration.thresholds.items():
        pairs = calibration.measured[name]
        print(
            f"{name:10} {value:7.4f}  keeps {pairs['right_kept']:.1%} of "
            f"{pairs['right_pairs']:.0f} right pairs, refuses {pairs['wrong_refused']:.1%} of "
            f"{pairs['wrong_pairs']:.0f} wrong ones (held out)"
        )
    print(f"Done: {out}.")
    if not arguments.out:
        print(
            f"Note: all commands now use these thresholds with {embedder.info.id}. Delete the file "
            "to return to those shipped with procvid."
        )
