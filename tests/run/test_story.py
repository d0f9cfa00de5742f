"""From recipe to video: the order of events, files on disk, resuming and redoing steps.

Clips are noise (`quick_models`); what depends on their content is in test_staleness.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from procvid.errors import InputError, RunError
from procvid.events import (
    ClipReady,
    Conditioned,
    Event,
    Planned,
    Progress,
    RunFinished,
    RunStarted,
    Warned,
    event_name,
)
from procvid.media.captions import timestamp
from procvid.media.video import probe, read_chapters
from procvid.memory.retrieval_rules import DEFAULT_RULES
from procvid.memory.store import without_pixels
from procvid.run.generate import step_seed
from procvid.run.parts import memory_notes
from procvid.run.story import make_video, regenerate_step
from procvid.settings import TINY
from procvid.storage.files import sha256_of
from procvid.types import Recipe, StepChanges
from procvid.wiring import run as wiring
from tests.run.making import RECIPE, REQUEST, conditioning, copy_of, hashes, of, run_until

pytestmark = pytest.mark.usefixtures("quick_models")


@pytest.fixture(scope="module")
def parts(quick_models):
    return wiring.build()


@pytest.fixture(scope="module")
def finished(parts, tmp_path_factory) -> tuple[Path, list[Event]]:
    """An uninterrupted run; tests must not change it."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    return folder, list(make_video(REQUEST, parts, folder))


def test_the_events_tell_the_story_in_order(finished):
    _, events = finished
    names = [event_name(event) for event in events if not isinstance(event, Warned | Progress)]
    steps = ["conditioned", "clip_ready"] * len(RECIPE.steps)
    assert names == ["run_started", "planned", *steps, "run_finished"]
    assert [event.step for event in of(ClipReady, events)] == [1, 2, 3, 4]
    assert [(p.step, p.done, p.total) for p in of(Progress, events)] == [
        (step, done, 2) for step in (1, 2, 3, 4) for done in (1, 2)
    ]
    assert all(p.eta_s is None or p.eta_s >= 0 for p in of(Progress, events))
    assert of(Progress, events)[-1].eta_s == 0


def test_the_run_says_which_profile_made_it_and_why(finished):
    started = of(RunStarted, finished[1])[0]
    assert started.profile == "tiny" and started.finished_steps == ()
    assert "cartoons made by a tiny model" in started.profile_reason


def test_the_video_has_a_chapter_and_a_caption_for_each_clip(finished):
    folder, events = finished
    done = of(RunFinished, events)[0]
    clip_s = TINY.sampling.num_frames / TINY.sampling.fps
    assert done.duration_s == pytest.approx(4 * clip_s)
    facts = probe(folder / done.video)
    assert facts.num_frames == 4 * TINY.sampling.num_frames
    assert (facts.width, facts.height) == (96 * TINY.display_scale,) * 2
    chapters = read_chapters(folder / done.video)
    assert [title for *_, title in chapters] == [
        f"{number}. {text}" for number, text in enumerate(RECIPE.steps, start=1)
    ]
    captions = (folder / done.captions).read_text()
    for number, text in enumerate(RECIPE.steps):
        assert f"{timestamp(number * clip_s)} --> {timestamp((number + 1) * clip_s)}" in captions
        assert text in captions


def test_the_log_has_every_event_but_progress(finished):
    folder, events = finished
    lines = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    expected = [event_name(event) for event in events if not isinstance(event, Progress)]
    assert [line["event"] for line in lines] == expected


def test_a_finished_run_has_nothing_to_do(finished, parts, tmp_path):
    folder = copy_of(finished, tmp_path)
    before = hashes(folder)
    events = list(make_video(REQUEST, parts, folder))
    assert of(RunFinished, events)[0].nothing_to_do
    assert of(RunStarted, events)[0].finished_steps == (1, 2, 3, 4)
    assert not of(ClipReady, events) and not of(Progress, events)
    assert hashes(folder) == before


@pytest.mark.parametrize("last", [0, 2])
def test_a_run_that_was_left_goes_on_to_the_same_bytes(finished, parts, tmp_path, last):
    folder = tmp_path / "run"
    run_until(parts, folder, last)
    assert len(list((folder / "steps").iterdir())) == last
    events = list(make_video(REQUEST, parts, folder))
    assert [event.step for event in of(ClipReady, events) if not event.reused] == list(
        range(last + 1, 5)
    )
    assert hashes(folder) == hashes(finished[0])


