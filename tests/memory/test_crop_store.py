"""A store as a value and as a folder: round trips, and every damage is detected."""

from __future__ import annotations

import dataclasses
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image as Pillow

from procvid.errors import InputError, OutputError, StoreError
from procvid.memory import columns
from procvid.memory.store import (
    CropStore,
    add_crops,
    empty_store,
    fused,
    merged,
    of_rows,
    without_pixels,
)
from procvid.memory.store_folder import load_store, read_manifest, save_store
from procvid.protocols import Embedder
from procvid.types import Crop

FILES = ("manifest.json", "crops.parquet", "embeddings.safetensors", "index/index.faiss")


@pytest.fixture
def saved(store: CropStore, tmp_path: Path) -> Path:
    save_store(store, tmp_path / "kitchen")
    return tmp_path / "kitchen"


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_a_store_comes_back(store: CropStore, saved: Path, embedder: Embedder) -> None:
    back = load_store(saved, embedder)
    assert (back.name, back.licence, back.rights, back.notes) == (
        "kitchen",
        "CC0-1.0",
        "Drawn by the tests.",
        (),
    )
    assert len(back.crops) == 4
    for one, two in zip(store.crops, back.crops, strict=True):
        assert isinstance(two, Crop) and two.image is not None and one.image is not None
        assert np.array_equal(one.image, two.image)
        assert dataclasses.replace(one, image=None).__dict__ == two.__dict__ | {"image": None}
    for kind in ("image_vectors", "text_vectors", "vectors"):
        assert np.array_equal(getattr(store, kind), getattr(back, kind))


def test_the_folder_is_as_designed(saved: Path, embedder: Embedder) -> None:
    assert sorted(contents(saved)) == sorted(FILES)
    manifest = read_manifest(saved)
    assert manifest["schema_version"] == 2
    assert manifest["counts"] == {"crops": 4, "with_pixels": 4, "names": 3, "sources": 2}
    assert manifest["embedder"] == {
        "id": embedder.info.id,
        "revision": embedder.info.revision,
        "dim": embedder.dim,
    }
    for name, said in manifest["files"].items():
        data = (saved / name).read_bytes()
        assert said == {"sha256": columns.digest(data), "size": len(data)}


def test_the_same_crops_give_the_same_files(
    crop: Callable[..., Crop], store_of: Callable[..., CropStore], tmp_path: Path
) -> None:
    for name in ("one", "two"):
        save_store(store_of(crop(), crop("knife", "clean")), tmp_path / name)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_viewers_find_the_picture_column(saved: Path) -> None:
    table = pq.read_table(saved / "crops.parquet")
    hint = json.loads(table.schema.metadata[b"huggingface"])
    assert hint["info"]["features"]["image"] == {"_type": "Image"}
    cell = table.column("image")[0].as_py()
    assert sorted(cell) == ["bytes", "path"] and cell["path"].endswith(".png")
    assert Pillow.open(io.BytesIO(cell["bytes"])).size == (16, 16)
    assert table.column("box_xyxy")[0].as_py() == [1.0, 2.0, 30.5, 40.25]


def test_fused_is_the_normalised_mean_of_normalised_vectors() -> None:
    image = np.array([[2.0, 0.0], [0.0, 5.0]], np.float32)
    text = np.array([[0.0, 3.0], [0.0, 1.0]], np.float32)
    expected = [[2**-0.5, 2**-0.5], [0.0, 1.0]]
    assert np.allclose(fused(image, text), expected)
    assert fused(image, text).dtype == np.float32


def test_a_store_without_pixels(store: CropStore, tmp_path: Path, embedder: Embedder) -> None:
    save_store(without_pixels(store), tmp_path / "bare")
    back = load_store(tmp_path / "bare", embedder)
    assert [crop.image for crop in back.crops] == [None] * 4
    assert back.crops[0].box_xyxy == (1.0, 2.0, 30.5, 40.25)
    assert read_manifest(tmp_path / "bare")["counts"]["with_pixels"] == 0
    assert np.array_equal(back.vectors, store.vectors)


