"""Limit how many crops of the run's own clips stay in use.

A long run cuts crops of the same pan from every clip. Its first sight stays, and those that differ most
from the kept ones, so that the memory stays small and still has an empty pan beside a full one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence

import numpy as np

from procvid.memory.gate import Refusal
from procvid.memory.reasons import UPLOAD
from procvid.memory.store import CropStore, of_rows
from procvid.memory.words import canonical
from procvid.types import Role

BUDGET = 3
"""Maximum number of own crops per object, for foods per state. Anchors beyond it stay too."""

OVER_BUDGET = f"the memory has {BUDGET} images of it that differ more"


def over_budget(store: CropStore, needed: Collection[str]) -> list[Refusal]:
    """Return the own crops that the budget drops, with the reason.

    Images that a person uploaded do not count.

    Args:
        store: The run's own crops, the earliest first.
        needed: Ids of the crops that stay: the anchors.
    """
    groups: dict[tuple[str, Role, str], list[int]] = defaultdict(list)
    for row, fact in enumerate(store.crops.facts):
        if not fact.source_id.startswith(f"{UPLOAD}/"):
            state = canonical(fact.state) if fact.role == "food" else ""
            groups[canonical(fact.name), fact.role, state].append(row)
    dropped = []
    for rows in groups.values():
        if len(rows) > BUDGET:
            anchors = [row for row in rows if store.crops.facts[row].id in needed]
            dropped += sorted(set(rows).difference(_kept(store, rows, anchors)))
    facts = [store.crops.facts[row] for row in dropped]
    return [Refusal(fact.id, fact.name, OVER_BUDGET) for fact in facts]


def _kept(store: CropStore, rows: Sequence[int], anchors: Sequence[int]) -> list[int]:
    """Return the first row, the anchors, and the rows that differ most, one after the other."""
    kept = list(dict.fromkeys([rows[0], *anchors]))
    while len(kept) < BUDGET:
        others = [row for row in rows if row not in kept]
        nearest = (store.image_vectors[others] @ store.image_vectors[kept].T).max(axis=1)
        kept.append(others[int(np.argmin(nearest))])
    return kept


def only(store: CropStore, crop_ids: Collection[str]) -> CropStore:
    """Return the store with these crops alone."""
    facts = store.crops.facts
    return of_rows(store, [row for row, fact in enumerate(facts) if fact.id in crop_ids])


def without(store: CropStore, crop_ids: Collection[str]) -> CropStore:
    """Return the store without these crops."""
    return only(store, {fact.id for fact in store.crops.facts}.difference(crop_ids))
