"""Find words for the shape of a dough ("a ball", "the log"), which name no food of their own."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from procvid.plan.english import DETERMINERS, PREPOSITIONS, is_adverb
from procvid.plan.lexicon import Word, lexicon

SHAPES = frozenset(
    "ball log logs disc discs disk disks round rounds rope ropes cylinder cylinders".split()
)
"""Words that refer to what was shaped, and name no food."""

PIECES = frozenset(
    "floret florets fillet fillets piece pieces slice slices wedge wedges strip strips cube cubes "
    "halves chunk chunks rectangle rectangles square squares "
    "circle circles".split()
)
"""Words for the pieces of the food before: "coat each fillet with the crumbs"."""
MAX_DESCRIBED = 5
"""Words of "into a large smooth" before a shape."""
POINTING = frozenset("the each every one your".split())


def is_result(tokens: Sequence[Word], index: int) -> bool:
    """Return True for a shape that an action makes: "shape into a ball", "make one log"."""
    if tokens[index].text not in SHAPES | {"balls"} or _is_described(tokens, index):
        return False
    before = [t.text for t in tokens[max(0, index - MAX_DESCRIBED) : index]]
    return any(a in ("into", "to") and b in ("a", "one") for a, b in pairwise(before))


def is_portion(tokens: Sequence[Word], index: int) -> bool:
    """Return True for "balls of cookie dough": the dough is the food."""
    of = tokens[index + 1 : index + 2]
    if tokens[index].text not in SHAPES | {"balls"} or not of or of[0].text != "of":
        return False
    nouns = (lexicon().noun_at(tokens, index + 2 + i) for i in range(3))
    return any(noun is not None and noun[0].role == "food" for noun in nouns)


def points_back(tokens: Sequence[Word], index: int) -> bool:
    """Return True for a shape that was made before: "press the log", "flatten each ball"."""
    if tokens[index].text not in SHAPES | PIECES or _is_described(tokens, index):
        return False
    if any(token.text == "balls" for token in tokens[:index]):
        return False
    following = tokens[index + 1] if index + 1 < len(tokens) else None
    alone = following is None or not following.joined or _ends_phrase(following.text)
    at = index - 1
    while at > 0 and lexicon().state_at(tokens, at) is not None:
        at -= 1
    return alone and at >= 0 and tokens[at].text in POINTING


def _ends_phrase(word: str) -> bool:
    return word in PREPOSITIONS | DETERMINERS | {"and", "or", "then"} or is_adverb(word)


def _is_described(tokens: Sequence[Word], index: int) -> bool:
    """Return True for "dough ball" and "ball of dough"."""
    after = index + 1 < len(tokens) and tokens[index + 1].text == "of"
    noun = lexicon().noun_at(tokens, index - 1) if index else None
    return after or (noun is not None and noun[0].role == "food")
