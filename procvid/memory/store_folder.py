"""Read and write a crop store as a folder.

manifest.json           schema version, counts, embedder, sha256 and size of every file, rights
crops.parquet           one row per crop, with its image as PNG (or none)
embeddings.safetensors  image, text and fused vectors: the source of truth
index/index.faiss       derived from the fused vectors, rebuilt if damaged
history.jsonl           the changes that people made, if any
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from procvid.errors import InputError, StoreError
from procvid.memory import columns
from procvid.memory.columns import HINT, digest
from procvid.memory.history import Edit, history_bytes, history_from_bytes
from procvid.memory.index import CropIndex
from procvid.memory.store import CropStore, StoredCrops, check_same, fused
from procvid.protocols import Embedder
from procvid.storage.atomic import output_error, replacing_folder
from procvid.storage.files import restore
from procvid.storage.lock import AlreadyHeldError, locked_file
from procvid.types import ModelInfo, Vectors

KIND = "procvid crop store"
SCHEMA_VERSION = 2
READABLE = (1, 2)
MANIFEST, CROPS, EMBEDDINGS = "manifest.json", "crops.parquet", "embeddings.safetensors"
INDEX = "index/index.faiss"
HISTORY, REQUEST, REJECTS = "history.jsonl", "build/request.json", "build/rejects.jsonl"
BUILT = (REQUEST, REJECTS)
"""How the store was built. Verified like the other files."""

CARD, LICENCE, SCORES, RECEIPT = "README.md", "LICENSE", "scores.json", "release.json"
"""The files of a release; the receipt names the release. The owner of a store may write a card and a
licence, so loading ignores these files."""

AUTHORITIES = (CROPS, EMBEDDINGS)
MAX_MANIFEST_BYTES = 1_000_000
MAX_BESIDE_BYTES = 16_000_000


def save_store(store: CropStore, path: Path, extra: Mapping[str, bytes] | None = None) -> None:
    """Write a store as a folder, atomically. The same store gives the same bytes.

    Args:
        store: The store.
        path: The folder. An existing store is replaced.
        extra: Contents of additional files by name.

    Raises:
        InputError: The store has values that could not be read again.
        OutputError: The folder cannot be written. An existing store is unchanged.
    """
    columns.check_crops(store.crops.facts)
    files = {
        CROPS: columns.parquet_bytes(store.crops.facts, store.crops.pictures),
        EMBEDDINGS: columns.vectors_bytes(store.image_vectors, store.text_vectors, store.vectors),
        INDEX: store.index.to_bytes(),
    }
    files |= extra or {}
    if store.history:
        files[HISTORY] = history_bytes(store.history)
    manifest = {
        "kind": KIND,
        "schema_version": SCHEMA_VERSION,
        "name": store.name,
        "counts": {
            "crops": len(store),
            "with_pixels": sum(png is not None for png in store.crops.pictures),
            "names": len({crop.name for crop in store.crops.facts}),
            "sources": len({crop.source_id for crop in store.crops.facts}),
        },
        "embedder": {
            "id": store.embedder.id,
            "revision": store.embedder.revision,
            "dim": store.dim,
        },
        "index": asdict(store.index.facts),
        "files": {name: {"sha256": digest(d), "size": len(d)} for name, d in files.items()},
        "licence": store.licence,
        "rights": store.rights,
    }
    files[MANIFEST] = columns.manifest_bytes(manifest)
    if len(files[MANIFEST]) > MAX_MANIFEST_BYTES:
        raise InputError(
            "The store's name, licence and rights are too long.",
            f"Shorten them: the manifest may have {MAX_MANIFEST_BYTES:,} bytes.",
        )
    with replacing_folder(Path(path)) as folder:
        for name, data in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)


def load_store(path: Path, embedder: Embedder | None = None) -> CropStore:
    """Read and verify a store. If only the index is damaged, it is rebuilt with a note.

    Args:
        path: The store's folder.
        embedder: If given, the store must have been made with it.

    Raises:
        StoreError: The store does not exist, is damaged, has a newer version or another embedder.
    """
    path = Path(path)
    info = made_with(path)
    manifest = read_manifest(path)
    name, dim = str(manifest["name"]), manifest["embedder"]["dim"]
    if embedder is not None:
        check_same(name, info, dim, embedder.info, embedder.dim)
    crops, vectors = (_verified(path, file, manifest) for file in AUTHORITIES)
    for file in BUILT:
        if file in manifest["files"]:
            _verified(path, file, manifest)
    facts, pictures = columns.crops_from_parquet(crops, manifest["schema_version"])
    image_vectors, text_vectors, both = columns.vectors_from_bytes(vectors, len(facts))
    if image_vectors.shape[1] != dim:
        raise StoreError(f"The vectors of store {name} are not {dim} long.", HINT)
    if not np.allclose(both, fused(image_vectors, text_vectors), atol=1e-5):
        raise StoreError(f"The fused vectors of store {name} are not the mean of the others.", HINT)
    index, notes = _index(path, manifest, both, text_vectors)
    history: tuple[Edit, ...] = ()
    if HISTORY in manifest["files"]:
        history = history_from_bytes(_verified(path, HISTORY, manifest))
    return CropStore(
        name=name,
        crops=StoredCrops(facts, pictures),
        image_vectors=image_vectors,
        text_vectors=text_vectors,
        vectors=both,
        embedder=info,
        index=index,
        licence=str(manifest["licence"]),
        rights=str(manifest["rights"]),
        history=history,
        notes=notes,
    )


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Hold the store at `path` until the block ends, and restore what a killed writer left of it.

    The lock lies beside the store, because each change replaces the store's folder.

    Raises:
        StoreError: Another process writes this store.
        OutputError: The parent folder cannot be written.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with locked_file(path.with_name(f".{path.name}.lock")):
            restore(path)
            yield
    except AlreadyHeldError as error:
        raise StoreError(
            f"Another process (pid {error.pid}) writes the store {path}.",
            "Wait until it finishes, or stop it.",
        ) from error
    except OSError as error:
        raise output_error(path, error) from error


def made_with(path: Path) -> ModelInfo:
    """Return the embedder that the manifest of a store names.

    Raises:
        StoreError: See `read_manifest`.
    """
    path = Path(path)
    if not path.exists():
        # A writer was killed after it moved the old folder aside.
        restore(path)
    embedder = read_manifest(path)["embedder"]
    return ModelInfo(str(embedder["id"]), str(embedder["revision"]))


def kept_beside(path: Path) -> dict[str, bytes]:
    """Return the files that stay when a store is changed: its build files, card and licence.

    The scores belong to the unchanged store, so they do not stay.

    Raises:
        StoreError: A file was changed since the store was built or pulled, or cannot be read.
    """
    path = Path(path)
    manifest, pulled = read_manifest(path), bool(came_from(path))
    kept = {name: _verified(path, name, manifest) for name in BUILT if name in manifest["files"]}
    for name in (CARD, LICENCE):
        if pulled and name in manifest["files"]:
            kept[name] = _verified(path, name, manifest)
        elif (path / name).is_file():
            kept[name] = _read(path / name, MAX_BESIDE_BYTES)
    return kept


def came_from(path: Path) -> str:
    """Return OWNER/NAME@COMMIT of a store that was pulled from the Hub, or ""."""
    try:
        receipt = json.loads((Path(path) / RECEIPT).read_text("utf-8"))
        return f"{receipt['repo']}@{receipt['commit'][:12]}"
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def read_manifest(path: Path) -> dict[str, Any]:
    """Return the manifest of the store in a folder. The files it lists are not verified.

    Raises:
        StoreError: The store does not exist, is damaged, or has a newer version.
    """
    path = Path(path)
    if not (path / MANIFEST).is_file():
        raise StoreError(f"There is no crop store in {path}.", "Check the folder's name.")
    data = _read(path / MANIFEST, MAX_MANIFEST_BYTES)
    manifest = columns.manifest_from_bytes(data)
    if manifest.get("kind") != KIND:
        raise StoreError(f"The folder {path} is not a crop store.", "Check the folder's name.")
    if manifest.get("schema_version") not in READABLE:
        raise StoreError(
            f"The store {path} has version {str(manifest.get('schema_version'))[:20]}; "
            f"this procvid reads versions up to {SCHEMA_VERSION}.",
            "Update procvid, or rebuild the store.",
        )
    if not _plausible(manifest):
        raise StoreError(f"The manifest of store {path} is incomplete.", HINT)
    return manifest


def _plausible(manifest: Mapping[str, Any]) -> bool:
    embedder, files = manifest.get("embedder"), manifest.get("files")
    return (
        isinstance(embedder, dict)
        and {"id", "revision", "dim"} <= embedder.keys()
        and isinstance(embedder["dim"], int)
        and isinstance(files, dict)
        and {*AUTHORITIES, INDEX} <= files.keys()
        and all(
            isinstance(f, dict)
            and isinstance(f.get("size"), int)
            and isinstance(f.get("sha256"), str)
            for f in files.values()
        )
        and all(isinstance(manifest.get(key), str) for key in ("name", "licence", "rights"))
    )


def _read(path: Path, max_bytes: int) -> bytes:
    try:
        if path.stat().st_size > max_bytes:
            raise StoreError(
                f"The store's file {path.name} is larger than its manifest states.", HINT
            )
        return path.read_bytes()
    except OSError as error:
        raise StoreError(f"The store's file {path.name} cannot be read.", HINT) from error


def _verified(path: Path, file: str, manifest: Mapping[str, Any]) -> bytes:
    fact = manifest["files"][file]
    data = _read(path / file, int(fact["size"]))
    if len(data) != fact["size"] or digest(data) != fact["sha256"]:
        raise StoreError(f"The store in {path} is damaged: {file} has changed.", HINT)
    return data


def _index(
    path: Path, manifest: Mapping[str, Any], vectors: Vectors, probes: Vectors
) -> tuple[CropIndex, tuple[str, ...]]:
    try:
        index = CropIndex.from_bytes(_verified(path, INDEX, manifest), vectors, probes)
    except StoreError:
        index = None
    if index is not None:
        return index, ()
    note = f"The search index of store {manifest['name']} was damaged and has been rebuilt."
    return CropIndex(vectors, probes), (note,)
