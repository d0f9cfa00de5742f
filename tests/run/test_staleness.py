"""What later steps show of earlier ones, and which steps become stale, with the tiny models."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from procvid.events import ClipReady, Event, Warned
from procvid.media.video import read_metadata
from procvid.memory.store_folder import load_store
from procvid.run.generate import step_seed
from procvid.run.story import make_video, regenerate_step
from procvid.storage.files import sha256_of
from procvid.types import StepChanges
from procvid.wiring import run as wiring
from tests.run.making import RECIPE, REQUEST, conditioning, copy_of, hashes, of


@pytest.fixture(scope="module")
def parts():
    return wiring.build()


@pytest.fixture(scope="module")
def finished(parts, tmp_path_factory) -> tuple[Path, list[Event]]:
    """An uninterrupted run; tests must not change it."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    return folder, list(make_video(REQUEST, parts, folder))


def test_each_clip_carries_its_provenance_inside_and_beside(finished, parts):
    folder, _ = finished
    for step in (1, 2, 3, 4):
        beside = conditioning(folder, step)
        clip = folder / f"steps/{step:02d}/clip.mp4"
        metadata = read_metadata(clip)
        inside = json.loads(metadata["procvid"])
        assert metadata["ai_generated"] == "true" and "AI-generated" in metadata["comment"]
        assert inside.items() <= beside.items()
        assert beside["text"] == RECIPE.steps[step - 1] and beside["text"] in beside["prompt"]
        assert beside["sampling"]["seed"] == step_seed(5, step)
        assert beside["clip_sha256"] == sha256_of(clip)
        generator = parts.generator.info
        assert beside["models"]["generator"] == f"{generator.id} {generator.revision}"
        for reference in beside["references"]:
            assert (folder / f"steps/{step:02d}" / reference["file"]).is_file()
            known = {"crop_id", "source_id", "box_xyxy", "score", "number", "origin"}
            assert known <= reference.keys()


def test_later_steps_are_shown_what_earlier_ones_look_like(finished):
    folder, _ = finished
    references = conditioning(folder, 3)["references"]
    run_id = json.loads((folder / "run.json").read_text())["run_id"]
    pan = next(r for r in references if r["object_name"] == "frying pan")
    assert (pan["origin"], pan["source_id"]) == ("run", f"{run_id}/02")


@pytest.mark.parametrize("damage", ["removed", "changed"])
def test_a_step_whose_crops_are_damaged_is_made_again(finished, parts, tmp_path, damage):
    folder = copy_of(finished, tmp_path)
    crops = folder / "steps/01/crops"
    if damage == "removed":
        shutil.rmtree(crops)
    else:
        (crops / "crops.parquet").write_bytes((crops / "crops.parquet").read_bytes() + b"x")
    shutil.rmtree(folder / "steps/04")
    events = list(make_video(REQUEST, parts, folder))
    assert [event.step for event in of(ClipReady, events) if not event.reused] == [1, 4]
    assert hashes(folder) == hashes(finished[0])


def test_the_crops_of_each_step_are_a_store(finished, parts):
    run_id = json.loads((finished[0] / "run.json").read_text())["run_id"]
    folders = sorted((finished[0] / "steps").glob("*/crops"))
    assert folders
    for folder in folders:
        store = load_store(folder, parts.embedder)
        sources = {crop.source_id for crop in store.crops.facts}
        assert sources == {f"{run_id}/{folder.parent.name}"}


def test_steps_become_stale_by_object_and_are_made_again(finished, parts, tmp_path):
    folder = copy_of(finished, tmp_path)
    run_id = json.loads((folder / "run.json").read_text())["run_id"]
    users = [
        step
        for step in (3, 4)
        if any(r["source_id"] == f"{run_id}/02" for r in conditioning(folder, step)["references"])
    ]
    assert users, "the recipe is chosen so that a later step shows something of step 2"
    events = list(regenerate_step(folder, 2, parts))
    warned = [event.message for event in of(Warned, events) if event.kind == "stale"]
    assert [f"{', '.join(map(str, users))} still show" in message for message in warned] == [True]
    state = json.loads((folder / "run.json").read_text())
    assert state["state"] == "stale"
    assert [s["step"] for s in state["steps"] if s["state"] == "stale"] == users

    again = list(make_video(REQUEST, parts, folder))
    remade = [event.step for event in of(ClipReady, again) if not event.reused]
    assert remade[: len(users)] == users and not {1, 2} & set(remade)
    assert json.loads((folder / "run.json").read_text())["state"] == "finished"
    assert list(make_video(REQUEST, parts, folder))[-1].nothing_to_do


def test_the_last_step_made_again_makes_nothing_stale(finished, parts, tmp_path):
    folder = copy_of(finished, tmp_path)
    events = list(regenerate_step(folder, 4, parts))
    assert not [event for event in of(Warned, events) if event.kind == "stale"]
    assert list(make_video(REQUEST, parts, folder))[-1].nothing_to_do


def test_the_same_seed_gives_the_same_step_again(finished, parts, tmp_path):
    folder = copy_of(finished, tmp_path)
    clip = sha256_of(folder / "steps/02/clip.mp4")
    list(regenerate_step(folder, 2, parts))
    events = list(regenerate_step(folder, 2, parts, StepChanges(seed=step_seed(5, 2))))
    assert sha256_of(folder / "steps/02/clip.mp4") != clip, "its provenance tells of the override"
    assert not [event for event in of(Warned, events) if event.kind == "stale"]
    assert conditioning(folder, 2)["overrides"] == {"seed": step_seed(5, 2), "attempt": 1}


def test_ones_own_prompt_and_pictures_survive_staleness(finished, parts, tmp_path):
    folder = copy_of(finished, tmp_path)
    picture = np.full((40, 50, 3), (200, 30, 30), np.uint8)
    changes = StepChanges(prompt="Close view: a red plate.", uploads=(picture,))
    list(regenerate_step(folder, 3, parts, changes))
    own = conditioning(folder, 3)
    list(regenerate_step(folder, 2, parts))
    events = list(make_video(REQUEST, parts, folder))
    assert 3 in [event.step for event in of(ClipReady, events) if not event.reused]
    kept = conditioning(folder, 3)
    assert kept["prompt"] == own["prompt"] and kept["references"][0] == own["references"][0]
