"""Takes of a step: kept by a redo, chosen again byte by byte, deleted, and the best of several.

Clips are noise (`quick_models`).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest

from procvid.errors import InputError, OutputError, RunError
from procvid.events import ClipReady, Event, Progress, RunFinished, TakeReady, Warned
from procvid.run import retakes
from procvid.run.folder import RunFolder, read_run
from procvid.run.generate import step_seed
from procvid.run.retakes import choose_take, delete_take
from procvid.run.story import make_video, regenerate_step
from procvid.run.takes import MAX_AT_ONCE, MAX_TAKES, Take, check_room, made_as, takes_of
from procvid.types import Frames, Image, ModelInfo, StepChanges, StepPlan, TakeVerdict
from procvid.wiring import run as wiring
from tests.run.making import REQUEST, conditioning, copy_of, hashes, of

pytestmark = pytest.mark.usefixtures("quick_models")


class ListedJudge:
    """A judge that gives the listed scores in order."""

    info = ModelInfo("listed", "1")

    def __init__(self, *scores: float | None) -> None:
        self.scores: Iterator[float | None] = iter(scores)
        self.shapes: list[tuple[int, ...]] = []

    def judge(self, frames: Frames, step: StepPlan, references: Mapping[str, Image]) -> TakeVerdict:
        self.shapes.append(frames.shape)
        assert all(image.dtype == np.uint8 for image in references.values())
        score = next(self.scores)
        return TakeVerdict(score, f"Step {step.number} has {score}.")


@pytest.fixture(scope="module")
def parts(quick_models):
    return wiring.build()


@pytest.fixture(scope="module")
def finished(parts, tmp_path_factory) -> tuple[Path, list[Event]]:
    """An uninterrupted run; tests must not change it."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    return folder, list(make_video(REQUEST, parts, folder))


@pytest.fixture(scope="module")
def redone(finished, parts, tmp_path_factory) -> tuple[Path, list[Event]]:
    """The same run with step 4 redone; tests must not change it."""
    folder = Path(shutil.copytree(finished[0], tmp_path_factory.mktemp("redone") / "run"))
    return folder, list(regenerate_step(folder, 4, parts))


def takes(folder: Path, step: int) -> list[Take]:
    return takes_of(RunFolder(folder, read_run(folder)), step)


def in_run_json(folder: Path, step: int) -> list[dict]:
    return json.loads((folder / "run.json").read_text())["steps"][step - 1].get("takes", [])


def step_hashes(folder: Path, step: int) -> dict[str, str]:
    return hashes(folder / f"steps/{step:02d}")


def test_a_step_that_was_never_redone_has_one_take(finished):
    folder, _ = finished
    (only,) = takes(folder, 2)
    record = conditioning(folder, 2)
    assert (only.number, only.current, only.score) == (1, True, None)
    assert (only.seed, only.sha256) == (record["sampling"]["seed"], record["clip_sha256"])
    assert only.prompt == record["prompt"] and only.clip.is_file()
    assert not (folder / "takes").exists() and not in_run_json(folder, 2)
    assert takes(folder, 9) == []


def test_a_redo_keeps_the_old_clip(finished, redone):
    folder, events = redone
    old, new = takes(folder, 4)
    assert (old.number, old.current, new.number, new.current) == (1, False, 2, True)
    assert hashes(old.folder) == step_hashes(finished[0], 4)
    assert hashes(new.folder) == step_hashes(folder, 4)
    assert old.seed == step_seed(5, 4) and new.seed == step_seed(5, 4, 1)
    assert [entry["number"] for entry in in_run_json(folder, 4)] == [1, 2]
    assert in_run_json(folder, 4)[1] == {
        "number": 2,
        "seed": new.seed,
        "sha256": new.sha256,
        "current": True,
    }
    assert not of(TakeReady, events) and len(of(ClipReady, events)) == 1
    assert read_run(folder).run_id == read_run(finished[0]).run_id


def test_choosing_the_old_take_is_an_undo(finished, redone, parts, tmp_path):
    folder = copy_of(redone, tmp_path)
    events = list(choose_take(folder, 4, 1, parts))
    assert step_hashes(folder, 4) == step_hashes(finished[0], 4)
    assert hashes(folder)["video.mp4"] == hashes(finished[0])["video.mp4"]
    assert [type(event) for event in events] == [ClipReady, RunFinished]
    assert [take.current for take in takes(folder, 4)] == [True, False]
    assert made_as(RunFolder(folder, read_run(folder)))[4][0] == step_seed(5, 4)
    assert list(make_video(REQUEST, parts, folder))[-1].nothing_to_do
    list(choose_take(folder, 4, 2, parts))
    assert step_hashes(folder, 4) == step_hashes(redone[0], 4)
    assert len(takes(folder, 4)) == 2


