"""No input takes long: 100 kB of one shape are read or refused within half a second."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest

from procvid.errors import RecipeError
from procvid.plan.recipe.parse import parse_recipe
from procvid.plan.rules import plan_recipe

SIZE, LIMIT_S = 99_000, 0.5
UNITS = (
    '< * [ ![ ]( []( ( ) ** _ ` ~ # | & &lt; &#x3c; \\ /* " { [[ <b> <p> <li> <div> <!-- <! </ <script <a=" '
    "1 1. I. ½ 100g 0:10 @a{ a A é ﷺ ● • \u0301 \u202e \u200b 🥕 ١ ' -- carrot- www."
).split()
SPACED = ("\n", " ", "\t", "a ", "a\n", "salt\n", "and ", "slice and ", "slice the carrot, ",
          "Slice the carrot. ", "1 cup flour\n", "2 cups ", "For the sauce:\n", "Note: a\n", "# a\n",
          " • ", "- - ", "\x1b[31m", "to taste, ", "<a href=")  # fmt: skip
KNOWN = '<html><link rel="canonical" href="https://www.allrecipes.com/recipe/1">'
WRAPS = {
    "alone": "{}",
    "step": "Carrot\n\n1. Slice the carrot.\n2. Fry it. {}",
    "ingredients": "Carrot\n\nIngredients\n{}\nMethod\n1. Slice the carrot.",
    "page": "<html><body><h1>Carrot</h1>{}<h2>Method</h2><ol><li>Slice the carrot.</li></ol>",
    "known site": KNOWN + "<body><h1>Carrot</h1>{}",
}
"""A JSON script on a known site is `test_recipe_data_of_one_shape`."""


@pytest.fixture(scope="module", autouse=True)
def loaded() -> None:
    """Import what the first page imports and load the lexicon."""
    plan_recipe(parse_recipe(KNOWN + "<h1>Carrot</h1><p>Slice the carrot.</p><p>Fry it.</p>"))


def seconds(text: str) -> float:
    """Return the processor time of reading and planning, so that a busy machine fails no test."""
    began = time.process_time()
    with suppress(RecipeError):
        plan_recipe(parse_recipe(text))
    return time.process_time() - began


@pytest.mark.slow
@pytest.mark.parametrize("wrap", WRAPS)
def test_every_shape_is_read_or_refused_soon(wrap: str) -> None:
    slow = {
        unit: round(took, 2)
        for unit in (*UNITS, *SPACED)
        if (took := seconds(WRAPS[wrap].replace("{}", (unit * SIZE)[:SIZE]))) > LIMIT_S
    }
    assert slow == {}


@pytest.mark.slow
def test_recipe_data_of_one_shape() -> None:
    slow = {}
    for unit in (*UNITS, *SPACED):
        shape = (unit * SIZE)[:SIZE].replace("\\", "/").replace('"', "'")
        data = (
            f'{{"@type": "Recipe", "name": "Carrot", "recipeInstructions": ["Slice it. {shape}"]}}'
        )
        took = seconds(f'{KNOWN}<script type="application/ld+json">{data}</script>')
        if took > LIMIT_S:
            slow[unit] = round(took, 2)
    assert slow == {}


@pytest.mark.parametrize("unit", ["<", "1", "[](", "a\n", "slice and ", "<!--", " ", "@a{"])
def test_shapes_that_once_hung(unit: str) -> None:
    assert seconds((unit * SIZE)[:SIZE]) < LIMIT_S


def test_scripts_of_2_mb_are_not_read() -> None:
    page = f"<html><script>var x = '{'<' * 2_000_000}';</script><h1>Carrot</h1><h2>Method</h2>"
    page += "<ol><li>Slice the carrot.</li><li>Fry it.</li></ol>"
    assert parse_recipe(page).steps == ("Slice the carrot.", "Fry it.")
