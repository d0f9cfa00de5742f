"""Run stages in this process, in worker processes, or on a Ray cluster.

All give the same results, in any order. Each worker has its own models and one video at a time.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any

from procvid.data.stages import CurationStage, Rules, StageInput, StageResult, Tools, attempt
from procvid.errors import ProcvidError, UnavailableError

MakeTools = Callable[[], Tools]
AHEAD = 2
"""Queued inputs per worker, so that no worker is idle."""

LOCAL_RAY = "local"
_tools: Tools | None = None


@dataclass(frozen=True)
class Spread:
    """The workers.

    Attributes:
        make_tools: Builds the models once in every worker. Must be picklable.
        workers: Number of workers.
        ray: Address of a Ray cluster, "local" for one on this machine, or "" for none.
    """

    make_tools: MakeTools
    workers: int = 1
    ray: str = ""

    def run(
        self, stage: CurationStage, rules: Rules, jobs: Iterator[StageInput], tools: Tools
    ) -> Iterator[tuple[StageInput, StageResult]]:
        """Run a stage on all inputs. `tools` are the models of this process.

        Raises:
            ProcvidError: See `attempt`. The results of running workers are lost.
        """
        first = next(jobs, None)
        if first is None:
            return iter(())
        jobs = chain([first], jobs)
        if self.ray:
            return _on_ray(self, stage, rules, jobs)
        if self.workers > 1:
            return _in_processes(self, stage, rules, jobs)
        return ((job, attempt(stage, tools, rules, job)) for job in jobs)


def _try(
    stage: CurationStage, rules: Rules, tools: Tools, job: StageInput
) -> StageResult | ProcvidError:
    """Return errors as values, because Ray would wrap them."""
    try:
        return attempt(stage, tools, rules, job)
    except ProcvidError as error:
        return error


def _begin(make_tools: MakeTools) -> None:
    global _tools
    _tools = make_tools()


def _work(stage: CurationStage, rules: Rules, job: StageInput) -> StageResult | ProcvidError:
    assert _tools is not None
    return _try(stage, rules, _tools, job)


def _result(made: StageResult | ProcvidError) -> StageResult:
    if isinstance(made, ProcvidError):
        raise made
    return made


def _in_processes(
    spread: Spread, stage: CurationStage, rules: Rules, jobs: Iterator[StageInput]
) -> Iterator[tuple[StageInput, StageResult]]:
    # Forked children of a process that has used torch may hang.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        spread.workers, context, initializer=_begin, initargs=(spread.make_tools,)
    ) as pool:
        waiting: dict[Future[StageResult | ProcvidError], StageInput] = {}
        try:
            for job in jobs:
                waiting[pool.submit(_work, stage, rules, job)] = job
                if len(waiting) >= AHEAD * spread.workers:
                    done, _ = wait(waiting, return_when=FIRST_COMPLETED)
                    for future in done:
                        yield waiting.pop(future), _result(future.result())
            while waiting:
                done, _ = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    yield waiting.pop(future), _result(future.result())
        except BrokenProcessPool as error:
            raise UnavailableError(
                "A worker process died, perhaps because memory ran out.",
                "Choose fewer --workers. Finished work is kept.",
            ) from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _on_ray(
    spread: Spread, stage: CurationStage, rules: Rules, jobs: Iterator[StageInput]
) -> Iterator[tuple[StageInput, StageResult]]:
    ray = _connect(spread)

    class Worker:
        """A Ray actor with its own models."""

        def __init__(self, make_tools: MakeTools) -> None:
            self._tools = make_tools()

        def work(self, job: StageInput) -> StageResult | ProcvidError:
            return _try(stage, rules, self._tools, job)

    remote = ray.remote(num_cpus=1)(Worker)
    free = [remote.remote(spread.make_tools) for _ in range(spread.workers)]
    free *= AHEAD
    waiting: dict[Any, tuple[Any, StageInput]] = {}

    def finished() -> Iterator[tuple[StageInput, StageResult]]:
        (future, *_), _ = ray.wait(list(waiting))
        worker, job = waiting.pop(future)
        made = ray.get(future)
        free.append(worker)
        yield job, _result(made)

    try:
        for job in jobs:
            if not free:
                yield from finished()
            worker = free.pop(0)
            waiting[worker.work.remote(job)] = worker, job
        while waiting:
            yield from finished()
    except ray.exceptions.RayError as error:
        raise UnavailableError(
            f"A worker on Ray was lost: {type(error).__name__}.",
            "Check the cluster. Finished work is kept: run the same command again to continue.",
        ) from error
    finally:
        for worker in {id(w): w for w in (*free, *(w for w, _ in waiting.values()))}.values():
            ray.kill(worker)


def _connect(spread: Spread) -> Any:
    """Connect to Ray and return its module.

    Raises:
        UnavailableError: Ray is not installed, or the cluster cannot be reached.
    """
    try:
        import ray
    except ImportError as error:
        raise UnavailableError("Ray is not installed.", "pip install 'procvid[ray]'") from error
    if ray.is_initialized():
        return ray
    options = partial(
        ray.init, log_to_driver=False, include_dashboard=False, configure_logging=False
    )
    try:
        if spread.ray == LOCAL_RAY:
            options(num_cpus=spread.workers)
        else:
            ray.init(address=spread.ray, log_to_driver=False)
    except (ConnectionError, ValueError, RuntimeError, TimeoutError) as error:
        raise UnavailableError(
            f"No Ray cluster found at {spread.ray!r}.",
            "Start one with `ray start --head`, or use --ray local.",
        ) from error
    return ray
