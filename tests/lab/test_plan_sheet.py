"""The sheet of plans is written without the recipe's text, and a filled one is counted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lab.plan_sheet import score, write
from procvid.errors import InputError


@pytest.fixture
def sheet(tmp_path: Path) -> Path:
    recipe = {
        "language": "en",
        "title": "Carrot pan",
        "ingredients": ["2 carrots"],
        "instructions_list": ["Slice the carrots with a zigzag knife.", "Fry them in a pan."],
    }
    for name in ("one", "two"):
        (tmp_path / f"{name}.json").write_text(json.dumps(recipe))
    (tmp_path / "other.json").write_text(json.dumps({**recipe, "language": "fr"}))
    write(tmp_path, tmp_path / "sheet.jsonl", 0, 5, frozenset({"two"}))
    return tmp_path / "sheet.jsonl"


def test_a_sheet_holds_our_plan_and_no_text_of_the_recipe(sheet: Path) -> None:
    rows = [json.loads(line) for line in sheet.read_text().splitlines()]
    assert [(row["recipe"], row["shot"], row["action"]) for row in rows] == [
        ("one", 1, "slice"),
        ("one", 2, "fry"),
    ]
    assert "zigzag" not in sheet.read_text()
    assert sheet.with_suffix(".txt").read_text().count("zigzag") == 2


def test_a_filled_sheet_is_counted_and_a_blank_one_refused(sheet: Path) -> None:
    with pytest.raises(InputError, match="blank judgements"):
        score(sheet)
    rows = [json.loads(line) for line in sheet.read_text().splitlines()]
    for row in rows:
        row |= {"vessel_sensible": True, "prompt_acceptable": row["shot"] == 1, "missing": []}
        for item in row["objects"]:
            item |= {"right": item["role"] != "tool", "absurd": False, "after_right": True}
    rows[1]["missing"] = ["oil"]
    sheet.write_text("\n".join(json.dumps(row) for row in rows))
    counted = score(sheet)
    assert counted["object precision"] == (4, 5)
    assert counted["object recall"] == (4, 5)
    assert counted["prompt acceptable"] == (1, 2)
    assert counted["state after, foods that change"] == (2, 2)