def test_choosing_a_take_says_what_is_stale(finished, parts, tmp_path):
    folder = copy_of(finished, tmp_path)
    red = np.full((32, 32, 3), (200, 30, 30), np.uint8)
    list(regenerate_step(folder, 2, parts, StepChanges(uploads=(red,), shows=("frying pan",))))
    run = RunFolder(folder, read_run(folder))
    assert 3 in run.stale_steps({n: run.read_record(n) for n in (1, 2, 3, 4)})
    assert not of(Warned, list(choose_take(folder, 2, 1, parts)))
    again = list(choose_take(folder, 2, 2, parts))
    assert [event.kind for event in of(Warned, again)] == ["stale"]
    # The resumed run redoes step 3 and keeps its old clip.
    list(make_video(REQUEST, parts, folder))
    assert [take.current for take in takes(folder, 3)] == [False, True]
    assert hashes(takes(folder, 3)[0].folder) == step_hashes(finished[0], 3)


def test_a_redo_after_an_undo_gets_a_new_seed(redone, parts, tmp_path):
    folder = copy_of(redone, tmp_path)
    list(choose_take(folder, 4, 1, parts))
    list(regenerate_step(folder, 4, parts))
    assert [take.seed for take in takes(folder, 4)] == [
        step_seed(5, 4), step_seed(5, 4, 1), step_seed(5, 4, 2),
    ]  # fmt: skip


def test_the_same_changes_make_no_second_take(redone, parts, tmp_path):
    folder = copy_of(redone, tmp_path)
    seed = takes(folder, 4)[1].seed
    list(regenerate_step(folder, 4, parts, StepChanges(seed=seed)))
    assert [take.current for take in takes(folder, 4)] == [False, True]


def test_a_locked_step_keeps_its_clip(redone, parts, tmp_path):
    folder = copy_of(redone, tmp_path)
    RunFolder(folder, read_run(folder)).lock_steps([4])
    before = hashes(folder)
    for refused in (
        lambda: list(choose_take(folder, 4, 1, parts)),
        lambda: delete_take(folder, 4, 1),
    ):
        with pytest.raises(RunError, match="locked"):
            refused()
    assert hashes(folder) == before


def test_a_take_is_deleted_but_never_the_current_one(redone, parts, tmp_path):
    folder = copy_of(redone, tmp_path)
    with pytest.raises(RunError, match="in the video"):
        delete_take(folder, 4, 2)
    for step, number in ((4, 7), (1, 2), (9, 1)):
        with pytest.raises(RunError, match="no take"):
            delete_take(folder, step, number)
    delete_take(folder, 4, 1)
    assert [take.number for take in takes(folder, 4)] == [2]
    assert [entry["number"] for entry in in_run_json(folder, 4)] == [2]
    assert list(make_video(REQUEST, parts, folder))[-1].nothing_to_do
    with pytest.raises(RunError, match="no take 1"):
        list(choose_take(folder, 4, 1, parts))


def test_foreign_and_damaged_entries_are_skipped_and_stay(redone, parts, tmp_path):
    folder = copy_of(redone, tmp_path)
    place = folder / "takes/04"
    (place / "notes.txt").write_text("mine")
    (place / "007").mkdir()
    (place / "3").mkdir()
    shutil.copytree(place / "1", place / "4")
    (place / "4/conditioning.json").write_text("{")
    shutil.copytree(folder / "steps/01", place / "5")
    (place / "6").symlink_to(place / "1")
    assert [take.number for take in takes(folder, 4)] == [1, 2]
    list(regenerate_step(folder, 4, parts))
    assert [take.number for take in takes(folder, 4)] == [1, 2, 7]
    names = {entry.name for entry in place.iterdir()}
    assert names == {"notes.txt", "007", "1", "2", "3", "4", "5", "6", "7"}


def test_a_damaged_take_cannot_be_chosen(redone, parts, tmp_path):
    folder = copy_of(redone, tmp_path)
    clip = folder / "takes/04/1/clip.mp4"
    clip.write_bytes(clip.read_bytes() + b"x")
    before = step_hashes(folder, 4)
    with pytest.raises(RunError, match="damaged"):
        list(choose_take(folder, 4, 1, parts))
    assert step_hashes(folder, 4) == before