@pytest.mark.parametrize(
    "lost",
    ["steps/02/clip.mp4", "steps/04/conditioning.json", "video.mp4", "captions.vtt", "plan.json"],
)
def test_what_is_lost_is_made_again_to_the_same_bytes(finished, parts, tmp_path, lost):
    folder = copy_of(finished, tmp_path)
    (folder / lost).unlink()
    list(make_video(REQUEST, parts, folder))
    assert hashes(folder) == hashes(finished[0])


def test_a_clip_that_was_changed_is_made_again(finished, parts, tmp_path):
    folder = copy_of(finished, tmp_path)
    (folder / "steps/03/clip.mp4").write_bytes(b"not the clip that was made")
    events = list(make_video(REQUEST, parts, folder))
    assert [event.step for event in of(ClipReady, events) if not event.reused] == [3]
    assert hashes(folder) == hashes(finished[0])


def test_another_seed_gives_another_video_and_its_own_folder(finished, parts, tmp_path):
    other = replace(REQUEST, seed=6)
    with pytest.raises(RunError, match="seed is 5 there, but 6 in this request"):
        next(make_video(other, parts, finished[0]))
    list(make_video(other, parts, tmp_path / "other"))
    assert sha256_of(tmp_path / "other/video.mp4") != sha256_of(finished[0] / "video.mp4")


def test_the_seed_inside_the_sampling_has_no_meaning(parts, finished, tmp_path):
    folder = copy_of(finished, tmp_path)
    same = replace(REQUEST, sampling=replace(REQUEST.sampling, seed=99))
    assert list(make_video(same, parts, folder))[-1].nothing_to_do


