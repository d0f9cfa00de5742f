"""Scale the amounts of ingredient lines and steps."""

from __future__ import annotations

import re
import unicodedata
from fractions import Fraction

from procvid.plan.detour.words import thing_of
from procvid.plan.language.english import UNITS
from procvid.plan.language.lexicon import lexicon, shown_plural, words

LENGTHS = frozenset("inch inches cm mm x".split())
METRIC = frozenset(
    "g gram grams kg kilogram kilograms mg ml cl dl l litre liter litres liters gm gms".split()
)
SIGNS = "½¼¾⅓⅔⅛⅜⅝⅞⅕⅖⅗⅘⅙⅚"
NUMBER = (
    rf"(?:\d+\s+(?:and\s+)?\d+/\d+|\d+/\d+|\d+(?:\s|-|\s?and\s)?[{SIGNS}]|[{SIGNS}]|\d+(?:\.\d+)?)"
)
AMOUNT = re.compile(
    rf"(?<![\w.-])(?<!\d/)({NUMBER})(\s*(?:-|–|to|or)\s*)?({NUMBER})?(?=(\s*)([A-Za-z]+)?)"
)
SHOWN = tuple(
    sorted({Fraction(n, d) for d in (2, 3, 4, 6, 8) for n in range(1, d)} | {Fraction(1, 16)})
)
"""Parts of a whole that measuring spoons and cups have."""
CONTAINERS = re.compile(
    r"\W*(?:can|tin|jar|package|packet|pack|bag|box|bottle|tub|block|carton)", re.IGNORECASE
)
WEIGHED = METRIC | frozenset(
    "oz ounce ounces lb lbs pound pounds cup cups tsp teaspoon teaspoons tbsp tablespoon tablespoons "
    "fl pint pints quart quarts".split()
)
"""Units of a second amount in a line: "4 tablespoons (57 g)"."""
EACH = re.compile(r"\b(?:each|every|per|scoops?|at a time)\b", re.IGNORECASE)
"""Words of an amount for one piece, which stays."""
SHORT = frozenset("g kg mg ml cl dl l oz lb tsp tbsp tbs".split())
"""Units without a plural of their own."""
COUNTED = frozenset("vegetable fruit egg poultry fish seafood meat bread baked".split())
"""Groups of foods that are counted: "2 onions", but "2 cups flour"."""
SIZES = frozenset("large small medium big fresh ripe red green yellow white".split())
MOST_SERVINGS = 1_000


def scaled_line(line: str, factor: Fraction) -> str:
    """Return an ingredient line with its amounts scaled; "2 (400 g) cans" keeps the 400 g."""
    matches = list(AMOUNT.finditer(line))
    if not matches or line[: matches[0].start()].strip(" -*•").isalpha():
        return line
    for place, match in reversed(list(enumerate(matches))):
        unit = (match[5] or "").lower()
        after = line[match.end(5) if match[5] else match.end() :]
        first = place == 0
        if first or (unit in WEIGHED and not CONTAINERS.match(after) and not EACH.search(after)):
            line = _scaled(line, match, factor)
    return line


def scaled_step(text: str, factor: Fraction) -> str:
    """Return a step with the amounts of its foods scaled; times, heat and sizes stay."""
    for match in reversed(list(AMOUNT.finditer(text))):
        word = (match[5] or "").lower()
        rest = text[match.end() :].strip()
        food = lexicon().noun_at(words(rest), 0) if rest else None
        is_food = food is not None and food[0].role == "food"
        start = max(text.rfind(mark, 0, match.start()) for mark in ".;!")
        sentence = re.split(r"[.;!](?:\s|$)", text[start + 1 :])[0]
        if EACH.search(sentence):
            continue
        if is_food or (word in UNITS and word not in LENGTHS):
            text = _scaled(text, match, factor)
    return text


def _scaled(text: str, match: re.Match[str], factor: Fraction) -> str:
    metric = (match[5] or "").lower() in METRIC
    first, second = _value(match[1]) * factor, match[3]
    shown = _shown(first, metric)
    last = first
    if match[2] and second:
        last = _value(second) * factor
        shown += match[2] + _shown(last, metric)
    end = match.end(3) if match[2] and second else match.end(1)
    rest = text[end:]
    return text[: match.start()] + shown + _counted(rest, last)


def _counted(rest: str, count: Fraction) -> str:
    """Return the words after a number in the singular or plural that the number asks for."""
    bracket = re.match(r"\s*\([^()]*\)", rest)
    if bracket:
        return bracket[0] + _counted(rest[bracket.end() :], count)
    tokens = words(rest)
    at = 0
    while at + 1 < len(tokens) and tokens[at].text in SIZES:
        at += 1
    if not tokens or rest[: tokens[0].start].strip():
        return rest
    noun = None if tokens[at].text in UNITS else lexicon().noun_at(tokens, at)
    last = tokens[at + noun[1] - 1] if noun else tokens[at]
    word = rest[last.start : last.end]
    known = word.lower() in UNITS and word.lower() not in SHORT
    if not known and (noun is None or noun[0].role != "food"):
        return rest
    single = word[:-1] if known and word.endswith("s") else word
    single = single[:-1] if single in ("bunche", "pinche", "dashe", "splashe") else single
    if not known:
        single = lexicon().singular(word) or word
        if noun is not None and not (noun[0].group in COUNTED and thing_of(word).counted):
            return rest
    form = single if count <= 1 else shown_plural(single)
    return rest[: last.start] + form + rest[last.end :]


def _value(text: str) -> Fraction:
    total = Fraction(0)
    for part in re.findall(rf"\d+/\d+|\d+(?:\.\d+)?|[{SIGNS}]", text):
        if part in SIGNS:
            total += Fraction(unicodedata.numeric(part)).limit_denominator(8)
        elif part.endswith("/0"):
            return Fraction(0)
        else:
            total += Fraction(part)
    return total


def _shown(value: Fraction, metric: bool) -> str:
    """Return an amount as cooks write it: "1 1/2", "375", "0.25" only for metric units."""
    if metric:
        size = float(value)
        return f"{round(size)}" if size >= 10 else f"{size:.2g}"
    whole, part = divmod(value, 1)
    near = min((Fraction(0), *SHOWN, Fraction(1)), key=lambda known: abs(known - part))
    whole, near = (whole + 1, Fraction(0)) if near == 1 else (whole, near)
    if not whole and not near:
        return f"{float(value):.2g}"
    return " ".join(str(piece) for piece in (whole, near) if piece)
