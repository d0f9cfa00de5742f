"""Title, ingredients and steps in text and in JSON, and the notes on what was skipped."""

from __future__ import annotations

import json

import pytest

from procvid.errors import RecipeError
from procvid.plan.recipe.clean import clean_text, one_line
from procvid.plan.recipe.layout import (
    lay_out,
    section_of,
    split_actions,
    split_sentences,
)
from procvid.plan.recipe.lines import read_lines, undress
from procvid.plan.recipe.page import recipe_of_page
from procvid.plan.recipe.structured import MAX_DEPTH, load_json, recipe_of_json


def test_lines_have_kinds() -> None:
    lines = read_lines("# Soup\n\n1. Slice.\n- carrot\nPlain\n| 2 | Fry. |\nTitle\n=====\n> quoted")
    assert [(line.kind, line.text) for line in lines] == [
        ("heading", "Soup"),
        ("blank", ""),
        ("numbered", "Slice."),
        ("bullet", "carrot"),
        ("plain", "Plain"),
        ("numbered", "Fry."),
        ("plain", "Title"),
        ("blank", ""),
        ("plain", "quoted"),
    ]
    assert read_lines("Soup\n====")[0].kind == "heading"


def test_markdown_is_undressed() -> None:
    text = "**Fry** the [egg](http://x) in `oil` ![photo](a.png) _well_"
    assert undress(text) == "Fry the egg in oil well"


@pytest.mark.parametrize(
    ("text", "section"),
    [
        ("Ingredients: 2 eggs", ("ingredients", "2 eggs")),
        ("Method", ("steps", "")),
        ("Notes", ("other", "")),
        ("Slice the carrot", None),
    ],
)
def test_sections_open(text: str, section: tuple[str, str] | None) -> None:
    assert section_of(read_lines(text)[0]) == section


def test_sentences_and_actions_are_split() -> None:
    assert split_sentences("Fry for approx. 5 min. more. Serve.") == [
        "Fry for approx. 5 min. more.",
        "Serve.",
    ]
    assert split_actions("Slice the carrot; fry it. It smells good.") == [
        "Slice the carrot",
        "Fry it. It smells good.",
    ]


def test_a_recipe_is_laid_out_and_the_rest_noted() -> None:
    text = "# Soup\nServes 4\n## Ingredients\n- 1 carrot\n## Steps\n### Tadka\n1. Slice.\n2. Fry."
    found = lay_out(text)
    assert (found.title, found.ingredients, found.steps) == (
        "Soup",
        ["1 carrot"],
        ["Slice.", "Fry."],
    )
    assert found.notes == ['Skipped line: "Serves 4"', 'Skipped heading: "Tadka"']


def test_a_long_skipped_line_is_shortened_in_its_note() -> None:
    found = lay_out(f"Soup\n\nSource: {'x' * 90}\n\n1. Slice the carrot.")
    (note,) = found.notes
    assert note.endswith('..."') and len(note) < 80


def test_foreign_signs_are_removed_and_counted() -> None:
    cleaned, notes = clean_text("<b>Slice</b> 🥕🥕 the\x07 carrot\u200b ½")
    assert cleaned == "Slice the carrot ½"
    assert notes == [
        "Removed HTML tags.",
        "Removed emoji or picture signs (2).",
        "Removed control characters (1).",
    ]
    assert one_line("a\n  b") == ("a b", [])


@pytest.mark.parametrize(
    "value",
    [
        {"title": "Soup", "steps": ["Slice.", "Fry."]},
        {"name": "Soup", "recipeInstructions": [{"@type": "HowToStep", "text": "Slice."}, "Fry."]},
        {"@graph": [{"headline": "Soup", "Directions": {"step1": "Slice.", "step2": "Fry."}}]},
        {"recipe": {"recipe_name": "Soup", "method": "1. Slice.\n2. Fry."}},
    ],
)
def test_recipes_in_json(value: object) -> None:
    found = recipe_of_json(json.dumps(value))
    assert (found.title, found.steps) == ("Soup", ["Slice.", "Fry."])


def test_json_sections_ingredients_and_further_recipes() -> None:
    section = {"@type": "HowToSection", "name": "Sauce", "itemListElement": [{"text": "Fry."}]}
    amount = {"amount": 2, "unit": "g", "name": "salt"}
    recipe = {"title": "A", "ingredients": [amount, "1 egg"], "instructions": [section]}
    found = recipe_of_json(json.dumps([recipe, {"title": "B", "steps": ["Stir."]}]))
    assert (found.title, found.steps) == ("A", ["Fry."])
    assert found.ingredients == ["2 g salt", "1 egg"]
    assert found.notes == [
        "The JSON holds 2 recipes; this is the first one.",
        'Skipped heading: "Sauce"',
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"title": ', "broken at line 1"),
        ('{"title": "Soup"}', "without steps"),
        ('{"steps": [{"image": 1}]}', "has no text"),
        ('{"steps": [5]}', "is 5, not text"),
        (f'{{"steps": {"[" * (MAX_DEPTH + 2)}"x"{"]" * (MAX_DEPTH + 2)}}}', "nested too deeply"),
    ],
)
def test_bad_json_is_refused(text: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        recipe_of_json(text)
    assert load_json("[1]") == [1]


def test_a_page_gives_its_first_recipe() -> None:
    script = '<script type="application/ld+json">{}</script>'
    good = json.dumps({"@type": "Recipe", "name": "Soup", "recipeInstructions": ["Slice."]})
    found = recipe_of_page(script.format("{broken") + script.format(good))
    assert (found.title, found.steps) == ("Soup", ["Slice."])
    assert found.notes == ["Skipped a broken JSON-LD script of the page."]
    with pytest.raises(RecipeError, match="no list of steps"):
        recipe_of_page("<p>Welcome to my page.</p>")
