"""Several cards: one worker each, one fair queue, and a card that is lost."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Generator, Iterator
from pathlib import Path
from threading import Event as Flag

import pytest
import torch

from procvid.errors import LostCardError
from procvid.events import Event, Warned
from procvid.plan.recipe.parse import parse_recipe
from procvid.plan.rules import plan_recipe
from procvid.plan.shots import cut_into_shots
from procvid.ui.server.cards import FairLock
from procvid.ui.server.context import AppContext, new_run_id
from procvid.ui.server.feed import Feed
from procvid.ui.server.jobs import resume_run, start_run
from procvid.ui.server.queue import Draft, Job, RunOptions, Tickets
from procvid.ui.server.stream import Queued, RunView
from procvid.ui.server.visitors import LOCAL
from procvid.ui.server.worker import Worker

VANISHED = "CUDA error: unspecified launch failure\nCUDA kernel errors might be reported later."


@pytest.fixture(scope="module")
def draft(recipe: str) -> Draft:
    parsed = cut_into_shots(parse_recipe(recipe))
    return Draft(parsed, plan_recipe(parsed))


class Bench:
    """A worker for two cards whose jobs each take until the test lets them go."""

    def __init__(self, folder: Path, draft: Draft) -> None:
        self.draft, self.cards = draft, dict[str, int]()
        self.go: dict[str, Flag] = defaultdict(Flag)
        self.lost: set[str] = set()
        self.device = FairLock((0, 1))
        self.worker = Worker(Tickets(folder), self.make, self.look, self.device)

    def make(self, job: Job, card: int) -> Generator[Event, None, None]:
        self.cards[job.run_id] = card
        yield Warned("begun")
        self.go[job.run_id].wait(20)
        if job.run_id in self.lost:
            raise torch.AcceleratorError(VANISHED)
        yield Warned("goes on")
        yield Warned("ends")

    def look(self, job: Job) -> RunView:
        return RunView(job.run_id, Path(job.run_id))

    def submit(self, visitor: str = "") -> Feed:
        return self.worker.submit(Job(new_run_id(), self.draft, RunOptions()), visitor)

    def begin(self, visitor: str = "") -> Feed:
        """Submit a job and wait until it has begun."""
        feed = self.submit(visitor)
        self.begun(feed)
        return feed

    def begun(self, feed: Feed) -> None:
        next(event for _, event in feed.follow() if isinstance(event, Warned))

    def end(self, feed: Feed) -> RunView:
        self.go[id_of(feed)].set()
        return [view for view, _ in feed.follow()][-1]

    def card_of(self, feed: Feed) -> int | None:
        return self.cards.get(id_of(feed))


def id_of(feed: Feed) -> str:
    return feed.snapshot().run_id


def messages_of(feed: Feed) -> list[str]:
    return [event.message for _, event in feed.follow() if isinstance(event, Warned)]


def ahead_of(feed: Feed) -> int:
    return feed.snapshot().ahead


@pytest.fixture
def bench(tmp_path: Path, draft: Draft) -> Iterator[Bench]:
    bench = Bench(tmp_path / "queue", draft)
    yield bench
    for flag in list(bench.go.values()):
        flag.set()


def test_a_second_card_is_used_only_when_a_second_job_waits(bench: Bench) -> None:
    for _ in range(3):
        feed = bench.begin()
        assert bench.card_of(feed) == 0
        bench.end(feed)
    first, second = bench.begin(), bench.begin()
    assert {bench.card_of(first), bench.card_of(second)} == {0, 1}


def test_one_visitor_with_many_runs_lets_the_others_go_first(bench: Bench) -> None:
    runs = [bench.begin("a"), bench.begin("a"), bench.submit("a"), bench.submit("a")]
    assert [ahead_of(run) for run in runs[2:]] == [2, 3]
    other = bench.submit("b")
    assert ahead_of(other) == 2 and [ahead_of(run) for run in runs[2:]] == [3, 4]
    bench.end(runs[0])
    bench.begun(other)
    assert bench.card_of(other) == bench.card_of(runs[0])
    assert bench.card_of(runs[2]) is None and [ahead_of(run) for run in runs[2:]] == [2, 3]
    # Alone again, the visitor gets both cards, in the order of arrival.
    bench.end(other)
    bench.begun(runs[2])
    assert bench.card_of(runs[3]) is None and ahead_of(runs[3]) == 2


def test_a_position_never_grows_while_nobody_else_comes(bench: Bench) -> None:
    feeds = [bench.submit() for _ in range(5)]
    for feed in feeds:
        bench.end(feed)
    for feed in feeds:
        places = [event.ahead for _, event in feed.follow() if isinstance(event, Queued)]
        assert places == sorted(places, reverse=True)


def test_a_stop_hits_its_own_run(bench: Bench) -> None:
    kept, stopped, waiting = bench.begin(), bench.begin(), bench.submit()
    assert bench.worker.stop(id_of(stopped))
    assert bench.end(stopped).state == "stopped"
    bench.begun(waiting)
    assert bench.card_of(waiting) == bench.card_of(stopped)
    bench.end(kept)
    bench.end(waiting)
    messages = [messages_of(feed) for feed in (kept, waiting, stopped)]
    assert messages == [["begun", "goes on", "ends"]] * 2 + [["begun", "goes on"]]


def test_other_work_takes_a_free_card_and_no_job_joins_it_there(bench: Bench) -> None:
    with bench.device.hold() as card:
        assert card == 1, "the first card, which has the generator, stays free for a job"
        running, waiting = bench.begin(), bench.submit()
        assert bench.card_of(running) == 0 and bench.card_of(waiting) is None
    bench.begun(waiting)
    assert bench.card_of(waiting) == 1
    bench.end(running)
    with bench.device.hold() as card:
        assert card == 0


def test_other_work_waits_for_the_card_that_is_free_first(bench: Bench) -> None:
    first, second = bench.begin(), bench.begin()
    held: list[int | None] = []

    def evaluate() -> None:
        with bench.device.hold() as card:
            held.append(card)

    thread = threading.Thread(target=evaluate)
    thread.start()
    bench.end(second)
    thread.join(20)
    assert held == [bench.card_of(second)] and bench.card_of(first) != held[0]


def test_the_line_of_a_lock_of_two_cards_is_fair() -> None:
    lock, order = FairLock((0, 1)), []

    def take(card: int | None) -> None:
        with lock.hold(card):
            order.append(card)

    threads = []
    with lock.hold(0):
        with lock.hold(1):
            for number, card in enumerate((0, None, 1)):
                threads.append(threading.Thread(target=take, args=(card,)))
                threads[-1].start()
                while len(lock._line) < number + 3:
                    pass
        for thread in threads[1:]:
            thread.join(20)
        # Card 1 serves those who can use it; the one who wants card 0 still waits.
        assert order == [None, 1]
    threads[0].join(20)
    assert order == [None, 1, 0]


def test_a_lost_card_ends_its_own_run_and_the_queue_goes_on(bench: Bench) -> None:
    fails, other, waiting = bench.begin(), bench.begin(), bench.submit()
    bench.lost.add(id_of(fails))
    with pytest.raises(LostCardError, match=r"GPU \d no longer works \(unspecified launch failure"):
        bench.end(fails)
    ticket = bench.worker.tickets.read(id_of(fails))
    assert ticket is not None and "Resume the run" in ticket.failed
    assert bench.card_of(waiting) is None and ahead_of(waiting) == 1
    bench.end(other)
    bench.begun(waiting)
    assert bench.card_of(waiting) == bench.card_of(other)
    with pytest.raises(LostCardError), bench.device.hold(bench.card_of(fails)):
        pass


def test_without_a_card_waiting_runs_get_a_sentence_and_stay_for_the_next_start(
    bench: Bench, draft: Draft
) -> None:
    running, waiting = [bench.begin(), bench.begin()], [bench.submit() for _ in range(2)]
    bench.lost |= {id_of(feed) for feed in (*running, *waiting)}
    errors: list[Exception] = []

    def evaluate() -> None:
        try:
            with bench.device.hold():
                pass
        except LostCardError as error:
            errors.append(error)

    # One card evaluates; with the last one, its turn does not come.
    with pytest.raises(LostCardError):
        bench.end(running[0])
    thread = threading.Thread(target=evaluate)
    thread.start()
    with pytest.raises(LostCardError):
        bench.end(running[1])
    thread.join(20)
    for feed in waiting:
        with pytest.raises(LostCardError, match=r"GPU 0 and GPU 1 no longer work.*Restart procvid"):
            bench.end(feed)
        assert feed.snapshot().state == "failed"
    assert len(errors) == 1
    with pytest.raises(LostCardError, match="no clip can be made"):
        bench.submit()
    after = Bench(bench.worker.tickets.folder, draft)
    assert after.worker.adopt() == [id_of(feed) for feed in waiting]
    for feed in waiting:
        again = after.worker.feed(id_of(feed))
        assert again is not None and after.end(again).run_id == id_of(feed)


def files_of(view: RunView) -> list[bytes]:
    assert view.state == "done" and view.video is not None
    return [file.read_bytes() for file in (*view.clips, view.video)]


def last(feed: Feed) -> RunView:
    return [view for view, _ in feed.follow()][-1]


@pytest.mark.slow
def test_two_real_generators_stand_for_two_cards_and_one_vanishes(
    context: AppContext, draft: Draft, tmp_path: Path
) -> None:
    """On the CPU, through the seam of real cards: the app's list of cards."""
    options = RunOptions(memory="none", steps=1)
    expected = files_of(last(start_run(context, draft, options, LOCAL)))
    app = AppContext(
        *(context.profile, context.profile_reason, context.planner, tmp_path / "runs", tmp_path),
        cards=(0, 1),
    )
    both, begun = threading.Barrier(2), set[int]()

    def before_each_call(card: int) -> None:
        if card not in begun:
            begun.add(card)
            # It passes only while both cards are in the middle of a clip.
            both.wait(20)
        if card == 1 and app.view_of(runs[1]).clips:
            raise torch.AcceleratorError(VANISHED)

    generators = [app.parts("none", card=card).generator for card in app.cards]
    assert generators[0] is not generators[1]
    for card, generator in enumerate(generators):
        generator.pipeline.transformer.register_forward_pre_hook(  # type: ignore[attr-defined]
            lambda *_, card=card: before_each_call(card)
        )
    runs: dict[int, str] = {}
    run_job = app.worker._run_job

    def noted(job: Job, card: int) -> Generator[Event, None, None]:
        runs.setdefault(card, job.run_id)
        return run_job(job, card)

    app.worker._run_job = noted
    feeds = [start_run(app, draft, options, LOCAL) for _ in range(3)]
    assert ahead_of(feeds[2]) == 2
    ends = {id_of(feed): feed for feed in feeds}
    third = id_of(feeds[2])
    assert files_of(last(ends[third])) == expected
    assert files_of(app.view_of(runs[0])) == expected
    with pytest.raises(LostCardError, match="GPU 1 no longer works"):
        last(ends[runs[1]])
    lost = app.view_of(runs[1])
    assert lost.state == "failed" and "Resume the run" in lost.trouble
    assert [clip.read_bytes() for clip in lost.clips] == expected[:1]
    resumed = last(resume_run(app, runs[1], LOCAL))
    assert files_of(resumed) == expected
    assert app.device.working == [0]


@pytest.mark.slow
def test_cards_that_load_at_the_same_time_make_the_same_files(
    context: AppContext, draft: Draft, tmp_path: Path
) -> None:
    """Nothing is loaded before, and loading waits for the other card's denoising steps."""
    options = RunOptions(steps=1)
    expected = files_of(last(start_run(context, draft, options, LOCAL)))
    app = AppContext(
        *(context.profile, context.profile_reason, context.planner, tmp_path / "runs", tmp_path),
        cards=(0, 1, 2),
    )
    for feed in [start_run(app, draft, options, LOCAL) for _ in app.cards]:
        assert files_of(last(feed)) == expected
