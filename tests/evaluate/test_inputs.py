"""Inputs of an evaluation, invalid inputs, and reading a clip once in bounded memory."""

from __future__ import annotations

import numpy as np
import pytest

from procvid.errors import InputError, RunError
from procvid.evaluate.inputs import ClipInput, RunInput, clips_input, real_clips, run_input
from procvid.evaluate.metrics import DEFAULT, METRICS, STANDARD, choose_metrics
from procvid.evaluate.parts import EvaluationParts
from procvid.evaluate.sampling import KEPT_ENDS, MAX_HELD, WINDOW, sample
from procvid.evaluate.suite import evaluate
from procvid.media.image import save_png
from procvid.media.video import write_clip
from procvid.run.folder import CLIP, CONDITIONING, hold
from procvid.run.records import ReferenceRecord, RunRecord, StepRecord
from procvid.settings import TINY
from procvid.storage.files import sha256_of, write_json
from procvid.types import GenerateRequest, Recipe

NOTHING = EvaluationParts("none", None, None, None, None, None, None, {})
RECIPE = Recipe("Soup", ("Slice the carrot.", "Boil the carrot."))


def moving(num_frames: int, side: int = 16) -> np.ndarray:
    """A bright bar that moves over a dark image."""
    frames = np.full((num_frames, side, side, 3), 20, np.uint8)
    for k in range(num_frames):
        frames[k, :, k % side] = 230
    return frames


@pytest.fixture
def files(tmp_path):
    """Two clips of different size and rate."""
    write_clip(tmp_path / "a.mp4", moving(6), 6)
    write_clip(tmp_path / "b.mp4", moving(9, 32), 25)
    return [tmp_path / "a.mp4", tmp_path / "b.mp4"]


def test_clips_of_different_size_and_rate_are_taken(files):
    run = clips_input(files, recipe=RECIPE)
    assert [run.text(clip.number) for clip in run.clips] == list(RECIPE.steps)
    a, b = (sample(clip, None) for clip in run.clips)
    assert (a.num_frames, a.fps, a.width) == (6, 6, 16)
    assert (b.num_frames, b.fps, b.width) == (9, 25, 32)