def test_an_empty_store(tmp_path: Path, embedder: Embedder) -> None:
    save_store(empty_store("nothing", embedder), tmp_path / "nothing")
    back = load_store(tmp_path / "nothing", embedder)
    assert len(back) == 0 and back.dim == embedder.dim and back.notes == ()


@pytest.mark.parametrize("file", FILES[:3])
@pytest.mark.parametrize("place", [0, 1, 7, 0.1, 0.3, 0.5, 0.7, 0.9, -1])
def test_any_changed_byte_is_seen(saved: Path, file: str, place: float) -> None:
    data = bytearray((saved / file).read_bytes())
    where = int(place * len(data)) if isinstance(place, float) else place
    data[where] ^= 0x20
    (saved / file).write_bytes(bytes(data))
    with pytest.raises(StoreError) as caught:
        load_store(saved)
    assert caught.value.message.endswith(".") and caught.value.hint


@pytest.mark.parametrize("file", FILES[:3])
@pytest.mark.parametrize("change", ["gone", "empty", "half", "longer", "folder"])
def test_a_file_that_is_not_whole(saved: Path, file: str, change: str) -> None:
    data = (saved / file).read_bytes()
    (saved / file).unlink()
    if change == "folder":
        (saved / file).mkdir()
    elif change != "gone":
        new = {"empty": b"", "half": data[: len(data) // 2], "longer": data + b"\n"}[change]
        (saved / file).write_bytes(new)
    with pytest.raises(StoreError):
        load_store(saved)


@pytest.mark.parametrize("change", ["byte", "half", "empty", "gone", "other"])
def test_a_damaged_index_is_rebuilt(
    saved: Path, store: CropStore, change: str, embedder: Embedder
) -> None:
    path = saved / FILES[3]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    new = {"byte": bytes(data), "half": bytes(data[:20]), "empty": b"", "other": b"x" * 5000}
    path.unlink()
    if change != "gone":
        path.write_bytes(new[change])
    back = load_store(saved, embedder)
    assert "rebuilt" in back.notes[0]
    query = store.vectors[2]
    assert back.index.search(query, 4)[1].tolist() == store.index.search(query, 4)[1].tolist()


def test_another_embedder(saved: Path, new_embedder: Callable[..., Embedder]) -> None:
    for other in (new_embedder(revision="2"), new_embedder(dim=64)):
        with pytest.raises(StoreError, match="was made with the embedder test-colours 1"):
            load_store(saved, other)
    assert len(load_store(saved)) == 4, "without an embedder a store can still be looked at"


def test_no_store(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path, tmp_path / "nowhere", tmp_path / "file"):
        with pytest.raises(StoreError, match="no crop store"):
            load_store(path)


def forge(saved: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Rewrite a manifest so that its own hash is right and its content is wrong."""
    manifest = json.loads((saved / FILES[0]).read_bytes())
    change(manifest)
    (saved / FILES[0]).write_bytes(columns.manifest_bytes(manifest))


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.update(kind="something else"),
        lambda m: m.update(schema_version=3),
        lambda m: m.update(embedder={}),
        lambda m: m.update(embedder=m["embedder"] | {"dim": "10"}),
        lambda m: m.update(embedder=m["embedder"] | {"dim": 11}),
        lambda m: m.update(files=[]),
        lambda m: m["files"].pop("crops.parquet"),
        lambda m: m["files"].update({"crops.parquet": m["files"]["embeddings.safetensors"]}),
        lambda m: m.pop("licence"),
    ],
)
def test_a_forged_manifest(saved: Path, change: Callable[[dict[str, Any]], None]) -> None:
    forge(saved, change)
    with pytest.raises(StoreError):
        load_store(saved)


def swap(saved: Path, file: str, data: bytes) -> None:
    (saved / file).write_bytes(data)
    said = {"sha256": columns.digest(data), "size": len(data)}
    forge(saved, lambda m: m["files"].update({file: said}))


def test_forged_contents(saved: Path, store: CropStore) -> None:
    facts, pictures = store.crops.facts, store.crops.pictures
    vectors = store.vectors
    odd = dataclasses.replace(facts[0], role="spaceship")  # type: ignore[arg-type]
    bad = vectors.copy()
    bad[0, 0] = np.nan
    whole = contents(saved)
    for file, data in (
        ("crops.parquet", columns.parquet_bytes([odd, *facts[1:]], pictures)),
        ("crops.parquet", columns.parquet_bytes([facts[0], facts[0]], pictures[:2])),
        ("crops.parquet", columns.parquet_bytes(facts[:3], pictures[:3])),
        ("crops.parquet", b"PAR1 not really PAR1"),
        ("embeddings.safetensors", columns.vectors_bytes(bad, vectors, vectors)),
        ("embeddings.safetensors", columns.vectors_bytes(vectors[:2], vectors, vectors)),
        ("embeddings.safetensors", b"\xff" * 64),
    ):
        swap(saved, file, data)
        with pytest.raises(StoreError):
            load_store(saved)
        for name, original in whole.items():
            (saved / name).write_bytes(original)
    assert len(load_store(saved)) == 4


def test_a_table_that_unpacks_to_too_much(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for limit in ("MAX_ROWS", "MAX_UNPACKED_BYTES"):
        with monkeypatch.context() as patched:
            patched.setattr(columns, limit, 3)
            with pytest.raises(StoreError, match="more than the limit"):
                load_store(saved)


def test_a_picture_that_is_none_is_reported_when_it_is_looked_at(
    saved: Path, store: CropStore
) -> None:
    pictures = [b"not a png", *store.crops.pictures[1:]]
    swap(saved, "crops.parquet", columns.parquet_bytes(store.crops.facts, pictures))
    back = load_store(saved)
    with pytest.raises(StoreError, match="image of crop"):
        back.crops[0]
    assert back.crops[1].image is not None


def test_adding_and_removing(
    store: CropStore, crop: Callable[..., Crop], embedder: Embedder
) -> None:
    more = add_crops(store, [crop("pot", "clean", "video-3"), *store.crops], embedder)
    assert [c.name for c in more.crops.facts] == ["frying pan", "carrot", "carrot", "knife", "pot"]
    assert len(more.index) == 5 and len(store) == 4
    less = of_rows(more, [0, 1, 4])
    assert [c.source_id for c in less.crops.facts] == ["video-1", "video-1", "video-3"]
    assert np.array_equal(less.vectors, more.vectors[[0, 1, 4]])
    assert of_rows(store, range(4)) is store


def test_adding_what_cannot_be_added(
    store: CropStore, crop: Callable[..., Crop], new_embedder: Callable[..., Embedder]
) -> None:
    bare = dataclasses.replace(crop("pot"), image=None)
    with pytest.raises(InputError, match="no image"):
        add_crops(store, [bare], new_embedder())
    with pytest.raises(StoreError, match="was made with"):
        add_crops(store, [crop("pot")], new_embedder(revision="2"))


def test_merging_keeps_the_first_of_an_id(
    store: CropStore, store_of: Callable[..., CropStore], crop: Callable[..., Crop]
) -> None:
    other = store_of(*store.crops, crop("pot", "clean", "video-3"))
    whole = merged(store, [other, other])
    assert len(whole) == 5
    assert np.array_equal(whole.vectors, other.vectors)


def test_a_folder_that_cannot_be_written(store: CropStore, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="Cannot write"):
        save_store(store, tmp_path / "file" / "store")


def test_saving_again_replaces_the_whole_folder(store: CropStore, saved: Path) -> None:
    (saved / "stray.txt").write_text("x")
    save_store(of_rows(store, [0, 1]), saved)
    assert sorted(contents(saved)) == sorted(FILES) and len(load_store(saved)) == 2
    assert [path.name for path in saved.parent.iterdir()] == ["kitchen"]


def test_a_store_that_moved_is_the_same(saved: Path, tmp_path: Path) -> None:
    shutil.move(saved, tmp_path / "elsewhere")
    assert load_store(tmp_path / "elsewhere").name == "kitchen"
