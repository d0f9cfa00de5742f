"""`python -m lab.memory_proof`: the index measured, and the memory proved on toy video."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lab.memory_proof.__main__ import main


def printed(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert main([str(argument) for argument in arguments]) == 0, capsys.readouterr().err
    return capsys.readouterr().out


def test_the_index_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, "bench", "--vectors", "2000", "--queries", "20", "--json")
    assert json.loads(text)["recall_at_10"] == 1.0


@pytest.mark.slow
def test_the_memory_is_proved(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    printed(capsys, "prove", "--out", tmp_path, "--recipes", "6", "--held-out", "3")
    numbers = json.loads((tmp_path / "memory.json").read_text())
    assert numbers["building"]["precision"] > 0.9 and numbers["building"]["recall"] > 0.9
    assert numbers["retrieval"]["whole store"]["state_over"] == 0


def test_numbers_out_of_range_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "--vectors", "3"]) == 2
    assert "cannot be measured" in capsys.readouterr().err
    assert main(["prove", "--out", str(tmp_path / "p"), "--recipes", "0"]) == 2
    assert "Cannot draw 0 recipes" in capsys.readouterr().err and not (tmp_path / "p").exists()
