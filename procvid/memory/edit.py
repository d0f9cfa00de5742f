"""What a person may change in a store; each change is noted in its history.

The functions take a store and give a new one. `changing` does it to a folder: it holds the lock,
verifies the store, and replaces the folder as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from procvid.errors import InputError
from procvid.memory.crops import (
    CropStore,
    add_crops,
    embed_facts,
    load_store,
    merged,
    of_rows,
    save_store,
    with_rows,
)
from procvid.memory.folder import came_from, kept_beside, writing
from procvid.memory.history import Edit, edit_now
from procvid.memory.words import canonical, usable_words, usual_state
from procvid.protocols import Embedder
from procvid.types import Crop, Role


@dataclass
class OpenStore:
    """A store that is being changed; what stands in `store` at the end is written.

    `origin` is the release that it was pulled as, or "": once changed, it is that no more.
    """

    store: CropStore
    origin: str = ""


@contextmanager
def changing(path: Path, embedder: Embedder) -> Iterator[OpenStore]:
    """Hold a store on disk, and write it when the block ends well and something has changed.

    Raises:
        StoreError: no such store, damaged, of another embedder, or another process writes it.
        OutputError: it cannot be written.
    """
    path = Path(path)
    if not path.exists():
        # A wrong name is told before a lock file is made beside it.
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
            pulled = edit_now("pull", [], before=opened.origin, after="a store of one's own")
            opened.store = replace(opened.store, history=(*first, pulled, *added))
        save_store(opened.store, path, kept_beside(path))


def rename(
    store: CropStore,
    crop_ids: Collection[str],
    name: str,
    embedder: Embedder,
    role: Role | None = None,
) -> CropStore:
    """Give crops another name; their text vectors follow.

    Args:
        store: Which one.
        crop_ids: Of the crops.
        name: The new one.
        embedder: Of the store.
        role: That things of the new name have, where it is known: crops of another one become that,
            in its usual state where they go from food to a thing or back.

    Raises:
        InputError: the name is empty or long, or there is no such crop.
    """
    name = usable_words(name, "name")

    def change(crop: Crop) -> Crop:
        # A description that was only the name would go on saying the old one.
        plain = canonical(crop.description) == canonical(crop.name)
        crop = replace(crop, name=name, description=name if plain else crop.description)
        if role is None or role == crop.role:
            return crop
        state = crop.state if "food" not in (role, crop.role) else usual_state(role)
        return replace(crop, role=role, state=state)

    return _changed(store, crop_ids, change, "rename", lambda crop: crop.name, name, embedder)


def retag(store: CropStore, crop_ids: Collection[str], state: str, embedder: Embedder) -> CropStore:
    """Put crops into another state; their text vectors follow.

    Raises:
        InputError: the state is empty or long, or there is no such crop.
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
    """Keep crops from ever being retrieved, or allow them again.

    Raises:
        InputError: there is no such crop.
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
    """Take crops out of the store for good.

    Raises:
        InputError: there is no such crop.
    """
    gone = set(_rows(store, crop_ids))
    kept = of_rows(store, [row for row in range(len(store)) if row not in gone])
    names = sorted({store.crops.facts[row].name for row in gone})
    return _noted(kept, "remove", sorted(set(crop_ids)), before=", ".join(names))


def add(store: CropStore, crops: Sequence[Crop], embedder: Embedder) -> CropStore:
    """Add crops with pictures; those that are there already are left out."""
    grown = add_crops(store, crops, embedder)
    if grown is store:
        return store
    told = ", ".join(f"{crop.name} ({crop.state})" if crop.state else crop.name for crop in crops)
    return _noted(grown, "add", [crop.id for crop in crops], after=told)


def merge_crops(store: CropStore, crop_ids: Sequence[str]) -> CropStore:
    """Say that crops show one and the same thing: the first in the store stays, the others go.

    Raises:
        InputError: fewer than two, or there is no such crop.
    """
    rows = sorted(_rows(store, crop_ids))
    if len(rows) < 2:
        raise InputError("One crop alone cannot be merged.", "Give the ids of two or more.")
    gone = set(rows[1:])
    kept = of_rows(store, [row for row in range(len(store)) if row not in gone])
    first = store.crops.facts[rows[0]].id
    return _noted(kept, "merge", sorted(set(crop_ids)), after=first)


def merge_stores(store: CropStore, others: Sequence[CropStore]) -> CropStore:
    """One store with the crops of all, each under the licence that it had.

    A crop without a licence of its own gets that of its store. The whole keeps its licence when all
    agree and has none otherwise; rights that differ are told with the names of their stores. Of a
    crop that several have, see `merged`.

    Raises:
        StoreError: one is of another embedder.
    """
    if not others:
        return store
    stores = (store, *others)
    first, *rest = (_licensed(each) for each in stores)
    whole = merged(first, rest)
    licences, rights = ({getattr(s, kind) for s in stores} for kind in ("licence", "rights"))
    told = dict.fromkeys(f"{each.name}: {each.rights}" for each in stores if each.rights)
    whole = replace(
        whole,
        licence=store.licence if len(licences) == 1 else "",
        rights=store.rights if len(rights) == 1 else "; ".join(told),
    )
    told_others = ", ".join(f"{other.name} ({len(other)} crops)" for other in others)
    return _noted(whole, "merge", [], before=f"{len(store)} crops", after=f"with {told_others}")


def _licensed(store: CropStore) -> CropStore:
    """The store with its licence on each crop that has none of its own."""
    facts = [replace(fact, licence=fact.licence or store.licence) for fact in store.crops.facts]
    return replace(store, crops=type(store.crops)(facts, store.crops.pictures))


def _changed(
    store: CropStore,
    crop_ids: Collection[str],
    change: Callable[[Crop], Crop],
    what: str,
    told: Callable[[Crop], str],
    after: str,
    embedder: Embedder,
) -> CropStore:
    rows = _rows(store, crop_ids)
    facts, texts = list(store.crops.facts), np.array(store.text_vectors)
    before = sorted({told(facts[row]) for row in rows})
    changes = [change(facts[row]) for row in rows]
    told_of = [(crop.name, crop.role, crop.state) for crop in changes]
    if told_of == [(facts[row].name, facts[row].role, facts[row].state) for row in rows]:
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
        told = f"no crop {missing[0][:40]!r}" if missing else "nothing to change"
        raise InputError(
            f"The store {store.name} has {told}.", "`procvid memory search` tells the ids."
        )
    return rows


def _noted(
    store: CropStore, what: str, crop_ids: Sequence[str], before: str = "", after: str = ""
) -> CropStore:
    edit: Edit = edit_now(what, crop_ids, before, after)
    return replace(store, history=(*store.history, edit))
