"""Make the clips of all runs: a queue on disk, and one thread that owns the generator.

Pages and programs submit jobs and follow them. A caller who leaves stops nothing, and a restarted
server continues the jobs that were in the queue.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager, suppress
from contextvars import Context, copy_context
from dataclasses import replace

from procvid.errors import BusyError, ProcvidError, RunError
from procvid.events import Event, RunFinished
from procvid.stopping import Stopped, stoppable
from procvid.storage.lock import AlreadyHeldError
from procvid.ui.server.feed import Feed
from procvid.ui.server.guard import as_gradio_error, log
from procvid.ui.server.queue import Job, Ticket, Tickets
from procvid.ui.server.stream import Queued, RunView

MAX_WAITING = 20
"""Maximum number of runs that may wait in the queue; the one in progress does not count."""
MAX_EACH = 4
"""Maximum number of waiting runs of one remote visitor."""
MAX_TRIES = 3
"""Maximum number of attempts at a job whose server died during it."""
CLEAR_EVERY_S = 3600.0


class FairLock:
    """A first-come, first-served lock: the device does one task at a time."""

    def __init__(self) -> None:
        self._line: deque[object] = deque()
        self._changed = threading.Condition()

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Wait for the lock, and hold it until the block ends."""
        me = object()
        with self._changed:
            self._line.append(me)
            try:
                self._changed.wait_for(lambda: self._line[0] is me)
            except BaseException:
                self._leave(me)
                raise
        try:
            yield
        finally:
            with self._changed:
                self._leave(me)

    def _leave(self, me: object) -> None:
        self._line.remove(me)
        self._changed.notify_all()


