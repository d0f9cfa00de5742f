"""`procvid export`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from procvid.cli import main
from tests.run.film.conftest import make_run


def test_a_film_is_named_after_the_recipe_or_as_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(tmp_path / "run")
    out = tmp_path / "out"
    assert main(["export", str(run), "--out", f"{out}/", "--format", "html", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["file"] == str(out / "carrot-omelette.html") and made["notes"] == []
    assert main(["export", str(run), "--out", str(out / "two.gif"), "--step", "2"]) == 0
    assert "Marked as made by AI: visible, metadata." in capsys.readouterr().out
    for wrong, words in (
        (["--step", "3", "--format", "gif"], "Step 3 does not exist. Choose 1 to 2."),
        (["--out", str(out / "film.gif"), "--format", "mp4"], "does not end in .mp4"),
        (["--credentials", str(run / "run.json"), str(run / "run.json")], "not a PEM certificate"),
    ):
        assert main(["export", str(run), "--out", str(out), *wrong]) == 2
        assert words in capsys.readouterr().err
    assert sorted(file.name for file in out.iterdir()) == ["carrot-omelette.html", "two.gif"]
