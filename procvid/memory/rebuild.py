"""Restore the images of a store that was published without them, from the source videos.

A new image must match the published image vector. So another cut of the video, or another video
with the same name, is refused.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from procvid.errors import InputError
from procvid.media.image import png_bytes
from procvid.media.video import DEFAULT_LIMITS, Limits, stream_frames
from procvid.memory.clip_crops import cut, share_inside
from procvid.memory.history import edit_now
from procvid.memory.store import CropStore, StoredCrops, check_embedder
from procvid.memory.words import canonical
from procvid.protocols import Detector, Embedder
from procvid.types import Crop, Image

SAME_BOX = 0.85
SAME_PICTURE = 0.95
"""Minimum cosine of the published and the new image vector."""

CLOCK_S = 0.002


@dataclass(frozen=True, eq=False)
class RebuildProgress:
    """Progress of a rebuild. The last value has the store.

    Attributes:
        done: Finished sources.
        total: All sources.
        num_crops: Crops that have an image now.
        refused: A sentence for each refused crop or source.
        store: The rebuilt store, or None before the end.
    """

    done: int
    total: int
    num_crops: int
    refused: tuple[str, ...]
    store: CropStore | None = None


def rebuild(
    store: CropStore,
    files: Mapping[str, Path],
    detector: Detector,
    embedder: Embedder,
    limits: Limits = DEFAULT_LIMITS,
) -> Iterator[RebuildProgress]:
    """Cut the missing images from the sources, and yield a value after each source.

    Args:
        store: The store. Existing images stay.
        files: The video of each source id.
        detector: Finds the masks.
        embedder: The store's embedder, to compare images.
        limits: Limits of the videos.

    Raises:
        StoreError: The store belongs to another embedder.
    """
    check_embedder(store, embedder)
    wanted: dict[str, list[int]] = defaultdict(list)
    for row, crop in enumerate(store.crops.facts):
        if store.crops.pictures[row] is None:
            wanted[crop.source_id].append(row)
    pictures = list(store.crops.pictures)
    refused: list[str] = []
    for done, (source_id, rows) in enumerate(wanted.items(), start=1):
        try:
            if source_id not in files:
                raise InputError(f"No file is listed for the source {source_id}.")
            for row, picture in _cut_again(store, rows, files[source_id], detector, limits):
                look = embedder.embed_images([picture])[0]
                if float(look @ store.image_vectors[row]) < SAME_PICTURE:
                    fact = store.crops.facts[row]
                    refused.append(f"{fact.id}: {source_id} shows something else at this time")
                else:
                    pictures[row] = png_bytes(picture)
        except InputError as error:
            refused.append(f"{source_id}: {error.message}")
        count = sum(pictures[row] is not None for row in range(len(store)))
        yield RebuildProgress(done, len(wanted), count, tuple(refused))
    count = sum(picture is not None for picture in pictures)
    edit = edit_now("rebuild", [], after=f"{count} of {len(store)} crops with pictures")
    whole = replace(
        store,
        crops=StoredCrops(store.crops.facts, pictures),
        history=(*store.history, edit),
    )
    yield RebuildProgress(len(wanted), len(wanted), count, tuple(refused), whole)


def _cut_again(
    store: CropStore, rows: list[int], file: Path, detector: Detector, limits: Limits
) -> Iterator[tuple[int, Image]]:
    for row in sorted(rows, key=lambda row: store.crops.facts[row].time_s):
        fact = store.crops.facts[row]
        frames = stream_frames(file, max(0.0, fact.time_s - CLOCK_S), None, 1000.0, limits)
        frame = next((frame for time_s, frame in frames if time_s >= fact.time_s - CLOCK_S), None)
        if frame is None:
            raise InputError(f"The video {file.name} ends before {fact.time_s:.1f} s.")
        yield row, cut(frame, fact.box_xyxy, _mask(frame, fact, detector))


def _mask(frame: Image, fact: Crop, detector: Detector) -> NDArray[np.bool_] | None:
    for detection in detector.detect([frame], [fact.name])[0]:
        box = detection.box_xyxy
        if canonical(detection.label) == canonical(fact.name) and (
            min(share_inside(box, fact.box_xyxy), share_inside(fact.box_xyxy, box)) >= SAME_BOX
        ):
            return detection.mask
    return None
