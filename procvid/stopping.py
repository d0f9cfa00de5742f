"""Stop long work at more places than a generator yields.

The caller supplies the cancel check. The work calls `stop_if_asked` wherever it can stop, which
raises `Stopped`. This is no error, so it does not derive from `Exception`, like `GeneratorExit`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_is_asked: ContextVar[Callable[[], bool] | None] = ContextVar("stop_is_asked", default=None)


class Stopped(BaseException):  # as GeneratorExit
    """The work was stopped on request."""


@contextmanager
def stoppable(is_asked: Callable[[], bool]) -> Iterator[None]:
    """Let the block's work in this thread stop once `is_asked()` is true."""
    token = _is_asked.set(is_asked)
    try:
        yield
    finally:
        _is_asked.reset(token)


def stop_if_asked() -> None:
    """Raise `Stopped` if a stop was requested.

    Raises:
        Stopped: The cancel check is true.
    """
    is_asked = _is_asked.get()
    if is_asked is not None and is_asked():
        raise Stopped
