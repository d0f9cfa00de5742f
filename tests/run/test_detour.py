"""Detours of a run: what is taken over, what is made, and what stays the same, with the tiny models."""

from __future__ import annotations

import dataclasses
import json
import shutil
from contextlib import closing
from pathlib import Path

import pytest

from procvid.errors import RunError
from procvid.events import ClipReady, Event, Progress, Warned
from procvid.memory.store_folder import load_store
from procvid.plan.detour.detour import make_detour
from procvid.plan.detour.wishes import Wishes, wishes_of
from procvid.run.detour import DetourOf, asked_json, check_same_detour
from procvid.run.folder import RunFolder, read_run
from procvid.run.story import make_video, regenerate_step
from procvid.types import GenerateRequest
from tests.run.making import REQUEST, conditioning, copy_of, hashes, of


def asked(source: Path, wishes: Wishes) -> tuple[GenerateRequest, DetourOf]:
    run = RunFolder(source, read_run(source))
    request = run.record.request
    detour = make_detour(request.recipe, run.read_plan(), wishes)
    return dataclasses.replace(request, recipe=detour.recipe), DetourOf(source, wishes, detour)


def make(source: Path, out: Path, parts, wishes: Wishes) -> list[Event]:
    request, detour = asked(source, wishes)
    return list(make_video(request, parts, out, plan=detour.detour.plan, detour=detour))


def made(events: list[Event]) -> list[int]:
    return [event.step for event in of(ClipReady, events) if not event.reused]


def clip(folder: Path, step: int) -> bytes:
    return (folder / f"steps/{step:02d}/clip.mp4").read_bytes()


def reference(folder: Path, step: int, name: str) -> dict:
    return next(r for r in conditioning(folder, step)["references"] if r["object_name"] == name)


@pytest.fixture(scope="module")
def added(real_run, real_parts, tmp_path_factory) -> tuple[Path, list[Event]]:
    """A detour with a new step 2; tests must not change it."""
    out = tmp_path_factory.mktemp("added") / "run"
    wishes = wishes_of(add=["1: Slice the potato on the cutting board."])
    return out, make(real_run[0], out, real_parts, wishes)


def test_only_the_new_step_is_made_and_the_others_keep_their_bytes(real_run, added):
    out, events = added
    assert made(events) == [2]
    for new, old in ((1, 1), (3, 2), (4, 3), (5, 4)):
        assert clip(out, new) == clip(real_run[0], old)
        assert conditioning(out, new)["taken_from"].endswith(f"/{old:02d}")
        assert conditioning(out, new)["step"] == new
    assert "taken_from" not in conditioning(out, 2)
    board = reference(out, 2, "cutting board")["image_sha256"]
    assert board == reference(real_run[0], 1, "cutting board")["image_sha256"]


def test_its_crops_are_those_of_the_new_run(added, real_parts):
    out, _ = added
    run_id = json.loads((out / "run.json").read_text())["run_id"]
    folders = sorted((out / "steps").glob("*/crops"))
    assert folders
    for folder in folders:
        store = load_store(folder, real_parts.embedder)
        assert {crop.source_id for crop in store.crops.facts} == {f"{run_id}/{folder.parent.name}"}


def test_it_is_finished_and_needs_the_earlier_run_no_more(real_run, added, real_parts, tmp_path):
    out = copy_of(added, tmp_path)
    request = read_run(out).request
    assert list(make_video(request, real_parts, out))[-1].nothing_to_do
    shutil.rmtree(out / "steps/03")
    events = list(make_video(request, real_parts, out))
    assert made(events) == []
    assert hashes(out) == hashes(added[0])


def test_a_redone_step_makes_no_other_one_stale(added, real_parts, tmp_path):
    out = copy_of(added, tmp_path)
    events = list(regenerate_step(out, 3, real_parts))
    assert not [event for event in of(Warned, events) if event.kind == "stale"]
    assert list(make_video(read_run(out).request, real_parts, out))[-1].nothing_to_do


def test_interrupted_it_goes_on_to_the_same_files(real_run, added, real_parts, tmp_path):
    out = tmp_path / "run"
    request, detour = asked(
        real_run[0], wishes_of(add=["1: Slice the potato on the cutting board."])
    )
    with closing(
        make_video(request, real_parts, out, plan=detour.detour.plan, detour=detour)
    ) as events:
        for event in events:
            if isinstance(event, Progress):
                break
    list(make_video(request, real_parts, out, plan=detour.detour.plan, detour=detour))
    assert hashes(out) == hashes(added[0])


def test_a_clip_that_is_lost_or_changed_is_made_again(real_run, real_parts, tmp_path):
    source = copy_of(real_run, tmp_path)
    shutil.rmtree(source / "steps/04")
    (source / "steps/03/clip.mp4").write_bytes(clip(source, 3) + b"x")
    out = tmp_path / "detour"
    events = make(source, out, real_parts, wishes_of(swap=["plate=bowl"]))
    assert made(events) == [3, 4]
    assert clip(out, 1) == clip(source, 1) and clip(out, 2) == clip(source, 2)


def test_the_pan_stays_the_same_pan_without_a_shared_store(real_parts, tmp_path):
    """Step 2 shows the pan first, and no store has it; the detour skips this step."""
    parts = dataclasses.replace(real_parts, stores=())
    source, out = tmp_path / "source", tmp_path / "out"
    list(make_video(dataclasses.replace(REQUEST, memory="own"), parts, source))
    pan = reference(source, 3, "frying pan")
    assert pan["origin"] == "run"
    make(source, out, parts, wishes_of(skip=["2"]))
    assert reference(out, 2, "frying pan")["image_sha256"] == pan["image_sha256"]
    assert list(make_video(read_run(out).request, parts, out))[-1].nothing_to_do


def test_a_detour_of_a_detour_goes_on_with_the_same_kitchen(real_run, added, real_parts, tmp_path):
    out = tmp_path / "again"
    events = make(added[0], out, real_parts, wishes_of(skip=["2"]))
    assert made(events) == []
    assert [clip(out, n) for n in (1, 2, 3, 4)] == [clip(real_run[0], n) for n in (1, 2, 3, 4)]
    assert conditioning(out, 2)["taken_from"] == conditioning(added[0], 3)["taken_from"]


def test_the_same_request_goes_on_and_another_does_not(added, real_run, real_parts, tmp_path):
    out = copy_of(added, tmp_path)
    typed = wishes_of(add=["1: Slice the potato on the cutting board."])
    check_same_detour(out, asked_json(typed))
    for other in (asked_json(typed, "make it spicy"), asked_json(wishes_of(skip=["1"]))):
        with pytest.raises(RunError, match="holds another detour"):
            check_same_detour(out, other)
    asked_for = DetourOf(out, typed, None, "add potato", wishes_of())
    assert asked_for.asked == {"ask": "add potato"}


def test_a_folder_with_another_detour_is_refused(real_run, added, real_parts):
    request, detour = asked(real_run[0], wishes_of(skip=["1"]))
    before = hashes(added[0])
    with pytest.raises(RunError, match="belongs to another run"):
        list(make_video(request, real_parts, added[0], plan=detour.detour.plan, detour=detour))
    assert hashes(added[0]) == before


def test_a_damaged_detour_is_reported(added, real_parts, tmp_path):
    out = copy_of(added, tmp_path)
    (out / "detour.json").write_text('{"schema_version": 99}')
    with pytest.raises(RunError, match=r"detour\.json.* is damaged or of another version"):
        list(make_video(read_run(out).request, real_parts, out))
