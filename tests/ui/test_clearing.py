"""Which runs are deleted, and that nothing else is."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from procvid.errors import InputError
from procvid.plan.recipe.parse import parse_recipe
from procvid.plan.rules import plan_recipe
from procvid.plan.shots import cut_into_shots
from procvid.settings.environment import read_environment
from procvid.storage.lock import locked
from procvid.ui.server.cards import FairLock
from procvid.ui.server.clearing import DAY_S, Retention, clear
from procvid.ui.server.context import AppContext, new_run_id
from procvid.ui.server.queue import Draft, Job, RunOptions, Ticket, Tickets
from procvid.ui.server.stream import RunView
from procvid.ui.server.worker import Worker

NOW_S = 1_800_000_000.0
WEEK = Retention(days=7)


@pytest.fixture
def draft(recipe: str) -> Draft:
    parsed = cut_into_shots(parse_recipe(recipe))
    return Draft(parsed, plan_recipe(parsed))


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
    going = Event()

    def make(job: Job, card: int) -> Any:
        going.wait(20)
        yield from ()

    yield Worker(
        Tickets(tmp_path / "queue"), make, lambda job: RunView(job.run_id, tmp_path), FairLock()
    )
    going.set()


def run(folder: Path, days_old: float, num_bytes: int = 10, name: str = "") -> Path:
    made = folder / (name or new_run_id())
    (made / "steps" / "01").mkdir(parents=True)
    (made / "steps" / "01" / "clip.mp4").write_bytes(b"x" * num_bytes)
    (made / "run.json").write_text("{}")
    age(made, days_old)
    return made


def age(path: Path, days_old: float) -> None:
    then = NOW_S - days_old * DAY_S
    for each in [*path.rglob("*"), path]:
        os.utime(each, (then, then), follow_symlinks=False)


def test_old_runs_are_deleted_with_all_their_files(tmp_path: Path, worker: Worker) -> None:
    old, new = run(tmp_path, 8), run(tmp_path, 6)
    for belongs in (f"packed/{old.name}/soup.zip", f"queue/{old.name}-1.png"):
        (tmp_path / belongs).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / belongs).write_bytes(b"x")
    assert clear(tmp_path, WEEK, worker, NOW_S) == [old.name]
    assert not old.exists() and new.exists()
    assert not any((tmp_path / "packed").iterdir()) and not any((tmp_path / "queue").iterdir())
    assert not [entry for entry in os.listdir(tmp_path) if entry.startswith(".")]


def test_a_run_is_as_old_as_what_was_last_written(tmp_path: Path, worker: Worker) -> None:
    mended = run(tmp_path, 30)
    then = NOW_S - DAY_S
    os.utime(mended / "steps" / "01" / "clip.mp4", (then, then))
    assert clear(tmp_path, WEEK, worker, NOW_S) == []


def test_beyond_the_budget_the_oldest_go_first(tmp_path: Path, worker: Worker) -> None:
    runs = [run(tmp_path, days, 1_000_000) for days in (3, 1, 2, 0)]
    retention = Retention(gb=0.0025)
    assert clear(tmp_path, retention, worker, NOW_S) == [runs[0].name, runs[2].name]
    assert clear(tmp_path, retention, worker, NOW_S) == []


def test_without_a_limit_nothing_is_deleted(tmp_path: Path, worker: Worker) -> None:
    old = run(tmp_path, 9999)
    assert clear(tmp_path, Retention(), worker, NOW_S) == []
    assert old.exists()


def test_a_link_is_left_and_never_followed(tmp_path: Path, worker: Worker) -> None:
    runs, elsewhere = tmp_path / "runs", tmp_path / "elsewhere"
    theirs = run(elsewhere, 99)
    runs.mkdir()
    link = runs / new_run_id()
    link.symlink_to(theirs)
    old = run(runs, 99)
    (old / "steps" / "02").symlink_to(elsewhere)
    age(old, 99)
    assert clear(runs, WEEK, worker, NOW_S) == [old.name]
    assert link.is_symlink() and (theirs / "steps" / "01" / "clip.mp4").exists()


def test_a_damaged_run_is_deleted_and_other_folders_stay(tmp_path: Path, worker: Worker) -> None:
    damaged, empty = tmp_path / new_run_id(), tmp_path / new_run_id()
    (damaged / "run.json").mkdir(parents=True)
    (damaged / "locked.json").write_text("[1")
    empty.mkdir()
    other = [run(tmp_path, 99, name=name) for name in ("memories", "my-videos", "0" * 17)]
    (tmp_path / ("f" * 16)).write_text("a file")
    for path in (damaged, empty, tmp_path / ("f" * 16)):
        age(path, 99)
    assert set(clear(tmp_path, WEEK, worker, NOW_S)) == {damaged.name, empty.name}
    assert all(each.exists() for each in [*other, tmp_path / ("f" * 16)])


def test_the_remains_of_a_killed_deletion_are_removed(tmp_path: Path, worker: Worker) -> None:
    left = run(tmp_path, 1, name=f".{new_run_id()}.4000000-1.tmp")
    fresh = run(tmp_path, 0, name=f".{new_run_id()}.4000000-2.tmp")
    clear(tmp_path, WEEK, worker, NOW_S)
    assert not left.exists() and fresh.exists()


def test_runs_in_use_or_locked_stay(tmp_path: Path, worker: Worker, draft: Draft) -> None:
    held, in_work, waiting, elsewhere, kept, failed = (run(tmp_path, 99) for _ in range(6))
    for mine in (in_work, waiting):
        worker.submit(Job(mine.name, draft, RunOptions()))
    worker.tickets.write(Ticket(Job(elsewhere.name, draft, RunOptions()), "", 1))
    worker.tickets.write(Ticket(Job(failed.name, draft, RunOptions()), "", 1, failed="It broke."))
    (kept / "locked.json").write_text('{"steps": [1]}')
    age(kept, 99)
    with locked(held):
        age(held, 99)
        assert clear(tmp_path, WEEK, worker, NOW_S) == [failed.name]
    assert all(each.exists() for each in (held, in_work, waiting, elsewhere, kept))
    assert worker.tickets.read(failed.name) is None


def test_a_server_clears_up_when_it_starts(tmp_path: Path, context: AppContext) -> None:
    app = AppContext(
        context.profile,
        context.profile_reason,
        context.planner,
        tmp_path,
        tmp_path,
        retention=WEEK,
    )
    old = run(tmp_path, 0)
    for each in [*old.rglob("*"), old]:
        os.utime(each, (1e9, 1e9))
    app.worker.adopt()
    wait_gone(old)


def test_the_worker_clears_up_after_each_job_and_outlives_it(tmp_path: Path, draft: Draft) -> None:
    calls: list[int] = []

    def clear_old() -> None:
        calls.append(1)
        raise OSError("the disk is gone")

    def look(job: Job) -> RunView:
        return RunView(job.run_id, tmp_path, state="stopped")

    worker = Worker(
        Tickets(tmp_path / "queue"), lambda job, card: iter_none(), look, FairLock(), clear_old
    )
    for number in (1, 2, 3):
        for _ in worker.submit(Job(new_run_id(), draft, RunOptions())).follow():
            pass
        assert len(calls) >= number


def iter_none() -> Any:
    yield from ()


def wait_gone(path: Path) -> None:
    deadline = time.monotonic() + 20
    while path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_the_environment_sets_the_limits_and_the_page_names_them() -> None:
    assert Retention.of(read_environment({})) == Retention()
    assert "until you delete" in Retention().summary
    on_space = Retention.of(read_environment({"SYSTEM": "spaces"}))
    assert on_space == Retention(7, 20)
    assert on_space.summary.startswith("Videos are deleted after 7 days, or when all videos exceed")
    chosen = {"SYSTEM": "spaces", "PROCVID_KEEP_DAYS": "0.5", "PROCVID_KEEP_GB": "0"}
    assert Retention.of(read_environment(chosen)) == Retention(0.5, 0)
    for wrong in ("-1", "soon", "1e9", "nan", "7 days"):
        with pytest.raises(InputError, match="PROCVID_KEEP_DAYS"):
            read_environment({"PROCVID_KEEP_DAYS": wrong})


def test_the_remains_of_a_killed_download_are_removed(tmp_path: Path, worker: Worker) -> None:
    folders = (tmp_path / "exports" / new_run_id() / "key", tmp_path / "packed" / new_run_id())
    for folder in folders:
        folder.mkdir(parents=True)
        for name in ("..film.7-7.tmp.7-7.tmp.mp4", ".film.7-7.tmp.zip", "film.mp4"):
            (folder / name).write_bytes(b"x")
    clear(tmp_path, Retention(), worker)
    assert all(len(list(folder.iterdir())) == 3 for folder in folders)
    clear(tmp_path, Retention(), worker, time.time() + 7200)
    assert [list(folder.iterdir()) for folder in folders] == [[f / "film.mp4"] for f in folders]
