"""Work ahead: a thread makes the next values while the one before is used."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from queue import Empty, Full, Queue
from typing import TypeVar

Value = TypeVar("Value")

POLL_S = 0.1


def ahead(values: Iterable[Value], depth: int = 2) -> Iterator[Value]:
    """The same values in the same order, at most `depth` of them made before they are asked for.

    What the maker raises is raised here, in its place. Closing this iterator stops the maker.
    """
    made: Queue[tuple[bool, Value | BaseException | None]] = Queue(maxsize=depth)
    stop = threading.Event()

    def put(item: tuple[bool, Value | BaseException | None]) -> bool:
        while not stop.is_set():
            try:
                made.put(item, timeout=POLL_S)
                return True
            except Full:
                continue
        return False

    def make() -> None:
        try:
            for value in values:
                if not put((True, value)):
                    return
            put((False, None))
        except BaseException as error:
            put((False, error))

    maker = threading.Thread(target=make, name="decode ahead", daemon=True)
    maker.start()
    try:
        while True:
            is_value, item = made.get()
            if is_value:
                yield item  # type: ignore[misc]
            elif isinstance(item, BaseException):
                raise item
            else:
                return
    finally:
        stop.set()
        while maker.is_alive():
            try:
                made.get_nowait()
            except Empty:
                maker.join(POLL_S)
