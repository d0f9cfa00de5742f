"""Every way in which people write recipes becomes title, steps and ingredients."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from procvid.errors import RecipeError
from procvid.plan.recipe.parse import parse_recipe, read_recipe

EXAMPLES = Path(__file__).parents[2] / "examples"
STEPS = ("Slice the carrot.", "Fry it in the pan.")
LD = {
    "@context": "https://schema.org",
    "@type": "Recipe",
    "name": "Carrot &amp; egg",
    "recipeIngredient": ["1 carrot", "2 eggs"],
    "recipeInstructions": [{"@type": "HowToStep", "text": text} for text in STEPS],
}


@pytest.mark.parametrize(
    "body",
    [
        "1. Slice the carrot.\n2. Fry it in the pan.",
        "1) Slice the carrot.\n\n2) Fry it\n   in the pan.",
        "- Slice the carrot.\n- Fry it in the pan.",
        "* Slice the carrot.\n* Fry it in the pan.",
        "• Slice the carrot.\n• Fry it in the pan.",
        "Step 1: Slice the carrot.\nStep 2: Fry it in the pan.",
        "Step 1\nSlice the carrot.\nStep 2\nFry it in the pan.",
        "Slice the carrot.\nFry it in the pan.",
        "Slice the carrot. Fry it in the pan.",
        "Slice the carrot.\nFry it\nin the pan.",
        "1. **Slice** the carrot.\n2. Fry it in the [pan](http://example.org).",
    ],
)
def test_steps_in_every_dress(body: str) -> None:
    recipe = parse_recipe(f"Fried carrot\n\n{body}\n")
    assert recipe.title == "Fried carrot"
    assert recipe.steps == STEPS


@pytest.mark.parametrize(
    "text",
    [
        "Soup\nIngredients:\n- 2 carrots\n- 1 onion\nDirections:\nSlice the carrots.\nBoil them.",
        "# Soup\n## Ingredients\n* 2 carrots\n* 1 onion\n## Method\n1. Slice the carrots.\n2. Boil them.",
        "Soup\n- 2 carrots\n- 1 onion\n\n1. Slice the carrots.\n2. Boil them.",
        "Soup\n2 carrots\n1 onion\n\nSlice the carrots.\nBoil them.",
        "Soup\nYou will need:\n2 carrots\n1 onion\n\nSlice the carrots.\nBoil them.",
        "Soup\n====\n\nIngredients: 2 carrots, 1 onion\n\nInstructions\n\nSlice the carrots. Boil them.",
    ],
)
def test_ingredients_are_reported_from_steps(text: str) -> None:
    recipe = parse_recipe(text)
    assert recipe.title == "Soup"
    assert recipe.ingredients == ("2 carrots", "1 onion")
    assert recipe.steps == ("Slice the carrots.", "Boil them.")


def test_facts_notes_and_headings_are_dropped_and_reported() -> None:
    recipe = parse_recipe(
        "Carrots\nServes 4\nPrep time: 5 min\n\nSteps\nFor the pan:\n1. Slice the carrot.\n"
        "2. Fry it.\n\nNotes\nMy favourite."
    )
    assert recipe.steps == ("Slice the carrot.", "Fry it.")
    shown = " ".join(recipe.notes)
    assert all(word in shown for word in ("Serves 4", "Prep time", "For the pan", "My favourite"))


def test_a_single_sentence_is_one_step_and_takes_the_given_name() -> None:
    recipe = parse_recipe("Slice the carrot.", name="my_dinner")
    assert (recipe.title, recipe.steps) == ("my dinner", ("Slice the carrot.",))


def test_a_paragraph_becomes_one_step_per_action() -> None:
    recipe = parse_recipe("Slice the carrot; fry it, then stir for approx. 5 min. Serve! Enjoy!")
    assert recipe.steps == (
        "Slice the carrot", "Fry it", "Stir for approx. 5 min.", "Serve!", "Enjoy!",
    )  # fmt: skip


def test_marked_steps_stay_whole() -> None:
    recipe = parse_recipe("Carrot\n1. Slice the carrot. Fry it.\n2. Serve.")
    assert recipe.steps == ("Slice the carrot. Fry it.", "Serve.")


def test_terminal_colours_go_whole() -> None:
    recipe = parse_recipe("Carrots\n1. Slice the \x1b[31mcarrot\x1b[0m.\n2. Fry it in the pan.")
    assert recipe.steps[0] == "Slice the carrot."


def test_markup_emoji_and_control_characters_go() -> None:
    recipe = parse_recipe(
        "<h1>Eggs 🍳</h1><style>p{}</style><script>alert(1)</script>"
        "<ol><li>Mix\x00 the &quot;eggs&quot;\x07 \u202e.<li>Fry them &lt; 5 min</ol>"
    )
    assert recipe.title == "Eggs"
    assert recipe.steps == ('Mix the "eggs".', "Fry them < 5 min")
    shown = " ".join(recipe.notes)
    assert "HTML" in shown and "emoji" in shown and "control" in shown


@pytest.mark.parametrize(
    "value",
    [
        {"title": "T", "steps": list(STEPS), "ingredients": ["1 carrot"]},
        {"name": "T", "instructions": [{"text": s} for s in STEPS], "ingredients": "1 carrot"},
        {"Title": "T", "directions": "Slice the carrot.\nFry it in the pan.",
         "ingredients": [{"amount": 1, "name": "carrot"}]},
        {"recipe": {"name": "T", "method": {"1": STEPS[0], "2": STEPS[1]},
                    "ingredients": ["1 carrot"]}},
        [{"name": "T", "steps": [{"step": 1, "description": s} for s in STEPS],
          "ingredients": ["1 carrot"]}],
    ],
)  # fmt: skip
def test_json_in_common_shapes(value: object) -> None:
    recipe = parse_recipe(json.dumps(value))
    assert (recipe.title, recipe.steps, recipe.ingredients) == ("T", STEPS, ("1 carrot",))


@pytest.mark.parametrize("value", [list(STEPS), [{"text": s} for s in STEPS]])
def test_a_json_list_of_steps(value: object) -> None:
    assert parse_recipe(json.dumps(value)).steps == STEPS


@pytest.mark.parametrize(
    "wrap",
    [
        json.dumps(LD),
        json.dumps([LD]),
        json.dumps({"@graph": [{"@type": "WebPage", "name": "x"}, LD]}),
        json.dumps({**LD, "recipeInstructions": [
            {"@type": "HowToSection", "name": "A", "itemListElement": LD["recipeInstructions"]}]}),
        json.dumps({**LD, "recipeInstructions": " ".join(STEPS)}),
        "<!doctype html><html><head><script type='application/ld+json'>{broken</script>"
        f"<script type=\"application/ld+json\">{json.dumps(LD)}</script></head><body>x</body></html>",
    ],
)  # fmt: skip
def test_schema_org_recipes(wrap: str) -> None:
    recipe = parse_recipe(wrap)
    assert recipe.title == "Carrot & egg"
    assert recipe.steps == STEPS
    assert recipe.ingredients == ("1 carrot", "2 eggs")


def test_a_large_page_with_a_recipe_is_read() -> None:
    page = f'<p>{"x" * 200_000}</p><script type="application/ld+json">{json.dumps(LD)}</script>'
    assert parse_recipe(page).steps == STEPS


def test_long_steps_are_split_or_cut_with_a_note() -> None:
    long = "Slice the carrot very finely. " * 30
    recipe = parse_recipe(f"T\n1. {long}\n2. Fry the {'very ' * 200} carrot.")
    assert all(len(step) <= 600 for step in recipe.steps)
    assert "Split" in " ".join(recipe.notes) and "Cut" in " ".join(recipe.notes)


def test_reads_files_with_marks_and_takes_their_name(tmp_path: Path) -> None:
    for name, data in [("a_dinner.txt", b"\xef\xbb\xbfSlice the carrot.\r\nFry it.\r\n"),
                       ("a-dinner.md", "Slice the carrot.\nFry it.".encode("utf-16"))]:  # fmt: skip
        (tmp_path / name).write_bytes(data)
        recipe = read_recipe(tmp_path / name)
        assert (recipe.title, recipe.steps) == ("a dinner", ("Slice the carrot.", "Fry it."))


def test_all_examples_are_recipes_of_four_to_eight_steps() -> None:
    files = [file for file in EXAMPLES.iterdir() if file.is_file()]
    assert len(files) == 10
    for file in files:
        assert 4 <= len(read_recipe(file).steps) <= 8, file.name
    assert len(read_recipe(EXAMPLES / "carrot_omelette.txt").steps) == 5


@pytest.mark.parametrize(
    ("text", "title", "steps"),
    [
        ("Carrot\n\n1. Slice it.\nNote: keep the peel.\n2. Fry it.", "Carrot", 2),
        ("Carrot\n\n1. Slice it.\n**Tip:** stay calm.\n2. Fry it.", "Carrot", 2),
        ("Carrot\n\n1. Slice it.\nTips\nStay calm.\n2. Fry it.\n3. Serve.", "Carrot", 3),
        ("Carrot\n\n1. Slice it.\n2. Fry it.\n\nTips:\n1. Use salt.\n2. Add oil.", "Carrot", 2),
        ("Soup\n\nSlice a leek.\nTip: use a sharp knife.\nBoil the leek in a pot.", "Soup", 2),
        ("Soup\n\nSlice a leek.\nBoil the leek.\n\nNotes\nFry leftovers.", "Soup", 2),
        ("Video night nachos\n\n1. Slice the tomato.\n2. Bake.", "Video night nachos", 2),
        ("# Tips and fries\n\n1. Slice the potato.\n2. Fry it.", "Tips and fries", 2),
        ("How to make soup\n\n1. Slice the leek.\n2. Boil it.", "How to make soup", 2),
        (
            "# Soup\n\n| Step | What |\n| --- | --- |\n| 1 | Slice a leek |\n| 2 | Boil it |",
            "Soup",
            2,
        ),
    ],
)
def test_asides_end_with_their_line_and_titles_may_begin_like_one(text, title, steps) -> None:
    recipe = parse_recipe(text)
    assert (recipe.title, len(recipe.steps)) == (title, steps)


@pytest.mark.parametrize(
    ("page", "title"),
    [
        ("<head><title>My site</title></head><h1>Carrot</h1>", "Carrot"),
        ("<head><title>Carrot\n soup</title><style>h1 {}</style></head>", "Carrot soup"),
    ],
)
def test_a_page_is_named_by_its_headline_or_its_title(page, title) -> None:
    recipe = parse_recipe(f"<html>{page}<p>Slice the carrot.</p><p>Boil it.</p></html>")
    assert recipe.title == title and recipe.steps == ("Slice the carrot.", "Boil it.")


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no device files here")
def test_a_device_is_no_recipe_file() -> None:
    with pytest.raises(RecipeError, match="not a regular file"):
        read_recipe(Path("/dev/zero"))
