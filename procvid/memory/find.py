"""Searching a store by a text or a picture, as a person does who looks through it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from procvid.errors import InputError
from procvid.memory.rules import DEFAULT_RULES
from procvid.memory.store import CropStore, check_embedder
from procvid.memory.words import canonical
from procvid.protocols import Embedder
from procvid.types import Crop, Image

LOOK_AT = 4
"""So many times the wanted number is looked at, for of crops that are alike only one is shown."""


@dataclass(frozen=True, eq=False)
class Match:
    """A crop without its picture, its row in the store, and the cosine by which it was found."""

    row: int
    crop: Crop
    score: float


def find(
    store: CropStore,
    embedder: Embedder,
    wanted: str | Image,
    k: int,
    state: str | None = None,
    same_thing: float = DEFAULT_RULES.same_thing,
) -> list[Match]:
    """The crops nearest to a text or a picture, best first.

    Args:
        store: To look through; banned crops are found too, for a person may want to allow them.
        embedder: That of the store.
        wanted: A text, against the fused vectors, or uint8 (H, W, 3) RGB, against the image vectors.
        k: How many at most.
        state: Only crops in this state.
        same_thing: Of crops whose image vectors are this alike only the best is shown.

    Raises:
        StoreError: the store is of another embedder.
        InputError: no crop is in that state.
    """
    check_embedder(store, embedder)
    rows = None if state is None else rows_in_state(store, state)
    if isinstance(wanted, str):
        query = embedder.embed_texts([wanted])[0]
        scores, found = store.index.search(query, LOOK_AT * k, rows)
    else:
        query = embedder.embed_images([wanted])[0]
        among = np.arange(len(store)) if rows is None else np.array(rows, np.int64)
        every = store.image_vectors[among] @ query
        order = np.lexsort((among, -every))[: LOOK_AT * k]
        scores, found = every[order], among[order]
    kept: list[Match] = []
    for score, row in zip(scores.tolist(), found.tolist(), strict=True):
        look = store.image_vectors[row]
        if all(float(look @ store.image_vectors[other.row]) < same_thing for other in kept):
            kept.append(Match(row, store.crops.facts[row], score))
        if len(kept) == k:
            break
    return kept


def rows_in_state(store: CropStore, state: str) -> Sequence[int]:
    """The rows of crops in a state. Raises InputError when there is none."""
    wanted = canonical(state)
    rows = [row for row, crop in enumerate(store.crops.facts) if canonical(crop.state) == wanted]
    if not rows:
        states = sorted({crop.state for crop in store.crops.facts if crop.state})
        raise InputError(
            f"No crop of the store {store.name} is {state!r}.",
            f"Its states are {', '.join(states)}." if states else "",
        )
    return rows
