"""What all kinds of workers share: a job yields its results, and its error as the last one."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from procvid.errors import ProcvidError, UnavailableError

Tools = TypeVar("Tools")
Job = TypeVar("Job")
Value = TypeVar("Value")

Work = Callable[[Tools, Job], Iterator[Value]]
"""Yields the results of a job. A function of a module, or a `partial` of one."""

KEPT = "Finished work is kept: run the same command again to continue."


class LostWorkerError(UnavailableError):
    """A worker ended in the middle of a job."""


@dataclass(frozen=True)
class NoTools:
    """The models of a worker cannot be built."""

    error: ProcvidError


@dataclass(frozen=True)
class Crashed:
    """A job raised something that is not a `ProcvidError`."""

    name: str
    text: str


class WorkerTracebackError(Exception):
    """The traceback of a worker, for `--debug`."""


def results_of(
    work: Work[Tools, Job, Value], tools: Tools, job: Job
) -> Generator[Value | ProcvidError, None, None]:
    """Yield the results of a job, with its error as the last one."""
    try:
        yield from work(tools, job)
    except ProcvidError as error:
        yield error


def built(make_tools: Callable[[], Tools]) -> Tools | NoTools:
    """Return the models of a worker, or why they cannot be built."""
    try:
        return make_tools()
    except ProcvidError as error:
        return NoTools(error)


def checked(value: Any) -> Any:
    """Return a result of a worker, or raise what ends all work."""
    if isinstance(value, NoTools):
        raise value.error
    if isinstance(value, Crashed):
        raise RuntimeError(value.name) from WorkerTracebackError(f"\n{value.text}")
    return value
