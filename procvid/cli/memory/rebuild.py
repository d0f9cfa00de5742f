"""`procvid memory rebuild`: restore the images of a store from its source videos."""

from __future__ import annotations

import argparse
from pathlib import Path

from procvid.cli.memory.editing import licence_file, new_folder
from procvid.cli.screen import Bar
from procvid.cli.sources import store_folder
from procvid.errors import UnavailableError
from procvid.memory.clip_list import read_clip_list
from procvid.memory.rebuild import rebuild as rebuild_pictures
from procvid.memory.store_folder import load_store, save_store, writing
from procvid.storage.text import printable
from procvid.wiring.stores import detector_of, embedder_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("store", metavar="STORE", help="store without images")
    parser.add_argument(
        "manifest", metavar="MANIFEST", help="file and source_id of each video, JSON lines"
    )
    parser.add_argument("--out", metavar="DIR", required=True, help="folder of the new store")
    parser.set_defaults(run=rebuild)


def rebuild(arguments: argparse.Namespace) -> None:
    """Write a copy of the store with the images that the sources give.

    Raises:
        UnavailableError: No image could be restored; nothing is written.
    """
    folder = store_folder(arguments.store)
    embedder = embedder_of(folder)
    store = load_store(folder, embedder)
    files = {clip.source_id: clip.file for clip in read_clip_list(Path(arguments.manifest))}
    before = sum(picture is not None for picture in store.crops.pictures)
    bar = Bar()
    with writing(new_folder(arguments.out)):
        detector = detector_of(embedder)
        for progress in rebuild_pictures(store, files, detector, embedder):
            text = f"{progress.done}/{progress.total} sources"
            bar.show(progress.done / max(1, progress.total), text, None)
            if progress.store is not None and progress.num_crops > before:
                save_store(progress.store, Path(arguments.out), licence_file(folder))
    bar.clear()
    for refused in progress.refused:
        print(printable(f"Skipped {refused}"))
    if progress.num_crops == before:
        complete = before == len(store)
        raise UnavailableError(
            f"No image was restored{': all crops have theirs' if complete else ''}; "
            f"{arguments.out} was not written.",
            "" if complete else "Check the sources that the manifest names.",
        )
    print(f"Done: {arguments.out} has images for {progress.num_crops} of {len(store)} crops.")
