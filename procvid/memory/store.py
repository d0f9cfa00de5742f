"""The crop store as a value: crops of objects, their vectors, and operations on them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import overload

import numpy as np

from procvid.errors import InputError, StoreError
from procvid.media.image import decode_image, png_bytes
from procvid.memory.columns import HINT
from procvid.memory.history import Edit
from procvid.memory.index import CropIndex
from procvid.memory.words import crop_text
from procvid.protocols import Embedder
from procvid.types import Crop, ModelInfo, Vectors

TINY = 1e-12

WORDS_CHANGED = ("rename", "retag")
"""Edits that change the words of a crop."""


class StoredCrops(Sequence[Crop]):
    """Crops whose images are PNG bytes until a crop is read.

    `facts` are the same crops without pixels, so that scoring 100,000 crops stays cheap.
    """

    def __init__(self, facts: Sequence[Crop], pictures: Sequence[bytes | None]) -> None:
        self.facts = tuple(facts)
        self.pictures = tuple(pictures)

    def __len__(self) -> int:
        return len(self.facts)

    @overload
    def __getitem__(self, row: int) -> Crop: ...
    @overload
    def __getitem__(self, row: slice) -> tuple[Crop, ...]: ...
    def __getitem__(self, row: int | slice) -> Crop | tuple[Crop, ...]:
        if isinstance(row, slice):
            return tuple(self[one] for one in range(*row.indices(len(self))))
        fact, png = self.facts[row], self.pictures[row]
        if png is None:
            return fact
        try:
            return replace(fact, image=decode_image(png, fact.id))
        except InputError as error:
            raise StoreError(f"The image of crop {fact.id} cannot be read.", HINT) from error

    def __iter__(self) -> Iterator[Crop]:
        return (self[row] for row in range(len(self)))


@dataclass(frozen=True, eq=False)
class CropStore:
    """Crops and their vectors in the space of one embedder. A value that never changes in place.

    Attributes:
        name: The store's name.
        crops: The crops.
        image_vectors: float32 (N, dim), L2-normalised.
        text_vectors: float32 (N, dim), L2-normalised.
        vectors: The fused vectors, float32 (N, dim), L2-normalised.
        embedder: The embedder that made the vectors.
        index: The index over the fused vectors.
        licence: Licence of the whole store.
        rights: A note on the permitted use.
        history: The changes that people made.
        notes: What was repaired while loading.
    """

    name: str
    crops: StoredCrops
    image_vectors: Vectors
    text_vectors: Vectors
    vectors: Vectors
    embedder: ModelInfo
    index: CropIndex
    licence: str = ""
    rights: str = ""
    history: tuple[Edit, ...] = ()
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.crops)

    @property
    def dim(self) -> int:
        """Return the number of dimensions of the vectors."""
        return int(self.vectors.shape[1])


def normalised(vectors: Vectors) -> Vectors:
    """Return float32 rows of unit length. A row of zeros stays zero."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, TINY), dtype=np.float32)


def fused(image_vectors: Vectors, text_vectors: Vectors) -> Vectors:
    """Return the normalised mean of the normalised image and text vectors (paper, section 3.6)."""
    return normalised(normalised(image_vectors) + normalised(text_vectors))


def empty_store(name: str, embedder: Embedder, *, licence: str = "", rights: str = "") -> CropStore:
    """Return a store without crops in the space of `embedder`."""
    nothing = np.zeros((0, embedder.dim), np.float32)
    return CropStore(
        name=name,
        crops=StoredCrops((), ()),
        image_vectors=nothing,
        text_vectors=nothing,
        vectors=nothing,
        embedder=embedder.info,
        index=CropIndex(nothing),
        licence=licence,
        rights=rights,
    )


def with_rows(
    store: CropStore,
    facts: Sequence[Crop],
    pictures: Sequence[bytes | None],
    image_vectors: Vectors,
    text_vectors: Vectors,
) -> CropStore:
    """Return `store` with these crops instead of its own. The index is built at first use."""
    both = fused(image_vectors, text_vectors)
    return replace(
        store,
        crops=StoredCrops(facts, pictures),
        image_vectors=image_vectors,
        text_vectors=text_vectors,
        vectors=both,
        index=CropIndex(both, text_vectors),
    )


