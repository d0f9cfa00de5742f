"""A visitor's own memory: a copy of the default store, created by the first edit.

Its random id is the only key to it. The default store is never changed.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from procvid.errors import InputError, StoreError
from procvid.memory.edit import changing
from procvid.memory.history import Edit, edit_now
from procvid.memory.reasons import UPLOAD
from procvid.memory.store import CropStore, empty_store
from procvid.memory.store_folder import load_store, save_store, writing
from procvid.memory.words import canonical
from procvid.protocols import Embedder
from procvid.wiring.stores import load_default_memory

if TYPE_CHECKING:
    from procvid.ui.server.context import AppContext

FOLDER = "memories"
MEMORY_ID = re.compile(r"[0-9a-f]{16}")
MAX_CROPS = 5_000
ANY = "any"


def folder_of(runs_folder: Path, memory_id: str) -> Path:
    """Return the folder of a visitor's memory.

    Raises:
        StoreError: The id is not valid, so it could point elsewhere.
    """
    if not isinstance(memory_id, str) or not MEMORY_ID.fullmatch(memory_id):
        raise StoreError(
            f"{str(memory_id)[:40]!r} is not a memory id.",
            "A memory id has 16 characters from 0-9 and a-f.",
        )
    return runs_folder / FOLDER / memory_id


def has_own(context: AppContext, memory_id: str) -> bool:
    """Return True if this memory exists; False also for an empty or invalid id."""
    try:
        return folder_of(context.runs_folder, memory_id).is_dir()
    except StoreError:
        return False


def shown_store(context: AppContext, memory_id: str) -> CropStore:
    """Return the visitor's own memory, or the default one before the first edit.

    A profile without a default store starts with an empty one.

    Raises:
        StoreError: The store is damaged.
        UnavailableError: The profile's files or its embedder are missing.
    """
    if has_own(context, memory_id):
        return load_store(folder_of(context.runs_folder, memory_id))
    if "memory" in context.profile.models:
        return load_default_memory(context.profile)
    return empty_store("default", context.parts("default").embedder)


def change(
    context: AppContext,
    memory_id: str,
    edit: Callable[[CropStore, Embedder], CropStore],
) -> CropStore:
    """Edit a visitor's memory; the first edit copies the default store.

    Args:
        context: Context of the app.
        memory_id: Id of the visitor's memory.
        edit: Returns the edited store.

    Raises:
        InputError: The edit is not possible, or the memory is full.
        StoreError: The memory is in use elsewhere or damaged.
        OutputError: The memory cannot be written.
    """
    embedder = context.parts("default").embedder
    folder = folder_of(context.runs_folder, memory_id)
    if not folder.is_dir():
        with writing(folder):
            if not folder.is_dir():
                # An edit that fails leaves no copy behind.
                before = shown_store(context, "")
                changed = _small(edit(before, embedder))
                save_store(changed, folder)
                save_store(before, _before(folder))
                return changed
    with changing(folder, embedder) as opened:
        before = opened.store
        opened.store = changed = _small(edit(before, embedder))
        if changed is not before:
            save_store(before, _before(folder))
    return changed


def can_undo(context: AppContext, memory_id: str) -> bool:
    """Return True if the last change of this memory can be undone."""
    return (
        has_own(context, memory_id) and _before(folder_of(context.runs_folder, memory_id)).is_dir()
    )


def undo_change(context: AppContext, memory_id: str) -> CropStore:
    """Undo the last change of a visitor's memory and return the store; the history keeps both.

    Raises:
        InputError: Nothing can be undone: only the last change is kept.
        StoreError: The memory is in use elsewhere or damaged.
        OutputError: The memory cannot be written.
    """
    if not can_undo(context, memory_id):
        raise InputError("There is nothing to undo.", "Only the last change can be undone.")
    embedder = context.parts("default").embedder
    folder = folder_of(context.runs_folder, memory_id)
    with changing(folder, embedder) as opened:
        history = opened.store.history
        undone = edit_now("undo", history[-1].crop_ids if history else (), before=_what(history))
        before = load_store(_before(folder), embedder)
        opened.store = store = replace(before, history=(*history, undone))
    shutil.rmtree(_before(folder), ignore_errors=True)
    return store


def _before(folder: Path) -> Path:
    """Return the folder of the memory as it was before its last change."""
    return folder.with_name(f"{folder.name}.before")


def _what(history: Sequence[Edit]) -> str:
    return history[-1].what if history else ""


def row_of(store: CropStore, crop_id: str) -> int:
    """Return the row of a crop.

    Raises:
        InputError: No crop is selected, or the store does not have it.
    """
    for row, crop in enumerate(store.crops.facts):
        if crop.id == crop_id:
            return row
    if not crop_id:
        raise InputError("No picture is selected.", "Select one first.")
    raise InputError("This picture no longer exists.", "Select another one.")


def _small(store: CropStore) -> CropStore:
    if len(store) > MAX_CROPS:
        raise InputError(
            f"A memory holds at most {MAX_CROPS:,} crops; this one would hold {len(store):,}.",
            "Remove some crops first.",
        )
    return store


def browse(store: CropStore, name: str, state: str) -> list[int]:
    """Return the rows with a name and a state, `ANY` for all.

    Uploaded photos come first, then the first crop of each name and state, then the second ones.
    """
    facts = store.crops.facts
    kinds: dict[tuple[str, str], list[int]] = {}
    for row, crop in enumerate(facts):
        kind = crop.name, canonical(crop.state)
        if name in (ANY, kind[0]) and state in (ANY, kind[1]):
            kinds.setdefault(kind, []).append(row)
    placed = [
        (not facts[row].source_id.startswith(f"{UPLOAD}/"), place, kind, row)
        for kind, rows in kinds.items()
        for place, row in enumerate(rows)
    ]
    return [row for *_, row in sorted(placed)]


def kinds(store: CropStore) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Return names and states with their counts, as (label, value)."""
    names: dict[str, int] = {}
    states: dict[str, int] = {}
    for crop in store.crops.facts:
        names[crop.name] = names.get(crop.name, 0) + 1
        states[canonical(crop.state)] = states.get(canonical(crop.state), 0) + 1
    return (
        [
            (f"all objects ({len(store)})", ANY),
            *((f"{n} ({c})", n) for n, c in sorted(names.items())),
        ],
        [("any state", ANY), *((f"{s or 'none'} ({c})", s) for s, c in sorted(states.items()))],
    )
