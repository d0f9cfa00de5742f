"""Changes of a person in a store: applied, recorded, and written completely or not at all."""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from procvid.errors import InputError, OutputError, StoreError
from procvid.memory import edit
from procvid.memory.duplicates import NearRules, near_duplicates
from procvid.memory.photo import crop_of_photo
from procvid.memory.plane import on_a_plane
from procvid.memory.rebuild import RebuildProgress, rebuild
from procvid.memory.store import CropStore, without_pixels
from procvid.memory.store_folder import REQUEST, load_store, save_store, writing
from procvid.protocols import Detector, Embedder
from procvid.types import Crop, Image, Vectors

Make = Callable[..., Crop]


def ids(store: CropStore, name: str) -> list[str]:
    return [crop.id for crop in store.crops.facts if crop.name == name]


def test_a_new_name_is_found_by_it(store: CropStore, embedder: Embedder) -> None:
    renamed = edit.rename(store, ids(store, "knife"), " Pot ", embedder)
    assert [crop.name for crop in renamed.crops.facts][-1] == "pot"
    assert not np.array_equal(renamed.text_vectors[-1], store.text_vectors[-1])
    assert np.array_equal(renamed.image_vectors, store.image_vectors)
    assert renamed.index.search(embedder.embed_texts(["pot"])[0], 1)[1][0] == 3
    (edited,) = renamed.history
    assert (edited.what, edited.before, edited.after) == ("rename", "knife", "pot")
    assert edited.at.endswith("+00:00") and edited.crop_ids == tuple(ids(store, "knife"))


def test_a_new_name_of_another_role(store: CropStore, embedder: Embedder) -> None:
    renamed = edit.rename(store, ids(store, "carrot")[:1], "pot", embedder, "vessel")
    fact = next(crop for crop in renamed.crops.facts if crop.name == "pot")
    assert (fact.role, fact.state) == ("vessel", "in use")
    back = edit.rename(renamed, [fact.id], "tomato", embedder, "food")
    fact = next(crop for crop in back.crops.facts if crop.name == "tomato")
    assert (fact.role, fact.state) == ("food", "whole")


def test_a_new_state(store: CropStore, embedder: Embedder) -> None:
    tagged = edit.retag(store, ids(store, "carrot"), "diced", embedder)
    assert [c.state for c in tagged.crops.facts if c.name == "carrot"] == ["diced", "diced"]
    assert tagged.history[-1].before == "sliced, whole"


def test_bans_can_be_taken_back(store: CropStore) -> None:
    banned = edit.ban(store, ids(store, "knife"))
    assert [crop.banned for crop in banned.crops.facts] == [False, False, False, True]
    allowed = edit.ban(banned, ids(store, "knife"), banned=False)
    assert not any(crop.banned for crop in allowed.crops.facts)
    assert [edited.what for edited in allowed.history] == ["ban", "unban"]


def test_removing_and_merging(store: CropStore, crop: Make, embedder: Embedder) -> None:
    assert len(edit.remove_crops(store, ids(store, "carrot"))) == 2
    merged = edit.merge_crops(store, ids(store, "carrot"))
    assert [c.state for c in merged.crops.facts if c.name == "carrot"] == ["whole"]
    more = edit.add(store, [crop("pot", "clean")], embedder)
    assert more.history[-1].after == "pot (clean)"
    assert edit.add(more, [crop("pot", "clean")], embedder) is more
    whole = edit.merge_stores(store, [more])
    assert len(whole) == 5 and whole.history[-1].what == "merge"


def test_merging_loses_no_licence(
    store_of: Callable[..., CropStore], crop: Make, embedder: Embedder
) -> None:
    def bare(*about: str) -> Crop:
        return dataclasses.replace(crop(*about), licence="")

    free = dataclasses.replace(
        store_of(bare("pot", "clean", "a")), name="free", licence="CC0", rights="All may."
    )
    bound = dataclasses.replace(
        store_of(bare("pot", "in use", "b"), dataclasses.replace(crop("knife"), licence="MIT")),
        name="bound", licence="CC-BY-4.0", rights="Name us.",
    )  # fmt: skip
    for stores in ((free, bound), (bound, free)):
        whole = edit.merge_stores(stores[0], stores[1:])
        by_source = {fact.id: fact.licence for fact in whole.crops.facts}
        assert sorted(by_source.values()) == ["CC-BY-4.0", "CC0", "MIT"]
        assert by_source[free.crops.facts[0].id] == "CC0" and whole.licence == ""
        assert "free: All may." in whole.rights and "bound: Name us." in whole.rights
    same = edit.merge_stores(free, [dataclasses.replace(bound, licence="CC0", rights="All may.")])
    assert (same.licence, same.rights) == ("CC0", "All may.")


