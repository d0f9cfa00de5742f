"""A person's own memory: a copy of the default store, made with the first change, under a random id.

The id is the key to it, as with runs; nobody else's pages show it, and the default store is only read.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from procvid.errors import InputError, StoreError
from procvid.memory.edit import changing
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
    """Where a person's memory lies; the id is checked, so it cannot point elsewhere.

    Raises:
        StoreError: this is no memory id.
    """
    if not isinstance(memory_id, str) or not MEMORY_ID.fullmatch(memory_id):
        raise StoreError(
            f"{str(memory_id)[:40]!r} is not a memory id.",
            "It has 16 characters of 0-9 and a-f.",
        )
    return runs_folder / FOLDER / memory_id


def has_own(context: AppContext, memory_id: str) -> bool:
    """Whether there is such a memory; False for an empty or wrong id too."""
    try:
        return folder_of(context.runs_folder, memory_id).is_dir()
    except StoreError:
        return False


def shown_store(context: AppContext, memory_id: str) -> CropStore:
    """The person's own memory, or the default one as long as nothing was changed.

    A profile without a store of its own begins with an empty one.

    Raises:
        StoreError: it is damaged.
        UnavailableError: the profile's files are missing, or its embedder cannot be had here.
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
    """Change a person's memory; the first change copies the default store.

    Raises:
        InputError: the change cannot be made, or the memory is full.
        StoreError: it is in use elsewhere or damaged.
        OutputError: it cannot be written.
    """
    embedder = context.parts("default").embedder
    folder = folder_of(context.runs_folder, memory_id)
    if not folder.is_dir():
        with writing(folder):
            if not folder.is_dir():
                # A change that is refused leaves no copy behind.
                changed = _small(edit(shown_store(context, ""), embedder))
                save_store(changed, folder)
                return changed
    with changing(folder, embedder) as opened:
        opened.store = changed = _small(edit(opened.store, embedder))
    return changed


def _small(store: CropStore) -> CropStore:
    if len(store) > MAX_CROPS:
        raise InputError(f"A memory here holds at most {MAX_CROPS:,} crops.", "Remove some.")
    return store


def browse(store: CropStore, name: str, state: str) -> list[int]:
    """The rows of a name and a state, `ANY` for all.

    A person's own photos come first, then one crop of each kind, then the second ones...
    """
    facts = store.crops.facts
    kinds: dict[tuple[str, str], list[int]] = {}
    for row, crop in enumerate(facts):
        kind = crop.name, canonical(crop.state)
        if name in (ANY, kind[0]) and state in (ANY, kind[1]):
            kinds.setdefault(kind, []).append(row)
    placed = [
        (not facts[row].source_id.startswith(UPLOAD), place, kind, row)
        for kind, rows in kinds.items()
        for place, row in enumerate(rows)
    ]
    return [row for *_, row in sorted(placed)]


def kinds(store: CropStore) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Names and states with their counts, as (label, value)."""
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
