"""Run jobs in worker processes of this machine."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, cycle
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Generic

from procvid.errors import LostCardError, ProcvidError
from procvid.machine.jobs import (
    KEPT,
    Crashed,
    Job,
    LostWorkerError,
    NoTools,
    Tools,
    Value,
    Work,
    built,
    checked,
    results_of,
)

CARDS = "CUDA_VISIBLE_DEVICES"
JOIN_S = 5.0


@dataclass(eq=False)
class _Process(Generic[Job]):
    """A worker process. `job` is its current job, or its first one while it builds its models."""

    process: BaseProcess
    pipe: Connection
    gpu: int | None
    job: Job
    is_ready: bool = False

    def stop(self) -> None:
        self.process.kill()
        self.process.join(JOIN_S)
        self.pipe.close()


@dataclass(frozen=True)
class _Ended:
    """The models are built, or a job ended: the worker is free."""


def in_processes(
    make_tools: Callable[[], Tools],
    num_workers: int,
    gpus: Sequence[int],
    work: Work[Tools, Job, Value],
    jobs: Iterator[Job],
) -> Iterator[tuple[Job, Value | ProcvidError]]:
    """Yield the results of all jobs; see `Spread.run`."""
    workers: list[_Process[Job]] = []
    cards = cycle(gpus or (None,))
    working = list(gpus)

    def start(gpu: int | None) -> None:
        for job in jobs:
            workers.append(_started(make_tools, work, job, gpu))
            return

    try:
        for _ in range(num_workers):
            start(next(cards))
        while workers:
            free = wait([worker.pipe for worker in workers])
            for worker in [worker for worker in workers if worker.pipe in free]:
                try:
                    value = checked(worker.pipe.recv())
                except (EOFError, OSError):
                    workers.remove(worker)
                    worker.stop()
                    lost = _lost(worker)
                    if not worker.is_ready:
                        raise lost from None
                    yield worker.job, lost
                    start(worker.gpu)
                    continue
                if isinstance(value, LostCardError):
                    # A worker with another GPU takes the job, a new one if the others have ended.
                    workers.remove(worker)
                    worker.stop()
                    working = [gpu for gpu in working if gpu != worker.gpu]
                    jobs = chain([worker.job], jobs)
                    if not workers and not working:
                        raise value
                    if not workers:
                        start(working[0])
                elif not isinstance(value, _Ended):
                    yield worker.job, value
                elif not _has_next(worker, jobs):
                    workers.remove(worker)
                    worker.stop()
    finally:
        for worker in workers:
            worker.stop()


def _has_next(worker: _Process[Job], jobs: Iterator[Job]) -> bool:
    """Send a free worker its next job. Return False if there is none."""
    for job in [worker.job] if not worker.is_ready else jobs:
        worker.job, worker.is_ready = job, True
        # A worker that died meanwhile is found when its pipe is read.
        with suppress(OSError):
            worker.pipe.send(job)
        return True
    return False


def _lost(worker: _Process[Job]) -> LostWorkerError:
    code = worker.process.exitcode
    how = f"was ended by {signal.Signals(-code).name}" if code and code < 0 else "ended"
    memory = ", perhaps because memory ran out" if code == -signal.SIGKILL else ""
    return LostWorkerError(f"A worker process {how}{memory}.", f"Choose fewer --workers. {KEPT}")


def _started(
    make_tools: Callable[[], Tools], work: Work[Tools, Job, Value], job: Job, gpu: int | None
) -> _Process[Job]:
    # Forked children of a process that has used torch may hang.
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    # Pickled here, so that the worker chooses its GPU before it imports anything for its models.
    task = pickle.dumps((make_tools, work))
    process = context.Process(target=_serve, args=(there, task, gpu), daemon=True)
    process.start()
    there.close()
    return _Process(process, here, gpu, job)


def _serve(pipe: Connection, task: bytes, gpu: int | None) -> None:
    """Do the jobs of a worker process until its parent ends it."""
    # The parent gets the interrupt of the terminal too, and ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if gpu is not None:
        _see_only(gpu)
    try:
        make_tools, work = pickle.loads(task)
        tools = built(make_tools)
        if isinstance(tools, NoTools):
            pipe.send(tools)
            return
        while True:
            pipe.send(_Ended())
            for value in results_of(work, tools, pipe.recv()):
                pipe.send(value)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return
    except Exception as error:
        pipe.send(Crashed(f"{type(error).__name__}: {error}", traceback.format_exc()))


def _see_only(gpu: int) -> None:
    """Hide all GPUs from torch but one, which its parent numbers `gpu`."""
    seen = [name for name in os.environ.get(CARDS, "").split(",") if name.strip()]
    os.environ[CARDS] = seen[gpu] if gpu < len(seen) else str(gpu)
    # The one that is left has another number.
    os.environ["PROCVID_GPUS"] = "auto"


def _end_with_parent() -> None:
    """End this process when its parent is gone, so that it does not hold a folder any more."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
