"""Crop stores as releases: shards, stores without images, licences, secrets, and false facts."""

from __future__ import annotations

import dataclasses
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load_file, save_file

from procvid.cli import main
from procvid.errors import InputError, StoreError
from procvid.hub.bundle import memory as memory_bundle
from procvid.hub.bundle.check import validate
from procvid.hub.bundle.memory import bundle_memory
from procvid.hub.bundle.options import BundleOptions
from procvid.hub.cache import open_cache
from procvid.hub.client import HubClient
from procvid.hub.names import HubId, ReleaseTarget
from procvid.hub.publish import PublishedRelease, plan_publish, publish
from procvid.hub.pull import Pulled, look, pull
from procvid.hub.release import Release, fact_of
from procvid.media.image import png_bytes
from procvid.memory.index import CropIndex
from procvid.memory.store import CropStore, StoredCrops, normalised
from procvid.memory.store_folder import load_store, save_store
from tests.hub.artifacts import ASSETS, SMALL
from tests.hub.server import OWNER, Blob, Hub

TARGET = HubId("cook/crops", "main", "dataset")
OPTIONS = BundleOptions(ReleaseTarget(TARGET))
STORE = ASSETS / "default_memory"


def store_of(num_crops: int, *, licence: str = "cc-by-4.0", side: int = 16) -> CropStore:
    """Crops with images and vectors of their own, without a model."""
    some = load_store(STORE)
    rng = np.random.default_rng(0)
    pictures = [png_bytes(rng.integers(0, 256, (side, side, 3), dtype=np.uint8)) for _ in range(64)]
    facts = [
        dataclasses.replace(some.crops.facts[k % len(some)], id=f"{k:016x}", licence="")
        for k in range(num_crops)
    ]
    vectors = normalised(rng.standard_normal((num_crops, some.dim)).astype(np.float32))
    return CropStore(
        name="many",
        crops=StoredCrops(facts, [pictures[k % 64] for k in range(num_crops)]),
        image_vectors=vectors,
        text_vectors=vectors,
        vectors=vectors,
        embedder=some.embedder,
        index=CropIndex(vectors),
        licence=licence,
    )


def saved(store: CropStore, folder: Path) -> Path:
    save_store(store, folder)
    return folder


def published(hub: Hub, bundle: Path, release: Release) -> PublishedRelease:
    client = HubClient(endpoint=hub.url, token=OWNER)
    *_, last = publish(client, plan_publish(client, bundle, release, TARGET))
    assert isinstance(last, PublishedRelease)
    return last


def test_a_store_comes_back_as_it_was(
    hub: Hub,
    client: HubClient,
    store_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory_bundle, "SHARD_BYTES", 300_000)
    release = bundle_memory(store_folder, tmp_path / "bundle", OPTIONS)
    shards = [name for name in release.files if name.endswith(".parquet")]
    assert len(shards) == 3 and release.licence == "Apache-2.0"
    published(hub, tmp_path / "bundle", release)
    *_, last = pull(client, look(client, HubId("cook/crops")), tmp_path / "store")
    assert isinstance(last, Pulled)
    before, after = load_store(store_folder), load_store(tmp_path / "store")
    assert repr(after.crops.facts) == repr(before.crops.facts)
    assert after.crops.pictures == before.crops.pictures
    assert (after.vectors == before.vectors).all() and after.notes == ()
    assert (after.name, after.embedder.id, after.licence, after.rights) == (
        *(before.name, before.embedder.id, before.licence),
        before.rights,
    )
    names = {
        f.relative_to(tmp_path / "store").as_posix() for f in (tmp_path / "store").rglob("*.*")
    }
    assert names == {"manifest.json", "crops.parquet", "embeddings.safetensors", "index/index.faiss",
                     "README.md", "release.json"}  # fmt: skip
    # A pulled store can be published again: it is a store with its card and its receipt.
    again = bundle_memory(tmp_path / "store", tmp_path / "again", OPTIONS)
    assert again.files == release.files
    # Viewer-friendly: the images are an Image feature, and row groups are small.
    schema = pq.read_schema(tmp_path / "bundle" / shards[0])
    assert json.loads(schema.metadata[b"huggingface"])["info"]["features"]["image"] == {
        "_type": "Image"
    }


