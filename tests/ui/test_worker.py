"""The queue: positions, limits, restarts, and the allowance of each visitor."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event as Flag
from types import SimpleNamespace
from typing import Any

import gradio as gr
import numpy as np
import pytest

from procvid.errors import BusyError, RunError
from procvid.events import Event, Progress, Warned
from procvid.plan.recipe.parse import parse_recipe
from procvid.plan.rules import plan_recipe
from procvid.plan.shots import cut_into_shots
from procvid.types import StepChanges
from procvid.ui.server.cards import FairLock
from procvid.ui.server.context import AppContext, new_run_id
from procvid.ui.server.jobs import start_run
from procvid.ui.server.queue import Draft, Job, RunOptions, Ticket, Tickets
from procvid.ui.server.redo import fitted
from procvid.ui.server.stream import Queued, RunView
from procvid.ui.server.visitors import LIMITS, LOCAL, Allowance, Visitor, visitor_of
from procvid.ui.server.worker import MAX_EACH, MAX_TRIES, MAX_WAITING, Worker

STRANGER = Visitor("a" * 16, is_local=False)


@pytest.fixture
def draft(recipe: str) -> Draft:
    parsed = cut_into_shots(parse_recipe(recipe))
    return Draft(parsed, plan_recipe(parsed))


class Panic(BaseException):
    """A panic of a Rust library as Python sees it."""


class Bench:
    """A worker whose clips take until the test sets `go`."""

    def __init__(self, folder: Path) -> None:
        self.go, self.closed = Flag(), []
        self.tickets = Tickets(folder)
        self.worker = Worker(self.tickets, self.make, self.look, FairLock())

    def make(self, job: Job, card: int) -> Generator[Event, None, None]:
        try:
            yield Warned("begun")
            if job.options.seed == 13:
                raise RunError("Thirteen.")
            if job.options.seed == 14:
                raise Panic("of a library")
            self.go.wait(20)
            for done in range(1, 1000):
                yield Progress(1, done, 1000, None)
                if job.options.seed == 0:
                    return
        finally:
            self.closed.append(job.run_id)

    def look(self, job: Job) -> RunView:
        view = RunView(job.run_id, Path(job.run_id))
        view.show_plan(job.draft.plan)
        return view


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path / "queue")
    yield bench
    bench.go.set()


def job(draft: Draft, seed: int = 0) -> Job:
    return Job(new_run_id(), draft, RunOptions(seed=seed))


def test_a_ticket_is_what_it_was_when_it_is_read_again(tmp_path: Path, draft: Draft) -> None:
    ticket = Ticket(Job("0" * 16, draft, RunOptions(3, "none", 4, True), 2), "me", 7, 1, "")
    tickets = Tickets(tmp_path)
    tickets.add(ticket)
    assert tickets.read("0" * 16) == ticket
    assert tickets.left() == [ticket]
    tickets.file("1" * 16).write_text('{"run_id": 5}')
    assert tickets.read("1" * 16) is None and tickets.left() == [ticket]
    tickets.write(replace(ticket, failed="It broke."))
    assert tickets.left() == []


def test_a_ticket_carries_the_changes_of_a_step_with_their_pictures(
    tmp_path: Path, draft: Draft
) -> None:
    red = np.full((8, 8, 3), (200, 0, 0), np.uint8)
    changes = StepChanges(5, "x", (red,), ("pan",), 0, ("c",), {"pan": "d"})
    run_id, tickets = "0" * 16, Tickets(tmp_path)
    tickets.add(Ticket(Job(run_id, draft, RunOptions(), 2, {2: changes}), "me", 7))
    read = tickets.read(run_id)
    assert read is not None
    (step, back), *_ = read.job.changes.items()
    assert (step, back.seed, back.prompt) == (2, 5, "x")
    assert (back.shows, back.banned, back.chosen) == (("pan",), ("c",), {"pan": "d"})
    assert np.array_equal(back.uploads[0], red)

    # Without its image the step would show something else, so the person has to decide.
    next(tmp_path.glob("*.png")).unlink()
    damaged = tickets.read(run_id)
    assert damaged is not None and "One of your images is lost" in damaged.failed
    assert tickets.left() == []
    tickets.remove(run_id)
    assert not list(tmp_path.iterdir())


def test_runs_wait_in_order_and_report_their_position(bench: Bench, draft: Draft) -> None:
    feeds = [bench.worker.submit(job(draft)) for _ in range(3)]
    assert bench.tickets.file(feeds[2].snapshot().run_id).exists()
    bench.go.set()
    places = [event.ahead for _, event in feeds[2].follow() if isinstance(event, Queued)]
    assert places == sorted(places, reverse=True)
    assert places[0] >= 1
    assert bench.closed == [feed.snapshot().run_id for feed in feeds]
    assert not list(bench.tickets.folder.glob("*.json"))


def test_a_full_queue_refuses_with_a_sentence(bench: Bench, draft: Draft) -> None:
    first = bench.worker.submit(job(draft))
    next(first.follow())
    for _ in range(MAX_EACH):
        bench.worker.submit(job(draft), "somebody", MAX_EACH)
    with pytest.raises(BusyError, match=f"{MAX_EACH} of your runs"):
        for _ in range(2):
            bench.worker.submit(job(draft), "somebody", MAX_EACH)
    with pytest.raises(BusyError, match=f"The queue is full: {MAX_WAITING} runs are waiting"):
        for _ in range(MAX_WAITING + 1):
            bench.worker.submit(job(draft))


def test_a_waiting_run_leaves_the_queue_and_one_in_progress_stops(
    bench: Bench, draft: Draft
) -> None:
    endless, waiting = job(draft, seed=1), job(draft)
    feed, other = bench.worker.submit(endless), bench.worker.submit(waiting)
    assert bench.worker.stop(waiting.run_id)
    assert [view.state for view, event in other.follow() if event is None] == ["stopped"]
    assert next(event for _, event in feed.follow() if isinstance(event, Warned))
    assert bench.worker.stop(endless.run_id)
    bench.go.set()
    assert [view.state for view, event in feed.follow() if event is None] == ["stopped"]
    assert bench.closed == [endless.run_id]
    assert not bench.worker.stop(endless.run_id)


def test_a_run_that_fails_says_why_and_the_next_one_comes(bench: Bench, draft: Draft) -> None:
    bench.go.set()
    bad, good = job(draft, seed=13), job(draft)
    feed, other = bench.worker.submit(bad), bench.worker.submit(good)
    with pytest.raises(RunError, match="Thirteen"):
        list(feed.follow())
    list(other.follow())
    assert bench.closed == [bad.run_id, good.run_id]
    kept = bench.tickets.read(bad.run_id)
    assert kept is not None and kept.failed == "Thirteen."


def test_a_panic_ends_its_own_run_alone(bench: Bench, draft: Draft) -> None:
    bench.go.set()
    bad, good = job(draft, seed=14), job(draft)
    feed, other = bench.worker.submit(bad), bench.worker.submit(good)
    with pytest.raises(gr.Error, match="Something went wrong inside procvid"):
        list(feed.follow())
    list(other.follow())
    assert bench.closed == [bad.run_id, good.run_id]


def test_a_run_whose_end_cannot_be_recorded_ends_alone(bench: Bench, draft: Draft) -> None:
    bench.go.set()
    bad, good = job(draft), job(draft)
    feed = bench.worker.submit(bad)
    look = bench.look

    def broken(asked: Job) -> RunView:
        if asked is bad:
            raise KeyError("damaged")
        return look(asked)

    bench.worker._read_view = broken
    with pytest.raises(KeyError):
        list(feed.follow())
    assert [view.state for view, _ in bench.worker.submit(good).follow()][-1] == "stopped"


def test_one_run_is_in_the_queue_once(bench: Bench, draft: Draft) -> None:
    twice = job(draft)
    bench.worker.submit(twice)
    with pytest.raises(RunError, match="is in progress"):
        bench.worker.submit(twice)


def test_the_jobs_of_a_dead_server_continue_in_order(bench: Bench, draft: Draft) -> None:
    first, second, deadly = job(draft), job(draft), job(draft)
    bench.tickets.write(Ticket(second, "b", order=2))
    bench.tickets.write(Ticket(first, "a", order=1, tries=1))
    bench.tickets.write(Ticket(deadly, "c", order=0, tries=MAX_TRIES))
    bench.go.set()
    bench.worker.adopt()
    feed = bench.worker.feed(second.run_id)
    if feed is not None:
        list(feed.follow())
    assert bench.closed == [first.run_id, second.run_id]
    kept = bench.tickets.read(deadly.run_id)
    assert kept is not None and "died 3 times during this run" in kept.failed


def test_a_restarted_server_finishes_the_very_run(
    context: AppContext, draft: Draft, tmp_path: Path
) -> None:
    options = RunOptions(steps=2)
    whole = start_run(context, draft, options, LOCAL)
    *_, (view, _) = whole.follow()
    cut = start_run(context, draft, options, LOCAL)
    run_id = cut.snapshot().run_id
    for seen, _ in cut.follow():
        if len(seen.clips) == 1:
            context.worker.stop(run_id)
    # As after a kill: the ticket and some clips exist.
    context.worker.tickets.write(Ticket(Job(run_id, draft, options), "", 1, tries=1))
    after = AppContext(
        context.profile,
        context.profile_reason,
        context.planner,
        context.runs_folder,
        tmp_path,
        _parts={0: context.parts("default")},
    )
    assert after.worker.adopt() == [run_id]
    feed = after.worker.feed(run_id)
    if feed is not None:
        list(feed.follow())
    again = after.view_of(run_id)
    assert again.state == "done"
    assert [c.read_bytes() for c in again.clips] == [c.read_bytes() for c in view.clips]


def test_the_device_goes_to_the_first_who_asked() -> None:
    lock, order = FairLock(), []

    def take(number: int) -> None:
        with lock.hold():
            order.append(number)

    with lock.hold():
        threads = []
        for number in range(5):
            thread = threading.Thread(target=take, args=(number,))
            thread.start()
            threads.append(thread)
            while len(lock._line) < number + 2:
                pass
    for thread in threads:
        thread.join()
    assert order == [0, 1, 2, 3, 4]


def request(seen_host: str, **headers: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return SimpleNamespace(client=SimpleNamespace(host=seen_host), headers=named)


def test_a_visitor_is_the_address_that_the_nearest_proxy_saw() -> None:
    assert visitor_of(request("127.0.0.1", host="localhost:7860")).is_local
    one = visitor_of(request("10.0.0.1", host="x.org", x_forwarded_for="8.8.8.8, 10.0.0.7"))
    forged = visitor_of(request("10.0.0.1", host="x.org", x_forwarded_for="1.1.1.1, 8.8.8.8"))
    other = visitor_of(request("10.0.0.1", host="x.org", x_forwarded_for="9.9.9.9"))
    assert one == forged != other
    assert not one.is_local and "8.8.8.8" not in one.key


def test_a_stranger_is_limited_for_a_while() -> None:
    now = [0.0]
    allowance = Allowance(clock_s=lambda: now[0])
    most, within_s = LIMITS["runs"]
    for _ in range(most):
        allowance.spend(STRANGER, "runs")
        allowance.spend(LOCAL, "runs")
    with pytest.raises(BusyError, match=r"requested 20 runs .*Try again in about 60 min"):
        allowance.spend(STRANGER, "runs")
    allowance.spend(replace(STRANGER, key="b" * 16), "runs")
    allowance.spend(STRANGER, "plans")
    now[0] = within_s
    allowance.spend(STRANGER, "runs")


def test_a_large_picture_is_kept_small() -> None:
    large = StepChanges(uploads=(np.zeros((30, 4000, 3), np.uint8),))
    assert fitted(large).uploads[0].shape == (10, 1280, 3)
