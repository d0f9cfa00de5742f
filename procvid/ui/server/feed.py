"""The events of one run, for any number of pages and programs that follow it."""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator

from procvid.events import Event
from procvid.ui.server.stream import Queued, RunView


class Feed:
    """The worker publishes events and followers read them; the work goes on if a follower leaves.

    Args:
        view: The run as it is on disk now, or a new one.
    """

    def __init__(self, view: RunView) -> None:
        self._view = view
        self._events: list[Event | Queued] = []
        self._error: Exception | None = None
        self._ended = False
        self._changed = threading.Condition()

    def publish(self, event: Event | Queued) -> None:
        """Send an event to all followers."""
        with self._changed:
            self._view.apply(event)
            self._events.append(event)
            self._changed.notify_all()

    def end(self, view: RunView, error: Exception | None = None) -> None:
        """Close the feed.

        Args:
            view: The run as it is on disk now.
            error: Why the run failed; None if it did not.
        """
        with self._changed:
            self._view, self._error, self._ended = view, error, True
            self._changed.notify_all()

    def snapshot(self) -> RunView:
        """Return a copy of the run as of now."""
        with self._changed:
            return self._copy()

    def follow(self) -> Iterator[tuple[RunView, Event | Queued | None]]:
        """Yield all events from the first one, each with the run after it, then None with the last view.

        Raises:
            Exception: The error that ended the run, after the last view.
        """
        num_read = 0
        while True:
            with self._changed:
                while not self._ended and len(self._events) == num_read:
                    self._changed.wait()
                unread, view = self._events[num_read:], self._copy()
                ended, error = self._ended, self._error
            for event in unread:
                yield view, event
            num_read += len(unread)
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
