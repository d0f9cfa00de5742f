"""Find where an action leads when it names no vessel: "over the rolls", "onto a floured surface"."""

from __future__ import annotations

import re
from collections.abc import Sequence

from procvid.plan.language.english import DETERMINERS, PREPOSITIONS, is_adverb, is_number
from procvid.plan.language.lexicon import Word, lexicon
from procvid.plan.language.side_clauses import CLAUSE_MARK, Kind, gap

ONTO = frozenset("over onto on across atop upon between".split())
PARTS = frozenset(
    "top center centre middle half halves side sides edge edges surface rest bottom each one piece "
    "sheet all tops length inside".split()
)
"""Words that name a part of the goal when "of" follows: "in the center of the dough"."""
COUNTERS = frozenset(
    "surface counter countertop worktop workspace board table bench slab towel towels".split()
)
"""Goals that are a place to work or to drain."""
NO_GOALS = frozenset(
    "heat flame speed setting settings mode power low high medium minutes minute hour hours time "
    "own side sides bottom hand hands day days occasion batches water steam stovetop stove "
    "ingredients mixture contents hob burner burners rack racks shelf oven grill timer other "
    "addition additions pressure dial".split()
)
BARE = frozenset(
    "sheet sheets tray trays pan pans dish dishes tin tins basket baskets rack".split()
)
"""Goals that are a vessel named before: "on half of the sheet"."""
PIECES = frozenset(
    "half halves piece pieces slice slices round rounds rectangle rectangles square squares strip "
    "strips circle circles disc discs layer layers one each portion portions ball balls dough".split()
)
"""Goals that are what the step before worked on: "on each half"."""
HOLLOWS = frozenset("center centre cavity cavities hollow hollows".split())
"""Goals in what the step before worked on: "add the nuts to the center"."""
MAX_WORDS = 5


def find_goal(
    text: str,
    tokens: Sequence[Word],
    kinds: Sequence[Kind],
    span: tuple[int, int],
    named: Sequence[int],
) -> str:
    """Return the last word of the thing that a clause leads to, "" for none or a known object.

    Args:
        text: The step.
        tokens: Its words.
        kinds: Why a word is not carried out, "" if it is.
        span: First word of the clause and the word after its end.
        named: Places of the words that name known objects.
    """
    for index in range(*span):
        word = tokens[index].text
        inner = word in ("in", "into", "to") and _names_part(tokens, index + 1, span[1])
        leads = word in ONTO or inner or word in ("to", "into", "in")
        if not kinds[index] and leads:
            goal = _head(text, tokens, index + 1, span[1], named)
            if goal and (word in ONTO or inner or goal in BARE | HOLLOWS):
                return goal
    return ""


def _names_part(tokens: Sequence[Word], index: int, end: int) -> bool:
    """Return True for "the center of ..."."""
    while index < end and tokens[index].text in DETERMINERS:
        index += 1
    return index + 1 < end and tokens[index].text in PARTS and tokens[index + 1].text == "of"


def _head(text: str, tokens: Sequence[Word], index: int, end: int, named: Sequence[int]) -> str:
    head = ""
    for at in range(index, min(end, index + MAX_WORDS + 3)):
        word = tokens[at].text
        if at in named:
            return ""
        if head and CLAUSE_MARK.search(gap(text, tokens, at)):
            break
        if word == "of" and head in PARTS | {"", *DETERMINERS}:
            head = ""
            continue
        if word in DETERMINERS or is_number(word) or (is_adverb(word) and not head):
            continue
        if (
            word in PREPOSITIONS
            or word in ("and", "or", "then", "of", "followed")
            or _is_verb(tokens, at, head)
        ):
            break
        head = word
    return "" if head in NO_GOALS or re.search(r"\d", head) else head


def _is_verb(tokens: Sequence[Word], at: int, head: str) -> bool:
    verb = lexicon().verb_at(tokens, at)
    return bool(head) and verb is not None and lexicon().noun_at(tokens, at) is None
