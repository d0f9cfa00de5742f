"""`python -m lab.metrics_proof`: a claim that fails is an error, and bad input costs no work."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lab.metrics_proof.__main__ import main
from lab.metrics_proof.table import Row


def test_a_claim_that_does_not_hold_is_exit_code_1(tmp_path, capsys, monkeypatch):
    row = Row(
        "clips frozen", "gap_decay", "does not win", (0.0, 1.0), 1.0, 1.0, 0.5, 1.5, 0.02, False
    )
    table = {"recipes": 2, "doses": [0, 1], "rows": [vars(row), vars(replace(row, holds=True))]}
    monkeypatch.setattr("lab.metrics_proof.__main__.prove", lambda *_, **__: iter([table]))
    assert main(["--only", "faults", "--out", str(tmp_path / "out")]) == 1
    said = capsys.readouterr()
    assert "1 of 2 claims hold" in said.out and said.err.count("\n") == 1
    assert "1 of 2 claims do not hold on 2 recipes: gap_decay under 'clips frozen'" in said.err
    assert (tmp_path / "out" / "planted_faults.md").exists()


def test_too_few_recipes_are_refused(tmp_path, capsys):
    assert main(["--recipes", "1", "--out", str(tmp_path / "out")]) == 2
    assert "prove nothing" in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_costs_no_work(tmp_path, capsys, monkeypatch):
    def never(*_: object, **__: object) -> None:
        raise AssertionError("work was begun")

    monkeypatch.setattr("procvid.wiring.evaluation.build_evaluation", never)
    (tmp_path / "file").write_text("x")
    for out in (tmp_path / "file", tmp_path / "file" / "x", Path("/proc/x")):
        assert main(["--out", str(out)]) == 2
        assert str(out) in capsys.readouterr().err
