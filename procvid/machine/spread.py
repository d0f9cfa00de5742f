"""Run jobs in this process, in worker processes, or on a Ray cluster.

All give the same results, in any order. Each worker builds its models once and has one job at a
time: a long job is never queued behind another one while a worker is idle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from typing import Generic

from procvid.errors import LostCardError, ProcvidError
from procvid.machine.jobs import Job, Tools, Value, Work, results_of
from procvid.machine.processes import in_processes
from procvid.machine.ray_cluster import on_ray


@dataclass(frozen=True)
class Spread(Generic[Tools]):
    """The workers.

    Attributes:
        make_tools: Builds the models, once in every worker. Must be picklable.
        workers: Number of workers.
        ray: Address of a Ray cluster, "local" for one on this machine, or "" for none.
        needs_gpu: Every worker on Ray gets a GPU of its own.
        gpus: The GPUs that worker processes get in turn, as torch numbers them here. Empty: each
            worker sees all.
    """

    make_tools: Callable[[], Tools]
    workers: int = 1
    ray: str = ""
    needs_gpu: bool = False
    gpus: Sequence[int] = ()

    @property
    def is_here(self) -> bool:
        """True if the jobs run in this process, which uses the first GPU."""
        return not self.ray and self.workers == 1 and (not self.gpus or self.gpus[0] == 0)

    def run(
        self, work: Work[Tools, Job, Value], jobs: Iterator[Job], tools: Tools | None = None
    ) -> Iterator[tuple[Job, Value | ProcvidError]]:
        """Yield the results of all jobs, each with its job. Closing the iterator ends the workers.

        If a job fails, its last result is the error. Other jobs go on. A worker that dies gives its
        job a `LostWorkerError`, and a new worker takes its place. A worker whose GPU is lost ends, and
        another one does its job again.

        Args:
            work: Yields the results of a job.
            jobs: Read as workers become free.
            tools: The models of this process, if they are already built.

        Raises:
            LostCardError: No worker has a GPU that works.
            ProcvidError: `make_tools` failed.
            UnavailableError: Ray is missing, or a worker died before its first job.
        """
        first = next(jobs, None)
        if first is None:
            return iter(())
        jobs = chain([first], jobs)
        if self.ray:
            return on_ray(self.ray, self.make_tools, self.workers, self.needs_gpu, work, jobs)
        if self.is_here:
            return _here(self, work, jobs, tools)
        return in_processes(self.make_tools, self.workers, self.gpus, work, jobs)


def _here(
    spread: Spread[Tools], work: Work[Tools, Job, Value], jobs: Iterator[Job], tools: Tools | None
) -> Iterator[tuple[Job, Value | ProcvidError]]:
    if tools is None:
        tools = spread.make_tools()
    for job in jobs:
        with closing(results_of(work, tools, job)) as values:
            for value in values:
                if isinstance(value, LostCardError):
                    raise value
                yield job, value
