"""Tell the things of a step from amounts ("a jar of pesto") and comparisons ("walnut sized")."""

from __future__ import annotations

from collections.abc import Sequence

from procvid.plan.language.english import UNITS, is_number
from procvid.plan.language.lexicon import Entry, Word, lexicon

MEASURES = frozenset(
    "cup glass jar bottle spoon ladle ice-cream-scoop container zip-bag jug bag mold measuring-cup "
    "measuring-spoon liquid-measuring-cup".split()
)


def is_measure(tokens: Sequence[Word], index: int, length: int, entry: Entry) -> bool:
    """Return True for an amount: "2 cups of flour", "a jar of pesto", "1 glass milk"."""
    after = tokens[index + length].text if index + length < len(tokens) else ""
    if entry.name == "clove":
        return after == "of"
    sized = index + length + 1 < len(tokens) and is_number(tokens[index + length + 1].text)
    if _is_repeated(tokens, index) or (after == "by" and sized):
        return True
    if entry.name.replace(" ", "-") not in MEASURES and tokens[index].text not in ("tin", "tins"):
        return False
    before = tokens[index - 1].text if index else ""
    at = index + length
    while at < len(tokens) and (is_number(tokens[at].text) or tokens[at].text in UNITS):
        at += 1
    after = tokens[at].text if at < len(tokens) else ""
    return (
        after == "of"
        or is_number(before or " ")
        or (before in ("a", "half") and _is_food(tokens, index + length))
    )


def _is_repeated(tokens: Sequence[Word], index: int) -> bool:
    """Return True for both words of "cup by cup" and "layer by layer"."""
    word = tokens[index].text
    after = [t.text for t in tokens[index + 1 : index + 3]]
    before = [t.text for t in tokens[max(0, index - 2) : index]]
    return after == ["by", word] or before == [word, "by"]


def _is_food(tokens: Sequence[Word], index: int) -> bool:
    noun = lexicon().noun_at(tokens, index)
    return noun is not None and noun[0].role == "food"


OVEN_WORDS = frozenset(
    "middle center centre position positions adjust upper lower lowest arrange third broiler".split()
)
SIZES = frozenset({"size", "consistency", "thickness", "texture", "colour", "color"})
STYLES = frozenset({"style", "fashion"})
EXAMPLES = frozenset(
    "toppings topping ingredients vegetables veggies herbs spices fruits extras sides sauces "
    "garnishes ins".split()
)
"""Words before "like" that examples follow: "toppings like diced onions"."""
SIZE_WORDS = frozenset("medium large small regular full standard good decent".split())
COMPARED = frozenset("packed sized size like safe proof tender shaped free style fashion".split())
"""Words after a thing that is only compared: "walnut sized", "jelly roll fashion"."""


ADDED = frozenset("any adding using added extra more".split())


def _is_left_out(before: Sequence[str]) -> bool:
    """Return True after "without adding any" and "everything listed under"."""
    words = [word for word in before if word not in ADDED]
    return words[-1:] == ["without"] or (before[-1:] == ["under"] and before[-2:-1] == ["listed"])


def is_comparison(tokens: Sequence[Word], index: int, length: int) -> bool:
    """Return True for comparisons: "the size of a walnut", "without salt", "like cream"."""
    before = [t.text for t in tokens[max(0, index - 3) : index]]
    follows = index + length < len(tokens) and tokens[index + length].joined
    after = tokens[index + length].text if follows else ""
    if before[-1:] == ["size"] and before[-2:-1] and before[-2] in SIZE_WORDS:
        before = []
    span = {t.text for t in tokens[max(0, index - 1) : index + length]}
    rack = bool({"rack", "racks"} & span) and "oven" in span
    styled = after == "or" and STYLES & {
        t.text for t in tokens[index + length : index + length + 6]
    }
    examples = "like" in before and bool(EXAMPLES & set(before))
    if rack or styled or before[-2:] in (["part", "of"], ["similar", "to"]):
        return True
    oven = {t.text for t in tokens[max(0, index - 6) : index + 8]} & OVEN_WORDS
    if oven and {t.text for t in tokens[index : index + length]} & {"rack", "racks"}:
        return True
    turned = [t.text for t in tokens[index + length : index + length + 2]]
    if length == 1 and turned[:1] == ["side"] and turned[1:] in (["up"], ["down"]):
        return True
    if tokens[index].text == "date" and {"label", "mark"} & set(before):
        return True
    return (
        after in COMPARED
        or bool(SIZES & set(before))
        or (bool({"without", "like", "no", "not"} & set(before[-2:])) and not examples)
        or _is_left_out(before)
        or before[-2:] == ["for", "another"]
        or ("but" in before[-2:] and "ingredients" in before)
        or bool(
            {"except", "excluding", "minus"} & {t.text for t in tokens[max(0, index - 5) : index]}
        )
    )
