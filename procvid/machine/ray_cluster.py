"""Run jobs on the machines of a Ray cluster."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Generic, cast

from procvid.errors import LostCardError, ProcvidError, UnavailableError
from procvid.machine.jobs import (
    KEPT,
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

LOCAL_RAY = "local"
CONNECT_S = 10.0


class _Actor(Generic[Tools]):
    """A worker on Ray with its own models."""

    def __init__(self, make_tools: Callable[[], Tools], work: Work[Tools, Any, Any]) -> None:
        # Ray shows the actor its own GPU alone.
        os.environ["PROCVID_GPUS"] = "auto"
        self._tools, self._work = built(make_tools), work

    def ready(self) -> NoTools | None:
        """Return once the models are built."""
        return self._tools if isinstance(self._tools, NoTools) else None

    def work(self, job: Any) -> Iterator[Any]:
        """Yield the results of a job."""
        yield from results_of(self._work, cast(Tools, self._tools), job)


@dataclass
class _Remote(Generic[Job]):
    """An actor with its current job, or None while it builds its models."""

    actor: Any
    job: Job | None = None


@dataclass
class _Cluster(Generic[Tools]):
    """The actors, by what they will answer next."""

    ray: Any
    make_tools: Callable[[], Tools]
    needs_gpu: bool
    work: Work[Tools, Any, Any]
    answers: dict[Any, _Remote[Any]] = field(default_factory=dict)

    def start(self) -> None:
        """Start an actor. It gets no job until a machine has room for it."""
        options = {"num_cpus": 1, "num_gpus": int(self.needs_gpu)}
        actor = self.ray.remote(**options)(_Actor).remote(self.make_tools, self.work)
        self.answers[actor.ready.remote()] = _Remote(actor)

    def give(self, remote: _Remote[Any], job: Any) -> None:
        """Give a free actor a job."""
        remote.job = job
        self.answers[remote.actor.work.options(num_returns="streaming").remote(job)] = remote

    def end(self, remote: _Remote[Any]) -> None:
        """End an actor."""
        self.ray.kill(remote.actor)


def on_ray(
    address: str,
    make_tools: Callable[[], Tools],
    num_workers: int,
    needs_gpu: bool,
    work: Work[Tools, Job, Value],
    jobs: Iterator[Job],
) -> Iterator[tuple[Job, Value | ProcvidError]]:
    """Yield the results of all jobs; see `Spread.run`."""
    ray = _connect(address, num_workers, needs_gpu)
    cluster = _Cluster(ray, make_tools, needs_gpu, work)
    num_lost = 0
    try:
        first = [job for _, job in zip(range(num_workers), jobs, strict=False)]
        jobs = chain(first, jobs)
        for _ in first:
            cluster.start()
        while cluster.answers:
            (answer, *_), _ = ray.wait(list(cluster.answers), num_returns=1)
            remote = cluster.answers[answer]
            try:
                if remote.job is None:
                    checked(ray.get(answer))
                else:
                    value = checked(ray.get(next(answer)))
                    if isinstance(value, LostCardError):
                        # Another actor takes the job, a new one if the others have ended.
                        del cluster.answers[answer]
                        cluster.end(remote)
                        num_lost += 1
                        jobs = chain([remote.job], jobs)
                        if not cluster.answers and num_lost >= num_workers:
                            raise value
                        if not cluster.answers:
                            cluster.start()
                    else:
                        yield remote.job, value
                    continue
            except StopIteration:
                pass
            except ray.exceptions.RayActorError as error:
                del cluster.answers[answer]
                lost = LostWorkerError(
                    f"A worker on Ray was lost: {type(error).__name__}.",
                    f"Check the cluster. {KEPT}",
                )
                if remote.job is None:
                    raise lost from error
                yield remote.job, lost
                job = next(jobs, None)
                if job is not None:
                    jobs = chain([job], jobs)
                    cluster.start()
                continue
            del cluster.answers[answer]
            job = next(jobs, None)
            if job is None:
                cluster.end(remote)
                _end_waiting(cluster)
            else:
                cluster.give(remote, job)
    except ray.exceptions.RayTaskError as error:
        raise RuntimeError(f"{type(error.cause).__name__}: {error.cause}") from error
    except ray.exceptions.RayError as error:
        raise UnavailableError(
            f"The work on Ray failed: {type(error).__name__}.", f"Check the cluster. {KEPT}"
        ) from error
    finally:
        for remote in cluster.answers.values():
            cluster.end(remote)


def _end_waiting(cluster: _Cluster[Tools]) -> None:
    """End the actors that have no job yet, because none is left for them."""
    for answer, remote in list(cluster.answers.items()):
        if remote.job is None:
            del cluster.answers[answer]
            cluster.end(remote)


def _connect(address: str, num_workers: int, needs_gpu: bool) -> Any:
    """Connect to Ray and return its module.

    Raises:
        UnavailableError: Ray is not installed, the cluster cannot be reached, or it lacks a GPU.
    """
    try:
        import ray
    except ImportError as error:
        raise UnavailableError("Ray is not installed.", "pip install 'procvid[ray]'") from error
    if not ray.is_initialized():
        try:
            if not _may_answer(address):
                raise ConnectionError(address)
            if address == LOCAL_RAY:
                ray.init(
                    num_cpus=num_workers,
                    log_to_driver=False,
                    include_dashboard=False,
                    configure_logging=False,
                )
            else:
                ray.init(address=address, log_to_driver=False)
        except (ConnectionError, ValueError, RuntimeError, TimeoutError) as error:
            raise UnavailableError(
                f"No Ray cluster found at {address!r}.",
                "Start one with `ray start --head`, or use --ray local.",
            ) from error
    if needs_gpu and not cast(Any, ray).cluster_resources().get("GPU"):
        raise UnavailableError(
            f"The Ray cluster at {address!r} has no GPU.", "Add a machine with one."
        )
    return ray


def _may_answer(address: str) -> bool:
    """Return False if nothing listens at HOST:PORT, where Ray itself would wait for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not (host and port.isdigit()):
        return True
    try:
        with socket.create_connection((host, int(port)), CONNECT_S):
            return True
    except (OSError, OverflowError):
        return False
