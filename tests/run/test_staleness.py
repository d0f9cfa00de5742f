"""What later steps show of earlier ones, and which steps become stale, with the tiny models."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from procvid.errors import InputError
from procvid.events import ClipReady, Event, Warned
from procvid.media.video import read_metadata
from procvid.memory.store_folder import load_store
from procvid.run.folder import RunFolder, read_run
from procvid.run.generate import step_seed
from procvid.run.parts import start_memory
from procvid.run.step import conditioning_of, preview
from procvid.run.story import make_video, regenerate_step
from procvid.storage.files import sha256_of
from procvid.toykitchen.identity import random_kitchen
from procvid.toykitchen.render import render
from procvid.toykitchen.scene import Scene, item
from procvid.types import Recipe, StepChanges
from tests.run.making import RECIPE, REQUEST, conditioning, copy_of, hashes, of


@pytest.fixture(scope="module")
def parts(real_parts):
    return real_parts


@pytest.fixture(scope="module")
def finished(real_run) -> tuple[Path, list[Event]]:
    return real_run


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


def test_the_first_reference_of_a_thing_is_kept(finished):
    folder, _ = finished
    shown = {step: conditioning(folder, step)["references"] for step in (1, 2, 3, 4)}
    for name, first, later in (("frying pan", 2, 3), ("counter", 1, 4)):
        one, two = (
            next(r for r in shown[step] if r["object_name"] == name) for step in (first, later)
        )
        assert (one["anchor_step"], two["anchor_step"]) == (0, first)
        assert one["image_sha256"] == two["image_sha256"]
        assert (two["origin"], two["generation"]) == ("memory", 0)


@pytest.mark.parametrize("damage", [pytest.param("removed", marks=pytest.mark.slow), "changed"])
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


def test_a_new_seed_makes_no_other_step_stale(finished, parts, tmp_path):
    folder = copy_of(finished, tmp_path)
    events = list(regenerate_step(folder, 2, parts))
    assert not [event for event in of(Warned, events) if event.kind == "stale"]
    assert list(make_video(REQUEST, parts, folder))[-1].nothing_to_do


def test_ones_own_image_is_the_anchor_of_later_steps(finished, parts, tmp_path):
    folder = copy_of(finished, tmp_path)
    pan = next(c for c in parts.stores[0].crops.facts if c.name == "frying pan")
    (mine,) = [c for c in parts.stores[0].crops if c.id == pan.id]
    changes = StepChanges(uploads=(mine.image,), shows=("frying pan",))
    events = list(regenerate_step(folder, 2, parts, changes))
    warned = [event.message for event in of(Warned, events) if event.kind == "stale"]
    assert len(warned) == 1 and "Step 3 still shows" in warned[0]
    state = json.loads((folder / "run.json").read_text())
    assert [s["step"] for s in state["steps"] if s["state"] == "stale"] == [3]

    again = list(make_video(REQUEST, parts, folder))
    assert [event.step for event in of(ClipReady, again) if not event.reused] == [3]
    theirs = [
        next(
            r for r in conditioning(folder, step)["references"] if r["object_name"] == "frying pan"
        )
        for step in (2, 3)
    ]
    assert theirs[0]["image_sha256"] == theirs[1]["image_sha256"]
    assert [r["origin"] for r in theirs] == ["upload", "upload"]
    assert [r["anchor_step"] for r in theirs] == [0, 2]
    assert list(make_video(REQUEST, parts, folder))[-1].nothing_to_do


def test_a_picture_of_a_full_pan_is_left_out_where_its_food_changes(parts):
    sliced = item("carrot", "sliced")
    scene = Scene("add", sliced, "frying pan", 3)
    full = render(scene, random_kitchen(np.random.default_rng(1))).frames[-1]
    recipe = Recipe(
        "Carrots",
        (
            "Put the carrot into the frying pan.",
            "Fry the carrot in the frying pan.",
            "Fry the onion in the frying pan.",
        ),
    )
    plan = parts.planner.plan(recipe)
    changes = {1: StepChanges(uploads=(full,), shows=("frying pan",))}
    first, second, third = preview(parts, plan, start_memory(parts, 0, plan), changes)
    assert [s.origin for s in first.slots if s.object_name == "frying pan"] == ["upload"]
    pan = next(r for r in second.retrievals if r.object_name == "frying pan")
    assert pan.hit is None and "shows a carrot, which this step changes" in pan.reason
    assert any("The frying pan may look different" in warning for warning in second.warnings)
    assert [s.anchor_step for s in third.slots if s.object_name == "frying pan"] == [1]


def test_one_image_may_be_uploaded_for_two_states(parts):
    recipe = Recipe(
        "Carrots",
        (
            "Slice the carrot on the board.",
            "Put the carrot into the pan.",
            "Fry the carrot in the pan.",
            "Serve the carrot on a plate.",
        ),
    )
    plan = parts.planner.plan(recipe)
    crop = next(c for c in parts.stores[0].crops if c.name == "carrot")
    mine = StepChanges(uploads=(crop.image,), shows=("carrot",))
    found = preview(parts, plan, start_memory(parts, 0, plan), {2: mine, 4: mine})
    (third,) = [s for s in found[2].slots if s.object_name == "carrot"]
    assert (third.origin, third.state, third.anchor_step) == ("upload", "sliced", 2)


def test_a_lost_upload_makes_its_step_again(finished, parts, tmp_path):
    folder = copy_of(finished, tmp_path)
    picture = np.full((40, 50, 3), (200, 30, 30), np.uint8)
    changes = StepChanges(uploads=(picture,), shows=("plate",))
    list(regenerate_step(folder, 4, parts, changes))
    (file,) = [r["file"] for r in conditioning(folder, 4)["references"] if r["origin"] == "upload"]
    (folder / "steps/04" / file).unlink()
    events = list(make_video(REQUEST, parts, folder))
    assert [event.step for event in of(ClipReady, events) if not event.reused] == [4]
    assert any("One of your images is lost" in event.message for event in of(Warned, events))


def test_a_step_whose_anchor_is_banned_gets_another_image_or_none(finished, parts, tmp_path):
    folder = copy_of(finished, tmp_path)
    pan = next(r for r in conditioning(folder, 3)["references"] if r["object_name"] == "frying pan")
    events = list(regenerate_step(folder, 3, parts, StepChanges(banned=(pan["crop_id"],))))
    assert not [event for event in of(Warned, events) if event.kind == "stale"]
    other = [r for r in conditioning(folder, 3)["references"] if r["object_name"] == "frying pan"]
    assert all(r["crop_id"] != pan["crop_id"] and r["anchor_step"] == 0 for r in other)
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
    pan = next(r for r in conditioning(folder, 2)["references"] if r["object_name"] == "frying pan")
    list(regenerate_step(folder, 2, parts, StepChanges(banned=(pan["crop_id"],))))
    events = list(make_video(REQUEST, parts, folder))
    assert 3 in [event.step for event in of(ClipReady, events) if not event.reused]
    kept = conditioning(folder, 3)
    assert kept["prompt"] == own["prompt"] and kept["references"][0] == own["references"][0]


def test_a_reference_that_is_left_out_stays_empty_and_stays_the_anchor(finished, parts, tmp_path):
    folder = copy_of(finished, tmp_path)
    before = conditioning(folder, 2)
    events = list(regenerate_step(folder, 2, parts, StepChanges(left_out=("frying pan",))))
    now = conditioning(folder, 2)
    others = [r["image_sha256"] for r in before["references"] if r["object_name"] != "frying pan"]
    assert [r["image_sha256"] for r in now["references"]] == others
    assert [r["number"] for r in now["references"]] == list(range(1, len(others) + 1))
    assert {"object": "frying pan", "state": "clean", "reason": "Left out by you."} in now[
        "missing"
    ]
    assert now["overrides"]["left_out"] == ["frying pan"]
    assert "look different" not in " ".join(now["warnings"])
    # Step 3 still shows the pan that step 2 would have begun with.
    assert not [event for event in of(Warned, events) if event.kind == "stale"]
    assert list(make_video(REQUEST, parts, folder))[-1].nothing_to_do
    inside = json.loads(read_metadata(folder / "steps/02/clip.mp4")["procvid"])
    assert inside["overrides"]["left_out"] == ["frying pan"] and "left_out" not in inside


def test_a_chosen_crop_wins_over_leaving_out(parts, finished):
    plan = RunFolder(finished[0], read_run(finished[0])).read_plan()
    pan = next(c for c in parts.stores[0].crops.facts if c.name == "frying pan")
    memory = start_memory(parts, 5, plan)
    changes = StepChanges(left_out=("frying pan",), chosen={"frying pan": pan.id})
    found = conditioning_of(parts, plan.steps[1], memory, changes)
    assert pan.id in [slot.crop_id for slot in found.slots] and found.left_out == ()
    preview(parts, plan, memory, {2: StepChanges(left_out=("frying pan",))})
    assert memory.anchors.of("frying pan", "vessel", "in use", 3) is not None
    with pytest.raises(InputError, match="shows no 'wok'") as caught:
        conditioning_of(parts, plan.steps[1], memory, StepChanges(left_out=("wok",)))
    assert "frying pan" in caught.value.hint
