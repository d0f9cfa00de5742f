"""All figures are measured by one command that goes on where it was interrupted."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest

from lab import all_figures
from lab.all_figures import FIGURES, MODELS, PAGES, Figure, main, models_revision
from lab.command import ASSETS

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def figures(tmp_path, monkeypatch):
    """Two figures; the second command of the first one fails until a file exists."""
    add = f"{tmp_path}/count"
    first = f'python -c "open({add!r}, chr(97)).write(chr(120))"'
    second = f'python -c "import os; raise SystemExit(not os.path.exists({f"{tmp_path}/go"!r}))"'
    pair = (Figure("one", "tiny.md", (first, second)), Figure("two", "fast.md", (first,)))
    monkeypatch.setattr(all_figures, "FIGURES", pair)
    return pair


def test_a_failed_figure_goes_on_where_it_failed(figures, tmp_path, capsys):
    out = tmp_path / "a folder"
    assert main(["--out", str(out)]) == 2
    printed = capsys.readouterr()
    assert "| one | tiny.md | no |" in printed.out and "| two | fast.md | yes |" in printed.out
    assert "1 of 2 figures could not be measured" in printed.err
    (tmp_path / "go").touch()
    assert main(["--out", str(out), "--workers", "2"]) == 0
    assert "| one | tiny.md | yes |" in capsys.readouterr().out
    assert (tmp_path / "count").read_text() == "xx", "no finished command ran again"
    assert (out / "one.log").read_text().count("$ python") == 3
    (out / "one.json").write_text("{")
    assert main(["--out", str(out)]) == 2 and "one.json is damaged" in capsys.readouterr().err


def test_other_weights_are_measured_anew(figures, tmp_path, monkeypatch):
    (tmp_path / "go").touch()
    assert main(["--out", str(tmp_path / "out"), "--only", "two"]) == 0
    monkeypatch.setattr(all_figures, "models_revision", lambda: "another")
    assert main(["--out", str(tmp_path / "out"), "--only", "two"]) == 0
    assert (tmp_path / "count").read_text() == "xx"
    assert json.loads((tmp_path / "out" / "two.json").read_text())["models"] == "another"


def test_the_revision_changes_with_any_weight(tmp_path):
    for name in MODELS:
        shutil.copytree(ASSETS / name, tmp_path / name)
    before = models_revision(tmp_path)
    assert before == models_revision() and len(before) == 12
    (file,) = (tmp_path / "oracle").glob("*.safetensors")
    file.write_bytes(file.read_bytes()[:-1] + b"\0")
    assert models_revision(tmp_path) != before


def test_every_page_exists_and_every_command_is_one_of_ours():
    assert all((DOCS / page).is_file() for page in PAGES)
    for figure in FIGURES:
        for command in figure.commands:
            words = shlex.split(command.format(out="out"))
            assert words[0] == "procvid" or words[:2] == ["python", "-m"], command


@pytest.mark.parametrize("page", PAGES)
def test_a_page_names_the_models_of_its_figures(page):
    """New weights need new figures."""
    text = (DOCS / page).read_text("utf-8")
    named = set(re.findall(r"tiny models `([0-9a-f]{12})`", text))
    assert named == {models_revision()}
