"""The `procvid memory` commands that change a store or make another one of it."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from procvid.cli.memory import folder_of
from procvid.cli.plain import printable
from procvid.cli.screen import Bar
from procvid.errors import InputError, UnavailableError
from procvid.hub.names import hub_id_of
from procvid.media.image import load_image
from procvid.memory import edit
from procvid.memory.clip_list import read_clip_list
from procvid.memory.crops import CropStore, load_store, of_rows, save_store, without_pixels
from procvid.memory.duplicates import near_duplicates
from procvid.memory.folder import LICENCE, kept_beside
from procvid.memory.lock import writing
from procvid.memory.photo import crop_of_photo
from procvid.memory.rebuild import rebuild as rebuild_pictures
from procvid.memory.words import canonical, usual_state, with_article
from procvid.plan.cast import known_as
from procvid.protocols import Embedder
from procvid.settings import TINY
from procvid.wiring import evaluation as wiring_evaluation
from procvid.wiring import run as wiring
from procvid.wiring.stores import build_detector, embedder_of, profile_of

ROLE_WORDS = {"food": "food", "vessel": "a vessel", "tool": "a tool", "surface": "a surface"}


def rename(arguments: argparse.Namespace) -> None:
    """Give crops another name."""
    folder = _own(arguments.store)
    embedder = embedder_of(folder)
    with _changing(folder, embedder) as opened:
        before = {crop.id: crop for crop in opened.store.crops.facts}
        known = known_as(canonical(arguments.to))
        opened.store = edit.rename(
            opened.store,
            arguments.ids,
            arguments.to,
            embedder,
            known.role if known else None,
        )
        turned = {c.role: c for c in opened.store.crops.facts if c.role != before[c.id].role}
    print(printable(f"Done: {_crops(arguments)} called {arguments.to} now."))
    for role, crop in turned.items():
        print(printable(f"Note: {with_article(crop.name)} is {ROLE_WORDS[role]}, so that is their "
                        f"role now, and their state is {crop.state or 'none'}."))  # fmt: skip


def retag(arguments: argparse.Namespace) -> None:
    """Put crops into another state."""
    folder = _own(arguments.store)
    embedder = embedder_of(folder)
    with _changing(folder, embedder) as opened:
        opened.store = edit.retag(opened.store, arguments.ids, arguments.to, embedder)
    print(printable(f"Done: {_crops(arguments)} {arguments.to} now."))


def ban(arguments: argparse.Namespace) -> None:
    """Keep crops from being retrieved, or allow them again."""
    folder = _own(arguments.store)
    with _changing(folder, embedder_of(folder)) as opened:
        opened.store = edit.ban(opened.store, arguments.ids, banned=not arguments.undo)
    said = "allowed again" if arguments.undo else "banned: never retrieved any more"
    print(f"Done: {_crops(arguments)} {said}.")


def remove(arguments: argparse.Namespace) -> None:
    """Take crops out for good."""
    folder = _own(arguments.store)
    with _changing(folder, embedder_of(folder)) as opened:
        opened.store = edit.remove_crops(opened.store, arguments.ids)
        left = _left(opened.store)
    print(f"Done: {left}.")


def same(arguments: argparse.Namespace) -> None:
    """Merge crops that show the same thing."""
    folder = _own(arguments.store)
    with _changing(folder, embedder_of(folder)) as opened:
        opened.store = edit.merge_crops(opened.store, arguments.ids)
        left = _left(opened.store)
    print(f"Done: {left}.")


def add(arguments: argparse.Namespace) -> None:
    """Add one's own photo."""
    folder = _own(arguments.store)
    image = load_image(Path(arguments.image))
    embedder = embedder_of(folder)
    name = canonical(arguments.name)
    known = known_as(name)
    # As on the page.
    role = arguments.role or (known.role if known else "vessel")
    crop = crop_of_photo(
        image,
        arguments.name,
        role,
        arguments.state or usual_state(role),
        build_detector(embedder),
        embedder=embedder,
        min_shown=wiring.build_rules(embedder.info).min_shown,
        whole=arguments.whole,
        licence=arguments.licence,
        url=arguments.url,
    )
    with _changing(folder, embedder) as opened:
        before = opened.store
        opened.store = edit.add(before, [crop], embedder)
        there = opened.store is before
    if there:
        print(f"The {crop.name} of this photo was there already, as {crop.id}.")
    else:
        x0, y0, x1, y1 = (round(edge) for edge in crop.box_xyxy)
        told = f"{with_article(crop.name)} ({crop.state})"
        print(printable(f"Done: {crop.id}, {told} at {x0},{y0} to {x1},{y1} px."))
    if known is None and not arguments.role:
        print(printable(f"Note: the lexicon does not know {name!r}, so it counts as a vessel; --role "
                        "says another."))  # fmt: skip
    elif known is not None and known.name != name:
        print(printable(f"Note: recipes ask for {known.name!r}; only crops of that very name answer. "
                        f'`procvid memory rename STORE {crop.id} --to "{known.name}"`.'))  # fmt: skip


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
        save_store(whole, out, {} if stores[1:] else _licence_of(folders[0]))
    licences = {store.licence for store in stores}
    if len(licences) > 1:
        told = " and ".join(sorted(licence or "none" for licence in licences))
        print(
            printable(
                f"Note: the stores have different licences ({told}): each crop has the one it "
                "had, and the whole has none."
            )
        )
    left_out = sum(map(len, stores)) - len(whole)
    told = f"; {left_out} showed what was there" if left_out else ""
    print(f"Done: {arguments.out} holds {len(whole)} crops{told}.")