def test_a_changed_store_is_published_with_its_history_and_changed_again(
    hub: Hub, store_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(store_folder, folder)
    (folder / "LICENSE").write_text("Whoever likes.")
    first, second = (crop.id for crop in load_store(folder).crops.facts[:2])
    assert main(["memory", "ban", str(folder), first]) == 0
    assert main(["hub", "publish", "memory", str(folder), "--repo", "cook/crops", "--yes"]) == 0
    assert main(["memory", "ban", "cook/crops", first]) == 2
    assert "hub pull cook/crops --to" in capsys.readouterr().err
    assert not (tmp_path / "cache" / "hub" / "memory").exists()
    pulled = tmp_path / "pulled"
    assert main(["hub", "pull", "cook/crops", "--to", str(pulled)]) == 0
    assert [edit.what for edit in load_store(pulled).history] == ["ban"]
    capsys.readouterr()
    assert main(["memory", "remove", str(pulled), second]) == 0
    said = capsys.readouterr().out
    assert f"{SMALL - 1} crops are left" in said and "was pulled as cook/crops@" in said
    history = load_store(pulled).history
    assert [edit.what for edit in history] == ["ban", "pull", "remove"]
    assert history[1].before.startswith("cook/crops@")
    assert (pulled / "LICENSE").read_text() == "Whoever likes."
    assert (pulled / "README.md").is_file() and not (pulled / "release.json").exists()
    leak = tmp_path / "leak"
    secret = "hf_" + "a" * 34
    edit = dataclasses.replace(history[0], after=secret)
    save_store(dataclasses.replace(load_store(folder), history=(edit,)), leak)
    with pytest.raises(InputError, match=r"history\.jsonl holds what looks like"):
        bundle_memory(leak, tmp_path / "bundle", OPTIONS)


def test_what_lies_beside_a_pulled_store_is_verified_too(
    hub: Hub, store_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(store_folder, folder)
    (folder / "LICENSE").write_text("Whoever likes.")
    assert main(["hub", "publish", "memory", str(folder), "--repo", "cook/crops", "--yes"]) == 0
    pulled = tmp_path / "pulled"
    assert main(["hub", "pull", "cook/crops", "--to", str(pulled)]) == 0
    (pulled / "stray.txt").write_text("x")
    assert main(["hub", "verify", str(pulled)]) == 0
    assert "Note: stray.txt is not in the manifest" in capsys.readouterr().out
    for name in ("LICENSE", "README.md"):
        good = (pulled / name).read_bytes()
        (pulled / name).write_bytes(good[:-1] + b"?")
        assert main(["hub", "verify", str(pulled)]) == 2
        assert f"is damaged: {name} differs" in capsys.readouterr().err
        (pulled / name).write_bytes(good)
    first = load_store(pulled).crops.facts[0].id
    (pulled / "LICENSE").write_text("Nobody.")
    assert main(["memory", "ban", str(pulled), first]) == 2
    assert "LICENSE has changed" in capsys.readouterr().err


@pytest.mark.parametrize("num_crops", [1_200, pytest.param(10_000, marks=pytest.mark.slow)])
def test_thousands_of_crops_are_few_files_and_one_commit(
    hub: Hub, tmp_path: Path, num_crops: int
) -> None:
    folder = saved(store_of(num_crops), tmp_path / "store")
    release = bundle_memory(folder, tmp_path / "bundle", OPTIONS)
    published(hub, tmp_path / "bundle", release)
    repo = hub.repos["dataset", "cook/crops"]
    assert len(repo.commits) == 2 and len(repo.messages) == 1  # the repository's own, and ours
    assert len(repo.files) == 6 < 100
    rows = [
        pq.read_metadata(io.BytesIO(blob.data))
        for name, blob in repo.files.items()
        if name.endswith(".parquet")
    ]
    assert sum(row.num_rows for row in rows) == num_crops
    assert max(row.row_group(0).num_rows for row in rows) <= 1000


def test_even_the_largest_store_stays_below_100_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_bundle, "SHARD_BYTES", 1)
    shards = memory_bundle._shards(store_of(1000))
    assert 40 <= len(shards) <= memory_bundle.MAX_SHARDS + 1


def test_without_pixels_only_what_is_ours_leaves(hub: Hub, tmp_path: Path) -> None:
    folder = saved(store_of(50, licence=""), tmp_path / "store")
    with pytest.raises(InputError, match="50 crops of many have an image but no licence"):
        bundle_memory(folder, tmp_path / "bundle", OPTIONS)
    assert not (tmp_path / "bundle").exists()
    release = bundle_memory(folder, tmp_path / "bare", dataclasses.replace(OPTIONS, no_pixels=True))
    assert release.facts["counts"]["with_pixels"] == 0
    table = pq.read_table(tmp_path / "bare" / "data/crops-00000-of-00001.parquet")
    assert table["image"].null_count == 50
    assert {"time_s", "box_xyxy", "source_id"} <= set(table.column_names)
    assert b"PNG" not in (tmp_path / "bare" / "data/crops-00000-of-00001.parquet").read_bytes()
    for more in ({"without_licence": True}, {"licence": "cc-by-4.0"}):
        out = tmp_path / next(iter(more))
        wishes = dataclasses.replace(OPTIONS, **more)
        assert bundle_memory(folder, out, wishes).facts["counts"]["with_pixels"] == 50


SECRETS = ["hf_" + "Ab3" * 12, "sk-proj-" + "x1" * 20, "AKIA" + "Z" * 16, "ghp_" + "a" * 36,
           "-----BEGIN OPENSSH PRIVATE KEY-----"]  # fmt: skip


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_is_refused_and_not_repeated(tmp_path: Path, secret: str) -> None:
    store = store_of(3)
    leaky = dataclasses.replace(store.crops.facts[1], description=f"pan {secret}")
    facts = (store.crops.facts[0], leaky, store.crops.facts[2])
    in_cell = dataclasses.replace(store, crops=StoredCrops(facts, store.crops.pictures))
    picture = png_bytes(np.zeros((4, 4, 3), np.uint8), {"comment": secret})
    in_picture = dataclasses.replace(
        store, crops=StoredCrops(store.crops.facts, (*store.crops.pictures[:2], picture))
    )
    in_rights = dataclasses.replace(store, rights=secret)
    for number, leaking in enumerate((in_cell, in_picture, in_rights)):
        folder = saved(leaking, tmp_path / f"store{number}")
        with pytest.raises(InputError, match="holds what looks like") as caught:
            bundle_memory(folder, tmp_path / f"bundle{number}", OPTIONS)
        assert secret not in str(caught.value)


def test_files_that_do_not_belong_are_refused(tmp_path: Path) -> None:
    folder = saved(store_of(3), tmp_path / "store")
    for name, sentence in (
        ("notes.txt", "do not belong to it: 'notes.txt'"),
        (".env", r"do not belong to it: '\.env'"),
        ("weights.pkl", "can run code"),
        ("index/extra.pt", "can run code"),
    ):
        (folder / name).write_text("x")
        with pytest.raises(InputError, match=sentence):
            bundle_memory(folder, tmp_path / "bundle", OPTIONS)
        (folder / name).unlink()
    (tmp_path / "private").write_text("x")
    (folder / "scores.json").symlink_to(tmp_path / "private")
    with pytest.raises(InputError, match=r"contains a link: 'scores\.json'"):
        bundle_memory(folder, tmp_path / "bundle", OPTIONS)
    with pytest.raises(StoreError, match="There is no crop store"):
        bundle_memory(tmp_path / "none", tmp_path / "bundle", OPTIONS)
    assert not (tmp_path / "bundle").exists()


def lying(bundle: Path, release: Release, **changes: object) -> dict[str, Blob]:
    """The files of a bundle with a manifest whose hashes are right and whose facts are wrong."""
    files = {name: fact_of(bundle / name) for name in release.files}
    manifest = dataclasses.replace(release, files=files, **changes).to_bytes()
    blobs = {name: Blob((bundle / name).read_bytes(), not name.endswith(".md")) for name in files}
    return {**blobs, "manifest.json": Blob(manifest, False)}


@pytest.mark.parametrize(
    "kind", ["count", "dim", "pixels", "embeddings", "twice", "index", "shard"]
)
def test_a_store_that_is_not_what_its_manifest_says(
    hub: Hub, client: HubClient, tmp_path: Path, kind: str
) -> None:
    bundle = tmp_path / "bundle"
    release = bundle_memory(saved(store_of(20), tmp_path / "store"), bundle, OPTIONS)
    facts = json.loads(json.dumps(release.facts))
    shard = bundle / "data/crops-00000-of-00001.parquet"
    error, sentence = InputError, "is wrong"
    match kind:
        case "count":
            facts["counts"]["crops"] = 21
        case "dim":
            facts["embedder"]["dim"] = 32
        case "pixels":
            facts["counts"]["with_pixels"] = 0
        case "embeddings":
            vectors = load_file(bundle / "embeddings.safetensors")
            save_file({k: v[:19] for k, v in vectors.items()}, bundle / "embeddings.safetensors")
        case "twice":
            table = pq.read_table(shard)
            pq.write_table(table.take([0, *range(19)]), shard)
            error, sentence = StoreError, "have the same id"
        case "index":
            # Derived, so it is never an error: it is rebuilt from the vectors.
            (bundle / "index/index.faiss").write_bytes(b"IxFI" + b"\xff" * 200)
        case "shard":
            shard.write_bytes(b"PAR1" + b"x" * 100 + b"PAR1")
            sentence = "cannot be read"
    hub.repo("cook/crops", "dataset").put(**lying(bundle, release, facts=facts))
    place = tmp_path / "pulled"
    if kind == "index":
        list(pull(client, look(client, TARGET), place))
        assert load_store(place).notes == () and len(load_store(place).index) == 20
        return
    with pytest.raises(error, match=sentence):
        list(pull(client, look(client, TARGET), place))
    assert not place.exists()


def test_the_cached_store_is_verified_before_each_use(
    hub: Hub,
    client: HubClient,
    store_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    release = bundle_memory(store_folder, tmp_path / "bundle", OPTIONS)
    published(hub, tmp_path / "bundle", release)
    assert main(["memory", "search", "cook/crops", "frying pan", "-k", "1"]) == 0
    assert "frying pan" in capsys.readouterr().out
    (kept,) = open_cache(tmp_path / "cache").releases()
    crops = kept.folder / "crops.parquet"
    good = crops.read_bytes()
    crops.write_bytes(good[:1000] + b"?" + good[1001:])
    assert main(["memory", "info", "cook/crops"]) == 0
    said = capsys.readouterr()
    assert "was damaged and is pulled again" in said.err and str(SMALL) in said.out
    assert crops.read_bytes() == good
    shutil.rmtree(kept.folder)
    hub.clear()
    assert main(["memory", "info", "cook/crops"]) == 1
    assert "There is no dataset cook/crops on the Hub" in capsys.readouterr().err


def test_a_dry_run_pulls_no_store(
    hub: Hub, store_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publishing = ["hub", "publish", "memory", str(store_folder), "--repo", "cook/crops", "--yes"]
    assert main(publishing) == 0
    hub.asked.clear()
    (tmp_path / "recipe.txt").write_text("Carrots\n1. Slice the carrot on the cutting board.\n")
    plain = ["generate", str(tmp_path / "recipe.txt"), "--out", str(tmp_path / "run"), "--dry-run"]
    capsys.readouterr()
    assert main([*plain, "--memory", "cook/crops"]) == 0
    said = capsys.readouterr().out
    assert "not known until cook/crops is downloaded (procvid hub pull cook/crops)" in said
    assert hub.asked == []
    assert main(["hub", "pull", "cook/crops"]) == 0
    hub.asked.clear()
    capsys.readouterr()
    commit = hub.repos["dataset", "cook/crops"].head
    for memory in ("cook/crops", f"cook/crops@{commit}"):
        assert main([*plain, "--memory", memory]) == 0
        assert "(score " in capsys.readouterr().out
    assert hub.asked == []


def test_publishing_asks_first(
    hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = str(saved(store_of(20), tmp_path / "store"))
    command = ["hub", "publish", "memory", folder, "--repo", "cook/crops"]
    assert main([*command, "--dry-run", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["new"] and plan["bytes"] == sum(plan["uploads"].values()) > 20_000
    assert main(command) == 2
    assert "stdin is not a terminal" in capsys.readouterr().err
    assert hub.repos == {}
    assert main([*command[:-1], "cook/crops@v1", "--yes"]) == 2
    assert main([*command[:-1], "../x", "--yes"]) == 2


def test_a_bundle_is_checked_byte_for_byte(tmp_path: Path) -> None:
    bundle_memory(saved(store_of(5), tmp_path / "store"), tmp_path / "bundle", OPTIONS)
    assert validate(tmp_path / "bundle").facts["counts"]["crops"] == 5
    for name in ("manifest.json", "embeddings.safetensors", "data/crops-00000-of-00001.parquet"):
        file = tmp_path / "bundle" / name
        good = file.read_bytes()
        file.write_bytes(good[:40] + bytes([good[40] ^ 1]) + good[41:])
        with pytest.raises(InputError):
            validate(tmp_path / "bundle")
        file.write_bytes(good)
    validate(tmp_path / "bundle")
