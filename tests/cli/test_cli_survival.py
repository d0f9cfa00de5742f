"""Runs that are killed, interrupted, or run into a full disk."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from procvid.cli import main
from procvid.storage.files import sha256_of

pytestmark = pytest.mark.usefixtures("quick_models")

RECIPE = """Fried carrots
1. Slice the carrot on the cutting board.
2. Fry the carrot in the frying pan.
3. Stir the carrot in the frying pan.
"""
# Many cheap steps: a signal after the first one arrives before the last one.
STEPS = ["--steps", "12"]


@pytest.fixture(scope="module")
def recipe(tmp_path_factory) -> Path:
    file = tmp_path_factory.mktemp("recipe") / "recipe.txt"
    file.write_text(RECIPE)
    return file


@pytest.fixture(scope="module")
def uninterrupted(quick_models, recipe) -> dict[str, str]:
    """Hashes of the files of a run that was made in one go."""
    folder = recipe.parent / "uninterrupted"
    assert main(["generate", str(recipe), "--out", str(folder), *STEPS]) == 0
    return hashes(folder)


def start(recipe: Path, folder: Path) -> subprocess.Popen[str]:
    def prepare() -> None:
        # A shell's background job ignores SIGINT, and its children would inherit that.
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    command = [sys.executable, "-m", "procvid", "generate", str(recipe), "--out", str(folder)]
    return subprocess.Popen(
        [*command, *STEPS, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=prepare,
    )


def hashes(folder: Path) -> dict[str, str]:
    files = (f for f in folder.rglob("*") if f.is_file() and f.name != "events.jsonl")
    return {f.relative_to(folder).as_posix(): sha256_of(f) for f in files}


def interrupt_after(step: Path) -> None:
    """Press Ctrl+C, as it were, when a step is on disk; give up after 60 s."""
    for _ in range(6000):
        if step.is_dir():
            os.kill(os.getpid(), signal.SIGINT)
            return
        time.sleep(0.01)


def wait_for(process: subprocess.Popen[str], name: str, step: int) -> None:
    """Return as soon as an event of a step is seen."""
    assert process.stdout is not None
    for line in process.stdout:
        event = json.loads(line)
        if (event["event"], event.get("step")) == (name, step):
            return
    pytest.fail("the run ended before the event came")


@pytest.mark.parametrize(
    ("name", "step"),
    [("progress", 2), pytest.param("clip_ready", 1, marks=pytest.mark.slow)],
)
def test_a_killed_run_makes_only_what_is_missing_to_the_same_bytes(
    recipe, uninterrupted, tmp_path, name, step, capsys
):
    folder = tmp_path / "run"
    command = ["generate", str(recipe), "--out", str(folder), *STEPS]
    process = start(recipe, folder)
    wait_for(process, name, step)
    process.send_signal(signal.SIGSTOP)
    assert main(command) == 2, "a second process is refused while the first has the folder"
    assert f"pid {process.pid}" in capsys.readouterr().err
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert (folder / "steps/01/clip.mp4").is_file() and not (folder / "video.mp4").exists()
    made_before = (folder / "steps/01/clip.mp4").stat().st_mtime_ns

    assert main([*command, "--json"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert events[0]["finished_steps"][0] == 1
    assert (folder / "steps/01/clip.mp4").stat().st_mtime_ns == made_before
    assert hashes(folder) == uninterrupted


def test_an_interrupted_run_keeps_its_steps_and_ends_with_130(
    recipe, uninterrupted, tmp_path, capsys
):
    folder = tmp_path / "run"
    # A test run in the background inherits an ignored SIGINT.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    interrupter = threading.Thread(target=interrupt_after, args=(folder / "steps" / "01",))
    interrupter.start()
    try:
        assert main(["generate", str(recipe), "--out", str(folder), *STEPS, "--json"]) == 130
    finally:
        interrupter.join()
        signal.signal(signal.SIGINT, before)
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "Interrupted" in said
    assert sorted(entry.name for entry in (folder / "steps").iterdir()) == ["01"]
    assert main(["generate", str(recipe), "--out", str(folder), *STEPS]) == 0
    assert hashes(folder) == uninterrupted


def test_a_full_disk_is_one_sentence_and_leaves_nothing_half_written(recipe, tmp_path, capsys):
    folder = tmp_path / "run"
    command = ["generate", str(recipe), "--out", str(folder), *STEPS]
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, limits[1]))
    try:
        code = main(command)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    said = capsys.readouterr().err
    assert code == 2, said
    assert said.count("\n") == 1 and "Cannot write" in said
    left = {file.name for file in folder.rglob("*") if file.is_file()}
    assert left <= {"run.json", "plan.json", "events.jsonl"}
    assert not [name for name in left if ".tmp" in name]
    assert main(command) == 0
