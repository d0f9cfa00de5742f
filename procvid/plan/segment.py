"""Tell ingredients from steps by the form of their lines, where no heading does.

Each line gets a score: below 0 it looks like an ingredient, above 0 like a step. The best sequence
of kinds over all lines is then found with the Viterbi algorithm, in which a change of kind costs
something. One odd line among its like therefore stays with them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from procvid.plan.lexicon import words
from procvid.plan.lines import Line
from procvid.plan.reading import names_action, starts_with_action

AMOUNT = re.compile(
    r"^\s*(?:(?:about|approx\.?|approximately|scant|heaped|heaping|generous|up to|optional:?)\s+)?"
    r"(?:\d|[½¼¾⅓⅔⅛⅜⅝⅞⅙⅚⅕⅖⅗⅘]|an? (?:\w+ )?(?:pinch|handful|bunch|knob|dash|cup|few|splash|clove|piece|"
    r"tablespoon|teaspoon|drizzle|stick|can|tin|jar|sprig|squeeze|couple|little|touch|packet)\b)",
    re.IGNORECASE,
)
MEASURED = re.compile(
    r"^\W*(?:[\d½¼¾⅓⅔⅛⅜⅝⅞⅙⅚⅕⅖⅗⅘][\d\s.,/½¼¾⅓⅔⅛⅜⅝⅞–-]*(?:to\s+\d[\d/.]*\s*)?)\(?[\d.-]*\s*-?"
    r"(?:g|gr|gms?|grams?|kgs?|mls?|cl|dl|l|lit(?:er|re)s?|oz|ounces?|lbs?|pounds?|cups?|c|t|tsps?|tbsps?|"
    r"tbs|teaspoons?|tablespoons?|pinch(?:es)?|cloves?|cans?|tins?|packets?|packages?|pkgs?|sticks?|"
    r"slices?|pieces?|bunch(?:es)?|heads?|stalks?|sprigs?|ribs?|large|medium|small|whole|inch|fl|"
    r"quarts?|pints?|jars?|bags?|boxe?s?|dash(?:es)?|handfuls?|fresh|ripe|eggs?|onions?|x)\b",
    re.IGNORECASE,
)
LISTED = re.compile(
    r"(?:,|\bto taste|\bfor (?:serving|garnish|dusting|frying|greasing|brushing|garnishing|topping|"
    r"drizzling|the \w+)|\boptional\)?|\bdivided|\bas needed|\bif needed|\bof choice|\bmelted|"
    r"\b(?:finely |thinly |freshly |roughly )?(?:chopped|diced|minced|sliced|grated|softened|peeled|"
    r"beaten|crushed|ground|shredded|cubed|drained|rinsed|halved|toasted|cooked))\s*\)?\*?$",
    re.IGNORECASE,
)
COOKING = re.compile(
    r"\b(?:until|minutes?|mins?|heat|oven|then|into|it|them|together|aside|while|when|over|remove|"
    r"serve|the|you|your|degrees)\b",
    re.IGNORECASE,
)
SENTENCES = re.compile(r"[.!?]\s+[A-Z]")
WORDS = frozenset(
    "salt pepper oil olive butter kosher sea black ground fresh freshly dried juice zest cooking "
    "vegetable optional pinch dash handful sprig cloves drizzle".split()
)
TO_STEPS, TO_INGREDIENTS = 2.0, 9.0
AT_BLANK = 1.5
"""Cost of a change of kind in nats, and how much less it costs behind a blank line."""


def looks_listed(line: Line) -> bool:
    """Return True if a single line looks like an ingredient."""
    return step_score(line) < 0


def step_score(line: Line) -> float:
    """Return how much a line looks like a step (above 0) or an ingredient (below 0)."""
    text = line.text
    num_words = len(text.split())
    score = {"numbered": 4.0, "bullet": -0.5}.get(line.kind, 0.0)
    score += min(6.0, 0.35 * (num_words - 8))
    if AMOUNT.match(text):
        score -= 4.0
    if MEASURED.match(text):
        score -= 4.0
    if text.rstrip('")').endswith((".", "!")) and num_words > 2:
        score += 2.0
    if SENTENCES.search(text):
        score += 2.5
    if LISTED.search(text):
        score -= 2.0
    if text[:1].islower():
        score -= 1.5
    opening = text[:200]
    if starts_with_action(opening):
        score += 2.5 if num_words > 2 else 1.0
    elif not names_action(opening):
        score -= 1.0
    score += min(3.0, 0.8 * len(COOKING.findall(text[:400])))
    first = words(text[:40])[:1]
    if first and first[0].text in WORDS and num_words < 8:
        score -= 1.5
    return score


def split_kinds(lines: Sequence[Line]) -> list[bool]:
    """Return True for each line that is a step, False for an ingredient; blank lines count as none.

    Args:
        lines: Lines with words, and blank lines between them.
    """
    costs, came = [(0.0, 0.0)], []
    blank = False
    for line in lines:
        if not line.text:
            blank = True
            came.append((False, True))
            costs.append(costs[-1])
            continue
        less = AT_BLANK if blank else 0.0
        listed, step = costs[-1]
        score = step_score(line)
        from_step = step + TO_INGREDIENTS - less < listed
        from_listed = listed + TO_STEPS - less < step
        came.append((from_step, not from_listed))
        costs.append(
            (
                (step + TO_INGREDIENTS - less if from_step else listed) + max(0.0, score),
                (listed + TO_STEPS - less if from_listed else step) + max(0.0, -score),
            )
        )
        blank = False
    kinds: list[bool] = []
    is_step = costs[-1][1] <= costs[-1][0]
    for was in reversed(came):
        kinds.append(is_step)
        is_step = was[is_step]
    return kinds[::-1]
