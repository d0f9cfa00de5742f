"""Texts that are not recipes are refused with one sentence, never with a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from procvid.errors import RecipeError
from procvid.plan.recipe.parse import parse_recipe, read_recipe


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", "empty"),
        (" \n\t\x00\ufeff ", "empty"),
        ("Carrot soup", "No step contains"),
        ("Chocolate ice cream", "No step contains"),
        ("Tomato\nOnion\nEgg", "No step contains"),
        ("😀😀", "no words"),
        ("123 456 !!!", "no words"),
        ("<script>var x = 1;</script>", "no words"),
        ("Die Karotte in Scheiben schneiden. Dann in der Pfanne braten.", "not seem to be in English"),
        ("Couper la carotte en rondelles et la faire frire", "not seem to be in English"),
        ("Cortar la zanahoria y freír en la sartén con sal", "not seem to be in English"),
        ("Нарежьте морковь. Обжарьте.", "not seem to be in English"),
        ("切胡萝卜。炒。", "not seem to be in English"),
        ("asdf qwer zxcv hjkl", "not seem to be in English"),
        ('{"title": "x", "steps": ["Slice the carrot"', "broken at line 1"),
        ('{"a": 1}', "not a recipe"),
        ("{}", "not a recipe"),
        ("[]", "not a recipe"),
        ('[{"a": [{"b": 2}]}]', "not a recipe"),
        ('{"title": "x", "steps": []}', "not a recipe"),
        ('{"steps": [1, 2]}', "step of the recipe is 1"),
        ('{"steps": [{"x": 1}]}', "has no text"),
        ('{"steps": [true]}', "True"),
        ("[" * 90_000, "nested too deep"),
        ('{"steps":' + "[" * 50 + '"Fry"' + "]" * 50 + "}", "nested too deep"),
        ('{"steps": [' + "9" * 9000 + "]}", "cannot be read"),
        ("\n".join(f"{i}. Slice the carrot." for i in range(1, 61)), "60 steps; the limit is 40"),
        ("Slice the carrot. " * 41, "41 steps; the limit is 40"),
        ("x" * 1_000_000, "1,000 kB"),
        ("Slice the carrot.\n" * 60_000, "the limit is 100 kB"),
    ],
)  # fmt: skip
def test_is_refused_with_a_sentence(text: str, shown: str) -> None:
    with pytest.raises(RecipeError) as caught:
        parse_recipe(text)
    assert shown in caught.value.message
    assert caught.value.hint
    assert caught.value.exit_code == 2
    assert len(caught.value.message) < 300


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    cases = {
        "binary": bytes(range(256)) * 20,
        "UTF-8": "Slice the jalapeño.".encode("latin-1"),
        "binary, not": b"%PDF-1.7 \x00\x01\x02\x03\x04\x05\x06\x0e\x0f\x10",
        "kB": b"Slice the carrot. " * 200_000,
    }
    for shown, data in cases.items():
        file = tmp_path / "recipe.txt"
        file.write_bytes(data)
        with pytest.raises(RecipeError, match=shown):
            read_recipe(file)
    with pytest.raises(RecipeError, match="does not exist"):
        read_recipe(tmp_path / "none.txt")
    with pytest.raises(RecipeError, match="folder"):
        read_recipe(tmp_path)
    with pytest.raises(RecipeError):
        read_recipe(tmp_path / "a\x00b")


@settings(max_examples=25, deadline=None)
@given(st.text(max_size=300))
def test_any_text_is_a_recipe_or_an_error(text: str) -> None:
    try:
        recipe = parse_recipe(text)
    except RecipeError:
        return
    assert recipe.steps and recipe.title


MARKS = st.sampled_from(
    ["# ", "- ", "1. ", "2) ", "\n", "\n\n", "<b>", "</p>", "<script>", "&amp;", "{", "[", '"', ":",
     "Ingredients", "Steps:", "Slice the carrot", "fry it", ". ", "; ", "and then ", "2 eggs", "---",
     "**", "For the sauce:", "\u202e", "🍳", "`", "| a | b |", "Step 3", ", ", "===="]
)  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(st.lists(MARKS, max_size=25).map("".join))
def test_any_mixture_of_marks_is_a_recipe_or_an_error(text: str) -> None:
    try:
        recipe = parse_recipe(text)
    except RecipeError:
        return
    assert all(step.strip() and len(step) <= 600 for step in recipe.steps)
