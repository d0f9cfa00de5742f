"""Curves: lines beyond a saved state are dropped, and the first row can define the columns."""

from __future__ import annotations

import pytest

from procvid.errors import OutputError
from procvid.train.curve import Curve, read_curve


def test_resuming_drops_later_and_broken_lines(tmp_path):
    file = tmp_path / "loss.csv"
    curve = Curve(file, 0, ("step", "loss"))
    for step in range(5):
        curve.add({"step": step, "loss": 1 / (step + 1)})
    with file.open("a") as lines:
        lines.write("4,0.")
    again = Curve(file, 3, ("step", "loss"))
    again.add({"step": 3, "loss": 9})
    assert file.read_text().splitlines()[0] == "step,loss"
    assert [row["step"] for row in read_curve(file)] == [0, 1, 2, 3]


def test_starting_again_empties_the_file(tmp_path):
    file = tmp_path / "loss.csv"
    file.write_text("step,loss\n0,1\n")
    Curve(file, 0, ("step", "loss"))
    assert file.read_text() == "step,loss\n"


def test_the_first_row_defines_missing_columns(tmp_path):
    file = tmp_path / "m.csv"
    Curve(file, 0).add({"step": 0, "mse": 2.0})
    assert read_curve(file) == [{"step": 0.0, "mse": 2.0}]
    resumed = Curve(file, 1)
    resumed.add({"step": 1, "mse": 1.0})
    assert [row["mse"] for row in read_curve(file)] == [2.0, 1.0]


def test_an_unwritable_place_is_an_output_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError):
        Curve(tmp_path / "file" / "m.csv", 0)
