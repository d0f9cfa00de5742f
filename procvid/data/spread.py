"""Where the work is done: in this process, in several, or on the machines of a Ray cluster.

All give the same results in some order. A worker has its own models and one video at a time.
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
"""Jobs that wait for each worker, so that none waits for work."""

LOCAL_RAY = "local"
_tools: Tools | None = None


@dataclass(frozen=True)
class Spread:
    """How many workers, and where.

    Attributes:
        make_tools: Builds the models, once in every worker; can be pickled.
        workers: How many.
        ray: Address of a Ray cluster, "local" for one on this machine, "" for none.
    """

    make_tools: MakeTools
    workers: int = 1
    ray: str = ""

    def run(
        self, stage: CurationStage, rules: Rules, jobs: Iterator[StageInput], tools: Tools
    ) -> Iterator[tuple[StageInput, StageResult]]:
        """Work on all jobs; `tools` are this process's own.

        Raises:
            ProcvidError: as `attempt` does; jobs that were given out before are lost.
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
    """Errors travel as values: Ray would wrap them."""
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
                "A worker died, perhaps for lack of memory.",
                "Choose fewer --workers; what is finished is kept.",
            ) from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _on_ray(
    spread: Spread, stage: CurationStage, rules: Rules, jobs: Iterator[StageInput]
) -> Iterator[tuple[StageInput, StageResult]]:
    ray = _connect(spread)

    class Worker:
        """An actor with models of its own."""

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
            "Look at the cluster; what is finished is kept, and the same command goes on.",
        ) from error
    finally:
        for worker in {id(w): w for w in (*free, *(w for w, _ in waiting.values()))}.values():
            ray.kill(worker)


def _connect(spread: Spread) -> Any:
    """Ray, connected.

    Raises:
        UnavailableError: it is not installed, or the cluster cannot be reached.
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
            f"There is no Ray cluster at {spread.ray!r}.",
            "Start one with `ray start --head`, or give --ray local.",
        ) from error
    return ray
