"""The commands that measure the tiny models answer bad input with a sentence."""

from __future__ import annotations

import json

import pytest

from lab import side_by_side
from lab.quality import __main__ as measure
from lab.quality import effect as measure_effect


def refused(module, monkeypatch, capsys, *arguments) -> str:
    monkeypatch.setattr("sys.argv", ["command", *map(str, arguments)])
    with pytest.raises(SystemExit) as stopped:
        module.main()
    assert stopped.value.code not in (0, None)
    return capsys.readouterr().err


def test_the_quality_command(tmp_path, monkeypatch, capsys):
    (tmp_path / "oracle").mkdir()
    (tmp_path / "file").touch()
    out = ("--out", tmp_path / "out")
    told = refused(measure, monkeypatch, capsys, *out, "--assets", tmp_path)
    assert "holds no weights" in told
    assert "at least 1" in refused(measure, monkeypatch, capsys, *out, "--recipes", 0)
    assert "cannot be made" in refused(
        measure, monkeypatch, capsys, "--out", tmp_path / "file" / "below"
    )


@pytest.mark.parametrize("table", ["{broken", "[]", json.dumps({"recipes": ["garlic-shrimp"]})])
def test_the_effect_of_what_is_no_toy_ablation(tmp_path, monkeypatch, capsys, table):
    assert "no finished ablation" in refused(measure_effect, monkeypatch, capsys, tmp_path)
    (tmp_path / "table.json").write_text(table)
    told = refused(measure_effect, monkeypatch, capsys, tmp_path)
    assert "cannot be read" in told or "no recipes of the toy kitchen" in told


def test_side_by_side_without_runs(tmp_path, monkeypatch, capsys):
    told = refused(
        side_by_side, monkeypatch, capsys, tmp_path, tmp_path, "--out", tmp_path / "a.png"
    )
    assert "There is no run" in told
