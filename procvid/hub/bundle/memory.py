"""Bundle a crop store: parquet shards for the Hub's viewer, embeddings and index."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from procvid.errors import InputError
from procvid.hub.bundle.options import LICENCE_HINT, BundleOptions
from procvid.hub.bundle.sources import Source, add_scores, select_files, versions_of
from procvid.hub.bundle.write import write_bundle
from procvid.hub.cards import memory_card
from procvid.hub.names import LICENCE, SCORES
from procvid.hub.release import Release
from procvid.hub.secrets import secret_in
from procvid.memory import columns
from procvid.memory.history import history_bytes
from procvid.memory.store import CropStore, without_pixels
from procvid.memory.store_folder import CROPS, EMBEDDINGS, HISTORY, INDEX, load_store
from procvid.memory.store_folder import MANIFEST as STORE_MANIFEST

SHARD_BYTES = 128 * 2**20
MAX_SHARDS = 80
MAX_SOURCES_NAMED = 20


def bundle_memory(folder: Path, out: Path, options: BundleOptions) -> Release:
    """Bundle a crop store.

    Args:
        folder: Folder of the store.
        out: The bundle's folder; must not exist.
        options: Options of the publisher.

    Raises:
        StoreError: The store is missing or damaged.
        InputError: The store holds images without a licence, a secret, or a foreign file.
        OutputError: `out` cannot be written.
    """
    store = load_store(folder)
    ours = (CROPS, EMBEDDINGS, INDEX, HISTORY, SCORES, LICENCE, STORE_MANIFEST)
    select_files(folder, *map(re.escape, ours), r"build/.+")
    if options.no_pixels:
        store = without_pixels(store)
    licence = options.licence or store.licence
    with_pixels = sum(picture is not None for picture in store.crops.pictures)
    unlicensed = sum(
        picture is not None and not (crop.licence or licence)
        for crop, picture in zip(store.crops.facts, store.crops.pictures, strict=True)
    )
    if unlicensed and not options.without_licence:
        raise InputError(
            f"{unlicensed} crops of {store.name} have an image but no licence.", LICENCE_HINT
        )
    _refuse_secrets_in(store)
    sources: dict[str, Source] = dict(_shards(store))
    sources[EMBEDDINGS] = columns.vectors_bytes(
        store.image_vectors, store.text_vectors, store.vectors
    )
    sources[INDEX] = store.index.to_bytes()
    if store.history:
        sources[HISTORY] = history_bytes(store.history)
    if (folder / LICENCE).is_file():
        sources[LICENCE] = folder / LICENCE
    scores = add_scores(folder, options, sources)
    videos = Counter(crop.source_id for crop in store.crops.facts)
    facts = {
        "counts": {
            "crops": len(store),
            "with_pixels": with_pixels,
            "names": len({crop.name for crop in store.crops.facts}),
            "sources": len(videos),
        },
        "embedder": {
            "id": store.embedder.id,
            "revision": store.embedder.revision,
            "dim": store.dim,
        },
        "sources": [name for name, _ in videos.most_common(MAX_SOURCES_NAMED)],
    }
    return write_bundle(
        out,
        "memory",
        sources,
        name=store.name,
        licence=licence,
        rights=store.rights,
        facts=facts,
        versions=versions_of("pyarrow", "safetensors", "faiss-cpu"),
        card=lambda release: memory_card(release, options.target, scores),
    )


def _shards(store: CropStore) -> dict[str, bytes]:
    sizes = [len(picture or b"") + 400 for picture in store.crops.pictures]
    # Two neighbours together exceed the limit, so there are at most MAX_SHARDS + 1 shards.
    limit = max(SHARD_BYTES, 2 * sum(sizes) // MAX_SHARDS)
    starts, held = [0], 0
    for row, size in enumerate(sizes):
        if held and held + size > limit:
            starts.append(row)
            held = 0
        held += size
    ends = [*starts[1:], len(sizes)]
    return {
        f"data/crops-{number:05d}-of-{len(starts):05d}.parquet": columns.parquet_bytes(
            store.crops.facts[start:end], store.crops.pictures[start:end]
        )
        for number, (start, end) in enumerate(zip(starts, ends, strict=True))
    }


def _refuse_secrets_in(store: CropStore) -> None:
    """Raise InputError if a crop holds a secret: parquet is compressed, so cells are searched."""
    for crop, picture in zip(store.crops.facts, store.crops.pictures, strict=True):
        texts = (crop.id, crop.name, crop.description, crop.state, crop.source_id, crop.licence)
        secret = secret_in("\n".join(texts).encode()) or secret_in(picture or b"")
        if secret:
            raise InputError(
                f"The crop {crop.id} holds what looks like {secret}. Nothing was published.",
                "Remove it, and revoke it if others may have seen it.",
            )
