"""The measurement of several takes: what is kept, the report, and the resumed command."""

from __future__ import annotations

import json

import pytest

from lab.best_of import (
    as_expected,
    best,
    by_both,
    main,
    markdown,
    summary,
    toy_shots,
    verified,
)
from procvid.settings import TINY
from procvid.wiring.run import build_predictor

NO_VERDICT = {"value": None, "reason": "", "parts": {}, "contradictions": []}


def take(value: float | None, right: float, *contradictions: str, expected: float = 0) -> dict:
    seen = {"food": right, "state": right, "identity": right, "all": right}
    times = {"made_s": 1.0, "judged_s": 0.5}
    return {**NO_VERDICT, "value": value, "contradictions": contradictions, **seen, **times,
            "expected": expected}  # fmt: skip


def test_the_first_of_the_best_takes_is_kept():
    takes = [take(None, 0.0), take(0.4, 0.0), take(0.9, 1.0), take(0.9, 0.0)]
    assert best(takes) is takes[2]


def test_a_take_may_be_kept_by_its_expected_look():
    takes = [
        take(0.9, 0.0, expected=0.1),
        take(0.7, 1.0, expected=0.5),
        take(None, 0.0, expected=1),
    ]
    assert as_expected(takes) is takes[2] and by_both(takes) is takes[1]


def test_a_take_that_follows_the_plan_ends_the_repeats():
    takes = [take(0.9, 0.0, "no pot is seen"), take(0.5, 1.0), take(1.0, 0.0)]
    assert verified(takes) == (takes[1], 2)
    wrong = [take(0.2, 0.0, "no pot is seen"), take(0.3, 0.0, "no pot is seen")]
    assert verified(wrong) == (wrong[1], 2)


def test_every_number_of_takes_uses_all_clips():
    shot = {"takes": [take(0.1, 0.0, "no pot is seen"), take(0.2, 1.0)], "rendered": NO_VERDICT}
    other = {"takes": [take(0.9, 1.0), take(0.2, 0.0)], "rendered": NO_VERDICT}
    report = summary([shot, other] * 3)
    rows = {row["name"]: row for row in report["rows"]}
    assert rows["best of 1"]["all"] == 0.5 and rows["best of 2"]["all"] == 1.0
    change = rows["best of 2"]["all_change"]
    assert (change["mean"], change["low"], change["high"], change["n"]) == (0.5, 0.5, 0.5, 6)
    repeated = rows["verify, at most 2"]
    # Only a row that begins with the contradicted take is repeated.
    assert (repeated["all"], repeated["takes"], repeated["seconds"]) == (0.75, 1.25, 1.875)
    assert rows["best of 1"]["seconds"] == 1.0
    found = report["contradictions"]
    assert (found["rendered"], found["generated"]) == (0.0, 0.25)
    text = markdown(report)
    assert "| best of 2 | 2.00 | 3.0 | 100.0 (+50.0 [+50.0, +50.0])" in text
    assert "25.0 % of the takes" in text


def test_shots_have_three_references_and_their_truth():
    predictor = build_predictor(TINY)
    assert predictor is not None
    first, second = toy_shots(2, predictor)
    assert first.expected.shape == (64,) and (first.expected != second.expected).any()
    assert len(first.references) == 3 and first.truth["food"] in first.references
    assert (first.plan.number, second.plan.number) == (1, 2) and first.seed != second.seed


def test_the_command_goes_on_where_it_was_interrupted(quick_assets, tmp_path, capsys):
    command = ["--assets", str(quick_assets), "--out", str(tmp_path / "out"), "--takes", "2"]
    assert main([*command, "--shots", "1"]) == 0
    (before,) = json.loads((tmp_path / "out/shots.json").read_text())["shots"]
    assert main([*command, "--shots", "2"]) == 0
    shots = json.loads((tmp_path / "out/shots.json").read_text())["shots"]
    assert shots[0] == before and len(shots) == 2
    assert (tmp_path / "out/best_of.html").is_file()
    assert json.loads((tmp_path / "out/best_of.json").read_text())["shots"] == 2
    capsys.readouterr()
    assert main([*command[:-1], "1", "--shots", "2"]) == 2
    assert "The folder has 2 takes per shot." in capsys.readouterr().err


@pytest.mark.parametrize("takes", ["0", "9"])
def test_a_wrong_number_of_takes_is_refused(tmp_path, capsys, takes):
    assert main(["--out", str(tmp_path / "out"), "--takes", takes]) == 2
    assert capsys.readouterr().err.count("\n") == 1
