"""Recognize lists of foods in a step."""

from __future__ import annotations

import re
from collections.abc import Sequence

from procvid.plan.language.english import DETERMINERS
from procvid.plan.language.lexicon import Word, lexicon
from procvid.plan.language.side_clauses import gap

LIST_MARK = re.compile(r"[:(\u2013\u2014]")
LISTING = frozenset({"including", "include", "includes", "namely"})


def lists_foods(text: str, tokens: Sequence[Word], index: int) -> bool:
    """Return True if a list names what the ingredients are: "ingredients, including the ..."."""
    following = [t.text for t in tokens[index : index + 8]]
    if LISTING & set(following):
        return True
    if index >= len(tokens) or not LIST_MARK.search(gap(text, tokens, index)):
        return False
    while index < len(tokens) and (
        tokens[index].text in DETERMINERS or lexicon().state_at(tokens, index) is not None
    ):
        index += 1
    first = lexicon().noun_at(tokens, index)
    second = index + first[1] if first is not None else len(tokens)
    return second < len(tokens) and not tokens[second].joined


def list_goes_on(text: str, tokens: Sequence[Word], index: int) -> bool:
    """Return True in "nuts, sage or parsley, cognac": the "or" joins only its two neighbours."""
    if index >= len(tokens) or gap(text, tokens, index).strip() != ",":
        return False
    index += tokens[index].text == "and"
    noun = lexicon().noun_at(tokens, index)
    return noun is not None and noun[0].role == "food"
