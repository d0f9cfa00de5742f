"""`--memory ID` and `--lora ID`: releases of the Hub as folders of this machine, verified."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from procvid.errors import InputError
from procvid.hub.bundle import files_in, shard_names, validate
from procvid.hub.cache import Cache, Handling
from procvid.hub.client import HubClient
from procvid.hub.names import (
    CARD,
    LICENCE,
    MANIFEST,
    RECEIPT,
    REPO_TYPES,
    SCORES,
    Artifact,
    HubId,
    looks_like_hub_id,
    parse_hub_id,
)
from procvid.hub.pull import Pulled, Pulling, moved
from procvid.hub.release import FileFact, Release, damaged_files
from procvid.memory import columns
from procvid.memory.history import history_from_bytes
from procvid.memory.index import CropIndex
from procvid.memory.store import CropStore, StoredCrops
from procvid.memory.store_folder import EMBEDDINGS, HISTORY, INDEX, read_manifest, save_store
from procvid.types import ModelInfo

Tell = Callable[[Pulling], None]


def open_cache(root: Path) -> Cache:
    """The cache of pulled releases below a folder."""
    as_published = Handling(moved, check_release)
    return Cache(
        root / "hub",
        {"lora": as_published, "run": as_published, "memory": Handling(unpack_store, check_store)},
    )


def hub_id_of(text: str, artifact: Artifact) -> HubId | None:
    """The release that a text names, or None where it means something on this machine."""
    if Path(text).expanduser().exists() or not looks_like_hub_id(text):
        return None
    wanted = parse_hub_id(text)
    return HubId(wanted.repo, wanted.revision, REPO_TYPES[artifact])


def obtain(
    cache: Cache, client: HubClient, artifact: Artifact, wanted: HubId, tell: Tell
) -> Pulled:
    """A verified release; `tell` hears of its way here.

    Raises:
        ProcvidError: It cannot be had.
    """
    for event in cache.obtain(client, artifact, wanted):
        if isinstance(event, Pulled):
            return event
        tell(event)
    raise AssertionError


def check_release(folder: Path) -> None:
    """Raise InputError unless a pulled release is as it was published."""
    validate(folder)


def check_store(folder: Path) -> None:
    """Raise InputError unless every file of a store is as its manifest says."""
    wrong = damaged_files(folder, store_files(folder))
    if wrong:
        name = next(iter(wrong))
        raise InputError(f"The store in {str(folder)!r} is damaged: {name} {wrong[name]}.")


def store_files(folder: Path) -> dict[str, FileFact]:
    """Every file of a store with what its manifest says of it; what came with a release too.

    Raises:
        StoreError: There is no store, or its manifest cannot be believed.
    """
    named = read_manifest(folder)["files"]
    return {name: FileFact(int(f["size"]), str(f["sha256"])) for name, f in named.items()}


def strays(folder: Path) -> list[str]:
    """The files in a store's folder that its manifest does not name, so that nobody verified them."""
    return sorted(set(files_in(folder)) - set(store_files(folder)) - {MANIFEST, RECEIPT})


def unpack_store(fetched: Path, release: Release, new: Path) -> None:
    """The shards of a published store -> a crop store, every row of it read and checked.

    Raises:
        StoreError: They hold no crop store.
        InputError: They hold another number of crops or dimensions than the manifest says.
    """
    facts, pictures = [], []
    for name in shard_names(release):
        some, theirs = columns.crops_from_parquet((fetched / name).read_bytes())
        facts += some
        pictures += theirs
    vectors = columns.vectors_from_bytes((fetched / EMBEDDINGS).read_bytes(), len(facts))
    embedder, counts = release.facts["embedder"], release.facts["counts"]
    told = (counts.get("crops"), counts.get("with_pixels"), embedder.get("dim"))
    found = (len(facts), sum(p is not None for p in pictures), int(vectors[2].shape[1]))
    if told != found or len({crop.id for crop in facts}) != len(facts):
        raise InputError(
            f"The manifest of {release.name!r} lies: it says {told} crops, pictures and "
            f"dimensions, its files hold {found}.",
            "Do not use it; tell its owner.",
        )
    index = CropIndex.from_bytes((fetched / INDEX).read_bytes(), vectors[2])
    store = CropStore(
        name=release.name,
        crops=StoredCrops(facts, pictures),
        image_vectors=vectors[0],
        text_vectors=vectors[1],
        vectors=vectors[2],
        embedder=ModelInfo(str(embedder["id"]), str(embedder["revision"])),
        # Built anew where it is not exactly the index of these vectors.
        index=index or CropIndex(vectors[2]),
        licence=release.licence,
        rights=release.rights,
        history=history_from_bytes((fetched / HISTORY).read_bytes())
        if HISTORY in release.files
        else (),
    )
    # The manifest of the store names them, so that they too are hashed before each load.
    beside = {n: (fetched / n).read_bytes() for n in (CARD, SCORES, LICENCE) if n in release.files}
    save_store(store, new, beside)
