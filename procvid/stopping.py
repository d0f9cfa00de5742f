"""Long work can be stopped at more places than where a generator yields.

Who runs the work says how one sees that it is no longer wanted; the work asks at every place where
it can break off, and leaves with `Stopped` there. Like a `GeneratorExit` that is no error, so it is
none of `Exception`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_is_asked: ContextVar[Callable[[], bool] | None] = ContextVar("stop_is_asked", default=None)


class Stopped(BaseException):  # as GeneratorExit
    """The work was broken off because nobody wants it any more."""


@contextmanager
def stoppable(is_asked: Callable[[], bool]) -> Iterator[None]:
    """Let the work of the block, in this thread, break off as soon as `is_asked()` is true."""
    token = _is_asked.set(is_asked)
    try:
        yield
    finally:
        _is_asked.reset(token)


def stop_if_asked() -> None:
    """Break off here if that is wanted.

    Raises:
        Stopped: It is.
    """
    is_asked = _is_asked.get()
    if is_asked is not None and is_asked():
        raise Stopped
