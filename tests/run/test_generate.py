"""Seeds, progress and the remaining time."""

from __future__ import annotations

import time

import numpy as np
import pytest

from procvid.run.generate import Pace, generate, step_seed
from procvid.settings import MAX_SEED, TINY
from procvid.types import Clip, Conditioning, Denoised, ModelInfo


def test_seeds_are_pinned():
    assert step_seed(0, 1) == 8003828004978139229
    assert step_seed(5, 2) == step_seed(5, 2, attempt=0)


def test_seeds_differ_by_run_step_and_attempt():
    seeds = {step_seed(s, n, a) for s in range(20) for n in range(1, 20) for a in range(3)}
    assert len(seeds) == 20 * 19 * 3
    assert all(0 <= seed <= MAX_SEED for seed in seeds)


class ThreeSteps:
    """A generator of clips that takes a moment for each of three steps."""

    info = ModelInfo("three-steps", "1")
    default_sampling = TINY.sampling

    def __init__(self) -> None:
        self.closed = False

    def check(self, sampling):
        pass

    def undrawable(self, conditioning_words):
        return ()

    def notes(self, sampling):
        return ()

    def generate(self, conditioning, sampling):
        try:
            for step in (1, 2, 3):
                yield Denoised(step, 3)
            return Clip(np.zeros((9, 64, 64, 3), np.uint8), sampling.fps)
        finally:
            self.closed = True


NOTHING = Conditioning(4, "Close view.", (), ())


def test_progress_names_the_step_and_the_clip_comes_last():
    steps = generate(ThreeSteps(), NOTHING, TINY.sampling, Pace(1))
    shown = []
    with pytest.raises(StopIteration) as end:
        while True:
            shown.append(next(steps))
    assert [(p.step, p.done, p.total) for p in shown] == [(4, 1, 3), (4, 2, 3), (4, 3, 3)]
    assert end.value.value.frames.shape == (9, 64, 64, 3)


def test_closing_frees_the_model():
    model = ThreeSteps()
    steps = generate(model, NOTHING, TINY.sampling, Pace(1))
    next(steps)
    steps.close()
    assert model.closed


def test_the_time_left_counts_all_clips_and_falls(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    pace = Pace(num_clips=3)
    pace.clip_begins()
    assert pace.eta_s(0, 10) is None
    now[0] += 5
    assert pace.eta_s(5, 10) == pytest.approx(25)
    now[0] += 5
    assert pace.eta_s(10, 10) == pytest.approx(20)
    now[0] += 2
    assert pace.clip_ends() == pytest.approx(12)
    pace.clip_begins()
    assert pace.eta_s(5, 10) == pytest.approx(18)
    pace.clip_ends()
    pace.clip_begins()
    pace.clip_ends()
    assert pace.eta_s(1, 1) == 0
