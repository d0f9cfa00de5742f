"""Changes that a person makes in a store. Each one is written to the store's history.

The functions take a store and return a new one. `changing` applies them to a folder: it holds the
lock, verifies the store and replaces the whole folder.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from procvid.errors import InputError
from procvid.memory.history import Edit, edit_now
from procvid.memory.store import CropStore, add_crops, embed_facts, merged, of_rows, with_rows
from procvid.memory.store_folder import came_from, kept_beside, load_store, save_store, writing
from procvid.memory.words import canonical, usable_words, usual_state
from procvid.protocols import Embedder
from procvid.types import Crop, Role


@dataclass
class OpenStore:
    """A store that is being changed. The value of `store` at the end is written.

    `origin` is the release the store was pulled from, or "". After a change it is only history.
    """

    store: CropStore
    origin: str = ""


@contextmanager
def changing(path: Path, embedder: Embedder) -> Iterator[OpenStore]:
    """Hold a store on disk, and write it if the block succeeds and the store has changed.

    Raises:
        StoreError: The store does not exist, is damaged or in use, or has another embedder.
        OutputError: The store cannot be written.
    """
    path = Path(path)
    if not path.exists():
        # Report a wrong path before a lock file is created beside it.
        load_store(path)
    with writing(path):
        opened = OpenStore(load_store(path, embedder), came_from(path))
        before = opened.store
        yield opened
        if opened.store is before:
            opened.origin = ""
            return
        if opened.origin:
            first, added = before.history, opened.store.history[len(before.history) :]
            pulled = edit_now("pull", [], before=opened.origin, after="your own store")
            opened.store = replace(opened.store, history=(*first, pulled, *added))
        save_store(opened.store, path, kept_beside(path))


def rename(
    store: CropStore,
    crop_ids: Collection[str],
    name: str,
    embedder: Embedder,
    role: Role | None = None,
) -> CropStore:
    """Give crops another name and update their text vectors.

    Args:
        store: The store.
        crop_ids: Ids of the crops.
        name: The new name.
        embedder: The store's embedder.
        role: Role of the new name, if known. Crops of another role get it, and the usual state if
            they change between food and other roles.

    Raises:
        InputError: The name is empty or too long, or a crop does not exist.
    """
    name = usable_words(name, "name")

    def change(crop: Crop) -> Crop:
        # A description that only repeats the name must change with it.
        plain = canonical(crop.description) == canonical(crop.name)
        crop = replace(crop, name=name, description=name if plain else crop.description)
        if role is None or role == crop.role:
            return crop
        state = crop.state if "food" not in (role, crop.role) else usual_state(role)
        return replace(crop, role=role, state=state)

    return _changed(store, crop_ids, change, "rename", lambda crop: crop.name, name, embedder)


def retag(store: CropStore, crop_ids: Collection[str], state: str, embedder: Embedder) -> CropStore:
    """Give crops another state and update their text vectors.

    Raises:
        InputError: The state is empty or too long, or a crop does not exist.
    """
    state = usable_words(state, "state")
    return _changed(
        store,
        crop_ids,
        lambda crop: replace(crop, state=state),
        "retag",
        lambda crop: crop.state,
        state,
        embedder,
    )


def ban(store: CropStore, crop_ids: Collection[str], *, banned: bool = True) -> CropStore:
    """Ban crops from retrieval, or allow them again.

    Raises:
        InputError: A crop does not exist.
    """
    rows = _rows(store, crop_ids)
    facts = list(store.crops.facts)
    if all(facts[row].banned == banned for row in rows):
        return store
    for row in rows:
        facts[row] = replace(facts[row], banned=banned)
    changed = replace(store, crops=type(store.crops)(facts, store.crops.pictures))
    return _noted(changed, "ban" if banned else "unban", sorted(set(crop_ids)))


def remove_crops(store: CropStore, crop_ids: Collection[str]) -> CropStore:
    """Remove crops from the store.

    Raises:
        InputError: A crop does not exist.
    """
    gone = set(_rows(store, crop_ids))
    kept = of_rows(store, [row for row in range(len(store)) if row not in gone])
    names = sorted({store.crops.facts[row].name for row in gone})
    return _noted(kept, "remove", sorted(set(crop_ids)), before=", ".join(names))


def add(store: CropStore, crops: Sequence[Crop], embedder: Embedder) -> CropStore:
    """Add crops with images. Crops that the store already has are skipped."""
    grown = add_crops(store, crops, embedder)
    if grown is store:
        return store
    names = [f"{crop.name} ({crop.state})" if crop.state else crop.name for crop in crops]
    return _noted(grown, "add", [crop.id for crop in crops], after=", ".join(names))


def merge_crops(store: CropStore, crop_ids: Sequence[str]) -> CropStore:
    """Mark crops as the same thing: the first in the store stays, the others are removed.

    Raises:
        InputError: Fewer than two ids are given, or a crop does not exist.
    """
    rows = sorted(_rows(store, crop_ids))
    if len(rows) < 2:
        raise InputError("A merge needs two crops or more.", "Give their ids.")
    gone = set(rows[1:])
    kept = of_rows(store, [row for row in range(len(store)) if row not in gone])
    first = store.crops.facts[rows[0]].id
    return _noted(kept, "merge", sorted(set(crop_ids)), after=first)


def merge_stores(store: CropStore, others: Sequence[CropStore]) -> CropStore:
    """Return one store with the crops of all stores, each with its own licence.

    A crop without a licence gets the licence of its store. The result keeps the licence if all
    stores agree, else it has none. Different rights are listed with the names of their stores.
    `merged` explains what happens to a crop that several stores have.

    Raises:
        StoreError: A store belongs to another embedder.
    """
    if not others:
        return store
    stores = (store, *others)
    first, *rest = (_licensed(each) for each in stores)
    whole = merged(first, rest)
    licences, rights = ({getattr(s, kind) for s in stores} for kind in ("licence", "rights"))
    notes = dict.fromkeys(f"{each.name}: {each.rights}" for each in stores if each.rights)
    whole = replace(
        whole,
        licence=store.licence if len(licences) == 1 else "",
        rights=store.rights if len(rights) == 1 else "; ".join(notes),
    )
    names = ", ".join(f"{other.name} ({len(other)} crops)" for other in others)
    return _noted(whole, "merge", [], before=f"{len(store)} crops", after=f"with {names}")


def _licensed(store: CropStore) -> CropStore:
    """Return the store with its licence on each crop that has none."""
    facts = [replace(fact, licence=fact.licence or store.licence) for fact in store.crops.facts]
    return replace(store, crops=type(store.crops)(facts, store.crops.pictures))


def _changed(
    store: CropStore,
    crop_ids: Collection[str],
    change: Callable[[Crop], Crop],
    what: str,
    value: Callable[[Crop], str],
    after: str,
    embedder: Embedder,
) -> CropStore:
    rows = _rows(store, crop_ids)
    facts, texts = list(store.crops.facts), np.array(store.text_vectors)
    before = sorted({value(facts[row]) for row in rows})
    changes = [change(facts[row]) for row in rows]
    after_change = [(crop.name, crop.role, crop.state) for crop in changes]
    if after_change == [(facts[row].name, facts[row].role, facts[row].state) for row in rows]:
        return store
    for row, changed_fact in zip(rows, changes, strict=True):
        facts[row] = changed_fact
    texts[rows] = embed_facts([facts[row] for row in rows], embedder)
    changed = with_rows(store, facts, store.crops.pictures, store.image_vectors, texts)
    return _noted(changed, what, sorted(set(crop_ids)), ", ".join(before), after)


def _rows(store: CropStore, crop_ids: Collection[str]) -> list[int]:
    wanted = set(crop_ids)
    rows = [row for row, crop in enumerate(store.crops.facts) if crop.id in wanted]
    if not wanted or len(rows) < len(wanted):
        missing = sorted(wanted - {store.crops.facts[row].id for row in rows})
        fault = f"has no crop {missing[0][:40]!r}" if missing else "needs the id of a crop"
        raise InputError(
            f"The store {store.name} {fault}.", "`procvid memory search` lists the ids."
        )
    return rows


def _noted(
    store: CropStore, what: str, crop_ids: Sequence[str], before: str = "", after: str = ""
) -> CropStore:
    edit: Edit = edit_now(what, crop_ids, before, after)
    return replace(store, history=(*store.history, edit))
