"""Find a recipe on a page that marks none: by its headings, or by lines that read like steps."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from procvid.plan.language.verbs import starts_with_action
from procvid.plan.recipe.clean import clean_plain, one_line
from procvid.plan.recipe.layout import RecipeSections, lay_out, section_of
from procvid.plan.recipe.lines import HEADING, read_lines
from procvid.plan.recipe.markup import HEADINGS, text_of

if TYPE_CHECKING:
    from lxml.html import HtmlElement

MAX_TEXT_CHARS = 60_000
MAX_LINE_CHARS = 3_000
"""A longer line of a page is no line of a recipe."""

ASIDES = frozenset({"nav", "footer", "aside", "form", "dialog", "header"})
ASIDE_NAMES = re.compile(
    r"(?:^|[-_\s])(?:comments?|respond|related|sidebar|share|sharing|social|newsletter|breadcrumbs?|"
    r"menu|nav|ads?|advert\w*|cookies?|footer|popup|modal|hidden|reviews?|more-recipes|rating)(?:$|[-_\s])",
    re.IGNORECASE,
)
HIDDEN = re.compile(r"display\s{0,3}:\s{0,3}none|visibility\s{0,3}:\s{0,3}hidden", re.IGNORECASE)
MIN_COMMANDS = 0.6
"""Smallest share of steps that begin with an imperative, where no heading names the steps."""


def unmarked_recipe(tree: HtmlElement, *, by_headings: bool = False) -> RecipeSections | None:
    """Return what the headings of a page call ingredients and steps, or None.

    Without such headings, all its lines must read like a recipe, and `by_headings` forbids even
    that. The caller must show a doubt.
    """
    title = next((one_line(node.text_content())[0] for node in tree.iter("h1")), "")
    body = tree.find("body")
    _prune(tree if body is None else body)
    text = clean_plain(text_of(tree if body is None else body)[:MAX_TEXT_CHARS])[0]
    lines = [line for line in text.split("\n") if len(line) <= MAX_LINE_CHARS]
    found = _under_headings(lines) or (None if by_headings else _all_lines(lines))
    if found is not None:
        found.title = title or found.title
    return found


def _prune(root: HtmlElement) -> None:
    """Remove menus, comments, advertisements and what a browser hides."""
    for node in list(_asides(root)):
        node.drop_tree()


def _asides(root: HtmlElement) -> Iterator[HtmlElement]:
    from lxml.etree import iterwalk

    walk = iterwalk(root, events=("start",))
    for _, node in walk:
        if node is root or not isinstance(node.tag, str):
            continue
        if _is_aside(node):
            walk.skip_subtree()
            yield node


def _is_aside(node: HtmlElement) -> bool:
    if node.get("hidden") is not None or HIDDEN.search(node.get("style") or ""):
        return True
    if node.tag in ASIDES:
        return node.tag != "header" or node.find(".//h1") is None
    if node.get("role") in ("navigation", "complementary", "contentinfo", "dialog"):
        return True
    names = f"{node.get('class') or ''} {node.get('id') or ''}"[:300]
    return node.tag in ("div", "section", "ul", "ol") and bool(ASIDE_NAMES.search(names))


def _under_headings(lines: list[str]) -> RecipeSections | None:
    """Return the recipe between the heading of its steps and the next heading of that rank."""
    marks = [(at, _rank(line), _section(line)) for at, line in enumerate(lines)]
    heads = [mark for mark in marks if mark[1] or mark[2] in ("ingredients", "steps")]
    start = next((mark for mark in heads if mark[2] == "steps"), None)
    if start is None:
        return None
    steps = lines[start[0] + 1 : _end(start, heads, len(lines))]
    listed: list[str] = []
    above = [mark for mark in heads if mark[2] == "ingredients" and mark[0] < start[0]]
    if above:
        listed = lines[above[-1][0] + 1 : _end(above[-1], heads, start[0])]
    body = "\n".join(
        ["# Ingredients", *map(_lower_rank, listed), "# Steps", *map(_lower_rank, steps)]
    )
    found = lay_out(body)
    return found if _reads_like_steps(found.steps, 0.3) else None


def _rank(line: str) -> int:
    """Return the rank of a heading, 1 to 6; 0 for other lines."""
    found = HEADING.match(line)
    return len(found.group(1)) if found else 0


def _section(line: str) -> str:
    opened = [section_of(one) for one in read_lines(line)[:1]] if len(line) < 60 else []
    return opened[0][0] if opened and opened[0] and not opened[0][1] else ""


def _end(start: tuple[int, int, str], heads: list[tuple[int, int, str]], last: int) -> int:
    """Return where the section ends that a heading opens."""
    at, rank, _ = start
    for place, other, section in heads:
        if place > at and (section or (other and other <= (rank or len(HEADINGS)))):
            return min(place, last)
    return last


def _lower_rank(line: str) -> str:
    return f"## {line.lstrip('# ')}" if HEADING.match(line) else line


def _all_lines(lines: list[str]) -> RecipeSections | None:
    """Return the recipe of a page that holds little else."""
    found = lay_out("\n".join(lines))
    return found if _reads_like_steps(found.steps, MIN_COMMANDS) else None


def _reads_like_steps(steps: list[str], share: float) -> bool:
    commands = sum(starts_with_action(step[:200]) for step in steps)
    return bool(steps) and commands >= share * len(steps)
