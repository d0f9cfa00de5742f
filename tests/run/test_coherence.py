"""Clips that see the end of the clip before: what is recorded, resumed, and what becomes stale.

Clips are noise (`quick_models`).
"""

from __future__ import annotations

import dataclasses
import json
import shutil

import numpy as np
import pytest

from procvid.errors import ProcvidError, RunError
from procvid.events import ClipReady, Warned
from procvid.media.video import read_clip
from procvid.run.coherence import WHITE, seen_before
from procvid.run.folder import RunFolder, read_run
from procvid.run.story import make_video, regenerate_step
from procvid.settings import TINY
from procvid.types import Recipe, StepChanges
from procvid.types.sampling import CONTEXT_FRAMES
from procvid.wiring import run as wiring
from tests.run.making import RECIPE, REQUEST, conditioning, copy_of, hashes, of

pytestmark = pytest.mark.usefixtures("quick_models")

ROLLING = dataclasses.replace(
    REQUEST, sampling=dataclasses.replace(REQUEST.sampling, coherence="rolling")
)


@pytest.fixture(scope="module")
def parts(quick_models):
    return wiring.build()


@pytest.fixture(scope="module")
def finished(parts, tmp_path_factory):
    folder = tmp_path_factory.mktemp("rolling") / "run"
    return folder, list(make_video(ROLLING, parts, folder))


@pytest.fixture(scope="module")
def plain(parts, tmp_path_factory):
    folder = tmp_path_factory.mktemp("plain") / "run"
    return folder, list(make_video(REQUEST, parts, folder))


def test_every_clip_but_the_first_sees_the_one_before(finished, plain):
    folder = finished[0]
    clips = [conditioning(folder, step)["clip_sha256"] for step in (1, 2, 3, 4)]
    seen = [conditioning(folder, step).get("before") for step in (1, 2, 3, 4)]
    assert seen == [None, *clips[:3]]
    assert conditioning(folder, 2)["sampling"]["coherence"] == "rolling"
    frames = [read_clip(run / "steps/02/clip.mp4").frames for run in (folder, plain[0])]
    assert not np.array_equal(*frames)
    assert np.array_equal(*(read_clip(r / "steps/01/clip.mp4").frames for r in (folder, plain[0])))


def test_other_runs_are_recorded_as_before(plain):
    beside = conditioning(plain[0], 2)
    assert "before" not in beside and "coherence" not in beside["sampling"]
    assert "coherence" not in json.loads((plain[0] / "run.json").read_text())["request"]["sampling"]


def test_a_resumed_run_is_the_same_to_the_byte(finished, parts, tmp_path):
    folder = copy_of(finished, tmp_path)
    for name in ("steps/03", "steps/04"):
        shutil.rmtree(folder / name)
    assert read_run(folder).request.sampling.coherence == "rolling"
    events = list(make_video(ROLLING, parts, folder))
    assert [e.step for e in of(ClipReady, events) if not e.reused] == [3, 4]
    assert hashes(folder) == hashes(finished[0])


def test_a_clip_made_again_makes_those_that_saw_it_stale(finished, parts, tmp_path):
    folder = copy_of(finished, tmp_path)
    warned = of(Warned, list(regenerate_step(folder, 2, parts, StepChanges(seed=77))))
    run = RunFolder(folder, read_run(folder))
    records = {number: run.read_step(number) for number in (1, 2, 3, 4)}
    assert run.stale_steps(records) == {3: 2}
    assert ["3" in event.message for event in warned] == [True]
    made = [e.step for e in of(ClipReady, list(make_video(ROLLING, parts, folder))) if not e.reused]
    # Step 4 saw a clip that is now another one.
    assert made == [3, 4]
    assert conditioning(folder, 3)["before"] == conditioning(folder, 2)["clip_sha256"]


def test_a_locked_neighbour_stays(finished, parts, tmp_path):
    folder = copy_of(finished, tmp_path)
    RunFolder(folder, read_run(folder)).lock_steps([3])
    list(regenerate_step(folder, 2, parts, StepChanges(seed=77)))
    before = conditioning(folder, 3)["clip_sha256"]
    made = [e.step for e in of(ClipReady, list(make_video(ROLLING, parts, folder))) if not e.reused]
    assert made == [] and conditioning(folder, 3)["clip_sha256"] == before


def test_a_folder_keeps_its_coherence(finished, parts):
    with pytest.raises(RunError, match="a clip sees the end of the clip before there, but nothing"):
        list(make_video(REQUEST, parts, finished[0]))


def test_a_single_step_has_nothing_to_see(parts, tmp_path):
    request = dataclasses.replace(ROLLING, recipe=Recipe("Carrot", (RECIPE.steps[0],)))
    list(make_video(request, parts, tmp_path / "run"))
    assert "before" not in conditioning(tmp_path / "run", 1)


def test_a_damaged_clip_before_is_reported_and_nothing_is_lost(finished, parts, tmp_path):
    folder = copy_of(finished, tmp_path)
    (folder / "steps/02/clip.mp4").write_bytes(b"")
    before = hashes(folder)
    with pytest.raises(ProcvidError):
        list(regenerate_step(folder, 3, parts, StepChanges(seed=1)))
    assert hashes(folder) == before
    run = RunFolder(folder, read_run(folder))
    plan = run.read_plan()
    with pytest.raises(RunError, match="step 2 is missing or damaged"):
        seen_before(run, parts, plan.steps[2])


def test_what_is_seen_is_the_end_without_objects(finished, parts):
    run = RunFolder(finished[0], read_run(finished[0]))
    seen, sha256 = seen_before(run, parts, run.read_plan().steps[1])
    clip = read_clip(finished[0] / "steps/01/clip.mp4", downscale=TINY.display_scale).frames
    assert seen.shape == (4 * CONTEXT_FRAMES + 1, *clip.shape[1:])
    assert sha256 == conditioning(finished[0], 1)["clip_sha256"]
    same = (seen == clip[-len(seen) :]).all(-1)
    assert ((seen == WHITE).all(-1) | same).all()
