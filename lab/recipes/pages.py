"""Read saved pages and pasted text with procvid and with recipe-scrapers."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lab.recipes.scoring import ReaderResult, Score, is_english, score
from procvid.errors import ProcvidError
from procvid.plan.recipe.parse import parse_recipe, read_recipe
from procvid.types import Recipe

PAGES = (".testhtml", ".html", ".htm")
READERS = ("procvid", "procvid, site unknown", "library, schema.org", "library, sites")
UNKNOWN = "unknown.invalid"
PASTED = ("tight", "blocks", "spaced", "bulleted", "marked")
"""Ways to paste a recipe without headings: see `paste`."""


@dataclass(frozen=True)
class Expected:
    """A saved page and the recipe in it."""

    page: Path
    title: str
    ingredients: tuple[str, ...]
    steps: tuple[str, ...]
    host: str


@dataclass(frozen=True)
class Measured:
    """The scores of one page: `scores` by reader, `seconds` of our reading."""

    page: str
    kind: str
    held_out: bool
    scores: dict[str, Score]
    seconds: dict[str, float]
    refused: str


def expected_recipes(folder: Path) -> Iterator[Expected]:
    """Yield the English recipes of a folder: pages beside JSON files of the same stem."""
    for facts in sorted(folder.rglob("*.json")):
        page = next((p for p in map(facts.with_suffix, PAGES) if p.exists()), None)
        known = json.loads(facts.read_text("utf-8"))
        if page is None or not isinstance(known, dict):
            continue
        steps = known.get("instructions_list") or str(known.get("instructions", "")).split("\n")
        if known.get("title") and is_english(steps):
            yield Expected(
                page,
                known["title"],
                tuple(known.get("ingredients") or ()),
                tuple(steps),
                str(known.get("host", "")),
            )


def kind_of(html: str) -> str:
    """Return how a page marks its recipe: "JSON-LD", "microdata" or "neither"."""
    if "ld+json" in html and re.search(r'"@type"\s*:\s*\[?\s*"Recipe"', html):
        return "JSON-LD"
    if re.search(r"itemtype\s*=\s*[\"']?https?://schema\.org/Recipe", html, re.IGNORECASE):
        return "microdata"
    return "neither"


def paste(recipe: Expected, way: str) -> str:
    """Return the recipe as text without headings.

    "tight" has no blank line; "blocks" has one between title, ingredients and steps; "spaced" has
    one after every line; "bulleted" is "blocks" with bullets before the ingredients; "marked" has
    bullets before ingredients and numbers before steps.
    """
    bullet = "- " if way in ("bulleted", "marked") else ""
    listed = [bullet + " ".join(line.split()) for line in recipe.ingredients]
    steps = [" ".join(line.split()) for line in recipe.steps]
    if way == "marked":
        steps = [f"{number}. {line}" for number, line in enumerate(steps, 1)]
    inner = "\n\n" if way == "spaced" else "\n"
    between = "\n" if way == "tight" else "\n\n"
    return between.join([recipe.title, inner.join(listed), inner.join(steps)])


def measure_page(recipe: Expected, held_out: bool) -> Measured:
    """Read one page with every reader, and its recipe as pasted text."""
    html = recipe.page.read_text("utf-8", "replace")
    readings = {
        "procvid": _ours(partial(read_recipe, recipe.page)),
        "procvid, site unknown": _ours(partial(parse_recipe, html.replace(recipe.host, UNKNOWN))),
        "library, schema.org": _library(html, recipe.host, sites=False),
        "library, sites": _library(html, recipe.host, sites=True),
    }
    if len(recipe.steps) > 1 and recipe.ingredients:
        for way in PASTED:
            text = paste(recipe, way)
            readings[f"pasted, {way}"] = _ours(partial(parse_recipe, text))
    wanted = (recipe.title, recipe.steps, recipe.ingredients)
    return Measured(
        str(recipe.page),
        kind_of(html),
        held_out,
        {name: score(reading, *wanted) for name, reading in readings.items()},
        {name: reading.seconds for name, reading in readings.items()},
        readings["procvid"].refused,
    )


def _ours(read: Callable[[], Recipe]) -> ReaderResult:
    began = time.perf_counter()
    try:
        found = read()
    except ProcvidError as error:
        return ReaderResult(refused=str(error), seconds=time.perf_counter() - began)
    seconds = time.perf_counter() - began
    return ReaderResult(found.title, found.steps, found.ingredients, found.notes, "", seconds)


def _library(html: str, host: str, *, sites: bool) -> ReaderResult:
    """Read a page with recipe-scrapers: its scraper of the site, or schema.org alone."""
    from recipe_scrapers import scrape_html

    url = f"https://{host}/" if sites else f"https://{UNKNOWN}/"
    began = time.perf_counter()
    try:
        found = scrape_html(html, org_url=url, supported_only=False)
        title, steps = found.title(), found.instructions_list()
        ingredients = found.ingredients()
    except Exception as error:  # The library raises what its scrapers raise.
        return ReaderResult(refused=repr(error), seconds=time.perf_counter() - began)
    seconds = time.perf_counter() - began
    return ReaderResult(str(title), tuple(steps), tuple(ingredients), (), "", seconds)


def share(scores: Sequence[Score], right: Callable[[Score], bool]) -> str:
    """Return a share in percent, "" of nothing."""
    return f"{100 * sum(map(right, scores)) / len(scores):.1f}" if scores else ""
