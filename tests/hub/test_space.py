"""The Space as it would be pushed."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from procvid import cli
from procvid.errors import InputError, UnavailableError
from procvid.hub.space import space_files, write_space

ROOT = Path(__file__).parents[2]


def test_the_dry_run_lists_what_a_space_needs_and_nothing_else(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["hub", "space", "--dry-run", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    names = set(listed["files"])
    assert {"app.py", "README.md", "requirements.txt", "packages.txt", "LICENSE"} <= names
    assert "procvid/assets/tiny_phantom/model_index.json" in names
    tracked = subprocess.run(
        ["git", "ls-files", "procvid", "examples"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert {n for n in names if "/" in n} >= set(tracked)
    assert not any("__pycache__" in n or n.startswith("tests") for n in names)
    assert listed["bytes"] == sum(listed["files"].values())


def test_the_space_is_put_together_whole(tmp_path: Path) -> None:
    made, files = tmp_path / "space", space_files(ROOT)
    write_space(files, made)
    there = {f.relative_to(made).as_posix() for f in made.rglob("*") if f.is_file()}
    assert there == {file.name for file in files}
    assert (made / "app.py").read_bytes() == (ROOT / "space" / "app.py").read_bytes()
    with pytest.raises(InputError, match="already"):
        write_space(files, made)


def test_an_installed_package_has_no_space(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="checkout"):
        space_files(tmp_path)


def test_where_it_goes_must_be_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["hub", "space"]) == 2
    assert "--to DIR" in capsys.readouterr().err
