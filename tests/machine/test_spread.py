"""Jobs give the same results in this process, in worker processes and on Ray."""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from procvid.errors import InputError, LostCardError, ProcvidError, ServiceError, UnavailableError
from procvid.machine.jobs import LostWorkerError
from procvid.machine.spread import Spread
from procvid.storage.lock import AlreadyHeldError

JOBS = """
import os, signal, time
from procvid.errors import InputError, LostCardError, UnavailableError

def make():
    return [os.environ.get("CUDA_VISIBLE_DEVICES", "")]

def missing():
    raise UnavailableError("The model is missing.", "Get it.")

def work(tools, job):
    if job == "wrong":
        yield "half"
        raise InputError("The job is wrong.", "Write another.")
    if job == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if job.startswith("gpu") and tools[0] in job:
        time.sleep(0.5 if "late" in job else 0)
        raise LostCardError("GPU " + tools[0] + " no longer works.", "Restart.")
    if job == "bug":
        raise KeyError("x")
    tools.append(job)
    yield tools[0]
    yield job.upper()
"""


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A module that workers can import too."""
    (tmp_path / "spread_jobs.py").write_text(JOBS)
    monkeypatch.syspath_prepend(tmp_path)
    # Workers on Ray get the variable, worker processes the path.
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
    import spread_jobs

    yield spread_jobs
    del sys.modules["spread_jobs"]


def in_order(results: Iterator[tuple[str, object]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for job, value in results:
        found.setdefault(job, []).append(
            f"{type(value).__name__}: {value}" if isinstance(value, ProcvidError) else str(value)
        )
    return dict(sorted(found.items()))


WRONG = ["half", "InputError: The job is wrong. Write another."]


def test_here_models_are_built_once_and_errors_are_values(jobs) -> None:
    spread = Spread(jobs.make)
    assert spread.is_here
    found = in_order(spread.run(jobs.work, iter(["a", "wrong", "b"]), ["own"]))
    assert found == {"a": ["own", "A"], "b": ["own", "B"], "wrong": WRONG}
    with pytest.raises(UnavailableError, match="missing"):
        list(Spread(jobs.missing).run(jobs.work, iter("a")))
    assert list(Spread(jobs.missing).run(jobs.work, iter(()))) == []


def test_a_killed_worker_loses_one_job_and_is_replaced(jobs, monkeypatch) -> None:
    # The second of the GPUs that this process sees.
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7,9")
    spread = Spread(jobs.make, workers=2, gpus=(1,))
    found = in_order(spread.run(jobs.work, iter(["a", "killed", "wrong", "b", "c"])))
    lost = found.pop("killed")
    assert found == {"a": ["9", "A"], "b": ["9", "B"], "c": ["9", "C"], "wrong": WRONG}
    assert len(lost) == 1 and lost[0].startswith("LostWorkerError: A worker process was ended by")


def test_a_worker_whose_gpu_is_lost_ends_and_another_takes_its_job(jobs) -> None:
    spread = Spread(jobs.make, workers=2, gpus=(1, 2))
    found = in_order(spread.run(jobs.work, iter(["gpu 2", "gpu 2 too", "a", "b"])))
    assert {values[0] for values in found.values()} == {"1"} and len(found) == 4
    # The other worker has ended when this one loses its GPU.
    found = in_order(spread.run(jobs.work, iter(["a", "gpu 2 late"])))
    assert {values[0] for name, values in found.items() if name != "a"} == {"1"}
    with pytest.raises(LostCardError, match="no longer works"):
        list(spread.run(jobs.work, iter(["gpu 1 and 2"])))


def test_one_worker_on_another_gpu_is_a_process(jobs) -> None:
    assert Spread(jobs.make, gpus=(0, 1)).is_here and not Spread(jobs.make, gpus=(1,)).is_here
    found = in_order(Spread(jobs.make, gpus=(1,)).run(jobs.work, iter("a")))
    assert found == {"a": ["1", "A"]}


@pytest.mark.parametrize(
    ("make", "job", "error", "says"),
    [("missing", "a", UnavailableError, "missing"), ("make", "bug", RuntimeError, "KeyError: 'x'")],
)
def test_missing_models_and_bugs_end_all_work(jobs, make, job, error, says) -> None:
    with pytest.raises(error, match=says):
        list(Spread(getattr(jobs, make), workers=2).run(jobs.work, iter([job])))


@pytest.mark.slow
def test_ray_gives_the_same(jobs) -> None:
    pytest.importorskip("ray")
    spread = Spread(jobs.make, workers=2, ray="local")
    found = in_order(spread.run(jobs.work, iter(["a", "killed", "wrong", "b"])))
    assert found.pop("killed")[0].startswith("LostWorkerError: A worker on Ray was lost")
    assert found == {"a": ["", "A"], "b": ["", "B"], "wrong": WRONG}
    with pytest.raises(UnavailableError, match="missing"):
        list(Spread(jobs.missing, 2, "local").run(jobs.work, iter("a")))
    with pytest.raises(RuntimeError, match="KeyError"):
        list(Spread(jobs.make, 2, "local").run(jobs.work, iter(["bug"])))
    with pytest.raises(UnavailableError, match="has no GPU"):
        list(Spread(jobs.make, 2, "local", needs_gpu=True).run(jobs.work, iter("a")))


def test_an_address_without_a_cluster_is_refused_at_once(jobs, monkeypatch) -> None:
    ray = pytest.importorskip("ray")
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    for address in ("127.0.0.1:1", "ray://127.0.0.1:1"):
        with pytest.raises(UnavailableError, match=f"No Ray cluster found at '{address}'"):
            list(Spread(jobs.make, 2, address).run(jobs.work, iter("a")))
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UnavailableError, match="Ray is not installed"):
        list(Spread(jobs.make, 2, "local").run(jobs.work, iter("a")))


def test_errors_of_any_arguments_travel_between_processes(tmp_path) -> None:
    errors = [
        InputError("a", "b"),
        ServiceError("a", lasting=True),
        AlreadyHeldError(tmp_path, "7"),
        LostWorkerError("a"),
    ]
    for error in errors:
        copy = pickle.loads(pickle.dumps(error))
        assert (type(copy), str(copy), vars(copy)) == (type(error), str(error), vars(error))
