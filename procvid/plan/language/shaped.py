"""Find words for a shape or a piece ("the log", "each fillet"), which name no food of their own."""

from __future__ import annotations

from collections.abc import Sequence

from procvid.plan.language.english import DETERMINERS, PREPOSITIONS, is_adverb
from procvid.plan.language.lexicon import Word, lexicon

SHAPES = frozenset(
    "log logs disc discs disk disks round rounds rope ropes cylinder cylinders".split()
)
"""Words that refer to what was shaped, and name no food."""

PIECES = frozenset(
    "floret florets fillet fillets piece pieces slice slices wedge wedges strip strips cube cubes "
    "halves chunk chunks rectangle rectangles square squares "
    "circle circles".split()
)
"""Words for the pieces of the food before: "coat each fillet with the crumbs"."""
BALLS = frozenset("ball balls log logs".split())
POINTING = frozenset("the each every one your".split())


def is_portion(tokens: Sequence[Word], index: int) -> bool:
    """Return True for "balls of cookie dough": the dough is the food."""
    of = tokens[index + 1 : index + 2]
    if tokens[index].text not in BALLS or not of or of[0].text != "of":
        return False
    nouns = (lexicon().noun_at(tokens, index + 2 + i) for i in range(3))
    return any(noun is not None and noun[0].role == "food" for noun in nouns)


def points_back(tokens: Sequence[Word], index: int) -> bool:
    """Return True for a shape that was made before: "press the log", "brush each disc"."""
    if tokens[index].text not in SHAPES | PIECES or _is_described(tokens, index):
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
    """Return True for "dough log" and "log of dough"."""
    after = index + 1 < len(tokens) and tokens[index + 1].text == "of"
    noun = lexicon().noun_at(tokens, index - 1) if index else None
    return after or (noun is not None and noun[0].role == "food")
