"""Read a saved web page: marked recipes first, then the headings of the page, with a doubt.

The order is: the recipe-scrapers reader of a known site, JSON-LD, microdata, RDFa and hRecipe, and
the page's own headings. A page that shows no credible steps is refused. Nothing is fetched.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from procvid.errors import RecipeError
from procvid.plan.language.lexicon import phrase
from procvid.plan.recipe.clean import one_line
from procvid.plan.recipe.layout import (
    MAX_CHARS,
    MAX_PARTS,
    RecipeSections,
    add_steps,
    same_words,
    skip_heading,
)
from procvid.plan.recipe.marked import marked_recipe
from procvid.plan.recipe.markup import parse_html
from procvid.plan.recipe.structured import Fields, Json, recipes_in, sections_of
from procvid.plan.recipe.unmarked import unmarked_recipe

if TYPE_CHECKING:
    from lxml.html import HtmlElement

MAX_SCRIPT_CHARS = 500_000
"""Longer scripts are no recipe data; they are dropped before a site's reader sees the page."""

MAX_ELEMENTS = 50_000
"""Largest number of elements of a page; 891 saved recipe pages have up to 5,000."""

MAX_NODES, MAX_PROPERTIES = 20_000, 2_000
"""Limits of a page that a site's reader sees; its time grows with their squares."""

STRAY = re.compile(r"(?:<|&lt;|\\u003c)(?![^<>]{0,400}?(?:>|&gt;|\\u003e))", re.IGNORECASE)
"""A sign that opens no tag; the library searches for its end up to the end of the text."""

SAVED_FROM = re.compile(r"<!-- saved from url=\(\d+\)(https?://\S{1,300})", re.IGNORECASE)
BROKEN = "Skipped a broken JSON-LD script of the page."
DOUBT = "This page does not mark its recipe; check the steps."
NO_STEPS = "Paste the title, the ingredients and the steps as text."


def recipe_of_page(text: str) -> RecipeSections:
    """Return the recipe of an HTML page.

    Raises:
        RecipeError: The page shows no credible list of steps, or has over 50,000 elements.
    """
    tree = parse_html(text)
    if next(islice(tree.iter(), MAX_ELEMENTS, None), None) is not None:
        raise RecipeError(f"The page has more than {MAX_ELEMENTS:,} elements.", NO_STEPS)
    marked, broken = _json_ld(tree)
    site = _site_recipe(tree, text, marked)
    found = site or (marked if marked and marked.steps else None) or marked_recipe(tree)
    if found is None:
        found = unmarked_recipe(tree, by_headings=broken)
        if found is None:
            raise _no_recipe(marked, broken)
        found.notes = [DOUBT, *found.notes]
    if broken:
        found.notes = [BROKEN, *found.notes]
    if marked is not None:
        found.ingredients = found.ingredients or marked.ingredients
        found.title = found.title or marked.title
    found.title = found.title or headline(tree)
    return found


def _no_recipe(marked: RecipeSections | None, broken: bool) -> RecipeError:
    if broken:
        return RecipeError("The recipe data on this page is broken.", NO_STEPS)
    if marked is not None and marked.title:
        return RecipeError(
            f"This page names the recipe {marked.title!r} but not its steps.", NO_STEPS
        )
    return RecipeError("This page does not mark a recipe and shows no list of steps.", NO_STEPS)


def headline(tree: HtmlElement) -> str:
    """Return the first `h1` with words, else the page's title."""
    for tag in ("h1", "title"):
        for node in tree.iter(tag):
            line = one_line(" ".join(node.itertext()))[0]
            if line:
                return line
    return ""


# Recipe data in scripts.


def _json_ld(tree: HtmlElement) -> tuple[RecipeSections | None, bool]:
    """Return the recipe in the scripts of a page, and True if one of the scripts is broken."""
    found: list[Fields] = []
    broken = False
    for script in tree.iter("script"):
        if "ld+json" in (script.get("type") or "").lower() and script.text:
            value = load_leniently(script.text)
            found += recipes_in(value, typed=True)
            broken = broken or value is None
    return sections_of(_of_this_page(found, tree)) if found else None, broken


