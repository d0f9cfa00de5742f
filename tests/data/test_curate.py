"""Curation from videos to dataset: complete, resumed, with damaged videos and wrong folders."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from procvid.cli import main
from procvid.data import curate
from procvid.data.matching import MatchRules
from procvid.data.stages import Rules
from procvid.errors import InputError, OutputError, ServiceError
from procvid.machine.spread import Spread
from procvid.media.video import write_clip
from procvid.memory.clip_list import read_clip_list
from procvid.types import ModelInfo
from tests.data.conftest import (
    SCENE_S,
    contents,
    make_tools,
    scene_frames,
    write_video,
)


def lines(file: Path) -> list[dict]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def test_from_videos_to_a_dataset_and_a_clip_list(videos, curated, tmp_path) -> None:
    list(curated(videos, licence="CC-BY-4.0").run())
    out = tmp_path / "out"
    clips = lines(out / "ratings.jsonl")
    assert [clip["video_id"] for clip in clips] == ["v0"] * 3 + ["v1"] * 3 + ["v2"] * 3
    assert [(clip["start_s"], clip["end_s"]) for clip in clips[:3]] == [(0, 6), (6, 12), (12, 18)]
    assert clips[0]["text"] == "Slice the carrot on the board."
    assert clips[0]["caption"] == "" and clips[0]["caption_unavailable"] == "nobody was asked"
    assert clips[0]["rating"] is None
    listed = read_clip_list(out / "clips.jsonl")
    assert len(listed) == 9 and listed[0].file.resolve() == (videos / "v0.mp4").resolve()
    assert (listed[4].start_s, listed[4].licence) == (6.0, "CC-BY-4.0")
    table = pq.read_table(out / "dataset" / "data" / "train-00000.parquet")
    assert table.num_rows == 9 and b"Image" in table.schema.metadata[b"huggingface"]
    assert table["image"][0].as_py()["bytes"].startswith(b"\xff\xd8")
    assert "9 clips of 3 videos" in (out / "dataset" / "README.md").read_text()
    counts = json.loads((out / "counts.json").read_text())
    assert counts["stages"]["matches"] == {"notes": {}, "rejected": {}, "rows": 9, "videos": 3}


def test_again_nothing_is_done_and_a_new_video_alone_is_worked_on(videos, curated, tmp_path):
    list(curated(videos).run())
    before = contents(tmp_path / "out")
    assert all(p.num_reused == p.done for p in curated(videos).run() if p.stage != "sources")
    assert contents(tmp_path / "out") == before
    write_video(videos, "a-new-one", 70)
    worked = {p.video_id for p in curated(videos).run() if p.video_id}
    assert worked == {"a-new-one"}
    list(curated(videos, out="fresh").run())
    assert contents(tmp_path / "fresh") == contents(tmp_path / "out")


@pytest.mark.parametrize("after", [2, 9])
def test_broken_off_anywhere_it_ends_the_same(videos, curated, tmp_path, after) -> None:
    list(curated(videos, out="whole").run())
    progress = curated(videos).run()
    for _ in range(after):
        next(progress)
    progress.close()
    list(curated(videos).run())
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_bad_videos_cost_nobody_else(videos, curated, tmp_path) -> None:
    vtt = (videos / "v0.vtt").read_text()
    whole = (videos / "v0.mp4").read_bytes()
    for name, data in (("cut", whole[:700]), ("noise", b"\x00\xff" * 999), ("empty", b"")):
        (videos / f"{name}.mp4").write_bytes(data)
        (videos / f"{name}.vtt").write_text(vtt)
    (videos / "german.mp4").write_bytes(whole)
    (videos / "german.vtt").write_text(
        "WEBVTT\n\n00:00:01.000 --> 00:00:05.000\nwir schneiden jetzt die Karotten in Scheiben\n"
    )
    (videos / "silent.mp4").write_bytes(whole)
    list(curated(videos).run())
    rejects = lines(tmp_path / "out" / "rejects.jsonl")
    reasons = {reject["video_id"]: (reject["stage"], reject["reason"]) for reject in rejects}
    assert set(reasons) == {"cut", "noise", "empty", "german", "silent"}
    assert reasons["silent"] == ("sources", "The video has no subtitles beside it.")
    assert reasons["german"][0] == "actions" and "English" in reasons["german"][1]
    assert all(reasons[name][0] == "shots" for name in ("cut", "noise", "empty"))
    assert str(tmp_path) not in (tmp_path / "out" / "rejects.jsonl").read_text()
    assert len(lines(tmp_path / "out" / "ratings.jsonl")) == 9


def test_dark_still_and_blurred_clips_are_left_out_with_a_reason(curated, tmp_path) -> None:
    folder = tmp_path / "videos"
    folder.mkdir()
    good = scene_frames(1)
    bars = scene_frames(2)
    bars[:, :40] = bars[:, -40:] = 0
    frames = np.concatenate([good, good // 30, np.stack([scene_frames(3)[0]] * SCENE_S), bars])
    write_clip(folder / "a.mp4", frames, 1, ai_generated=False)
    write_clip(folder / "small.mp4", scene_frames(4)[:, :128, :128], 1, ai_generated=False)
    cue = "WEBVTT\n\n00:00:01.000 --> 00:00:05.000\nSlice the carrot on the board.\n"
    for name in ("a", "small"):
        (folder / f"{name}.vtt").write_text(cue)
    list(curated(folder).run())
    reasons = [r["reason"] for r in lines(tmp_path / "out" / "rejects.jsonl")]
    for words in (
        "brightness 0",
        "motion 0,",
        "black borders 0",
        "shorter side 128",
    ):
        assert any(words in reason for reason in reasons), (words, reasons)
    assert len(lines(tmp_path / "out" / "quality.jsonl")) == 1


def test_another_config_is_refused_in_a_sentence(videos, curated, tmp_path) -> None:
    list(curated(videos).run())
    before = contents(tmp_path / "out")
    with pytest.raises(InputError) as caught:
        list(curated(videos, rules=Rules(match=MatchRules(min_iou_begun=0.25))).run())
    assert "another rules.match.min_iou_begun: 0.2, not 0.25" in caught.value.message
    assert contents(tmp_path / "out") == before
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("mine")
    with pytest.raises(InputError, match="is not a curation"):
        list(curated(videos, out="other").run())


def test_a_full_disk_keeps_what_is_finished(videos, curated, tmp_path, monkeypatch) -> None:
    list(curated(videos, out="whole").run())
    real = curate.replacing

    def full(path: Path):
        if path.name == "matches.jsonl":
            raise OutputError(f"Cannot write {path}: the disk is full.", errno.ENOSPC)
        return real(path)

    monkeypatch.setattr(curate, "replacing", full)
    with pytest.raises(OutputError, match="the disk is full"):
        list(curated(videos).run())
    monkeypatch.undo()
    assert (tmp_path / "out" / "quality.jsonl").exists()
    assert not (tmp_path / "out" / "dataset").exists()
    reused = [p.num_reused for p in curated(videos).run() if p.stage == "shots"]
    assert reused == [3]
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_a_damaged_journal_is_reported_or_replaced(videos, curated, tmp_path) -> None:
    list(curated(videos).run())
    before, file = contents(tmp_path / "out"), tmp_path / "out" / "journal.sqlite"
    file.write_bytes(b"nonsense" * 1_000)
    list(curated(videos).run())
    assert contents(tmp_path / "out") == before
    data = bytearray(file.read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    file.write_bytes(data)
    with pytest.raises((InputError, OutputError), match=r"journal\.sqlite"):
        list(curated(videos).run())


class Finder:
    """Gives an unusable answer for one video, and then runs out of budget."""

    info = ModelInfo(id="service", revision="1")

    def __init__(self) -> None:
        self.asked = 0
        self.knows_v1 = False

    def find(self, title, cues):
        self.asked += 1
        if "v1" in title and not self.knows_v1:
            raise InputError("The model gave no usable answer, asked twice.")
        if self.asked == 3:
            raise ServiceError("The budget of 2 calls for one run is used up.")
        return tuple(cues)


def test_nonsense_in_the_middle_is_that_videos_own_and_an_empty_budget_stops_the_run(
    videos, curated, tmp_path
) -> None:
    finder = Finder()

    def tools():
        return curate.Tools(finder, make_tools().shot_detector)

    # With two workers, only the main process calls a service.
    curation = curated(videos, make_tools=tools, spread=Spread(make_tools, workers=2))
    with pytest.raises(ServiceError, match="budget"):
        list(curation.run())
    assert finder.asked == 3
    finder.asked = 10
    list(curated(videos, make_tools=tools).run())
    assert finder.asked == 12, "what was answered is not asked again, what was not is"
    rejects = tmp_path / "out" / "rejects.jsonl"
    reasons = {r["video_id"]: r["reason"] for r in lines(rejects)}
    assert reasons == {"v1": "The model gave no usable answer, asked twice."}
    finder.knows_v1 = True
    list(curated(videos, make_tools=tools).run())
    assert finder.asked == 13 and not lines(rejects)
    list(curated(videos, make_tools=tools).run())
    assert finder.asked == 13


def test_missing_videos_are_counted(curated, tmp_path) -> None:
    steps = [{"segment": [0.5, 5.5], "sentence": "slice the carrot"}]
    database = {name: {"annotations": steps} for name in ("here", "gone", "lost")}
    videos = tmp_path / "videos"
    videos.mkdir()
    write_video(videos, "here", 5)
    (videos / "youcookii_annotations_trainval.json").write_text(json.dumps({"database": database}))
    reasons = [p.message for p in curated(videos).run() if p.message]
    assert reasons == ["2 of 3 videos are missing."]
    counts = json.loads((tmp_path / "out" / "counts.json").read_text())
    assert counts["videos"] == {"usable": 1, "unusable": {"The video is missing.": 2}}
    assert [c["text"] for c in lines(tmp_path / "out" / "ratings.jsonl")] == ["slice the carrot."]
    (videos / "here.mp4").unlink()
    with pytest.raises(InputError, match=r"no usable video. The video is missing."):
        list(curated(videos, out="none").run())


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--min-iou", "2"], "--min-iou 2 is out of range"),
        (["--max-clip", "0.5"], "--max-clip 0.5 is out of range"),
        (["--workers", "0"], "--workers 0 is out of range"),
        (["--min-rating", "7"], "--min-rating 7 is out of range"),
        (["--steps", "openai"], "needs a key"),
        (["--captions", "openai"], "needs a key"),
    ],
)
def test_wrong_options_are_one_sentence(videos, tmp_path, capsys, options, says) -> None:
    code = main(["curate", str(videos), "--out", str(tmp_path / "out"), *options])
    assert code in (1, 2) and says in capsys.readouterr().err
    assert not (tmp_path / "out" / "request.json").exists()
