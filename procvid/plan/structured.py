"""Read recipes from JSON and schema.org JSON-LD, bare or inside a web page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from html.parser import HTMLParser

from procvid.errors import RecipeError
from procvid.plan.clean import clean_text, one_line
from procvid.plan.layout import RecipeSections, lay_out

Json = object
TITLE_KEYS = ("title", "name", "headline", "recipename", "recipetitle")
STEP_KEYS = (
    "steps", "recipeinstructions", "instructions", "directions", "method", "preparation",
    "procedure",
)  # fmt: skip
INGREDIENT_KEYS = ("ingredients", "recipeingredient", "recipeingredients", "ingredientlist")
TEXT_KEYS = ("text", "instruction", "step", "description", "action", "body", "name", "title")
PART_KEYS = ("itemlistelement", "steps", "instructions", "recipeinstructions", "substeps")
AMOUNT_KEYS = ("amount", "quantity", "qty", "unit", "measure", "name", "ingredient", "item", "note")
MAX_DEPTH = 12
HINT = 'Give {"title": "...", "steps": ["...", "..."]}, schema.org/Recipe JSON-LD, or plain text.'


class _Scripts(HTMLParser):
    """Collector of the contents of `<script type="application/ld+json">`."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.scripts: list[str] = []
        self.inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        kind = (dict(attrs).get("type") or "").lower()
        if tag == "script" and kind.startswith("application/ld+json"):
            self.inside = True
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self.inside = False

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.scripts[-1] += data


def load_json(text: str) -> Json:
    """Parse JSON. Raise RecipeError with the place where it is broken."""
    try:
        value: Json = json.loads(text)
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
    found = list(_recipes(value, 0))
    if not found:
        what = "an object" if isinstance(value, dict) else "a list"
        keys = (
            f" with the keys {', '.join(map(repr, list(value)[:5]))}"
            if isinstance(value, dict) and value
            else ""
        )
        raise RecipeError(f"The JSON is not a recipe: it is {what}{keys}, without steps.", HINT)
    return _sections(found)


def recipe_of_page(text: str) -> RecipeSections | None:
    """Return the first schema.org recipe in the scripts of an HTML page, or None."""
    page = _Scripts()
    page.feed(text)
    page.close()
    found: list[dict[str, Json]] = []
    notes: list[str] = []
    for script in page.scripts:
        try:
            found += _recipes(load_json(script.strip()), 0)
        except RecipeError:
            notes.append("Skipped a broken JSON-LD script of the page.")
    if not found:
        return None
    sections = _sections(found)
    sections.notes = [*notes, *sections.notes]
    return sections


def _lower(value: dict[str, Json]) -> dict[str, Json]:
    return {str(key).lower().replace("_", "").replace(" ", ""): item for key, item in value.items()}


def _recipes(value: Json, depth: int) -> Iterator[dict[str, Json]]:
    """Yield every recipe in a JSON value: objects with steps, in graphs and lists."""
    if depth > MAX_DEPTH:
        return
    if isinstance(value, list):
        if value and all(isinstance(item, str) for item in value):
            yield {"steps": value}
            return
        if value and all(isinstance(i, dict) and _is_step(i) for i in value):
            yield {"steps": value}
            return
        for item in value:
            if not isinstance(item, str):
                yield from _recipes(item, depth + 1)
    elif isinstance(value, dict):
        fields = _lower(value)
        if any(fields.get(key) for key in STEP_KEYS) and not _is_part(fields):
            yield fields
            return
        for key in (
            "@graph",
            "recipe",
            "recipes",
            "mainentity",
            "mainentityofpage",
            "data",
            "item",
            "items",
            "itemlistelement",
            "props",
        ):
            if isinstance(fields.get(key), (dict, list)):
                yield from _recipes(fields[key], depth + 1)


def _is_part(fields: dict[str, Json]) -> bool:
    return str(fields.get("@type", "")) in ("HowToSection", "HowToStep")


def _is_step(item: dict[str, Json]) -> bool:
    fields = _lower(item)
    if any(fields.get(key) for key in STEP_KEYS if key not in PART_KEYS) or "@graph" in fields:
        return False
    is_text = isinstance(fields.get("text") or fields.get("instruction") or fields.get("step"), str)
    return is_text or _is_part(fields)


def _sections(found: list[dict[str, Json]]) -> RecipeSections:
    """Return title, ingredients and steps of the first recipe."""
    fields = found[0]
    sections = RecipeSections()
    if len(found) > 1:
        sections.notes.append(f"The JSON holds {len(found)} recipes; this is the first one.")
    title = next((fields[k] for k in TITLE_KEYS if isinstance(fields.get(k), str)), "")
    sections.title = _line(str(title), sections)
    listed = next((fields[k] for k in INGREDIENT_KEYS if fields.get(k)), [])
    sections.ingredients = [
        line for line in (_line(t, sections) for t in _ingredients(listed)) if line
    ]
    steps = next(fields[k] for k in STEP_KEYS if fields.get(k))
    if isinstance(steps, str):
        cleaned, notes = clean_text(steps)
        sections.notes += notes
        laid = lay_out("# steps\n" + cleaned)
        sections.steps = laid.steps
        return sections
    for text in _steps(steps, sections, 0):
        line = _line(text, sections)
        if line:
            sections.steps.append(line)
    return sections


def _line(text: str, sections: RecipeSections) -> str:
    line, notes = one_line(text)
    sections.notes += notes
    return line


def _steps(value: Json, sections: RecipeSections, depth: int) -> Iterator[str]:
    """Yield the texts of steps from strings, objects, sections and lists."""
    if depth > MAX_DEPTH:
        raise RecipeError("The steps of the recipe are nested too deeply.", HINT)
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _steps(item, sections, depth + 1)
    elif isinstance(value, dict):
        fields = _lower(value)
        inner = next(
            (fields[k] for k in PART_KEYS if isinstance(fields.get(k), (list, dict))), None
        )
        text = next(
            (fields[k] for k in TEXT_KEYS if isinstance(fields.get(k), str) and fields[k]), None
        )
        numbered = bool(fields) and all(key.lstrip("step").isdigit() for key in fields)
        if inner is not None and str(fields.get("@type", "")) != "HowToStep":
            if isinstance(fields.get("name"), str):
                sections.notes.append(f'Skipped heading: "{str(fields["name"])[:60]}"')
            yield from _steps(inner, sections, depth + 1)
        elif isinstance(text, str):
            yield text
        elif inner is not None:
            yield from _steps(inner, sections, depth + 1)
        elif numbered:
            for item in fields.values():
                yield from _steps(item, sections, depth + 1)
        else:
            raise RecipeError(f"A step of the recipe has no text, only {sorted(fields)[:5]}.", HINT)
    elif value is not None:
        raise RecipeError(f"A step of the recipe is {value!r}, not text.", HINT)


def _ingredients(value: Json) -> Iterator[str]:
    """Yield ingredient lines from strings, lists and objects with amount, unit and name."""
    if isinstance(value, str):
        yield from value.splitlines()
    elif isinstance(value, list):
        for item in value:
            if isinstance(item, (str, dict)):
                yield from _ingredients(item)
    elif isinstance(value, dict):
        fields = _lower(value)
        amounts = [
            str(fields[k]) for k in AMOUNT_KEYS if isinstance(fields.get(k), (str, int, float))
        ]
        if amounts:
            yield " ".join(amounts)
        else:
            for item in value.values():
                if isinstance(item, (list, dict)):
                    yield from _ingredients(item)
