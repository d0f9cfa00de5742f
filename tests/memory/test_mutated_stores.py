"""Two hundred mutated stores: a change of any byte is refused or repaired, never ignored."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from procvid.errors import InputError, StoreError
from procvid.memory import edit
from procvid.memory.columns import (
    SCHEMAS,
    crops_from_parquet,
    digest,
    manifest_bytes,
    parquet_bytes,
)
from procvid.memory.store import CropStore
from procvid.memory.store_folder import CROPS, MANIFEST, REJECTS, REQUEST, load_store, save_store
from procvid.protocols import Embedder
from procvid.types import Crop

NUM_STORES = 200


@pytest.fixture
def saved(store: CropStore, tmp_path: Path) -> Path:
    """Write a store with every possible file."""
    banned = edit.ban(store, [store.crops.facts[3].id])
    save_store(banned, tmp_path / "kitchen", {REQUEST: b'{"a": 1}\n', REJECTS: b""})
    return tmp_path / "kitchen"


def mutate(folder: Path, number: int) -> str:
    """Change one file of a store in the given way, and return its name."""
    rng = np.random.default_rng(number)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    file = files[number % len(files)]
    data = bytearray(file.read_bytes())
    at = int(rng.integers(0, max(1, len(data))))
    match int(rng.integers(0, 6)):
        case 0 | 1:
            data[at : at + 1] = bytes([(data[at] if data else 0) ^ int(rng.integers(1, 256))])
        case 2:
            data[at:at] = rng.bytes(int(rng.integers(1, 30)))
        case 3:
            del data[at : at + int(rng.integers(1, 30))]
            data += b"" if data or not file.stat().st_size else b"x"
        case 4:
            other = files[(number + 1) % len(files)].read_bytes()
            data = bytearray(other if other != bytes(data) else b"x" + other)
        case _:
            data += rng.bytes(3)
    if bytes(data) == file.read_bytes():
        data += b"x"
    file.write_bytes(bytes(data))
    return file.relative_to(folder).as_posix()


def try_mutated(saved: Path, numbers: range) -> None:
    whole = load_store(saved)
    refused = mended = 0
    for number in numbers:
        changed = saved.with_name("changed")
        shutil.copytree(saved, changed)
        file = mutate(changed, number)
        try:
            read = load_store(changed)
        except StoreError as error:
            assert error.message.endswith("."), (number, file)
            refused += 1
        else:
            assert file == "index/index.faiss" and read.notes, (number, file)
            assert [*map(str, read.crops.facts)] == [*map(str, whole.crops.facts)]
            assert np.array_equal(read.vectors, whole.vectors)
            mended += 1
        shutil.rmtree(changed)
    assert refused + mended == len(numbers) and refused > mended > 0


def test_mutated_stores(saved: Path) -> None:
    try_mutated(saved, range(42))


@pytest.mark.slow
def test_two_hundred_mutated_stores(saved: Path) -> None:
    try_mutated(saved, range(NUM_STORES))


def test_a_store_of_the_first_version_still_opens(store: CropStore, tmp_path: Path) -> None:
    """Write a store of version 1: fewer columns, and no facts about the index."""
    folder = tmp_path / "kitchen"
    save_store(store, folder)
    table = pq.read_table(folder / CROPS).select(SCHEMAS[1].names).cast(SCHEMAS[1])
    pq.write_table(table, folder / CROPS, compression="zstd")
    manifest = json.loads((folder / MANIFEST).read_text())
    data = (folder / CROPS).read_bytes()
    manifest["files"][CROPS] = {"sha256": digest(data), "size": len(data)}
    del manifest["index"]
    (folder / MANIFEST).write_bytes(manifest_bytes(manifest | {"schema_version": 1}))

    read = load_store(folder)
    assert len(read) == len(store) and read.history == () and read.notes == ()
    assert {(crop.url, crop.shows, crop.banned) for crop in read.crops.facts} == {("", (), False)}


def test_what_a_store_says_has_limits(
    store_of: Callable[..., CropStore], crop: Callable[..., Crop], tmp_path: Path
) -> None:
    for number, odd in enumerate(
        (
            crop("pot", description="x" * 5000),
            crop("pot", quality=float("nan")),
            crop("pot", detector_score=7.0),
            crop("pot", time_s=float("inf")),
        )
    ):
        with pytest.raises(InputError, match="impossible values"):
            save_store(store_of(odd), tmp_path / str(number))
        assert not (tmp_path / str(number)).exists()
        with pytest.raises(StoreError, match="impossible values"):
            crops_from_parquet(parquet_bytes([odd], [None]))
    with pytest.raises(InputError, match="name, licence and rights are too long"):
        save_store(store_of(crop("pot"), name="x" * 2_000_000), tmp_path / "long")


def test_vectors_that_do_not_belong_together(
    saved: Path, store: CropStore, embedder: Embedder
) -> None:
    forged = dataclasses.replace(store, vectors=store.vectors[::-1].copy())
    save_store(forged, saved)
    with pytest.raises(StoreError, match="not the mean"):
        load_store(saved, embedder)
