"""Find words for the shape of a dough ("a ball", "the log"), which name no food of their own."""

from __future__ import annotations

from collections.abc import Sequence

from procvid.plan.english import DETERMINERS, PREPOSITIONS, is_adverb
from procvid.plan.lexicon import Word, lexicon

SHAPES = frozenset(
    "ball log logs disc discs disk disks round rounds rope ropes cylinder cylinders".split()
)
"""Words that refer to what was shaped, and name no food."""
SHAPED_BY = frozenset({"shape", "knead", "roll", "press", "flatten", "roll up", "prepare"})
PIECES = frozenset(
    "floret florets fillet fillets piece pieces slice slices wedge wedges strip strips cube cubes "
    "halves chunk chunks rectangle rectangles square squares "
    "circle circles".split()
)
"""Words for the pieces of the food before: "coat each fillet with the crumbs"."""
POINTING = frozenset("the each every one your".split())


def is_result(tokens: Sequence[Word], index: int) -> bool:
    """Return True for a shape that an action makes: "shape into a ball", "make one log"."""
    if tokens[index].text not in SHAPES | {"balls"} or _is_described(tokens, index):
        return False
    at = index - 1
    while at >= 0 and (is_adverb(tokens[at].text) or lexicon().state_at(tokens, at)):
        at -= 1
    return at > 0 and tokens[at].text in ("a", "one") and tokens[at - 1].text in ("into", "to")


def points_back(tokens: Sequence[Word], index: int) -> bool:
    """Return True for a shape that was made before: "press the log", "flatten each ball"."""
    if tokens[index].text not in SHAPES | PIECES or _is_described(tokens, index):
        return False
    if any(token.text == "balls" for token in tokens[:index]):
        return False
    following = tokens[index + 1] if index + 1 < len(tokens) else None
    alone = following is None or not following.joined or _ends_phrase(following.text)
    return alone and index > 0 and tokens[index - 1].text in POINTING


def _ends_phrase(word: str) -> bool:
    return word in PREPOSITIONS | DETERMINERS | {"and", "or", "then"} or is_adverb(word)


def _is_described(tokens: Sequence[Word], index: int) -> bool:
    """Return True for "dough ball" and "ball of dough"."""
    after = index + 1 < len(tokens) and tokens[index + 1].text == "of"
    noun = lexicon().noun_at(tokens, index - 1) if index else None
    return after or (noun is not None and noun[0].role == "food")
