"""Load models alone: any number of threads compute at once, and one that loads stops them meanwhile.

diffusers and transformers change torch for the whole process while they load: the default dtype, and
how modules create parameters. A clip that another thread makes at that moment would change.
"""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

Value = TypeVar("Value")

_changed = threading.Condition()
_computing: Counter[int] = Counter()
_loading: list[int] = []
"""Threads by their id; of those that want to load, the first one does."""


def _begin_anew() -> None:
    """Forget other threads: only the one that forked lives on in the new process (ZeroGPU)."""
    global _changed
    _changed = threading.Condition()
    _computing.clear()
    _loading.clear()


os.register_at_fork(after_in_child=_begin_anew)


@contextmanager
def computing() -> Iterator[None]:
    """Wait while another thread loads, and hold off all that want to load until the block ends.

    In the block, take no lock that a thread may hold while it loads. That of a `cached_property` is
    one in Python 3.11, so load the model before the block.
    """
    me = threading.get_ident()
    with _changed:
        if not _computing[me]:
            _changed.wait_for(lambda: _loading[:1] in ([], [me]))
        _computing[me] += 1
    try:
        yield
    finally:
        with _changed:
            _computing[me] -= 1
            if _computing[me] <= 0:
                del _computing[me]
            _changed.notify_all()


@contextmanager
def loading() -> Iterator[None]:
    """Wait until no other thread computes or loads. Within `computing`, that is left meanwhile."""
    me = threading.get_ident()
    with _changed:
        share = _computing.pop(me, 0)
        _loading.append(me)
        _changed.notify_all()
        try:
            _changed.wait_for(lambda: _loading[0] == me and not _computing.total())
        except BaseException:
            _loading.remove(me)
            _computing.update({me: share} if share else {})
            raise
    try:
        yield
    finally:
        with _changed:
            if me in _loading:
                # The last one: this thread may load within `loading`.
                _loading.pop(len(_loading) - 1 - _loading[::-1].index(me))
            _changed.notify_all()
            if share:
                _changed.wait_for(lambda: _loading[:1] in ([], [me]))
                _computing[me] = share


def each_computed(values: Iterable[Value]) -> Generator[Value, None, None]:
    """Yield the same values, each made in `computing`."""
    following = iter(values)
    while True:
        with computing():
            try:
                value = next(following)
            except StopIteration:
                return
        yield value
