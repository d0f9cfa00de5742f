"""The `procvid memory` commands that change, lay out, publish and measure a store."""

from __future__ import annotations

import dataclasses
import json
import shutil
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from procvid.cli import main
from procvid.media.image import resize, save_png
from procvid.memory.index import CropIndex
from procvid.memory.store import CropStore, StoredCrops, normalised
from procvid.memory.store_folder import load_store, save_store
from procvid.settings import TINY
from procvid.storage.pins import CLIP_VIT_B_32
from procvid.toykitchen.recipes import HELD_OUT, random_recipe
from procvid.toykitchen.render import render
from procvid.types import ModelInfo
from procvid.wiring.stores import default_memory, embedder_of
from tests.default_store import CROPS


def done(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert main([str(argument) for argument in arguments]) == 0, capsys.readouterr().err
    return capsys.readouterr().out


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert main([str(argument) for argument in arguments]) == 2
    said = capsys.readouterr()
    assert len(said.err.strip().splitlines()) == 1 and "Traceback" not in said.err
    return said.err


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty frying pan of the toy kitchen."""
    file = tmp_path_factory.mktemp("photo") / "pan.png"
    recipes = (random_recipe(HELD_OUT + number) for number in range(99, 200))
    frame = next(
        render(step.scene, dataclasses.replace(recipe.kitchen, side=None), only=0).frames[0]
        for recipe in recipes
        for step in recipe.steps
        if step.scene.vessel == "frying pan" and step.scene.action == "add"
    )
    save_png(file, resize(frame, 512, 512))
    return file


@pytest.fixture(scope="module")
def merged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the default store, made by the command."""
    folder = tmp_path_factory.mktemp("merged") / "mine"
    with redirect_stdout(StringIO()) as printed:
        assert main(["memory", "merge", "default", "--out", str(folder)]) == 0
    assert f"mine holds {CROPS} crops." in printed.getvalue()
    return folder


@pytest.fixture
def store(merged: Path, tmp_path: Path) -> Path:
    """A store that a test may change."""
    return shutil.copytree(merged, tmp_path / "mine")


def first(capsys: pytest.CaptureFixture[str], store: Path, *wanted: str) -> dict[str, Any]:
    found = done(capsys, "memory", "search", store, *wanted, "-k", "1", "--json")
    return dict(json.loads(found))


def test_a_person_edits_a_store(
    store: Path, photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    carrot = first(capsys, store, "sliced carrot")
    assert (carrot["name"], carrot["state"], carrot["licence"]) == (
        "carrot",
        "sliced",
        "Apache-2.0",
    )
    done(capsys, "memory", "rename", store, carrot["id"], "--to", "Parsnip")
    done(capsys, "memory", "retag", store, carrot["id"], "--to", "diced")
    done(capsys, "memory", "ban", store, carrot["id"])
    said = done(capsys, "memory", "add", store, photo, "--name", "frying pan")
    assert "a frying pan (in use)" in said
    assert "already has the" in done(capsys, "memory", "add", store, photo, "--name", "frying pan")
    # The whole photo shows more counter than pan; the crop shows the pan.
    crops, cut_out = load_store(store).crops, tmp_path / "pan.png"
    cut_out.write_bytes(crops.pictures[-1] or b"")
    mine = first(capsys, store, "--image", str(cut_out))
    assert (mine["id"], mine["name"]) == (crops.facts[-1].id, "frying pan")
    history = done(capsys, "memory", "history", store)
    assert [line.split()[1] for line in history.splitlines()] == [
        "rename", "retag", "ban", "add",
    ]  # fmt: skip
    changed = next(c for c in load_store(store).crops.facts if c.id == carrot["id"])
    assert (changed.name, changed.state, changed.banned) == ("parsnip", "diced", True)
    assert "banned       1" in done(capsys, "memory", "info", store)
    done(capsys, "memory", "map", store, "--out", tmp_path / "map.html")
    page = (tmp_path / "map.html").read_text()
    assert "parsnip diced" in page and '<script src="http' not in page
    for words in (("--licence", "x" * 5000), ("--url", "\x1b[31mred"), ("--state", "x" * 81)):
        arguments = ("memory", "add", store, photo, "--name", "pot", "--whole", *words)
        assert "is not valid" in refused(capsys, *arguments)
    again = ("memory", "rename", store, carrot["id"], "--to", "parsnip")
    done(capsys, *again)
    assert done(capsys, "memory", "history", store) == history, "nothing changed"
    done(capsys, "memory", "ban", store, carrot["id"], "--undo")
    done(capsys, "memory", "remove", store, carrot["id"])
    assert carrot["id"] not in {crop.id for crop in load_store(store).crops.facts}


def test_publishing_without_pictures(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = done(capsys, "memory", "export", store, "--out", tmp_path / "bare")
    assert "without images" in said
    bare, whole = load_store(tmp_path / "bare"), load_store(store)
    assert not any(bare.crops.pictures) and np.array_equal(bare.vectors, whole.vectors)
    assert bare.crops.facts[0].licence == whole.crops.facts[0].licence == "Apache-2.0"
    assert "already exists" in refused(capsys, "memory", "export", store, "--out", store)


def test_names_roles_and_what_is_left(
    store: Path, photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = done(capsys, "memory", "add", store, photo, "--name", "my pan", "--whole")
    assert ", my pan (in use)" in said and "recipes ask for 'frying pan', and only" in said
    mine = next(crop for crop in load_store(store).crops.facts if crop.name == "my pan")
    assert mine.role == "vessel"
    said = done(capsys, "memory", "rename", store, mine.id, "--to", "carrot")
    assert "a carrot is food, so the role changed too" in said
    said = done(capsys, "memory", "add", store, photo, "--name", "gizmo", "--whole")
    assert "counts as a vessel" in said
    others = [crop.id for crop in load_store(store).crops.facts if crop.id != mine.id]
    assert "Done: 1 crop is left." in done(capsys, "memory", "remove", store, *others)


def test_a_rebuild_without_a_picture_writes_nothing(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done(capsys, "memory", "export", store, "--out", tmp_path / "bare")
    clips = tmp_path / "clips.jsonl"
    clips.write_text('{"file": "none.mp4", "text": "x", "source_id": "nobody"}\n')
    out = tmp_path / "again"
    assert main(["memory", "rebuild", str(tmp_path / "bare"), str(clips), "--out", str(out)]) == 1
    said = capsys.readouterr()
    assert "No image was restored" in said.err and "Skipped" in said.out
    assert not out.exists()


def test_stores_with_different_licences_are_merged_with_a_sentence(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other"
    some = load_store(store)
    save_store(dataclasses.replace(some, licence="CC0-1.0"), other)
    said = done(capsys, "memory", "merge", store, other, "--out", tmp_path / "both",
                "--keep-duplicates")  # fmt: skip
    assert "different licences (Apache-2.0 and CC0-1.0)" in said
    assert load_store(tmp_path / "both").licence == ""


def test_thresholds_are_found_and_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "thresholds.json"
    said = done(capsys, "memory", "calibrate", "default", "--out", out)
    assert "(held out)" in said
    assert json.loads(out.read_text())["measured"]["min_shown"]["wrong_refused"] > 0.5
    assert "calibrated on" in done(capsys, "memory", "info", "default")


def test_a_store_of_the_published_clip(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Vectors are random, because the weights are not on this machine; only messages are tested."""
    vectors = normalised(np.random.default_rng(0).normal(size=(1, 512)).astype(np.float32))
    fact = load_store(default_memory(TINY)).crops.facts[0]
    plain = CropStore(
        "kitchen",
        StoredCrops((fact,), (None,)),
        vectors,
        vectors,
        vectors,
        ModelInfo(CLIP_VIT_B_32.repo, CLIP_VIT_B_32.revision),
        CropIndex(vectors),
    )
    save_store(plain, tmp_path / "kitchen")
    assert embedder_of(tmp_path / "kitchen").info == plain.embedder
    assert "not calibrated" in done(capsys, "memory", "info", tmp_path / "kitchen")
    for command in (("calibrate", tmp_path / "kitchen"), ("search", tmp_path / "kitchen", "pan")):
        assert main(["memory", *map(str, command)]) == 1
        said = capsys.readouterr().err
        assert CLIP_VIT_B_32.repo in said and "Traceback" not in said, said
    assert "was made with the embedder" in refused(
        capsys, "memory", "merge", "default", tmp_path / "kitchen", "--out", tmp_path / "both"
    )


def test_what_cannot_be_done(
    store: Path, photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for said, arguments in (
        ("search text is empty", ["search", store, " "]),
        ("A text and an image exclude each other", ["search", store, "pan", "--image", photo]),
        ("cannot be read", ["search", store, "--image", tmp_path / "none.png"]),
        ("read-only", ["ban", "default", "0123456789abcdef"]),
        ("has no crop 'nobody'", ["ban", store, "nobody"]),
        ("is not valid", ["rename", store, "nobody", "--to", "  "]),
        ("No boat found in the photo", ["add", store, photo, "--name", "boat"]),
        ("no crop store", ["rename", tmp_path / "none", "x", "--to", "y"]),
        ("not an .html file", ["map", store, "--out", tmp_path / "map.txt"]),
        (
            "frames per second is out of range",
            ["build", photo, "--out", tmp_path / "s", "--fps", "0"],
        ),
    ):
        assert said in refused(capsys, "memory", *arguments), arguments
    assert not (tmp_path / "none").exists()
