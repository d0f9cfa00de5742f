"""Read recipes from JSON: schema.org, and exports of Mealie, Tandoor, Paprika and recipe-scrapers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import islice

from procvid.errors import RecipeError
from procvid.plan.recipe.clean import clean_text, one_line
from procvid.plan.recipe.layout import (
    MAX_PARTS,
    RecipeSections,
    add_steps,
    same_words,
    skip_heading,
)
from procvid.plan.recipe.lines import undress
from procvid.plan.recipe.servings import serves, servings_in

Json = object
Fields = dict[str, Json]
TITLE_KEYS = ("title", "name", "headline", "recipename", "recipetitle")
STEP_KEYS = (
    "steps", "recipeinstructions", "instructionslist", "instructions", "directions", "method",
    "preparation", "procedure", "step",
)  # fmt: skip
INGREDIENT_KEYS = ("ingredients", "recipeingredient", "recipeingredients", "ingredientlist")
TEXT_KEYS = ("text", "instruction", "step", "description", "action", "body")
NAME_KEYS = ("name", "title")
PART_KEYS = (
    "itemlistelement", "steps", "instructions", "recipeinstructions", "substeps", "item", "items",
    "step",
)  # fmt: skip
WRAPPERS = (
    "@graph", "recipe", "recipes", "mainentity", "mainentityofpage", "data", "item", "items",
    "itemlistelement", "props",
)  # fmt: skip
AMOUNT_KEYS = ("amount", "quantity", "qty", "unit", "measure", "food", "name", "ingredient", "item",
               "note")  # fmt: skip
WHOLE_KEYS = ("display", "originaltext", "text")
"""Keys of an ingredient that hold its whole line."""

PARTS = ("HowToSection", "HowToStep", "HowToDirection", "HowToTip", "ItemList")
MAX_DEPTH = 12
MAX_RECIPES = 50
HINT = 'Give {"title": "...", "steps": ["...", "..."]}, schema.org/Recipe JSON-LD, or plain text.'


def load_json(text: str) -> Json:
    """Parse JSON. Raise RecipeError with the place where it is broken."""
    try:
        value: Json = json.loads(text, strict=False)
    except json.JSONDecodeError as error:
        raise RecipeError(
            f"The recipe looks like JSON but is broken at line {error.lineno}, "
            f"column {error.colno}: {error.msg}.",
            "Correct the JSON, or paste the recipe as plain text.",
        ) from error
    except RecursionError as error:
        raise RecipeError("The JSON of the recipe is nested too deeply.", HINT) from error
    except ValueError as error:
        raise RecipeError(
            "The JSON of the recipe contains a number that cannot be read.", HINT
        ) from error
    return value


def recipe_of_json(text: str) -> RecipeSections:
    """Return the recipe in a JSON text. Raise RecipeError if there is none."""
    value = load_json(text)
    found = recipes_in(value)
    if not found:
        what = "an object" if isinstance(value, dict) else "a list"
        keys = (
            f" with the keys {', '.join(map(repr, list(value)[:5]))}"
            if isinstance(value, dict) and value
            else ""
        )
        raise RecipeError(f"The JSON is not a recipe: it is {what}{keys}, without steps.", HINT)
    return sections_of(found)


def recipes_in(value: Json, *, typed: bool = False) -> list[Fields]:
    """Return the recipes in a JSON value, in order: objects with steps, in graphs and lists.

    Args:
        value: The JSON value.
        typed: Accept only objects whose `@type` is Recipe or HowTo, even without steps.
    """
    found: list[Fields] = []
    for fields in _recipes(value, 0, typed):
        found.append(fields)
        if len(found) == MAX_RECIPES:
            break
    return found


def _lower(value: dict[str, Json]) -> Fields:
    return {
        str(key).lower().replace("_", "").replace(" ", "").split("schema.org/")[-1]: item
        for key, item in value.items()
    }


def _types(fields: Fields) -> list[str]:
    """Return the schema.org types of an object without their address."""
    given = fields.get("@type", "")
    kinds = given if isinstance(given, list) else [given]
    return [str(kind).rsplit("/", 1)[-1] for kind in kinds]


def _recipes(value: Json, depth: int, typed: bool) -> Iterator[Fields]:
    """Yield every recipe in a JSON value: objects with steps, in graphs and lists."""
    if depth > MAX_DEPTH:
        return
    if isinstance(value, list):
        if not typed and value and all(isinstance(item, str) for item in value):
            yield {"steps": value}
            return
        if not typed and value and all(isinstance(i, dict) and _is_step(i) for i in value):
            yield {"steps": value}
            return
        for item in value:
            if not isinstance(item, str):
                yield from _recipes(item, depth + 1, typed)
    elif isinstance(value, dict):
        fields = _lower(value)
        kinds = [kind.lower() for kind in _types(fields)]
        named = "recipe" in kinds or "howto" in kinds
        if named or (not typed and _has_steps(fields) and not _is_part(fields)):
            if typed or _has_steps(fields):
                yield fields
            return
        for key in WRAPPERS:
            if isinstance(fields.get(key), (dict, list)):
                yield from _recipes(fields[key], depth + 1, typed)


def _has_steps(fields: Fields) -> bool:
    return any(fields.get(key) for key in STEP_KEYS)


def _is_part(fields: Fields) -> bool:
    return any(kind in PARTS for kind in _types(fields))


def _is_step(item: dict[str, Json]) -> bool:
    fields = _lower(item)
    if any(fields.get(key) for key in STEP_KEYS if key not in PART_KEYS) or "@graph" in fields:
        return False
    is_text = isinstance(fields.get("text") or fields.get("instruction") or fields.get("step"), str)
    return is_text or _is_part(fields)


def sections_of(found: list[Fields]) -> RecipeSections:
    """Return title, ingredients and steps of the first recipe."""
    fields = found[0]
    sections = RecipeSections()
    if len(found) > 1:
        sections.notes.append(f"The JSON holds {len(found)} recipes; this is the first one.")
    title = next((fields[k] for k in TITLE_KEYS if isinstance(fields.get(k), str)), "")
    sections.title = _line(str(title), sections)
    count = servings_in(f"{number} servings" for number in _numbers(fields.get("recipeyield")))
    if count:
        sections.notes.append(serves(count))
    steps = next((fields[k] for k in STEP_KEYS if fields.get(k)), None)
    listed = next((fields[k] for k in INGREDIENT_KEYS if fields.get(k)), None)
    sections.ingredients = [
        line
        for line in (
            _line(t, sections)
            for t in islice(_ingredients(listed or _inner_lists(steps)), MAX_PARTS)
        )
        if line
    ]
    if isinstance(steps, str):
        add_steps(steps, sections, whole=False)
    else:
        _add(steps, sections, 0)
    return sections


def _numbers(value: Json) -> Iterator[int]:
    """Yield the numbers of a yield: 4, "4", "4 servings", ["4", "4 servings"]."""
    for item in value if isinstance(value, list) else [value]:
        found = re.search(r"\d{1,3}", str(item)) if isinstance(item, str | int) else None
        if found and not isinstance(item, bool):
            yield int(found[0])


def _line(text: str, sections: RecipeSections) -> str:
    line, notes = one_line(text)
    sections.notes += notes
    return undress(line)


def _add(value: Json, sections: RecipeSections, depth: int) -> None:
    """Add the steps in strings, objects, sections and lists.

    Raises:
        RecipeError: The steps are nested too deeply, or one of them is not text.
    """
    if depth > MAX_DEPTH:
        raise RecipeError("The steps of the recipe are nested too deeply.", HINT)
    if isinstance(value, str):
        add_steps(value, sections)
    elif isinstance(value, list):
        for item in value:
            _add(item, sections, depth + 1)
    elif isinstance(value, dict):
        _add_object(_lower(value), sections, depth)
    elif value is not None:
        raise RecipeError(f"A step of the recipe is {value!r}, not text.", HINT)


def _add_object(fields: Fields, sections: RecipeSections, depth: int) -> None:
    """Add the steps of an object: its text, its parts, or else its name."""
    parts = next(
        (fields[k] for k in PART_KEYS if isinstance(fields.get(k), (list, dict)) and fields[k]),
        None,
    )
    text = next((str(fields[k]) for k in TEXT_KEYS if _is_text(fields.get(k))), "")
    name = next((str(fields[k]) for k in NAME_KEYS if _is_text(fields.get(k))), "")
    kinds = _types(fields)
    if "HowToTip" in kinds:
        sections.notes.append(f'Skipped tip: "{one_line(text or name)[0][:60]}"')
    elif parts is not None or text:
        _add_heading(name, text, sections)
        if text and parts is None:
            add_steps(text, sections)
        if parts is not None:
            _add(parts, sections, depth + 1)
    elif name and "HowToSection" not in kinds:
        add_steps(name, sections)
    elif fields and all(key.lstrip("step").isdigit() for key in fields):
        for item in fields.values():
            _add(item, sections, depth + 1)
    elif not _is_part(fields):
        raise RecipeError(f"A step of the recipe has no text, only {sorted(fields)[:5]}.", HINT)


def _is_text(value: Json) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _add_heading(name: str, text: str, sections: RecipeSections) -> None:
    """Note the name of a step or section, unless the text begins with it."""
    line = one_line(name)[0]
    begun = one_line(text[: 4 * len(name) + 40])[0]
    plain = line.rstrip(".:… ")
    if plain and not begun.startswith(plain) and not same_words(line, begun):
        skip_heading(line, sections)


def _ingredients(value: Json, depth: int = 0) -> Iterator[str]:
    """Yield ingredient lines from strings, lists and objects with amount, unit and name."""
    if depth > MAX_DEPTH:
        return
    if isinstance(value, str):
        yield from clean_text(value)[0].splitlines()
    elif isinstance(value, list):
        for item in value:
            if isinstance(item, (str, dict, list)):
                yield from _ingredients(item, depth + 1)
    elif isinstance(value, dict):
        fields = _lower(value)
        whole = next((str(fields[k]) for k in WHOLE_KEYS if _is_text(fields.get(k))), "")
        amounts = [_amount(fields[k]) for k in AMOUNT_KEYS if fields.get(k) not in (None, "", 0)]
        line = whole or " ".join(filter(None, amounts))
        if line:
            yield line
        else:
            for item in value.values():
                if isinstance(item, (list, dict)):
                    yield from _ingredients(item, depth + 1)


def _amount(value: Json) -> str:
    """Return a part of an ingredient: "2" for 2.0, the name of an object."""
    if isinstance(value, dict):
        name = value.get("name")
        return name if isinstance(name, str) else ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value) if isinstance(value, (str, int, float)) else ""


def _inner_lists(steps: Json) -> list[Json]:
    """Return the ingredients that steps name themselves, as Tandoor's do."""
    objects = (
        [_lower(step) for step in steps if isinstance(step, dict)]
        if isinstance(steps, list)
        else []
    )
    return [
        fields["ingredients"] for fields in objects if isinstance(fields.get("ingredients"), list)
    ]
