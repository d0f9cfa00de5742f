"""The one who makes clips: a queue on disk, and a thread that owns the generator.

Pages and programs only ask and look on. Whoever leaves loses nothing, and what a server that was
killed had in its queue goes on when it starts again.
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
"""Runs in the queue, those in work left out."""
MAX_EACH = 4
"""Of them from one visitor who is not at this machine."""
MAX_TRIES = 3
"""So often a run is begun on servers that died over it."""
TIDY_EVERY_S = 3600.0


class Turns:
    """A lock that goes to whoever came first: the device is for one piece of work at a time."""

    def __init__(self) -> None:
        self._line: deque[object] = deque()
        self._news = threading.Condition()

    @contextmanager
    def mine(self) -> Iterator[None]:
        """Wait for one's turn, and hold the device until the block ends."""
        me = object()
        with self._news:
            self._line.append(me)
            try:
                self._news.wait_for(lambda: self._line[0] is me)
            except BaseException:
                self._leave(me)
                raise
        try:
            yield
        finally:
            with self._news:
                self._leave(me)

    def _leave(self, me: object) -> None:
        self._line.remove(me)
        self._news.notify_all()


class Worker:
    """Takes jobs one by one, in the order in which they came.

    Args:
        tickets: The queue's files.
        make: Does a job, event by event.
        look: The run of a job as it lies on disk, or as a new one.
        turns: The device.
        tidy: Clears up; called at the start, after each job, and once an hour.
    """

    def __init__(
        self,
        tickets: Tickets,
        make: Callable[[Job], Generator[Event, None, None]],
        look: Callable[[Job], RunView],
        turns: Turns,
        tidy: Callable[[], object] = lambda: None,
    ) -> None:
        self.tickets = tickets
        self._make = make
        self._look = look
        self._turns = turns
        self._tidy = tidy
        self._line: list[Ticket] = []
        self._now: Ticket | None = None
        self._stop = threading.Event()
        self._feeds: dict[str, Feed] = {}
        self._askers: dict[str, Context] = {}
        self._news = threading.Condition()
        self._thread: threading.Thread | None = None

    def submit(self, job: Job, visitor: str = "", limit: int = MAX_WAITING) -> Feed:
        """Put a job at the end of the queue, on disk; the feed tells how it goes.

        Args:
            job: What to do.
            visitor: Who asks.
            limit: How many jobs of theirs may wait at once.

        Raises:
            BusyError: The queue is full.
            RunError: The run is in the queue or in work.
            OutputError: The ticket cannot be written.
        """
        with self._news:
            if job.run_id in self._feeds:
                raise RunError(
                    f"Run {job.run_id} is in work already.", "Wait for it or stop it first."
                )
            if len(self._line) >= MAX_WAITING:
                raise BusyError(
                    f"The queue is full: {len(self._line)} runs wait.",
                    "Try again in a few minutes.",
                )
            if sum(ticket.visitor == visitor for ticket in self._line) >= limit:
                raise BusyError(
                    f"{limit} runs of yours wait already.", "Wait until one of them is done."
                )
            ticket = Ticket(job, visitor, time.time_ns())
            self.tickets.add(ticket)
            return self._take_in(ticket)

    def adopt(self) -> list[str]:
        """Take in what another server left in the queue; the ids of those runs."""
        with self._news:
            left = [t for t in self.tickets.left() if t.job.run_id not in self._feeds]
            for ticket in left:
                if ticket.tries >= MAX_TRIES:
                    told = f"The server died over it {ticket.tries} times."
                    self.tickets.write(replace(ticket, failed=told))
                else:
                    self._take_in(ticket)
            self._begin()
            return [ticket.job.run_id for ticket in left]

    def _take_in(self, ticket: Ticket) -> Feed:
        feed = Feed(replace(self._look(ticket.job), state="waiting", ahead=0))
        self._feeds[ticket.job.run_id] = feed
        # A GPU that is lent is lent to whoever asked, which the context of their request says.
        self._askers[ticket.job.run_id] = copy_context()
        self._line.append(ticket)
        feed.tell(Queued(len(self._line) - (self._now is None)))
        self._begin()
        self._news.notify_all()
        return feed

    def _begin(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="worker", daemon=True)
            self._thread.start()

    def feed(self, run_id: str) -> Feed | None:
        """What a run in the queue or in work tells; None for any other."""
        return self._feeds.get(run_id)

    def stop(self, run_id: str) -> bool:
        """Take a run out of the queue, or stop it after the denoising step in work.

        False if it is in neither.
        """
        with self._news:
            if self._now is not None and self._now.job.run_id == run_id:
                self._stop.set()
                return True
            for ticket in self._line:
                if ticket.job.run_id == run_id:
                    self._line.remove(ticket)
                    self._over(ticket)
                    self._tell_places()
                    return True
        return False

    def unless_wanted(self, run_id: str, do: Callable[[], None]) -> bool:
        """Do something to a run that is neither in the queue nor in work, and let nobody ask for it
        meanwhile. False if it is, here or, by its ticket, on another server.
        """
        with self._news:
            ticket = self.tickets.read(run_id)
            if run_id in self._feeds or (ticket is not None and not ticket.failed):
                return False
            do()
            return True

    def _tell_places(self) -> None:
        for place, ticket in enumerate(self._line):
            self._feeds[ticket.job.run_id].tell(Queued(place + (self._now is not None)))

    def _work(self) -> None:
        while True:
            self._clear_up()
            with self._news:
                if not self._news.wait_for(lambda: bool(self._line), TIDY_EVERY_S):
                    continue
                ticket = self._line.pop(0)
                ticket = self._now = replace(ticket, tries=ticket.tries + 1)
                self._stop.clear()
                self._tell_places()
            error: Exception | None = None
            try:
                self.tickets.write(ticket)
                with self._turns.mine():
                    self._do(ticket.job)
            except Exception as caught:
                error = caught
            except BaseException as caught:
                # A panic in a library written in Rust is none of Exception; the others' runs go on.
                error = RuntimeError(f"the work ended with {caught!r}")
            with self._news:
                self._now = None
                self._over(ticket, error)

    def _clear_up(self) -> None:
        try:
            self._tidy()
        except Exception as error:
            log.error("old runs cannot be cleared: %s", error)

    def _do(self, job: Job) -> None:
        if not self._stop.is_set():
            self._askers[job.run_id].run(self._tell_all, job, self._feeds[job.run_id])

    def _tell_all(self, job: Job, feed: Feed) -> None:
        asked = self._stop.is_set
        with suppress(Stopped), stoppable(asked), closing(self._make(job)) as events:
            while not asked() and (event := next(events, None)) is not None:
                # The end is told when the work is over, with the run as it then is on disk.
                if not isinstance(event, RunFinished):
                    feed.tell(event)

    def _over(self, ticket: Ticket, error: Exception | None = None) -> None:
        run_id = ticket.job.run_id
        feed = self._feeds[run_id]
        try:
            view = self._look(ticket.job)
            if isinstance(error, AlreadyHeldError):
                # Another server on these runs is at it, and the ticket is its own.
                view.state = "failed"
            elif error is not None:
                told = as_gradio_error(error)
                view.state, view.trouble = "failed", str(told.message)
                self.tickets.write(replace(ticket, failed=view.trouble))
                error = error if isinstance(error, ProcvidError) else told
            else:
                view.state = "stopped" if view.state == "waiting" else view.state
                self.tickets.remove(run_id)
        except Exception as also:
            log.error("the end of run %s cannot be kept: %s", run_id, also)
            view, error = replace(feed.snapshot(), state="failed"), error or also
        feed.end(view, error)
        # Last, so that whoever looks meanwhile sees the run in work and not half-ended.
        del self._feeds[run_id], self._askers[run_id]
