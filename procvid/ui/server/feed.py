"""What a run in the queue or in work has told so far; any number of pages and programs may follow it."""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator

from procvid.events import Event
from procvid.ui.server.stream import Queued, RunView


class Feed:
    """The worker tells, others follow; nobody who leaves disturbs the work.

    Args:
        view: The run as it is on disk now, or a new one.
    """

    def __init__(self, view: RunView) -> None:
        self._view = view
        self._events: list[Event | Queued] = []
        self._error: Exception | None = None
        self._ended = False
        self._news = threading.Condition()

    def tell(self, event: Event | Queued) -> None:
        """Let all followers know."""
        with self._news:
            self._view.apply(event)
            self._events.append(event)
            self._news.notify_all()

    def end(self, view: RunView, error: Exception | None = None) -> None:
        """The work is over; `view` is the run as it lies on disk now."""
        with self._news:
            self._view, self._error, self._ended = view, error, True
            self._news.notify_all()

    def snapshot(self) -> RunView:
        """The run as of now; nobody changes what is returned."""
        with self._news:
            return self._copy()

    def follow(self) -> Iterator[tuple[RunView, Event | Queued | None]]:
        """All events from the first one, each with the run after it; None with the last view.

        Raises:
            Exception: What broke the work off, after the last view.
        """
        told = 0
        while True:
            with self._news:
                while not self._ended and len(self._events) == told:
                    self._news.wait()
                fresh, view = self._events[told:], self._copy()
                ended, error = self._ended, self._error
            for event in fresh:
                yield view, event
            told += len(fresh)
            if ended:
                yield view, None
                if error is not None:
                    raise error
                return

    def _copy(self) -> RunView:
        view = copy.copy(self._view)
        view.steps = {number: copy.copy(step) for number, step in view.steps.items()}
        view.warnings = list(view.warnings)
        return view
