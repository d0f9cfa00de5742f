"""The `procvid memory` commands that change a store or make another one of it."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from procvid import wiring, wiring_evaluation
from procvid.cli.memory import folder_of
from procvid.cli.plain import printable
from procvid.cli.screen import Bar
from procvid.errors import InputError
from procvid.media.image import load_image
from procvid.memory import edit
from procvid.memory.clip_list import read_clip_list
from procvid.memory.crops import load_store, of_rows, save_store, without_pixels
from procvid.memory.duplicates import near_duplicates
from procvid.memory.lock import writing
from procvid.memory.photo import crop_of_photo
from procvid.memory.rebuild import rebuild as rebuild_pictures
from procvid.memory.words import canonical
from procvid.plan.cast import role_of
from procvid.settings import TINY
from procvid.wiring_stores import build_detector, embedder_of, profile_of


def rename(arguments: argparse.Namespace) -> None:
    """Give crops another name."""
    folder = _own(arguments.store)
    embedder = embedder_of(folder)
    with edit.changing(folder, embedder) as opened:
        opened.store = edit.rename(opened.store, arguments.ids, arguments.to, embedder)
    print(printable(f"Done: {_crops(arguments)} called {arguments.to} now."))


def retag(arguments: argparse.Namespace) -> None:
    """Put crops into another state."""
    folder = _own(arguments.store)
    embedder = embedder_of(folder)
    with edit.changing(folder, embedder) as opened:
        opened.store = edit.retag(opened.store, arguments.ids, arguments.to, embedder)
    print(printable(f"Done: {_crops(arguments)} {arguments.to} now."))


def ban(arguments: argparse.Namespace) -> None:
    """Keep crops from being retrieved, or allow them again."""
    folder = _own(arguments.store)
    with edit.changing(folder, embedder_of(folder)) as opened:
        opened.store = edit.ban(opened.store, arguments.ids, banned=not arguments.undo)
    said = "allowed again" if arguments.undo else "banned: never retrieved any more"
    print(f"Done: {_crops(arguments)} {said}.")


def remove(arguments: argparse.Namespace) -> None:
    """Take crops out for good."""
    folder = _own(arguments.store)
    with edit.changing(folder, embedder_of(folder)) as opened:
        opened.store = edit.remove_crops(opened.store, arguments.ids)
        left = len(opened.store)
    print(f"Done: {left} crops are left.")


def same(arguments: argparse.Namespace) -> None:
    """Merge crops that show the same thing."""
    folder = _own(arguments.store)
    with edit.changing(folder, embedder_of(folder)) as opened:
        opened.store = edit.merge_crops(opened.store, arguments.ids)
        left = len(opened.store)
    print(f"Done: {left} crops are left.")


def add(arguments: argparse.Namespace) -> None:
    """Add one's own photo."""
    folder = _own(arguments.store)
    image = load_image(Path(arguments.image))
    embedder = embedder_of(folder)
    role = arguments.role or role_of(canonical(arguments.name), "food")
    crop = crop_of_photo(
        image,
        arguments.name,
        role,
        arguments.state or ("whole" if role == "food" else "in use"),
        build_detector(embedder),
        embedder=embedder,
        min_shown=wiring.build_rules(embedder.info).min_shown,
        whole=arguments.whole,
        licence=arguments.licence,
        url=arguments.url,
    )
    with edit.changing(folder, embedder) as opened:
        before = opened.store
        opened.store = edit.add(before, [crop], embedder)
        there = opened.store is before
    if there:
        print(f"The {crop.name} of this photo was there already, as {crop.id}.")
    else:
        x0, y0, x1, y1 = (round(edge) for edge in crop.box_xyxy)
        print(f"Done: {crop.id}, a {crop.name} ({crop.state}) at {x0},{y0} to {x1},{y1} px.")


def merge(arguments: argparse.Namespace) -> None:
    """Put stores together in a new one."""
    folders = [folder_of(store) for store in arguments.stores]
    embedder = embedder_of(folders[0])
    stores = [load_store(folder, embedder) for folder in folders]
    out = _new(arguments.out)
    with writing(out):
        whole = dataclasses.replace(edit.merge_stores(stores[0], stores[1:]), name=out.name)
        total = len(whole)
        # One alone is copied as it is.
        if stores[1:] and not arguments.keep_duplicates:
            same = near_duplicates(
                whole, wiring_evaluation.build_frame_encoder(profile_of(embedder.info))
            )
            whole = of_rows(whole, [row for row in range(total) if row not in same])
        save_store(whole, out)
    left_out = sum(map(len, stores)) - len(whole)
    told = f"; {left_out} showed what was there" if left_out else ""
    print(f"Done: {arguments.out} holds {len(whole)} crops{told}.")


def export(arguments: argparse.Namespace) -> None:
    """Write a store without its pictures."""
    store = load_store(folder_of(arguments.store))
    with writing(_new(arguments.out)):
        save_store(without_pixels(store), Path(arguments.out))
    print(f"Done: {arguments.out} holds {len(store)} crops without their pictures.")


def rebuild(arguments: argparse.Namespace) -> None:
    """Cut the pictures out of the sources again."""
    folder = folder_of(arguments.store)
    embedder = embedder_of(folder)
    store = load_store(folder, embedder)
    files = {clip.source_id: clip.file for clip in read_clip_list(Path(arguments.manifest))}
    bar = Bar()
    with writing(_new(arguments.out)):
        detector = build_detector(embedder)
        for progress in rebuild_pictures(store, files, detector, embedder):
            done = progress.done / max(1, progress.total)
            bar.show(done, f"{progress.done}/{progress.total} sources", None)
            if progress.store is not None:
                save_store(progress.store, Path(arguments.out))
    bar.clear()
    for refused in progress.refused:
        print(printable(f"Left out {refused}"))
    print(f"Done: {arguments.out} has pictures for {progress.num_crops} of {len(store)} crops.")


def _crops(arguments: argparse.Namespace) -> str:
    count = len(set(arguments.ids))
    return "1 crop is" if count == 1 else f"{count} crops are"


def _own(wanted: str) -> Path:
    """A store that may be changed: the one that comes with procvid is everybody's."""
    if wanted == "default" or folder_of(wanted).resolve() == wiring.default_memory(TINY).resolve():
        raise InputError(
            "The default store is read-only.",
            "Make one of your own: `procvid memory merge default --out STORE`.",
        )
    return Path(wanted).expanduser()


def _new(wanted: str) -> Path:
    out = Path(wanted).expanduser()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"The folder {out} exists already.", "Choose another folder.")
    return out
