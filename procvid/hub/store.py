"""Turn a published crop store back into a crop store, and verify a store's folder."""

from __future__ import annotations

from pathlib import Path

from procvid.errors import InputError
from procvid.hub.bundle.check import files_in, shard_names
from procvid.hub.names import CARD, LICENCE, MANIFEST, RECEIPT, SCORES
from procvid.hub.release import FileFact, Release, damaged_files
from procvid.memory import columns
from procvid.memory.history import history_from_bytes
from procvid.memory.index import CropIndex
from procvid.memory.store import CropStore, StoredCrops
from procvid.memory.store_folder import EMBEDDINGS, HISTORY, INDEX, read_manifest, save_store
from procvid.types import ModelInfo


def check_store(folder: Path) -> None:
    """Raise InputError unless every file of a store matches its manifest."""
    wrong = damaged_files(folder, store_files(folder))
    if wrong:
        name = next(iter(wrong))
        raise InputError(f"The store in {str(folder)!r} is damaged: {name} {wrong[name]}.")


def store_files(folder: Path) -> dict[str, FileFact]:
    """Return every file that a store's manifest names, including those of a pulled release.

    Raises:
        StoreError: The folder holds no store, or its manifest is not valid.
    """
    named = read_manifest(folder)["files"]
    return {name: FileFact(int(f["size"]), str(f["sha256"])) for name, f in named.items()}


def unverified_files(folder: Path) -> list[str]:
    """Return the files in a store's folder that its manifest does not name."""
    return sorted(set(files_in(folder)) - set(store_files(folder)) - {MANIFEST, RECEIPT})


def unpack_store(fetched: Path, release: Release, new: Path) -> None:
    """Build a crop store from the files of a published one, checking every row.

    Args:
        fetched: Folder with the downloaded files.
        release: Manifest of the published store.
        new: Empty folder for the crop store.

    Raises:
        StoreError: The files hold no crop store.
        InputError: The number of crops or dimensions differs from the manifest.
    """
    facts, pictures = [], []
    for name in shard_names(release):
        shard_facts, shard_pictures = columns.crops_from_parquet((fetched / name).read_bytes())
        facts += shard_facts
        pictures += shard_pictures
    vectors = columns.vectors_from_bytes((fetched / EMBEDDINGS).read_bytes(), len(facts))
    embedder, counts = release.facts["embedder"], release.facts["counts"]
    stated = (counts.get("crops"), counts.get("with_pixels"), embedder.get("dim"))
    found = (len(facts), sum(p is not None for p in pictures), int(vectors[2].shape[1]))
    if stated != found or len({crop.id for crop in facts}) != len(facts):
        raise InputError(
            f"The manifest of {release.name!r} is wrong: it states {stated} crops, images and "
            f"dimensions, but the files hold {found}.",
            "Do not use this release, and report it to its owner.",
        )
    index = CropIndex.from_bytes((fetched / INDEX).read_bytes(), vectors[2])
    store = CropStore(
        name=release.name,
        crops=StoredCrops(facts, pictures),
        image_vectors=vectors[0],
        text_vectors=vectors[1],
        vectors=vectors[2],
        embedder=ModelInfo(str(embedder["id"]), str(embedder["revision"])),
        # Rebuilt unless it is exactly the index of these vectors.
        index=index or CropIndex(vectors[2]),
        licence=release.licence,
        rights=release.rights,
        history=history_from_bytes((fetched / HISTORY).read_bytes())
        if HISTORY in release.files
        else (),
    )
    # The store's manifest names these files too, so they are hashed before each load.
    extra = {n: (fetched / n).read_bytes() for n in (CARD, SCORES, LICENCE) if n in release.files}
    save_store(store, new, extra)