def test_merging_loses_no_change(store: CropStore, embedder: Embedder) -> None:
    (knife,) = ids(store, "knife")
    banned = edit.ban(store, [knife])
    renamed = edit.rename(store, [knife], "pot", embedder)
    for stores in ((store, banned, renamed), (renamed, store, banned), (banned, renamed)):
        whole = edit.merge_stores(stores[0], stores[1:])
        (fact,) = (fact for fact in whole.crops.facts if fact.id == knife)
        assert fact.banned and fact.name == "pot" and len(whole) == len(store)
        assert {edited.what for edited in whole.history} == {"ban", "rename", "merge"}
        row = whole.crops.facts.index(fact)
        assert np.array_equal(whole.text_vectors[row], renamed.text_vectors[-1])
    bare = edit.merge_stores(without_pixels(store), [store])
    assert None not in bare.crops.pictures


@pytest.mark.parametrize("name", ["", "   ", "x" * 81, "a\x00b"])
def test_names_that_cannot_be(store: CropStore, embedder: Embedder, name: str) -> None:
    with pytest.raises(InputError, match="is not valid"):
        edit.rename(store, ids(store, "knife"), name, embedder)


def test_crops_that_are_not_there(store: CropStore, embedder: Embedder) -> None:
    for change in (
        lambda: edit.rename(store, ["nobody"], "pot", embedder),
        lambda: edit.ban(store, []),
        lambda: edit.remove_crops(store, [*ids(store, "knife"), "nobody"]),
        lambda: edit.merge_crops(store, ids(store, "knife")),
    ):
        with pytest.raises(InputError):
            change()


def test_on_disk_a_change_keeps_what_lies_beside(
    store: CropStore, embedder: Embedder, tmp_path: Path
) -> None:
    save_store(store, tmp_path / "kitchen", {REQUEST: b"{}\n"})
    with edit.changing(tmp_path / "kitchen", embedder) as opened:
        opened.store = edit.ban(opened.store, ids(store, "knife"))
    back = load_store(tmp_path / "kitchen", embedder)
    assert back.crops.facts[3].banned and back.history[0].what == "ban"
    assert (tmp_path / "kitchen" / REQUEST).read_bytes() == b"{}\n"
    assert [path.name for path in tmp_path.iterdir()] == ["kitchen"]


def test_a_change_that_fails_leaves_the_store_as_it_was(
    store: CropStore, embedder: Embedder, tmp_path: Path
) -> None:
    save_store(store, tmp_path / "kitchen")
    with pytest.raises(InputError), edit.changing(tmp_path / "kitchen", embedder) as opened:
        opened.store = edit.ban(opened.store, ids(store, "knife"))
        edit.ban(opened.store, ["nobody"])
    assert not any(crop.banned for crop in load_store(tmp_path / "kitchen").crops.facts)
    with pytest.raises(StoreError, match="no crop store"), edit.changing(tmp_path / "x", embedder):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["kitchen"]


def _hold(path: Path, held: object, done: object) -> None:
    with writing(path):
        held.set()  # type: ignore[attr-defined]
        done.wait(30)  # type: ignore[attr-defined]


def test_two_processes_do_not_write_one_store(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    held, done = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(tmp_path / "store", held, done), daemon=True)
    other.start()
    try:
        assert held.wait(30)
        with (
            pytest.raises(StoreError, match=rf"process \(pid {other.pid}\) writes the store"),
            writing(tmp_path / "store"),
        ):
            pass
    finally:
        done.set()
        other.join(30)
    with writing(tmp_path / "store"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_writer_that_was_killed_between_the_two_renames(
    store: CropStore, embedder: Embedder, tmp_path: Path
) -> None:
    save_store(store, tmp_path / "kitchen")
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"],
                          capture_output=True, text=True, check=True).stdout.strip()  # fmt: skip
    (tmp_path / "kitchen").rename(tmp_path / f".kitchen.{gone}-1.old")
    (tmp_path / f".kitchen.{gone}-1.tmp").mkdir()
    alive = tmp_path / f".kitchen.{os.getpid()}-1.tmp"
    alive.mkdir()
    assert len(load_store(tmp_path / "kitchen", embedder)) == 4
    with writing(tmp_path / "kitchen"):
        left = {path.name for path in tmp_path.iterdir()}
    assert left - {".kitchen.lock"} == {"kitchen", alive.name}


WRITER = """
import sys
from pathlib import Path
from procvid.memory.store_folder import load_store, save_store
from procvid.memory.store_folder import writing
path = Path(sys.argv[1])
print("ready", flush=True)
while True:
    with writing(path):
        save_store(load_store(path), path)
"""


@pytest.mark.slow
def test_a_writer_killed_at_any_moment_leaves_a_whole_store(
    store: CropStore, tmp_path: Path
) -> None:
    path = tmp_path / "kitchen"
    save_store(store, path)
    rng = np.random.default_rng(0)
    for _ in range(12):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None and writer.stdout.readline() == "ready\n"
        time.sleep(float(rng.uniform(0.05, 0.6)))
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        assert len(load_store(path)) == 4


