"""`python -m lab.recipes pages`: a right reading is the title and every word of the steps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lab.recipes.__main__ import main
from lab.recipes.pages import PASTED, Expected, paste
from lab.recipes.scoring import ReaderResult, score

STEPS = ("For the pan", "Slice the carrot on the board.", "Fry the carrot in the pan and serve it.")


def test_a_missing_or_foreign_word_is_wrong_and_a_reported_heading_is_not() -> None:
    noted = ('Skipped heading: "For the pan"',)
    right = score(
        ReaderResult("CARROTS", STEPS[1:], ("1 carrot",), noted), "Carrots", STEPS, ["1 carrot"]
    )
    assert right.right and right.boundaries and right.ingredients
    joined = score(ReaderResult("Carrots", (" ".join(STEPS[1:]),), (), noted), "Carrots", STEPS, [])
    assert joined.right and not joined.boundaries
    assert score(ReaderResult("Carrots", STEPS[1:]), "Carrots", STEPS, []).silently_wrong
    foreign = ReaderResult("Carrots", (*STEPS, "Bake a cake."))
    assert not score(foreign, "Carrots", STEPS, []).right
    assert score(ReaderResult(refused="no"), "Carrots", STEPS, []).silently_wrong is False


def test_pasted_text_has_no_headings() -> None:
    recipe = Expected(Path("x"), "Carrots", ("1 carrot",), STEPS, "example.org")
    texts = {way: paste(recipe, way) for way in PASTED}
    assert texts["tight"].split("\n") == ["Carrots", "1 carrot", *STEPS]
    assert texts["marked"].endswith(f"3. {STEPS[2]}") and "\n- 1 carrot\n" in texts["marked"]


def test_the_table_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    known = {"title": "Carrots", "host": "example.org", "ingredients": ["1 carrot"],
             "instructions_list": STEPS[1:]}  # fmt: skip
    data = {"@context": "https://schema.org", "@type": "Recipe", "name": "Carrots",
            "recipeIngredient": ["1 carrot"], "recipeInstructions": STEPS[1:]}  # fmt: skip
    script = f'<script type="application/ld+json">{json.dumps(data)}</script>'
    (tmp_path / "a.html").write_text(f"<html><head>{script}</head><body>x</body></html>")
    (tmp_path / "a.json").write_text(json.dumps(known))
    assert main(["pages", str(tmp_path), "--out", str(tmp_path / "scores.jsonl")]) == 0
    shown = capsys.readouterr().out
    assert "| JSON-LD | 1 | procvid | 100.0 |" in shown
    assert "| text | 1 | pasted, tight | 100.0 |" in shown
    assert json.loads((tmp_path / "scores.jsonl").read_text())["scores"]["procvid"]["title"]
    assert main(["pages", str(tmp_path / "none")]) == 2
