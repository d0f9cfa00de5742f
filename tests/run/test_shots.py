"""A run whose steps are cut into shots: clips, chapters and captions, names, and older runs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from procvid.cli import main
from procvid.errors import RunError
from procvid.events import Event, Planned, RunFinished, RunStarted, Warned
from procvid.media.captions import timestamp
from procvid.media.video import read_chapters, read_metadata
from procvid.run.folder import RUN, read_run
from procvid.run.story import ONE_CLIP_A_STEP, make_video, regenerate_step
from procvid.settings import TINY
from procvid.types import Recipe
from procvid.wiring import run as wiring
from tests.run.making import REQUEST as SIMPLE
from tests.run.making import copy_of, hashes, of

pytestmark = pytest.mark.usefixtures("quick_models")

STEP = "Slice the carrot on the cutting board, then fry it in the frying pan."
RECIPE = Recipe("Fried carrots", (STEP, "Serve the carrot on a plate."))
REQUEST = replace(SIMPLE, recipe=RECIPE)


@pytest.fixture(scope="module")
def parts(quick_models):
    return wiring.build()


@pytest.fixture(scope="module")
def finished(parts, tmp_path_factory) -> tuple[Path, list[Event]]:
    """A run of two steps in three shots; tests must not change it."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    return folder, list(make_video(REQUEST, parts, folder))


@pytest.fixture(scope="module")
def whole(parts, tmp_path_factory) -> tuple[Path, list[Event]]:
    """The same recipe with one clip per step."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    return folder, list(make_video(replace(REQUEST, shots="one"), parts, folder))


def test_each_shot_is_a_clip_and_chapters_and_captions_are_by_step(finished):
    folder, events = finished
    assert [step.recipe_step for step in of(Planned, events)[0].plan.steps] == [1, 1, 2]
    assert len(of(RunFinished, events)[0].clips) == 3
    clip_s = TINY.sampling.num_frames / TINY.sampling.fps
    chapters = read_chapters(folder / "video.mp4")
    assert [title for *_, title in chapters] == [f"1. {STEP}", "2. Serve the carrot on a plate."]
    assert [end for _, end, _ in chapters] == pytest.approx([2 * clip_s, 3 * clip_s], abs=0.002)
    captions = (folder / "captions.vtt").read_text()
    assert captions.count("-->") == 2 and STEP in captions
    assert f"{timestamp(0)} --> {timestamp(2 * clip_s)}" in captions


def test_the_video_records_the_whole_steps(finished, whole):
    for (folder, _), shots in ((finished, "auto"), (whole, "one")):
        metadata = json.loads(read_metadata(folder / "video.mp4")["procvid"])
        request = json.loads(metadata["request"])
        assert (request["steps"], request["shots"]) == (list(RECIPE.steps), shots)


def test_a_shot_is_redone_by_its_name(finished, tmp_path, capsys):
    folder = copy_of(finished, tmp_path)
    before = hashes(folder)
    assert main(["regenerate", str(folder), "--step", "1"]) == 2
    assert "Step 1 has the shots 1a, 1b. Choose one of them." in capsys.readouterr().err
    assert hashes(folder) == before
    assert main(["regenerate", str(folder), "--step", "1b", "--seed", "9"]) == 0
    assert "Step 1b (clip 2)" in capsys.readouterr().out
    changed = {file for file, sha in hashes(folder).items() if sha != before.get(file)}
    assert "steps/02/clip.mp4" in changed and "steps/01/clip.mp4" not in changed


def test_errors_name_shots(finished, parts, tmp_path):
    with pytest.raises(RunError, match=r"Step 7 cannot be redone: the run has steps 1a to 2\."):
        list(regenerate_step(copy_of(finished, tmp_path), 7, parts))


def test_one_clip_per_step_is_another_run(finished, whole, parts, tmp_path):
    assert read_run(whole[0]).run_id != read_run(finished[0]).run_id
    assert len(of(RunFinished, whole[1])[0].clips) == 2
    asked = replace(REQUEST, shots="one")
    with pytest.raises(RunError, match="one clip per action there, but one clip per step in this"):
        list(make_video(asked, parts, copy_of(finished, tmp_path)))


def test_a_run_goes_on_with_the_shots_that_it_began_with(whole, parts, tmp_path):
    events = list(make_video(REQUEST, parts, copy_of(whole, tmp_path)))
    assert of(RunFinished, events)[0].nothing_to_do
    assert ONE_CLIP_A_STEP in [event.message for event in of(Warned, events)]


def test_a_run_of_before_keeps_its_id_and_goes_on(whole, parts, tmp_path):
    folder = copy_of(whole, tmp_path)
    old = json.loads((folder / RUN).read_text())
    for key in ("parents", "written"):
        del old["request"]["recipe"][key]
    del old["request"]["shots"]
    (folder / RUN).write_text(json.dumps(old))
    assert read_run(folder).run_id == old["run_id"] == read_run(whole[0]).run_id
    (folder / "steps/02/clip.mp4").unlink()
    events = list(make_video(REQUEST, parts, folder))
    assert of(RunStarted, events)[0].finished_steps == (1,)
    assert (folder / "steps/02/clip.mp4").exists()


def test_a_plan_of_the_uncut_recipe_gets_one_clip_per_step(parts, tmp_path):
    plan = parts.planner.plan(RECIPE)
    events = make_video(REQUEST, parts, tmp_path / "run", plan=plan)
    assert next(e for e in events if isinstance(e, RunStarted)).num_steps == 2
    assert read_run(tmp_path / "run").request.recipe.steps == RECIPE.steps
    events.close()
