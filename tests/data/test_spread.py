"""The same result in one process, in several, on Ray, after kills, and with cuts in chunks."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from procvid.data import shots
from procvid.wiring import evaluation as wiring_evaluation
from tests.data.conftest import DifferenceDetector, contents, write_video


def command(source: Path, out: Path, *options: str) -> list[str]:
    start = [sys.executable, "-m", "procvid", "curate", str(source), "--out", str(out)]
    return [*start, "--json", *options]


@pytest.mark.slow
@pytest.mark.parametrize("options", [("--workers", "2"), ("--workers", "2", "--ray", "local")])
def test_two_workers_give_the_same_bytes(videos, tmp_path, options) -> None:
    if "--ray" in options:
        pytest.importorskip("ray")
    subprocess.run(command(videos, tmp_path / "one"), check=True, capture_output=True)
    subprocess.run(command(videos, tmp_path / "two", *options), check=True, capture_output=True)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert b'"v2"' in contents(tmp_path / "two")["shots.jsonl"]


@pytest.mark.slow
def test_killed_three_times_it_is_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "videos"
    folder.mkdir()
    for number in range(4):
        write_video(folder, f"v{number}", 10 * number)

    subprocess.run(command(folder, tmp_path / "whole"), check=True, capture_output=True)
    again = command(folder, tmp_path / "killed")
    for stage, count in (("shots", 1), ("shots", 1), ("pairs", 2)):
        killed = subprocess.Popen(again, stdout=subprocess.PIPE, text=True)
        assert killed.stdout is not None
        seen = 0
        for line in killed.stdout:
            row = json.loads(line)
            seen += row["stage"] == stage and bool(row["video_id"])
            if seen >= count:
                break
        killed.send_signal(signal.SIGKILL)
        killed.wait()
    last = subprocess.run(again, check=True, capture_output=True, text=True)
    ends = [json.loads(line) for line in last.stdout.splitlines()]
    assert max(row["num_reused"] for row in ends if row["stage"] == "shots") == 4
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


@pytest.mark.slow
def test_cuts_in_chunks_are_those_of_the_whole(monkeypatch) -> None:
    """Use TransNetV2, whose windows of 100 frames cross the edges of chunks."""
    detector = wiring_evaluation.build_shot_detector()
    rng = np.random.default_rng(1)
    scenes = [rng.integers(0, 255, (27, 48, 3), dtype=np.uint8) for _ in range(4)]
    thumbnails = np.concatenate([np.stack([scene] * 60) for scene in scenes])
    whole = detector.probabilities(thumbnails)
    monkeypatch.setattr(shots, "CHUNK", 100)
    monkeypatch.setattr(shots, "CONTEXT", 50)
    cuts = shots._Cuts(detector)
    for thumbnail in thumbnails:
        cuts.add(thumbnail[None])
    found = cuts.finish()
    assert found.shape == whole.shape
    np.testing.assert_allclose(found, whole, atol=1e-5)


def test_a_video_of_an_hour_is_seen_with_little_memory(tmp_path, monkeypatch) -> None:
    held = []
    detector = DifferenceDetector()
    monkeypatch.setattr(shots, "CHUNK", 30)
    monkeypatch.setattr(shots, "CONTEXT", 10)
    cuts = shots._Cuts(detector)
    for _ in range(3_600):
        cuts.add(np.zeros((1, 4, 4, 3), np.uint8))
        held.append(len(cuts._held))
    assert max(held) <= 50 and len(cuts.finish()) == 3_600


@pytest.mark.parametrize(
    ("sure", "found"),
    [
        ([0, 0, 0], [(0, 2)]),
        ([0, 1, 0], [(0, 1), (2, 2)]),
        ([0, 1, 1, 0, 0], [(0, 1), (3, 4)]),
        ([1, 1, 0], [(2, 2)]),
        ([1, 1], [(0, 1)]),
    ],
)
def test_shots_between_sure_frames(sure, found) -> None:
    assert shots.shots_of(np.array(sure, np.float32), 0.5) == found


def test_long_shots_are_cut_into_equal_parts() -> None:
    assert list(shots.parts(10.0, 70.0, 30.0)) == [(10.0, 40.0), (40.0, 70.0)]
    assert list(shots.parts(0.0, 30.0, 30.0)) == [(0.0, 30.0)]
    assert [round(b - a, 3) for a, b in shots.parts(0.0, 31.0, 30.0)] == [15.5, 15.5]
