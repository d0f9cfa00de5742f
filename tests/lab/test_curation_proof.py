"""Toy videos, and scores against a hand-made ground truth."""

from __future__ import annotations

from pathlib import Path

from lab.curation_proof.score import score, shown_step, spoken_step
from lab.curation_proof.toy import FPS, Said, ToyVideo, read_truth, write_toy_videos
from procvid.data.subtitles import read_subtitles
from procvid.data.transcript import clean_cues
from procvid.media.video import read_clip

VIDEO = ToyVideo(
    "v",
    ((4.0, 14.0), (14.0, 20.0)),
    (
        Said(1.0, 3.0, "hi", 0),
        Said(4.5, 9.0, "slice the carrot", 1),
        Said(15.0, 18.0, "fry it", 2),
        Said(18.5, 19.5, "or boil it", 0),
    ),
    22.0,
)


def test_shown_and_spoken_steps() -> None:
    assert [shown_step(VIDEO, clip) for clip in ((0, 4), (4, 14), (12, 22), (14.5, 21))] == [
        0,
        1,
        0,
        2,
    ]
    assert [
        spoken_step(VIDEO, said) for said in ((1, 2), (5, 9), (8, 16), (16, 18), (18.6, 19))
    ] == [*(0, 1, 1, 2, 0)]


def test_pairs_are_counted_once_and_steps_are_found_once() -> None:
    right, wrong = ("v", (4.0, 14.0), (5.0, 9.0)), ("v", (14.0, 20.0), (5.0, 9.0))
    spoken_never_shown = ("v", (14.0, 20.0), (18.6, 19.0))
    found = score([right, right, wrong, spoken_never_shown], {"v": VIDEO})
    assert (found.pairs, found.right, found.steps, found.found) == (4, 2, 2, 1)
    assert found.to_json() == {"pairs": 4, "right": 2, "precision": 0.5, "recall": 0.5}
    assert score([], {"v": VIDEO}).to_json()["precision"] == 0


def test_a_toy_video_matches_its_ground_truth(tmp_path: Path) -> None:
    assert list(write_toy_videos(tmp_path, 1)) == [1]
    (video,) = read_truth(tmp_path).values()
    files = {path.suffix: path for path in (tmp_path / "videos").iterdir()}
    clip = read_clip(files.pop(".mp4"))
    assert clip.frames.shape == (round(video.duration_s * FPS), 384, 384, 3)
    cues, _ = clean_cues(read_subtitles(next(iter(files.values()))))
    spoken = " ".join(cue.text for cue in cues)
    words = [said for said in video.said if said.step and said.text in spoken]
    assert len(words) >= len(video.steps) - 1
    assert all(a.end_s <= b.start_s for a, b in zip(video.said, video.said[1:], strict=False))
    before = (tmp_path / "truth.json").read_bytes()
    list(write_toy_videos(tmp_path, 1))
    assert (tmp_path / "truth.json").read_bytes() == before
