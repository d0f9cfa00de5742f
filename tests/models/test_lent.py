"""A GPU that is lent for one clip at a time: pickling, requested time, cancelling."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from procvid.errors import InputError, RunError, UnavailableError
from procvid.models.generators.lent import LONGEST_S, MARGIN, OVERHEAD_S, LentGpuGenerator
from procvid.models.pipeline_host import PipelineHost
from procvid.protocols import ClipGenerator
from procvid.settings import TINY
from procvid.types import Clip, Conditioning, Denoised, Slot
from procvid.wiring import run as wiring

RED = np.full((40, 30, 3), (200, 20, 20), np.uint8)
PAN = Slot(1, "pan", "pan", RED, "c", "s", "clean", (0.0, 0.0, 30.0, 40.0), 1.0, "upload")
SHOWN = Conditioning(1, "Close view: frying the egg in the frying pan.", (PAN,), ())
SAMPLING = replace(TINY.sampling, num_inference_steps=2, seed=1)


def clip_of(generator: ClipGenerator) -> tuple[list[Denoised], Clip]:
    steps, events = generator.generate(SHOWN, SAMPLING), []
    while True:
        try:
            events.append(next(steps))
        except StopIteration as end:
            return events, end.value


def by_pickle(duration: Any) -> Any:
    """Calls here with pickled arguments and results, as between processes; lends no GPU.

    A fork of this process, which has threads, may hang; the slow test below forks a clean one.
    """

    def lend(function: Any) -> Any:
        def call(*arguments: Any) -> Any:
            assert duration(*arguments) > OVERHEAD_S
            with closing(function(*pickle.loads(pickle.dumps(arguments)))) as made:
                for each in made:
                    yield pickle.loads(pickle.dumps(each))

        return call

    return lend


@pytest.fixture(scope="module")
def plain() -> PipelineHost:
    made = wiring.build_generator(TINY, previews=True)
    assert isinstance(made, PipelineHost)
    return made


def test_a_clip_that_travelled_is_the_same_to_the_last_bit(plain: PipelineHost) -> None:
    lent = LentGpuGenerator(plain, by_pickle, lambda sampling, n: 1.0)
    assert isinstance(lent, ClipGenerator)
    assert lent.info == plain.info
    here, there = clip_of(plain), clip_of(lent)
    assert here[0] == there[0]
    assert np.array_equal(here[1].frames, there[1].frames)
    assert (here[1].fps, here[1].memory) == (there[1].fps, there[1].memory)


def test_our_errors_arrive_whole_and_closing_closes(plain: PipelineHost) -> None:
    ended: list[str] = []

    class Inner:
        info, default_sampling, check = plain.info, plain.default_sampling, plain.check

        def generate(self, conditioning: Conditioning, sampling: Any) -> Any:
            try:
                yield Denoised(1, 2)
                raise RunError("It broke.", "Mend it.")
            finally:
                ended.append("ended")

    inner: Any = Inner()
    lent = LentGpuGenerator(inner, by_pickle, lambda sampling, n: 1.0)
    with pytest.raises(RunError, match=r"It broke\. Mend it\."):
        clip_of(lent)
    with closing(lent.generate(SHOWN, SAMPLING)) as steps:
        next(steps)
        assert len(ended) == 1
    assert len(ended) == 2


def test_a_gpu_that_was_taken_back_is_an_error(plain: PipelineHost) -> None:
    def cut(duration: Any) -> Any:
        return lambda function: lambda *arguments: (item for item in [Denoised(1, 2)])

    with pytest.raises(UnavailableError, match="taken back"):
        clip_of(LentGpuGenerator(plain, cut, lambda sampling, n: 1.0))


def test_what_takes_longer_than_a_gpu_is_lent_for_is_refused(plain: PipelineHost) -> None:
    lent = LentGpuGenerator(plain, by_pickle, lambda s, n: 2.0 * s.num_inference_steps)
    assert lent.duration_s(SAMPLING) == OVERHEAD_S + 2 * 2 * MARGIN
    assert f"{OVERHEAD_S + 5} s" in lent.notes(SAMPLING)[-1]
    with pytest.raises(InputError, match=f"{LONGEST_S} s at most"):
        lent.check(replace(SAMPLING, num_inference_steps=150))


@pytest.mark.slow
def test_as_a_zerogpu_space_does_it(tmp_path: Path) -> None:
    """Use patched torch, a forked process and a service: everything is real except the GPU."""
    script = Path(__file__).with_name("zerogpu_space.py")
    root = Path(__file__).parents[2]
    ran = subprocess.run(
        [sys.executable, str(script), str(tmp_path)],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    said = json.loads(ran.stdout.splitlines()[-1])
    assert said["profile"].startswith(
        "Demo mode: this Space borrows a GPU for each clip (ZeroGPU, "
    )
    assert not said["tiny is lent"]
    assert said["placed"][0] == "cuda:0" and "everything stays on the GPU" in said["placed"][1]
    assert said["packed bytes"] > 1e6
    assert said["here"] == said["lent"] == said["again"]
    assert len(said["pids"]) == 1 and said["own pid"] not in said["pids"]
    assert said["previews"] == [False, False, True]
    # The current step, and one that began before the cancel arrived.
    assert 3 <= said["steps when stopped"] <= 5
    assert said["error"][0] == "UnavailableError" and "Install procvid again" in said["error"][2]
    asked = [query["durationSeconds"] for where, query in said["asked"] if where == "/schedule"]
    assert asked[:2] == [str(OVERHEAD_S + 5), str(OVERHEAD_S + 75)]
    released = [query["fail"] for where, query in said["asked"] if where == "/release"]
    assert released == ["false"] * len(asked)


def test_without_a_lent_gpu_nothing_is_wrapped(plain: PipelineHost) -> None:
    assert isinstance(plain, PipelineHost)
    import spaces

    def call() -> None:
        """Nothing."""

    assert spaces.GPU(duration=lambda: 1)(call) is call