def add_crops(store: CropStore, crops: Sequence[Crop], embedder: Embedder) -> CropStore:
    """Embed crops and return the store with them. Crops with a known id are skipped.

    Raises:
        StoreError: The store belongs to another embedder.
        InputError: A crop has no image.
    """
    check_embedder(store, embedder)
    known = {crop.id for crop in store.crops.facts}
    fresh: dict[str, Crop] = {}
    for crop in crops:
        if crop.id not in known:
            fresh.setdefault(crop.id, crop)
    if not fresh:
        return store
    pictures = []
    for crop in fresh.values():
        if crop.image is None:
            raise InputError(f"The crop {crop.id} has no image.", "Add crops with images.")
        pictures.append(crop.image)
    images = embedder.embed_images(pictures)
    texts = embed_facts(fresh.values(), embedder)
    grown = with_rows(
        store,
        [*store.crops.facts, *(replace(crop, image=None) for crop in fresh.values())],
        [*store.crops.pictures, *(png_bytes(picture) for picture in pictures)],
        np.concatenate([store.image_vectors, normalised(images)]),
        np.concatenate([store.text_vectors, texts]),
    )
    return replace(grown, index=store.index.grown(grown.vectors, grown.text_vectors))


def embed_facts(facts: Iterable[Crop], embedder: Embedder) -> Vectors:
    """Return the text vectors of crops, float32 (N, dim)."""
    words = [crop_text(crop.name, crop.role, crop.description, crop.state) for crop in facts]
    return normalised(embedder.embed_texts(words))


def of_rows(store: CropStore, rows: Sequence[int]) -> CropStore:
    """Return the store with only these crops, in the given order."""
    if list(rows) == list(range(len(store))):
        return store
    return with_rows(
        store,
        [store.crops.facts[row] for row in rows],
        [store.crops.pictures[row] for row in rows],
        store.image_vectors[list(rows)],
        store.text_vectors[list(rows)],
    )


def merged(store: CropStore, parts: Sequence[CropStore]) -> CropStore:
    """Return one store with the crops of `store`, then those of `parts`, and all histories.

    If several stores have a crop, the version whose words were changed last stays, else the first.
    A crop that is banned in one store is banned in the result. A missing image is taken from
    another store.

    Raises:
        StoreError: A part belongs to another embedder.
    """
    taken: dict[str, tuple[str, CropStore, int]] = {}
    banned: set[str] = set()
    pictures: dict[str, bytes] = {}
    for part in (store, *parts):
        check_same(part.name, part.embedder, part.dim, store.embedder, store.dim)
        edited = {
            crop_id: edit.at
            for edit in sorted(part.history, key=lambda edit: edit.at)
            if edit.what in WORDS_CHANGED
            for crop_id in edit.crop_ids
        }
        for row, crop in enumerate(part.crops.facts):
            at = edited.get(crop.id, "")
            if crop.id not in taken or at > taken[crop.id][0]:
                taken[crop.id] = (at, part, row)
            if crop.banned:
                banned.add(crop.id)
            picture = part.crops.pictures[row]
            if picture is not None:
                pictures.setdefault(crop.id, picture)
    rows = [(part, row) for _, part, row in taken.values()]
    facts = [part.crops.facts[row] for part, row in rows]
    whole = with_rows(
        store,
        [replace(fact, banned=fact.id in banned) for fact in facts],
        [part.crops.pictures[row] or pictures.get(id_) for id_, (_, part, row) in taken.items()],
        np.array([part.image_vectors[row] for part, row in rows], np.float32).reshape(
            -1, store.dim
        ),
        np.array([part.text_vectors[row] for part, row in rows], np.float32).reshape(-1, store.dim),
    )
    edits = dict.fromkeys(edit for part in (store, *parts) for edit in part.history)
    return replace(whole, history=tuple(sorted(edits, key=lambda edit: edit.at)))


def without_pixels(store: CropStore) -> CropStore:
    """Return the store without images, which may be published when the images may not."""
    return replace(store, crops=StoredCrops(store.crops.facts, (None,) * len(store)))


def check_embedder(store: CropStore, embedder: Embedder) -> None:
    """Raise StoreError unless the store was made with this embedder."""
    check_same(store.name, store.embedder, store.dim, embedder.info, embedder.dim)


def check_same(
    name: str, made_with: ModelInfo, dim: int, embedder: ModelInfo, wanted_dim: int
) -> None:
    """Raise StoreError unless id, revision and dimensions are equal."""
    if (made_with.id, made_with.revision, dim) != (embedder.id, embedder.revision, wanted_dim):
        raise StoreError(
            f"The store {name} was made with the embedder {made_with.id} {made_with.revision} "
            f"({dim} dimensions), not with {embedder.id} {embedder.revision} ({wanted_dim}).",
            "Rebuild it with `procvid memory build`, or choose the profile it was made for.",
        )