def test_two_hundred_takes_are_the_most(redone, parts, tmp_path):
    folder = copy_of(redone, tmp_path)
    text = (folder / "takes/04/1/conditioning.json").read_text()
    sha256 = conditioning(folder, 4)["clip_sha256"]
    for number in range(3, MAX_TAKES + 1):
        place = folder / f"takes/04/{number}"
        place.mkdir()
        (place / "clip.mp4").write_bytes(b"x")
        (place / "conditioning.json").write_text(
            text.replace('"clip_sha256": "', f'"clip_sha256": "{number:03d}')
        )
    run = RunFolder(folder, read_run(folder))
    found = takes_of(run, 4)
    assert len(found) == MAX_TAKES and [t.sha256 for t in found if t.current] == [sha256]
    with pytest.raises(RunError, match="200 takes, and 200 are the maximum"):
        list(regenerate_step(folder, 4, parts))
    delete_take(folder, 4, 200)
    check_room(run, 4, 1)


@pytest.mark.parametrize("moment", ["keep_current", "settle", "restore"])
def test_a_kill_loses_no_clip(finished, parts, tmp_path, monkeypatch, moment):
    folder = copy_of(finished, tmp_path)
    real = getattr(retakes, moment)

    def killed(*args):
        if moment == "keep_current":
            real(*args)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(retakes, moment, killed)
        with pytest.raises(KeyboardInterrupt):
            list(regenerate_step(folder, 4, parts))
    assert step_hashes(folder, 4) == step_hashes(finished[0], 4)
    assert [take.current for take in takes(folder, 4)] == [True] + [False] * (
        moment != "keep_current"
    )
    assert list(make_video(REQUEST, parts, folder))[-1].nothing_to_do


def test_a_full_disk_while_keeping_changes_nothing(finished, parts, tmp_path, monkeypatch):
    folder = copy_of(finished, tmp_path)

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("procvid.run.takes.shutil.copytree", full)
        with pytest.raises(OutputError, match="disk is full"):
            list(regenerate_step(folder, 4, parts))
    assert step_hashes(folder, 4) == step_hashes(finished[0], 4)
    assert len(takes(folder, 4)) == 1


def test_the_best_of_several_takes_is_kept(finished, parts, tmp_path):
    folder = copy_of(finished, tmp_path)
    judge = ListedJudge(0.2, 0.9, 0.4)
    events = list(regenerate_step(folder, 4, parts, takes=3, judge=judge))
    assert [(t.take, t.score, t.done, t.total) for t in of(TakeReady, events)] == [
        (2, 0.2, 1, 3), (3, 0.9, 2, 3), (4, 0.4, 3, 3),
    ]  # fmt: skip
    found = takes(folder, 4)
    assert [take.current for take in found] == [False, False, True, False]
    assert [take.seed for take in found[1:]] == [step_seed(5, 4, n) for n in (1, 2, 3)]
    assert found[2].reason == "Step 4 has 0.9."
    assert conditioning(folder, 4)["clip_sha256"] == found[2].sha256
    assert "take.json" not in step_hashes(folder, 4)
    assert len(of(ClipReady, events)) == 1 and judge.shapes[0][1:] == (96, 96, 3)


def test_without_scores_the_first_take_is_kept_with_a_warning(finished, parts, tmp_path):
    folder = copy_of(finished, tmp_path)
    changes = StepChanges(seed=77)
    events = list(
        regenerate_step(folder, 4, parts, changes, takes=2, judge=ListedJudge(None, None))
    )
    assert [take.seed for take in takes(folder, 4) if take.current] == [77]
    (warned,) = [event for event in of(Warned, events) if "none was scored" in event.message]
    assert "Step 4 has None." in warned.message and warned.step == 4


def test_a_stop_keeps_the_finished_takes_and_the_old_clip(finished, parts, tmp_path):
    folder = copy_of(finished, tmp_path)
    made = regenerate_step(folder, 4, parts, takes=3, judge=ListedJudge(0.5, 0.5, 0.5))
    for event in made:
        if isinstance(event, TakeReady):
            break
    assert isinstance(next(made), object) and isinstance(next(made), object)
    made.close()
    assert step_hashes(folder, 4) == step_hashes(finished[0], 4)
    assert [(take.current, take.score) for take in takes(folder, 4)] == [(True, None), (False, 0.5)]
    assert list(make_video(REQUEST, parts, folder))[-1].nothing_to_do


@pytest.mark.parametrize("count", [0, -1, MAX_AT_ONCE + 1])
def test_a_wrong_number_of_takes_is_refused(finished, parts, count):
    with pytest.raises(InputError, match="takes are out of range"):
        list(regenerate_step(finished[0], 4, parts, takes=count))


def test_progress_covers_all_takes(finished, parts, tmp_path):
    folder = copy_of(finished, tmp_path)
    events = list(regenerate_step(folder, 4, parts, takes=2))
    progress = of(Progress, events)
    assert len(progress) == 4 and progress[1].eta_s is not None and progress[-1].eta_s == 0