def test_one_s_own_photo(scene: Callable[..., Image], detector: Detector) -> None:
    photo = scene(("frying pan", 10, 20, 50, 60))
    crop = crop_of_photo(photo, "Frying  pan", "vessel", "in use", detector, licence="mine")
    assert crop.box_xyxy == (10, 20, 50, 60) and crop.name == "frying pan"
    assert crop.source_id.startswith("upload/") and crop.licence == "mine"
    assert crop.image is not None and crop.image.shape == (40, 40, 3)
    with pytest.raises(InputError, match="No tomato found"):
        crop_of_photo(photo, "tomato", "food", "whole", detector)
    whole = crop_of_photo(photo, "tomato", "food", "whole", detector, whole=True)
    assert whole.box_xyxy == (0, 0, 64, 64)
    with pytest.raises(InputError, match=r"^No tomato found"):
        crop_of_photo(photo, "my tomato", "food", "whole", detector)
    with pytest.raises(InputError, match="too small"):
        crop_of_photo(photo[:2], "pot", "vessel", "", detector)


class Looks:
    """Test fixture. A frame encoder that sees the mean colour."""

    info = None

    def embed_frames(self, images: list[Image]) -> Vectors:
        means = np.array([image.mean(axis=(0, 1)) for image in images], np.float32)
        return means / np.linalg.norm(means, axis=1, keepdims=True)


def test_of_near_duplicates_the_first_is_kept(
    store_of: Callable[..., CropStore], crop: Make, patch: Callable[..., Image]
) -> None:
    pot = patch("pot")
    tinted = pot.copy()
    tinted[..., 0] = np.minimum(255, tinted[..., 0].astype(int) + 35)
    store = store_of(
        crop("pot", "clean", "a"),
        crop("pot", "clean", "b"),
        crop("pot", "in use", "c"),
        crop("pot", "clean", "d", image=tinted),
        crop("knife", "clean", "e"),
    )
    same = near_duplicates(store, Looks(), NearRules(clip=0.9, frame=0.999))  # type: ignore[arg-type]
    assert same == {1: 0}
    assert near_duplicates(without_pixels(store), Looks()) == {}  # type: ignore[arg-type]


def test_pictures_are_cut_again_out_of_the_sources(
    kitchen_videos: Path, detector: Detector, embedder: Embedder, reader: object, tmp_path: Path
) -> None:
    from procvid.memory.build import build_store

    list(
        build_store(
            kitchen_videos / "clips.jsonl",
            tmp_path / "store",
            scene_reader=reader,  # type: ignore[arg-type]
            detector=detector,
            embedder=embedder,
        )
    )
    store = load_store(tmp_path / "store", embedder)
    files = {"a": kitchen_videos / "a.mp4", "b": kitchen_videos / "b.mp4"}
    *_, last = rebuild(without_pixels(store), files, detector, embedder)
    assert isinstance(last, RebuildProgress) and last.store is not None
    assert last.refused == () and last.num_crops == len(store) == 3
    for one, two in zip(store.crops, last.store.crops, strict=True):
        assert one.image is not None and two.image is not None
        assert one.image.shape == two.image.shape
        assert float(np.abs(one.image.astype(int) - two.image.astype(int)).mean()) < 4
    swapped = {"a": files["b"], "b": files["a"]}
    *_, wrong = rebuild(without_pixels(store), swapped, detector, embedder)
    assert wrong.num_crops == 0 and "shows something else" in " ".join(wrong.refused)
    *_, none = rebuild(without_pixels(store), {}, detector, embedder)
    assert "No file is listed for the source a." in none.refused[0]


def test_a_store_in_a_folder_that_cannot_be_written(embedder: Embedder, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError), writing(tmp_path / "file" / "store"):
        pass


def test_places_on_a_plane(store: CropStore) -> None:
    places = on_a_plane(store.image_vectors)
    assert places.shape == (4, 2) and float(np.abs(places).max()) == pytest.approx(1.0)
    assert np.allclose(places[1], places[2]), "the two carrots look alike"
    assert np.array_equal(places, on_a_plane(store.image_vectors))
    assert on_a_plane(store.image_vectors[:1]).tolist() == [[0.0, 0.0]]


def test_a_crop_with_all_its_rights(
    store_of: Callable[..., CropStore], crop: Make, tmp_path: Path
) -> None:
    unusual = dataclasses.replace(
        crop("pot", "clean"), url="https://example.org/v", shows=("carrot: diced",), banned=True
    )
    save_store(store_of(unusual), tmp_path / "store")
    (back,) = load_store(tmp_path / "store").crops.facts
    assert dataclasses.asdict(back) == dataclasses.asdict(dataclasses.replace(unusual, image=None))
