"""One process at a time locks a folder, and a killed process releases it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from threading import Event, Thread
from time import sleep

import pytest

from procvid.errors import OutputError
from procvid.storage.lock import (
    LOCK,
    AlreadyHeldError,
    locked,
    locked_file,
    output_folder,
    wait_for_own,
)

HOLD = """
import sys
from pathlib import Path
from procvid.storage.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def holder(path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    return process


def test_another_process_is_refused_with_one_sentence(tmp_path: Path) -> None:
    process = holder(tmp_path)
    try:
        with pytest.raises(AlreadyHeldError) as refused, locked(tmp_path):
            pass
        assert refused.value.message == (
            f"Another process (pid {process.pid}) works in {str(tmp_path)!r}."
        )
    finally:
        process.communicate()
    with locked(tmp_path):
        assert (tmp_path / LOCK).exists()
    assert not (tmp_path / LOCK).exists()


def test_the_lock_of_a_killed_process_is_taken_over(tmp_path: Path) -> None:
    process = holder(tmp_path)
    process.kill()
    process.communicate()
    assert (tmp_path / LOCK).exists()
    with locked(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_one_process_does_not_hold_a_folder_twice(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(AlreadyHeldError), locked(tmp_path):
        pass


def test_another_thread_may_release_the_lock(tmp_path: Path) -> None:
    held = locked(tmp_path)
    held.__enter__()
    closing = Thread(target=held.__exit__, args=(None, None, None))
    closing.start()
    closing.join()
    with locked(tmp_path):
        pass


def test_a_missing_folder_is_not_created_and_a_file_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="does not exist"), locked(tmp_path / "gone"):
        pass
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="is a file"), output_folder(tmp_path / "file"):
        pass
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_an_output_folder_that_stays_empty_is_removed(tmp_path: Path) -> None:
    with output_folder(tmp_path / "out"):
        assert (tmp_path / "out").is_dir()
    assert list(tmp_path.iterdir()) == []
    with output_folder(tmp_path / "out"):
        (tmp_path / "out" / "a").touch()
    assert (tmp_path / "out" / "a").exists()


def test_a_lock_file_of_an_older_version_does_not_matter(tmp_path: Path) -> None:
    (tmp_path / ".store.lock").write_text("4711\n")
    with locked_file(tmp_path / ".store.lock"):
        pass


def test_a_thread_waits_for_another_one_but_not_for_a_process(tmp_path: Path) -> None:
    def hold_for_a_moment() -> None:
        with locked(tmp_path):
            held.set()
            sleep(0.05)

    held = Event()
    wait_for_own(tmp_path / "none")
    thread = Thread(target=hold_for_a_moment)
    thread.start()
    held.wait()
    wait_for_own(tmp_path)
    assert not (tmp_path / LOCK).exists()
    thread.join()
    (tmp_path / "other").mkdir()
    process = holder(tmp_path / "other")
    wait_for_own(tmp_path / "other", limit_s=1e9)
    process.communicate("")