@pytest.mark.parametrize(
    ("count", "more", "message"),
    [
        (0, {}, "No clip"),
        (1, {"texts": ["a", "b"]}, "2 texts but 1 clips"),
        (1, {"recipe": RECIPE}, "2 steps in the recipe but 1 clips"),
        (2, {"recipe": RECIPE, "texts": ["a"]}, "a recipe and texts"),
        (300, {}, "300 clips are too many"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(files, count, more, message):
    with pytest.raises(InputError, match=message):
        clips_input((files * 150)[:count], **more)


def test_the_last_clips_may_have_no_text(files):
    assert clips_input(files, texts=["Slice the egg."]).text(2) == ""


def test_clips_of_a_cut_recipe_belong_to_its_shots(files):
    recipe = Recipe("Eggs", ("Peel the egg, then slice it on the board.",))
    run = clips_input(files, recipe=recipe)
    assert [run.text(n) for n in (1, 2)] == ["Peel the egg.", "Slice it on the board."]
    assert run.notes == ("The 2 clips are read as the shots of the recipe's 1 steps.",)


@pytest.mark.parametrize("content", [b"", b"no video", b"\x00\x00\x00\x20ftypisom" + b"x" * 200])
def test_a_corrupt_file_is_named_in_the_error(tmp_path, content):
    (tmp_path / "bad.mp4").write_bytes(content)
    with pytest.raises(InputError, match=r"bad\.mp4"):
        clips_input([tmp_path / "bad.mp4"])


def test_a_truncated_file_is_refused_or_read_to_its_end(files):
    whole = files[0].read_bytes()
    files[0].write_bytes(whole[: len(whole) // 2])
    try:
        run = clips_input(files[:1])
        assert sample(run.clips[0], None).num_frames >= 1
    except InputError as error:
        assert "a.mp4" in str(error)


def test_a_file_that_is_not_a_video_and_a_folder_without_a_run(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(InputError, match="not a video"):
        clips_input([tmp_path / "notes.txt"])
    with pytest.raises(RunError, match="no run"):
        run_input(tmp_path)


def test_one_damaged_reference_is_named_and_the_others_stay(tmp_path):
    box = (0.0, 0.0, 9.0, 9.0)
    references = tuple(
        ReferenceRecord(
            n, name, name, f"references/{n}.png", f"c{n}", f"s{n}", "", box, 0.9, "run", ""
        )
        for n, name in enumerate(("pan", "bowl"), start=1)
    )
    sampling = TINY.sampling
    request = GenerateRequest(RECIPE, sampling, "tiny", planner="rules")
    with hold(tmp_path / "run", RunRecord(request, {}, {}, {})) as run, run.new_step(1) as place:
        write_clip(place / CLIP, moving(6), 6)
        sha256 = sha256_of(place / CLIP)
        step = StepRecord(1, "Slice.", "", sampling, references, (), (), {}, {}, {}, sha256)
        write_json(place / CONDITIONING, step.to_json())
        (place / "references").mkdir()
        save_png(place / "references/1.png", moving(1)[0])
        (place / "references/2.png").write_bytes(b"no picture")
    found = run_input(tmp_path / "run")
    pan, bowl = found.clips[0].references
    assert pan.image is not None and pan.source == "s1"
    assert bowl.image is None and bowl.source == "the reference of the bowl (2.png) cannot be read"
    assert found.notes == ("missing steps: 2", f"step 1: {bowl.source}")
    real = real_clips([tmp_path / "run", found.clips[0].file])
    assert [clip.text for clip in real] == [RECIPE.steps[0], ""], "a run brings its texts"


def test_one_frame_cannot_move():
    sampled = sample(ClipInput(1, frames=moving(1), fps=6), None)
    assert sampled.pixel_motion is None and sampled.indices == (0,)
    assert sampled.spread(8) == [0] * 8


def test_a_black_clip_does_not_move():
    assert sample(ClipInput(1, frames=np.zeros((5, 8, 8, 3), np.uint8)), None).pixel_motion == 0.0


@pytest.mark.parametrize("count", [2, 9, MAX_HELD, MAX_HELD + 1, 1000])
def test_a_clip_of_any_length_is_held_in_few_frames(count):
    seen = []

    def thumbnail(frames):
        seen.append(len(frames))
        return frames[:, :2, :2]

    sampled = sample(ClipInput(1, frames=moving(count)), thumbnail)
    assert sum(seen) == sampled.num_frames == count, "each frame is seen once"
    assert len(sampled.images) <= MAX_HELD + 1
    assert sampled.indices[0] == 0 and sampled.indices[-1] == count - 1
    assert sampled.spread(2) == [0, len(sampled.images) - 1]


def test_the_middle_of_a_long_clip_is_dropped_in_whole_windows():
    frames = np.zeros((1013, 2, 2, 3), np.uint8)
    frames[:, 0, 0, 0] = np.arange(1013) % 251
    kept = sample(ClipInput(1, frames=frames), lambda f: f).shot_thumbnails
    assert len(kept) % WINDOW == 1013 % WINDOW
    assert len(kept) <= 2 * KEPT_ENDS + 2 * WINDOW
    assert np.array_equal(kept[:KEPT_ENDS], frames[:KEPT_ENDS])
    assert np.array_equal(kept[-KEPT_ENDS:], frames[-KEPT_ENDS:])


@pytest.mark.parametrize("wanted", ["dino", "", ",", "dino_l2,nope"])
def test_an_unknown_metric_is_named(wanted):
    with pytest.raises(InputError, match="metric"):
        choose_metrics(wanted)


def test_all_metrics_are_the_default():
    assert choose_metrics(None) == choose_metrics("all") == DEFAULT
    assert choose_metrics("standard") == STANDARD
    assert STANDARD == ("clip_score", "lpips", "fid", "fvd")
    assert choose_metrics("captions")[0] == "caption_alignment"
    assert choose_metrics("all,standard,captions") == tuple(METRICS)
    assert choose_metrics("copy_paste, dino_l2") == ("copy_paste", "dino_l2")


def test_without_any_backbone_nothing_has_a_value():
    missing = {need: "it is not here" for metric in METRICS.values() for need in metric.needs}
    parts = EvaluationParts("none", None, None, None, None, None, None, missing)
    run = RunInput("run", (ClipInput(1, frames=moving(3)), ClipInput(2, frames=moving(3))), RECIPE)
    *_, last = evaluate([run], parts)
    for name, metric in last.scores["runs"][0]["metrics"].items():
        if not METRICS[name].needs:
            continue
        assert metric["value"] is None and metric["state"] == "unavailable: it is not here"


def test_two_runs_of_one_name_are_refused():
    run = RunInput("run", (ClipInput(1, frames=moving(3)),))
    with pytest.raises(InputError, match="Two runs"):
        list(evaluate([run, run], NOTHING))
    with pytest.raises(InputError, match="No run"):
        list(evaluate([], NOTHING))