def export(arguments: argparse.Namespace) -> None:
    """Write a store without its pictures."""
    folder = folder_of(arguments.store)
    store = load_store(folder)
    with writing(_new(arguments.out)):
        save_store(without_pixels(store), Path(arguments.out), _licence_of(folder))
    print(f"Done: {arguments.out} holds {len(store)} crops without their pictures.")


def rebuild(arguments: argparse.Namespace) -> None:
    """Cut the pictures out of the sources again."""
    folder = folder_of(arguments.store)
    embedder = embedder_of(folder)
    store = load_store(folder, embedder)
    files = {clip.source_id: clip.file for clip in read_clip_list(Path(arguments.manifest))}
    before = sum(picture is not None for picture in store.crops.pictures)
    bar = Bar()
    with writing(_new(arguments.out)):
        detector = build_detector(embedder)
        for progress in rebuild_pictures(store, files, detector, embedder):
            done = progress.done / max(1, progress.total)
            bar.show(done, f"{progress.done}/{progress.total} sources", None)
            if progress.store is not None and progress.num_crops > before:
                save_store(progress.store, Path(arguments.out), _licence_of(folder))
    bar.clear()
    for refused in progress.refused:
        print(printable(f"Left out {refused}"))
    if progress.num_crops == before:
        why = "all crops have theirs" if before == len(store) else "see above why"
        raise UnavailableError(
            f"No picture was cut again ({why}): {arguments.out} was not written.",
            "" if before == len(store) else "Check the sources that the manifest names.",
        )
    print(f"Done: {arguments.out} has pictures for {progress.num_crops} of {len(store)} crops.")


@contextmanager
def _changing(folder: Path, embedder: Embedder) -> Iterator[edit.OpenStore]:
    """Like `edit.changing`; says so where a pulled store becomes one's own."""
    with edit.changing(folder, embedder) as opened:
        yield opened
    if opened.origin:
        print(
            f"Note: this store was pulled as {opened.origin} and is your own now: its card and "
            "licence stay, scores.json and release.json told of it as it was and are gone."
        )


def _licence_of(folder: Path) -> dict[str, bytes]:
    """The licence's text, which goes with every copy of a store; its card told of the whole."""
    return {name: data for name, data in kept_beside(folder).items() if name == LICENCE}


def _left(store: CropStore) -> str:
    return "1 crop is left" if len(store) == 1 else f"{len(store):,} crops are left"


def _crops(arguments: argparse.Namespace) -> str:
    count = len(set(arguments.ids))
    return "1 crop is" if count == 1 else f"{count} crops are"


def _own(wanted: str) -> Path:
    """A store that may be changed: the one that comes with procvid is everybody's.

    A release in the cache is what the Hub has, so of it a copy is changed.
    """
    release = hub_id_of(wanted, "memory")
    if release is not None:
        raise InputError(
            f"There is no folder {wanted!r} here, and a release on the Hub is read-only.",
            f"Get a copy of your own, then change that: `procvid hub pull {wanted} --to STORE`.",
        )
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
