"""`procvid generate --many`: many recipes, each in a folder of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from procvid.cli import main
from procvid.cli.batch import recipe_files
from procvid.errors import InputError

SOUP = "Soup\n1. Boil the carrot in the pot.\n"
EGG = "Egg\n1. Boil the egg in the pot.\n"


@pytest.fixture
def recipes(tmp_path: Path) -> Path:
    """Three recipes, one of which cannot be read, and other files."""
    folder = tmp_path / "recipes"
    folder.mkdir()
    (folder / "soup.txt").write_text(SOUP)
    (folder / "egg.md").write_text(EGG)
    (folder / "bad.txt").write_text("nothing here\n")
    (folder / "photo.jpg").write_bytes(b"")
    (folder / ".hidden.txt").write_text(SOUP)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """Return all files of the runs except the events, which have times."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "events.jsonl"
    }


def command(source: Path, out: Path, *options: str) -> list[str]:
    return ["generate", "--many", str(source), "--out", str(out), "--steps", "1", *options]


def test_a_recipe_that_cannot_be_read_is_named_and_the_others_are_made(
    recipes, tmp_path, capsys, quick_models
) -> None:
    out = tmp_path / "out"
    assert main(command(recipes, out)) == 2
    said = capsys.readouterr()
    assert "egg: 1 clip, 2.1 s" in said.out and f"Done: 2 of 3 videos are in {out}" in said.out
    assert said.err.startswith("Failed: bad: ") and said.err.endswith(
        "1 of 3 recipes failed: bad. Correct them, then give the same command.\n"
    )
    assert sorted(path.name for path in out.iterdir()) == ["egg", "soup"]
    before = contents(out)

    (recipes / "bad.txt").unlink()
    assert main(command(recipes, out, "--json")) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {event["recipe"] for event in events[:-1]} == {"egg", "soup"}
    assert events[-1] == {"event": "batch_finished", "finished": ["egg", "soup"], "failed": {}}
    assert contents(out) == before

    (recipes / "egg.md").write_text(SOUP)
    assert main(command(recipes, out)) == 2
    said = capsys.readouterr()
    assert "soup already exists" in said.out and "belongs to another run" in said.err
    assert main(command(recipes, out / "egg")) == 2
    assert "is the run of one recipe" in capsys.readouterr().err


def test_a_list_names_recipes_from_its_own_folder(recipes, tmp_path) -> None:
    listed = recipes / "list"
    listed.write_text("# mine\n\nsoup.txt\r\ngone.txt\n soup.txt \n")
    assert recipe_files(listed) == {"soup": recipes / "soup.txt", "gone": recipes / "gone.txt"}
    assert list(recipe_files(recipes)) == ["bad", "egg", "soup"]
    other = tmp_path / "Soup.md"
    other.write_text(SOUP)
    listed.write_text(f"soup.txt\n{other}\n")
    with pytest.raises(InputError, match="Two recipes are named 'Soup'"):
        recipe_files(listed)


@pytest.mark.parametrize(
    ("text", "says"), [("", "is empty"), (SOUP, "names no file that exists; the first is")]
)
def test_lists_without_a_recipe(tmp_path, text, says) -> None:
    listed = tmp_path / "list.txt"
    listed.write_text(text)
    with pytest.raises(InputError, match=says):
        recipe_files(listed)
    with pytest.raises(InputError, match="holds no recipe"):
        (tmp_path / "empty").mkdir()
        recipe_files(tmp_path / "empty")
    with pytest.raises(InputError, match="does not exist"):
        recipe_files(tmp_path / "gone")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ([], "There is no recipe."),
        (["--many", "a", "b.txt"], "A RECIPE and --many exclude each other."),
        (["b.txt", "--workers", "2"], "--workers and --ray are for many recipes."),
        (["--many", ".", "--dry-run"], "--dry-run is for one recipe."),
    ],
)
def test_options_that_do_not_go_together(tmp_path, capsys, options, says) -> None:
    out = tmp_path / "out"
    assert main(["generate", *options, "--out", str(out)]) == 2
    assert says in capsys.readouterr().err and not out.exists()


def test_too_few_and_too_many_workers_are_refused(recipes, tmp_path, capsys) -> None:
    for workers in ("0", "-1", "1025"):
        assert main(command(recipes, tmp_path / "out", "--workers", workers)) == 2
        assert f"--workers {workers} is out of range" in capsys.readouterr().err


@pytest.mark.slow
def test_a_worker_killed_in_the_middle_loses_its_recipe_alone(
    recipes, tmp_path, quick_models
) -> None:
    (recipes / "bad.txt").write_text("Carrot\n1. Slice the carrot on the board.\n")
    assert main(command(recipes, tmp_path / "one")) == 0
    out = tmp_path / "two"
    start = [sys.executable, "-m", "procvid", *command(recipes, out, "--workers", "2", "--json")]
    batch = subprocess.Popen(start, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert batch.stdout is not None
    events = []
    for line in batch.stdout:
        events.append(json.loads(line))
        if len(events) == 1:
            lock = out / events[0]["recipe"] / ".lock"
            os.kill(int(lock.read_text()), signal.SIGKILL)
    batch.wait()
    lost = events[0]["recipe"]
    assert batch.returncode == 1 and len(events[-1]["finished"]) == 2
    assert list(events[-1]["failed"]) == [lost]
    assert "was ended by SIGKILL" in events[-1]["failed"][lost]
    subprocess.run(start, check=True, capture_output=True)
    assert contents(out) == contents(tmp_path / "one")
