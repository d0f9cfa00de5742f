"""Killed builds, invalid lists and a second builder leave the store complete."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from procvid.errors import InputError
from procvid.media.video import write_clip
from procvid.memory.clip_frames import ahead
from procvid.memory.clip_list import read_clip_list
from procvid.memory.store_folder import load_store
from procvid.toykitchen.recipes import HELD_OUT, random_recipe
from procvid.toykitchen.render import FPS


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eighteen toy clips and their list."""
    folder = tmp_path_factory.mktemp("videos")
    lines = []
    for seed in range(3):
        recipe = random_recipe(HELD_OUT + 900 + seed)
        for number, step in enumerate(recipe.steps, start=1):
            name = f"{seed}-{number}"
            write_clip(folder / f"{name}.mp4", recipe.render(number).frames, FPS, scale=4)
            lines.append({"file": f"{name}.mp4", "text": step.text, "source_id": name})
    (folder / "clips.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def command(videos: Path, out: Path, *options: str) -> list[str]:
    start = [sys.executable, "-m", "procvid", "memory", "build", str(videos / "clips.jsonl")]
    return [*start, "--out", str(out), "--json", *options]


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--workers", "2"), ("--workers", "2", "--ray", "local")])
def test_killed_twice_it_is_the_same_store(
    videos: Path, tmp_path: Path, options: tuple[str, ...]
) -> None:
    if "--ray" in options:
        pytest.importorskip("ray")
    subprocess.run(command(videos, tmp_path / "whole" / "store"), check=True, capture_output=True)
    out = tmp_path / "killed" / "store"
    for clips in (3, 5):
        build = subprocess.Popen(command(videos, out, *options), stdout=subprocess.PIPE, text=True)
        assert build.stdout is not None
        for line in build.stdout:
            row = json.loads(line)
            if row["done"] - row["num_reused"] >= clips:
                break
        build.send_signal(signal.SIGKILL)
        build.wait()
        assert not out.exists()
    last = subprocess.run(
        command(videos, out, *options), check=True, capture_output=True, text=True
    )
    assert json.loads(last.stdout.splitlines()[-1])["num_reused"] >= 8
    assert contents(out) == contents(tmp_path / "whole" / "store")
    assert [path.name for path in out.parent.iterdir()] == ["store"]


@pytest.mark.slow
def test_a_kill_at_any_moment(videos: Path, tmp_path: Path) -> None:
    out = tmp_path / "store"
    for number in range(6):
        build = subprocess.Popen(command(videos, out), stdout=subprocess.DEVNULL)
        time.sleep(3.0 + 1.3 * number)
        build.send_signal(signal.SIGKILL)
        build.wait()
        if out.exists():
            load_store(out)
    subprocess.run(command(videos, out), check=True, capture_output=True)
    assert len(load_store(out)) > 10


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (
            ['{"file": "a", "text": "x", "source_id": "a", "start_s": -1}'],
            "which is not a valid span",
        ),
        (
            ['{"file": "a", "text": "x", "source_id": "a", "start_s": 3, "end_s": 1}'],
            "runs from 3 to 1",
        ),
        (
            ['{"file": "a", "text": "x", "source_id": "a"}'] * 2,
            "Lines 1 and 2 of clips.jsonl name the same clip",
        ),
        (
            [
                '{"file": "a", "text": "x", "source_id": "a"}',
                '{"file": "b", "text": "x", "source_id": "a"}',
            ],
            "Lines 1 and 2 of clips.jsonl give two files the same source_id 'a'",
        ),
        (["{", "[]", '{"file": 1}'], "Line 1 of clips.jsonl is not JSON. 2 more lines are wrong."),
        (['{"file": "a", "source_id": "a", "text": "' + "x" * 3000 + '"}'], "3,000 characters"),
        (['{"file": "a", "text": "x", "source_id": "a", "end_s": 1e999}'], "not a valid span"),
        (
            ['{"file": "a", "text": "x", "source_id": "a", "end_s": 1' + "0" * 400 + "}"],
            "not a valid span",
        ),
        (['{"file": "a", "text": "x", "source_id": "a\\u001b[31m"}'], "unprintable"),
        (['{"file": "a", "text": "x", "source_id": "\\ud800"}'], "unprintable"),
        (['{"file": "a", "text": "\\ud800", "source_id": "a"}'], "not valid Unicode"),
    ],
)
def test_lists_that_are_wrong(tmp_path: Path, lines: list[str], says: str) -> None:
    (tmp_path / "clips.jsonl").write_text("\n".join(lines))
    with pytest.raises(InputError) as caught:
        read_clip_list(tmp_path / "clips.jsonl")
    assert says in caught.value.message


def test_a_list_as_other_programs_write_it(tmp_path: Path) -> None:
    """The list has a byte order mark, Windows line ends, and a line separator in a text."""
    line = '{"file": "a", "text": "Slice it\u2028on the board.", "source_id": "a"}'
    (tmp_path / "clips.jsonl").write_bytes(b"\xef\xbb\xbf" + f"{line}\r\n\r\n".encode())
    assert read_clip_list(tmp_path / "clips.jsonl")[0].text == "Slice it\u2028on the board."


@pytest.mark.slow
def test_a_list_of_a_million_lines(tmp_path: Path) -> None:
    with (tmp_path / "clips.jsonl").open("w") as file:
        for number in range(1_000_000):
            file.write(
                f'{{"file": "v.mp4", "start_s": {number}, "end_s": {number + 1}, '
                '"text": "Slice the carrot.", "source_id": "v"}\n'
            )
    assert len(read_clip_list(tmp_path / "clips.jsonl")) == 1_000_000


def test_work_ahead_keeps_order_and_errors_and_stops() -> None:
    assert list(ahead(range(100), 3)) == list(range(100))
    made: list[int] = []

    def fails() -> Iterator[int]:
        for number in range(1000):
            made.append(number)
            if number == 5:
                raise ValueError("five")
            yield number

    seen = []
    with pytest.raises(ValueError, match="five"):
        for value in ahead(fails(), 2):
            seen.append(value)
    assert seen == [0, 1, 2, 3, 4]
    made.clear()
    some = ahead((made.append(n) or n for n in range(1000)), 2)
    assert next(some) == 0  # type: ignore[call-overload]
    some.close()  # type: ignore[attr-defined]
    assert len(made) <= 5, "no more is made than was asked for, and a few ahead"