class Worker:
    """Runs jobs one by one, in the order in which they came.

    Args:
        tickets: The files of the queue.
        run_job: Runs a job and yields its events.
        read_view: Returns the run of a job as it is on disk, or a new one.
        device: Held while a job runs.
        clear: Deletes old runs; called at the start, after each job, and once an hour.
    """

    def __init__(
        self,
        tickets: Tickets,
        run_job: Callable[[Job], Generator[Event, None, None]],
        read_view: Callable[[Job], RunView],
        device: FairLock,
        clear: Callable[[], object] = lambda: None,
    ) -> None:
        self.tickets = tickets
        self._run_job = run_job
        self._read_view = read_view
        self._device = device
        self._clear = clear
        self._waiting: list[Ticket] = []
        self._current: Ticket | None = None
        self._stop = threading.Event()
        self._feeds: dict[str, Feed] = {}
        self._contexts: dict[str, Context] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def submit(self, job: Job, visitor: str = "", limit: int = MAX_WAITING) -> Feed:
        """Write a job to the end of the queue and return its feed.

        Args:
            job: The job.
            visitor: Key of the visitor who asks.
            limit: Maximum number of jobs of this visitor that may wait at once.

        Raises:
            BusyError: The queue is full.
            RunError: The run is in the queue or in progress.
            OutputError: The ticket cannot be written.
        """
        with self._changed:
            if job.run_id in self._feeds:
                raise RunError(
                    f"Run {job.run_id} is in progress.", "Wait until it ends, or stop it first."
                )
            if len(self._waiting) >= MAX_WAITING:
                raise BusyError(
                    f"The queue is full: {len(self._waiting)} runs are waiting.",
                    "Try again in a few minutes.",
                )
            if sum(ticket.visitor == visitor for ticket in self._waiting) >= limit:
                raise BusyError(
                    f"{limit} of your runs are waiting already.", "Wait until one of them is done."
                )
            ticket = Ticket(job, visitor, time.time_ns())
            self.tickets.add(ticket)
            return self._enqueue(ticket)

    def adopt(self) -> list[str]:
        """Queue the jobs that a previous server left, and return their run ids."""
        with self._changed:
            left = [t for t in self.tickets.left() if t.job.run_id not in self._feeds]
            for ticket in left:
                if ticket.tries >= MAX_TRIES:
                    reason = f"The server died {ticket.tries} times during this run."
                    self.tickets.write(replace(ticket, failed=reason))
                else:
                    self._enqueue(ticket)
            self._start_thread()
            return [ticket.job.run_id for ticket in left]

    def _enqueue(self, ticket: Ticket) -> Feed:
        feed = Feed(replace(self._read_view(ticket.job), state="waiting", ahead=0))
        self._feeds[ticket.job.run_id] = feed
        # ZeroGPU lends a GPU to the visitor who asked; the context of their request names them.
        self._contexts[ticket.job.run_id] = copy_context()
        self._waiting.append(ticket)
        feed.publish(Queued(len(self._waiting) - (self._current is None)))
        self._start_thread()
        self._changed.notify_all()
        return feed

    def _start_thread(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="worker", daemon=True)
            self._thread.start()

    def feed(self, run_id: str) -> Feed | None:
        """Return the feed of a run in the queue or in progress, else None."""
        return self._feeds.get(run_id)

    def stop(self, run_id: str) -> bool:
        """Remove a run from the queue, or stop it after the current denoising step.

        Returns:
            False if the run is neither in the queue nor in progress.
        """
        with self._changed:
            if self._current is not None and self._current.job.run_id == run_id:
                self._stop.set()
                return True
            for ticket in self._waiting:
                if ticket.job.run_id == run_id:
                    self._waiting.remove(ticket)
                    self._finish(ticket)
                    self._publish_positions()
                    return True
        return False

    def if_idle(self, run_id: str, action: Callable[[], None]) -> bool:
        """Call `action` while the run cannot be submitted.

        Returns:
            False, without a call, if the run is in the queue or in progress, on this or another server.
        """
        with self._changed:
            ticket = self.tickets.read(run_id)
            if run_id in self._feeds or (ticket is not None and not ticket.failed):
                return False
            action()
            return True

    def _publish_positions(self) -> None:
        for place, ticket in enumerate(self._waiting):
            feed = self._feeds[ticket.job.run_id]
            feed.publish(Queued(place + (self._current is not None)))

    def _work(self) -> None:
        while True:
            self._clear_old_runs()
            with self._changed:
                if not self._changed.wait_for(lambda: bool(self._waiting), CLEAR_EVERY_S):
                    continue
                ticket = self._waiting.pop(0)
                ticket = self._current = replace(ticket, tries=ticket.tries + 1)
                self._stop.clear()
                self._publish_positions()
            error: Exception | None = None
            try:
                self.tickets.write(ticket)
                with self._device.hold():
                    self._do(ticket.job)
            except Exception as caught:
                error = caught
            except BaseException as caught:
                # A panic in a Rust library is not an Exception; the other runs must continue.
                error = RuntimeError(f"the work ended with {caught!r}")
            with self._changed:
                self._current = None
                self._finish(ticket, error)

    def _clear_old_runs(self) -> None:
        try:
            self._clear()
        except Exception as error:
            log.error("cannot clear old runs: %s", error)

    def _do(self, job: Job) -> None:
        if not self._stop.is_set():
            self._contexts[job.run_id].run(self._publish_events, job, self._feeds[job.run_id])

    def _publish_events(self, job: Job, feed: Feed) -> None:
        stop_asked = self._stop.is_set
        with suppress(Stopped), stoppable(stop_asked), closing(self._run_job(job)) as events:
            while not stop_asked() and (event := next(events, None)) is not None:
                # `_finish` reports the end, with the run as it then is on disk.
                if not isinstance(event, RunFinished):
                    feed.publish(event)

    def _finish(self, ticket: Ticket, error: Exception | None = None) -> None:
        run_id = ticket.job.run_id
        feed = self._feeds[run_id]
        try:
            view = self._read_view(ticket.job)
            if isinstance(error, AlreadyHeldError):
                # Another server works on this run and owns the ticket.
                view.state = "failed"
            elif error is not None:
                shown = as_gradio_error(error)
                view.state, view.trouble = "failed", str(shown.message)
                self.tickets.write(replace(ticket, failed=view.trouble))
                error = error if isinstance(error, ProcvidError) else shown
            else:
                view.state = "stopped" if view.state == "waiting" else view.state
                self.tickets.remove(run_id)
        except Exception as also:
            log.error("cannot record the end of run %s: %s", run_id, also)
            view, error = replace(feed.snapshot(), state="failed"), error or also
        feed.end(view, error)
        # Last, so that a reader sees the run in progress until it has ended completely.
        del self._feeds[run_id], self._contexts[run_id]