def _of_this_page(found: list[Fields], tree: HtmlElement) -> list[Fields]:
    """Put the recipe with steps that is named like the page first."""
    name = headline(tree)
    named = [f for f in found if same_words(str(f.get("name", "")), name)]
    return sorted(found, key=lambda f: (not f.get("recipeinstructions"), f not in named))


def load_leniently(text: str) -> Json:
    """Return the value of a JSON text; None if it cannot be read.

    Line breaks in strings, trailing commas, comments, a wrapping comment or CDATA, and HTML
    entities instead of quotes are accepted.
    """
    import jstyleson

    text = text.replace("<![CDATA[", "").replace("]]>", "")
    start = min((i for i in map(text.find, "{[") if i >= 0), default=0)
    inner = text[start : max(text.rfind("}"), text.rfind("]")) + 1]
    for attempt in (
        lambda: inner,
        lambda: jstyleson.dispose(inner),
        lambda: html.unescape(inner),
    ):
        try:
            return json.loads(attempt(), strict=False)
        except (ValueError, RecursionError):
            continue
    return None


# Known sites.


def _site_recipe(
    tree: HtmlElement, text: str, marked: RecipeSections | None
) -> RecipeSections | None:
    """Return the recipe as the reader of a known site sees it; None if there is none or it fails."""
    url = _address(tree, text)
    if not url:
        return None
    from recipe_scrapers import SCRAPERS, scrape_html

    if _host(url) not in SCRAPERS or _is_excessive(tree):
        return None
    try:
        page = scrape_html(_tidy(tree), org_url=url)
        title, lines, ingredients = page.title(), page.instructions_list(), page.ingredients()
    except Exception:
        # A reader of one site raises anything when the page has another form than it knows.
        return None
    lines = [str(line)[:MAX_CHARS] for line in lines or ()]
    if len(lines) > MAX_PARTS:
        return None
    sections = RecipeSections(title=one_line(str(title or ""))[0])
    sections.ingredients = [i for i in (one_line(str(i))[0] for i in ingredients or ()) if i]
    headings = {phrase(heading) for heading in marked.headings} if marked else set()
    for line in lines:
        if phrase(line) in headings:
            skip_heading(line, sections)
        else:
            add_steps(line, sections)
    return sections if sections.steps else None


def _address(tree: HtmlElement, text: str) -> str:
    """Return the address that a saved page gives as its own."""
    return next((url for url in _addresses(tree, text) if url.startswith("http")), "")


def _host(url: str) -> str:
    """Return the host of an address without "www.", "" for a broken address."""
    try:
        return (urlsplit(url).hostname or "").removeprefix("www.")
    except ValueError:
        return ""


def _addresses(tree: HtmlElement, text: str) -> Iterator[str]:
    for node in tree.iter("link"):
        if (node.get("rel") or "").lower() == "canonical":
            yield (node.get("href") or "").strip()
    for node in tree.iter("meta"):
        if (node.get("property") or node.get("name") or "").lower() == "og:url":
            yield (node.get("content") or "").strip()
    saved = SAVED_FROM.search(text[:2000])
    if saved:
        yield saved.group(1)


def _is_excessive(tree: HtmlElement) -> bool:
    """Return True for a page with more elements or properties than a recipe has."""
    nodes = list(islice(tree.iter("*"), MAX_NODES + 1))
    properties = sum(node.get("itemprop") is not None for node in nodes)
    return len(nodes) > MAX_NODES or properties > MAX_PROPERTIES


def _tidy(tree: HtmlElement) -> str:
    """Return the page as well-formed HTML, which the library reads in about linear time."""
    from lxml.etree import tostring

    for node in tree.iter("*"):
        text = node.text or ""
        if node.tag in ("script", "style") and len(text) > MAX_SCRIPT_CHARS:
            node.text = ""
        elif "<" in text or "&lt;" in text or "u003c" in text:
            node.text = STRAY.sub(" ", text)
        if "<" in (node.tail or ""):
            node.tail = STRAY.sub(" ", node.tail)
    return str(tostring(tree, method="html", encoding="unicode"))
