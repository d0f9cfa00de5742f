"""Background work: each piece runs once at a time, in a thread that ends with the process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable

from procvid.ui.server.guard import log

MAX_PIECES = 16
"""Maximum number of pieces that may wait or be in progress."""


class Background:
    """Starts pieces of work that nobody waits for."""

    def __init__(self) -> None:
        self._busy: set[Hashable] = set()
        self._lock = threading.Lock()

    def start(self, name: Hashable, work: Callable[[], object]) -> bool:
        """Start a piece of work unless it is in progress.

        Returns:
            False if there is too much work already.
        """
        with self._lock:
            if name in self._busy:
                return True
            if len(self._busy) >= MAX_PIECES:
                return False
            self._busy.add(name)
        threading.Thread(target=self._do, args=(name, work), name="background", daemon=True).start()
        return True

    def _do(self, name: Hashable, work: Callable[[], object]) -> None:
        try:
            work()
        except Exception:  # logged, because nobody waits for it
            log.exception("work in the background failed")
        finally:
            with self._lock:
                self._busy.discard(name)
