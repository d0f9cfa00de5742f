"""Times of clips: stored, read back and scaled, and None if not measured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from procvid.events import ClipReady, Event, Progress
from procvid.run.timings import (
    KEPT,
    ClipSample,
    ClipSetting,
    keep_samples,
    measured,
    pattern_of,
    read_samples,
)

SETTING = ClipSetting("tiny", "x86_64 CPU, 2 cores", 64, 64, 9, 12)


def sample(seconds: float, *, first: bool = False, setting: ClipSetting = SETTING) -> ClipSample:
    return ClipSample(setting, first, seconds, 1000, 100.0)


def test_samples_are_kept_up_to_a_number_and_read_back(tmp_path):
    assert read_samples(tmp_path) == []
    keep_samples(tmp_path, [sample(float(n)) for n in range(KEPT)])
    keep_samples(tmp_path, [sample(7.5, first=True)])
    read = read_samples(tmp_path)
    assert len(read) == KEPT and read[0].seconds == 1.0 and read[-1] == sample(7.5, first=True)


@pytest.mark.parametrize("text", ["", "{", "[1]", '[{"setting": {}}]', "[" * 100_000, "null"])
def test_a_damaged_file_is_as_good_as_none(tmp_path, text):
    (tmp_path / "throughput.json").write_text(text)
    assert read_samples(tmp_path) == []
    keep_samples(tmp_path, [sample(1.0)])
    assert read_samples(tmp_path) == [sample(1.0)]


def test_a_cache_that_cannot_be_written_stops_nothing(tmp_path):
    (tmp_path / "file").write_text("")
    keep_samples(tmp_path / "file", [sample(1.0)])


def test_a_pattern_is_the_median_with_loading_apart(tmp_path):
    samples = [sample(9.0, first=True), sample(2.0), sample(3.0), sample(100.0)]
    pattern = pattern_of(samples, SETTING)
    assert (pattern.first_clip_s, pattern.clip_s, pattern.num_samples) == (9.0, 3.0, 4)
    assert pattern.scaled_from is None


def test_other_denoising_steps_are_in_proportion_and_said_to_be():
    samples = [sample(9.0, first=True), sample(3.0)]
    pattern = pattern_of(samples, replace(SETTING, num_inference_steps=24))
    assert (pattern.clip_s, pattern.first_clip_s, pattern.scaled_from) == (6.0, 12.0, 12)


@pytest.mark.parametrize(
    "other",
    [{"profile": "phantom-1.3b"}, {"device": "NVIDIA H100"}, {"width": 832}, {"num_frames": 81}],
)
def test_nothing_is_inferred_from_another_model_machine_or_size(other):
    assert pattern_of([sample(3.0)], replace(SETTING, **other)) is None
    assert pattern_of([], SETTING) is None


def events(*shown: Event, then: Exception | None = None) -> Iterator[Event]:
    yield from shown
    if then is not None:
        raise then


def test_a_run_is_measured_however_it_ends(tmp_path):
    run = tmp_path / "run"
    for number in (1, 2, 3):
        (run / f"steps/0{number}").mkdir(parents=True)
        (run / f"steps/0{number}/clip.mp4").write_bytes(b"x" * 500 * number)
    shown = [
        ClipReady(1, "steps/01/clip.mp4", 0.0, reused=True),
        Progress(2, 1, 2, None),
        ClipReady(2, "steps/02/clip.mp4", 5.0),
        ClipReady(3, "steps/03/clip.mp4", 2.0),
    ]
    stream = measured(
        events(*shown, then=KeyboardInterrupt()), run, SETTING, tmp_path, lambda: 321.0
    )
    with pytest.raises(KeyboardInterrupt):
        list(stream)
    assert read_samples(tmp_path) == [
        ClipSample(SETTING, True, 5.0, 1000, 321.0),
        ClipSample(SETTING, False, 2.0, 1500, 321.0),
    ]


def test_a_run_that_made_nothing_leaves_nothing(tmp_path):
    assert list(measured(events(), tmp_path, SETTING, tmp_path / "c", lambda: 0.0)) == []
    assert not (tmp_path / "c").exists()