def test_a_size_that_the_model_cannot_make_leaves_no_folder(parts, tmp_path):
    wrong = replace(REQUEST, sampling=replace(REQUEST.sampling, num_frames=13))
    with pytest.raises(InputError, match="13 frames"):
        next(make_video(wrong, parts, tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_an_edited_plan_is_followed_and_kept(parts, tmp_path):
    recipe = replace(RECIPE, steps=RECIPE.steps[:1])
    request = replace(REQUEST, recipe=recipe)
    plan = parts.planner.plan(recipe)
    edited = replace(plan, steps=(replace(plan.steps[0], prompt="Close view: a plate."),))
    events = list(make_video(request, parts, tmp_path / "run", plan=edited))
    assert of(Planned, events)[0].plan == edited
    assert conditioning(tmp_path / "run", 1)["prompt"].startswith("Close view: a plate.")
    assert list(make_video(request, parts, tmp_path / "run"))[-1].nothing_to_do
    with pytest.raises(RunError, match="another plan"):
        list(make_video(request, parts, tmp_path / "run", plan=plan))


def test_without_a_memory_nothing_is_shown_and_nothing_kept(parts, tmp_path):
    forgetful = replace(parts, stores=None)
    request = replace(REQUEST, memory="none", recipe=replace(RECIPE, steps=RECIPE.steps[:2]))
    events = list(make_video(request, forgetful, tmp_path / "run"))
    assert all(event.conditioning.slots == () for event in of(Conditioned, events))
    assert not list((tmp_path / "run").rglob("crops"))
    assert not (tmp_path / "run/memory").exists()


def test_notes_report_the_limits_of_a_memory(parts):
    assert memory_notes(parts) == memory_notes(replace(parts, stores=None)) == ()
    unsure = replace(parts, rules=DEFAULT_RULES)
    assert "not calibrated for procvid/tiny_clip" in memory_notes(unsure)[0]
    assert "comes without a crop store" in memory_notes(replace(parts, stores=()))[0]
    bare = replace(without_pixels(parts.stores[0]), notes=("The index was rebuilt.",))
    shown = memory_notes(replace(parts, stores=(bare,)))
    assert shown[0] == "The index was rebuilt." and "has no images" in shown[1]


def test_what_the_model_was_never_taught_is_said_once_and_at_each_step(parts, tmp_path):
    recipe = Recipe("Salmon", ("Fry the salmon in the frying pan.",))
    events = list(make_video(replace(REQUEST, recipe=recipe), parts, tmp_path / "run"))
    shown = [event for event in of(Warned, events) if "salmon" in event.message]
    assert [event.step for event in shown] == [0, 1]
    assert "not trained on salmon; it draws something else" in shown[0].message
    assert of(RunFinished, events)[0].warnings[-1] == shown[0].message


def test_one_step_made_again_leaves_all_others_alone(finished, parts, tmp_path):
    folder = copy_of(finished, tmp_path)
    before = hashes(folder)
    events = list(regenerate_step(folder, 2, parts))
    after = hashes(folder)
    assert [event.step for event in of(ClipReady, events)] == [2]
    changed = {file for file in before if after.get(file) != before[file]}
    assert "steps/02/clip.mp4" in changed and "video.mp4" in changed
    assert not any(f.startswith(("steps/01", "steps/03", "steps/04")) for f in changed)


def test_a_step_made_again_twice_is_another_clip_each_time(finished, parts, tmp_path):
    folder = copy_of(finished, tmp_path)
    clips = [sha256_of(folder / "steps/04/clip.mp4")]
    for _ in range(2):
        list(regenerate_step(folder, 4, parts))
        clips.append(sha256_of(folder / "steps/04/clip.mp4"))
    assert len(set(clips)) == 3


def test_a_seed_of_ones_own_does_not_bring_an_earlier_clip_back(finished, parts, tmp_path):
    folder, seeds = copy_of(finished, tmp_path), []
    for seed in (None, 7, None):
        list(regenerate_step(folder, 2, parts, StepChanges(seed=seed)))
        seeds.append(conditioning(folder, 2)["sampling"]["seed"])
    assert len(set(seeds)) == 3


def test_ones_own_prompt_and_pictures_are_used_and_kept(finished, parts, tmp_path):
    folder = copy_of(finished, tmp_path)
    picture = np.full((40, 50, 3), (200, 30, 30), np.uint8)
    changes = StepChanges(prompt="Close view: a red plate.", uploads=(picture,))
    list(regenerate_step(folder, 3, parts, changes))
    own = conditioning(folder, 3)
    assert own["prompt"] == "Close view: a red plate."
    upload = own["references"][0]
    assert (upload["origin"], upload["number"], upload["score"]) == ("upload", 1, 1.0)
    assert own["sampling"]["seed"] == step_seed(5, 3)

    (folder / "steps/03/clip.mp4").write_bytes(b"damaged")
    list(make_video(REQUEST, parts, folder))
    assert conditioning(folder, 3) == own

    (folder / "steps/03/clip.mp4").unlink()
    (folder / "steps/03" / upload["file"]).write_bytes(b"no picture")
    events = list(make_video(REQUEST, parts, folder))
    shown = [event.message for event in of(Warned, events) if event.step == 3]
    assert "One of your images is lost" in shown[0]
    assert conditioning(folder, 3)["prompt"] == own["prompt"]


@pytest.mark.parametrize("step", [0, -1, 5])
def test_a_step_that_is_not_there_cannot_be_made_again(finished, parts, tmp_path, step):
    folder = copy_of(finished, tmp_path)
    before = hashes(folder)
    with pytest.raises(RunError, match=f"Step {step} cannot be redone"):
        list(regenerate_step(folder, step, parts))
    assert hashes(folder) == before


def test_a_step_of_an_unfinished_run_can_be_made_again(parts, tmp_path):
    folder = tmp_path / "run"
    run_until(parts, folder, 2)
    assert not of(RunFinished, list(regenerate_step(folder, 2, parts)))
    with pytest.raises(RunError, match="has steps 1 to 2"):
        list(regenerate_step(folder, 3, parts))
    assert of(RunFinished, list(make_video(REQUEST, parts, folder)))


def test_too_many_pictures_are_refused(finished, parts, tmp_path):
    folder = copy_of(finished, tmp_path)
    before = hashes(folder)
    with pytest.raises(InputError, match="5 reference images, but a step takes 4"):
        five = (np.zeros((8, 8, 3), np.uint8),) * 5
        list(regenerate_step(folder, 1, parts, StepChanges(uploads=five)))
    assert hashes(folder) == before
