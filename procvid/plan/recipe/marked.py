"""Find a recipe that the tags of a page mark: microdata, RDFa Lite and hRecipe."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from procvid.plan.recipe.clean import one_line
from procvid.plan.recipe.layout import RecipeSections, add_steps
from procvid.plan.recipe.markup import text_of

if TYPE_CHECKING:
    from lxml.html import HtmlElement

TYPE = re.compile(r"(?:^|[/:#\s])Recipe(?:$|\s)", re.IGNORECASE)
RECIPE_CLASSES = frozenset({"hrecipe", "h-recipe"})
FIELDS = {
    "name": "title", "fn": "title", "p-name": "title",
    "recipeinstructions": "steps", "instructions": "steps", "instruction": "steps",
    "e-instructions": "steps",
    "recipeingredient": "ingredients", "ingredients": "ingredients", "ingredient": "ingredients",
    "recipeingredients": "ingredients", "p-ingredient": "ingredients",
}  # fmt: skip
MAX_RECIPES = 20


def marked_recipe(tree: HtmlElement) -> RecipeSections | None:
    """Return the first recipe with steps that the tags of a page mark, or None."""
    found = [_sections(scope) for scope in _scopes(tree)]
    whole = [sections for sections in found if sections.steps]
    if not whole:
        return None
    if len({sections.title for sections in whole}) > 1:
        whole[0].notes.append(f"The page holds {len(whole)} recipes; this is the first one.")
    return whole[0]


def _scopes(tree: HtmlElement) -> list[HtmlElement]:
    """Return the elements that are a recipe."""
    return [node for node in tree.iter("*") if _is_recipe(node)][:MAX_RECIPES]


def _is_recipe(node: HtmlElement) -> bool:
    kind = node.get("itemtype") or node.get("typeof") or ""
    return bool(TYPE.search(kind)) or not RECIPE_CLASSES.isdisjoint(_classes(node))


def _classes(node: HtmlElement) -> list[str]:
    return (node.get("class") or "").lower().split()


def _sections(scope: HtmlElement) -> RecipeSections:
    """Collect the fields of one recipe."""
    sections = RecipeSections()
    hand_marked = scope.get("itemtype") is None and scope.get("typeof") is None
    for field, node in _fields(scope, hand_marked):
        if field == "title":
            sections.title = sections.title or _line(node)
        elif field == "ingredients":
            lines = (one_line(line)[0].lstrip("-• ") for line in _value(node).splitlines())
            sections.ingredients += [line for line in lines if line]
        else:
            for part in _texts(node):
                add_steps(part, sections)
    return sections


def _fields(scope: HtmlElement, hand_marked: bool) -> Iterator[tuple[str, HtmlElement]]:
    """Yield the elements that hold a wanted field; other items inside are passed over."""
    from lxml.etree import iterwalk

    walk = iterwalk(scope, events=("start",))
    for _, node in walk:
        if node is scope or not isinstance(node.tag, str):
            continue
        names = _classes(node) if hand_marked else _properties(node)
        field = next((FIELDS[name] for name in names if name in FIELDS), None)
        if field is not None:
            yield field, node
        if field is not None or node.get("itemscope") is not None or node.get("typeof"):
            walk.skip_subtree()


def _properties(node: HtmlElement) -> list[str]:
    """Return the property names of an element without prefix: "schema:name" is "name"."""
    given = node.get("itemprop") or node.get("property") or ""
    return [re.split(r"[:/#]", name)[-1] for name in given.lower().split()]


def _texts(node: HtmlElement) -> list[str]:
    """Return the texts of the steps in an element, or its whole text."""
    inner = [part for part in node.iter("*") if "text" in _properties(part)]
    return [_value(part) for part in inner] or [_value(node)]


def _value(node: HtmlElement) -> str:
    return node.get("content") or text_of(node)


def _line(node: HtmlElement) -> str:
    return one_line(_value(node))[0].lstrip("# ")
