"""Make the clips of all runs: a queue on disk, and for each card one thread that owns its generator.

Pages and programs submit jobs and follow them. A caller who leaves stops nothing, and a restarted
server continues the jobs that were in the queue.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from contextlib import closing, suppress
from contextvars import Context, copy_context
from dataclasses import dataclass, field, replace

from procvid.errors import BusyError, ProcvidError, RunError
from procvid.events import Event, RunFinished
from procvid.stopping import Stopped, stoppable
from procvid.storage.lock import AlreadyHeldError
from procvid.ui.server.cards import FairLock
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


@dataclass(frozen=True)
class _Running:
    """A job in progress, and the flag that stops it."""

    ticket: Ticket
    stop: threading.Event = field(default_factory=threading.Event)


class Worker:
    """Runs one job at a time on each card, in the order in which the jobs came.

    A visitor with a job in progress lets others go first. A job keeps its card until it ends. One
    that needs no second card does not get it, so that no model is loaded there.

    Args:
        tickets: The files of the queue.
        run_job: Runs a job on a card and yields its events.
        read_view: Returns the run of a job as it is on disk, or a new one.
        device: The cards; one is held while a job runs on it.
        clear: Deletes old runs; called at the start, after each job, and once an hour.
    """

    def __init__(
        self,
        tickets: Tickets,
        run_job: Callable[[Job, int], Generator[Event, None, None]],
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
        self._running: dict[int, _Running] = {}
        self._feeds: dict[str, Feed] = {}
        self._contexts: dict[str, Context] = {}
        # One condition for both: who may start depends on the queue and on the cards.
        self._changed = device.changed
        self._clearing = threading.Lock()
        self._has_threads = False

    def submit(self, job: Job, visitor: str = "", limit: int = MAX_WAITING) -> Feed:
        """Write a job to the end of the queue and return its feed.

        Args:
            job: The job.
            visitor: Key of the visitor who asks.
            limit: Maximum number of jobs of this visitor that may wait at once.

        Raises:
            BusyError: The queue is full.
            LostCardError: No card works.
            RunError: The run is in the queue or in progress.
            OutputError: The ticket cannot be written.
        """
        with self._changed:
            if not self._device.working:
                raise self._device.no_card_left()
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
            self._start_threads()
            return [ticket.job.run_id for ticket in left]

    def _enqueue(self, ticket: Ticket) -> Feed:
        job = ticket.job
        view = replace(self._read_view(job), state="waiting", ahead=0)
        takes = job.takes if job.again else job.options.takes
        feed = Feed(replace(view, redoing=job.again, takes_wanted=takes))
        self._feeds[ticket.job.run_id] = feed
        # ZeroGPU lends a GPU to the visitor who asked; the context of their request names them.
        self._contexts[ticket.job.run_id] = copy_context()
        self._waiting.append(ticket)
        self._publish_positions(new=ticket)
        self._start_threads()
        self._changed.notify_all()
        return feed

    def _start_threads(self) -> None:
        if not self._has_threads:
            self._has_threads = True
            for card in self._device.cards:
                name = f"worker {card}"
                threading.Thread(target=self._work, args=(card,), name=name, daemon=True).start()

    def feed(self, run_id: str) -> Feed | None:
        """Return the feed of a run in the queue or in progress, else None."""
        return self._feeds.get(run_id)

    def stop(self, run_id: str) -> bool:
        """Remove a run from the queue, or stop it after the current denoising step.

        Returns:
            False if the run is neither in the queue nor in progress.
        """
        with self._changed:
            for running in self._running.values():
                if running.ticket.job.run_id == run_id:
                    running.stop.set()
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

    def _line(self) -> list[Ticket]:
        """Return the waiting tickets in the order in which they start, if runs end as they began.

        The next one is always the first of those whose visitor has the fewest runs in progress.
        """
        busy = [running.ticket.visitor for running in self._running.values()]
        waiting, line = list(self._waiting), list[Ticket]()
        num_cards = max(1, len(self._device.working))
        while waiting:
            del busy[: max(0, len(busy) - num_cards + 1)]
            following = min(waiting, key=lambda ticket: busy.count(ticket.visitor))
            waiting.remove(following)
            busy.append(following.visitor)
            line.append(following)
        return line

    def _publish_positions(self, new: Ticket | None = None) -> None:
        num_free = max(0, len(self._device.working) - len(self._running))
        for place, ticket in enumerate(self._line()):
            ahead = 0 if place < num_free else place + len(self._running)
            feed = self._feeds[ticket.job.run_id]
            if ticket is new or feed.snapshot().ahead != ahead:
                feed.publish(Queued(ahead))

    def _is_wanted(self, card: int) -> bool:
        """Return True if a job waits for which no earlier card is free."""
        earlier = self._device.cards[: self._device.cards.index(card)]
        return len(self._waiting) > sum(map(self._device.is_free, earlier))

    def _work(self, card: int) -> None:
        while True:
            self._clear_old_runs()
            with self._changed:
                self._changed.wait_for(
                    lambda: self._is_lost(card) or self._is_wanted(card), CLEAR_EVERY_S
                )
                if self._is_lost(card):
                    self._give_up_if_last()
                    return
                if not self._is_wanted(card):
                    continue
            self._work_once(card)

    def _work_once(self, card: int) -> None:
        """Make the next job on a card, unless another card has taken it meanwhile."""
        running: _Running | None = None
        error: Exception | None = None
        try:
            with self._device.hold(card):
                running = self._take(card)
                if running is not None:
                    self.tickets.write(running.ticket)
                    self._do(running, card)
        except Exception as caught:
            error = caught
        except BaseException as caught:
            # A panic in a Rust library is not an Exception; the other runs must continue.
            error = RuntimeError(f"the work ended with {caught!r}")
        if running is not None:
            with self._changed:
                del self._running[card]
                self._publish_positions()
                self._finish(running.ticket, error)

    def _take(self, card: int) -> _Running | None:
        with self._changed:
            if not self._waiting:
                return None
            ticket = self._line()[0]
            self._waiting.remove(ticket)
            running = _Running(replace(ticket, tries=ticket.tries + 1))
            self._running[card] = running
            self._publish_positions()
            return running

    def _is_lost(self, card: int) -> bool:
        return card not in self._device.working

    def _give_up_if_last(self) -> None:
        """End the waiting jobs if no card works; their tickets stay for the next start."""
        while self._waiting and not self._device.working:
            ticket = self._waiting.pop(0)
            self._finish(ticket, self._device.no_card_left(), keep_ticket=True)

    def _clear_old_runs(self) -> None:
        if not self._clearing.acquire(blocking=False):
            return
        try:
            self._clear()
        except Exception as error:
            log.error("cannot clear old runs: %s", error)
        finally:
            self._clearing.release()

    def _do(self, running: _Running, card: int) -> None:
        job = running.ticket.job
        if not running.stop.is_set():
            context, feed = self._contexts[job.run_id], self._feeds[job.run_id]
            context.run(self._publish_events, self._run_job(job, card), feed, running.stop.is_set)

    @staticmethod
    def _publish_events(
        made: Generator[Event, None, None], feed: Feed, stop_asked: Callable[[], bool]
    ) -> None:
        with suppress(Stopped), stoppable(stop_asked), closing(made) as events:
            while not stop_asked() and (event := next(events, None)) is not None:
                # `_finish` reports the end, with the run as it then is on disk.
                if not isinstance(event, RunFinished):
                    feed.publish(event)

    def _finish(
        self, ticket: Ticket, error: Exception | None = None, *, keep_ticket: bool = False
    ) -> None:
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
                if not keep_ticket:
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
