"""Find near-duplicates: the same thing in the same state, seen twice. The first crop is kept.

CLIP proposes the pairs, because its vectors exist already. The frame encoder decides, because it
compares looks and not names.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from procvid.media.image import decode_image
from procvid.memory.store import CropStore
from procvid.memory.words import canonical
from procvid.protocols import FrameEncoder

BATCH = 64


@dataclass(frozen=True)
class NearRules:
    """Minimum cosines of two crops of one name, role and state that show the same thing.

    Args:
        clip: Minimum cosine of the image vectors of a pair to compare.
        frame: Minimum cosine of the frame encoder's vectors of a duplicate.
    """

    clip: float = 0.97
    frame: float = 0.995


DEFAULT_NEAR = NearRules()


def near_duplicates(
    store: CropStore, frame_encoder: FrameEncoder, rules: NearRules = DEFAULT_NEAR
) -> dict[int, int]:
    """Return the duplicate rows as `{row: earlier row}`. Crops without images are skipped."""
    groups: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for row, crop in enumerate(store.crops.facts):
        if store.crops.pictures[row] is not None and not crop.banned:
            groups[canonical(crop.name), crop.role, canonical(crop.state)].append(row)
    same: dict[int, int] = {}
    for rows in groups.values():
        same |= _in_group(store, rows, frame_encoder, rules)
    return same


def _in_group(
    store: CropStore, rows: Sequence[int], frame_encoder: FrameEncoder, rules: NearRules
) -> dict[int, int]:
    vectors = store.image_vectors[list(rows)]
    looks: dict[int, np.ndarray] = {}

    def look(places: Sequence[int]) -> np.ndarray:
        new = [place for place in places if place not in looks]
        for start in range(0, len(new), BATCH):
            batch = new[start : start + BATCH]
            pictures = [_picture(store, rows[place]) for place in batch]
            looks.update(zip(batch, frame_encoder.embed_frames(pictures), strict=True))
        return np.stack([looks[place] for place in places])

    kept: list[int] = []
    same: dict[int, int] = {}
    for place, row in enumerate(rows):
        near = [kept[i] for i in np.flatnonzero(vectors[kept] @ vectors[place] >= rules.clip)]
        if near:
            likeness = look(near) @ look([place])[0]
            best = int(np.argmax(likeness))
            if likeness[best] >= rules.frame:
                same[row] = rows[near[best]]
                continue
        kept.append(place)
    return same


def _picture(store: CropStore, row: int) -> np.ndarray:
    png = store.crops.pictures[row]
    assert png is not None
    return decode_image(png, store.crops.facts[row].id)
