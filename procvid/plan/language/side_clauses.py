"""Mark the words of a step that no clip shows: asides, options, results and side clauses.

"Fry the onions (see note) until golden. If they stick, add water." asks for one action. The words
of the aside, of "until golden" and of the conditional sentence name neither actions nor objects.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

from procvid.plan.language.english import (
    ADVERBS,
    DETERMINERS,
    NEGATIONS,
    PREPOSITIONS,
    PRONOUNS,
    is_adverb,
    is_number,
)
from procvid.plan.language.lexicon import Word, lexicon, words

Kind = Literal["", "aside", "option", "result", "meanwhile"]
"""Why a word is not carried out; "" if it is."""

CLAUSE_MARK = re.compile(r"[.!?;:,()\u2013\u2014\u2022/]|--")
SENTENCE_MARK = re.compile(r"[.!?;:\u2022\n]")
ABBREVIATIONS = frozenset("tsp tbsp tbs oz lb lbs min mins approx hr hrs pkg qt pt deg no".split())
OPTION_STARTS = frozenset(
    "alternatively optionally optional option variation tip tips note notes".split()
)
OPTION_HELPERS = frozenset("can could may might".split())
RESULTS = frozenset("until till til".split())
MEANWHILE = frozenset(
    "while whilst when whenever once as after before because since although though where which "
    "unless whether".split()
)
SUBJECTS = frozenset("it they this that these those there he she".split())
MODALS = frozenset(
    "will may might has have won't shouldn't can't cannot ensures helps is are looks look".split()
)
MAX_LABEL = 2
"""Words of a label that names a part of the dish: "Sauce: heat the oil"."""
MAX_TITLE = 6
NEEDED = frozenset("using needed necessary required".split())
CARES = frozenset(
    {("be", "careful"), ("take", "care"), ("don't", "worry"), ("be", "gentle"), ("be", "patient"),
     ("no", "need"), ("don't", "be"), ("there's", "no"), ("skip", "this"), ("keep", "in"),
     ("proceed", "with"), ("get", "started"), ("use", "any")}
)  # fmt: skip
STATEMENTS = frozenset("pairs goes tastes makes serves yields keeps feeds lasts".split())
"""First words of a sentence that only says something about the dish: "Pairs well with rice"."""
IDEAS = frozenset("suggestions ideas options examples favorites favourites people".split())
"""Words after "some" in such a sentence: "Some suggestions include maple syrup"."""
RUN_IN_TITLES = frozenset(
    "chill freeze serve bake fry boil grill prepare shape roll fill store marinate".split()
)
"""Actions that as a sentence of one word are a title: "Chill. Pour the custard into ..."."""
SPEAKERS = frozenset("i we you i'm i've i'd i'll we've you'll you'd we'd you've mine my".split())
OPINIONS = frozenset(
    "like love prefer recommend suggest want need know find think believe see notice hear get end "
    "have had used made got".split()
)
"""Verbs after "I", "we" or "you" that tell an experience: "I like to use a fork"."""
OWN_VERBS = frozenset("i i'm i've i'd mine my".split())
"""Words of the author, who instructs nobody: "I added more salt"."""
STATED = MODALS - {"has", "have", "helps", "ensures", "look", "looks"} | {
    "should", "would", "must", "can", "could", "was", "were",
}  # fmt: skip
TITLE_MARK = re.compile(r":|\s[\u2013\u2014]\s")
LOOSE_VERBS = frozenset(
    "brown crisp dry cool clean warm open set cream ice dust flour salt pepper season butter core "
    "top pit seed stone skin skewer process rest thin wet set rim pile heap run mist pass froth mush "
    "space fan".split()
)
"""Verbs that are also adjectives or nouns: inside a sentence they need an object."""


def gap(text: str, tokens: Sequence[Word], index: int) -> str:
    """Return the punctuation between a word and the one before it."""
    return text[tokens[index - 1].end if index else 0 : tokens[index].start]


def starts_sentence(text: str, tokens: Sequence[Word], index: int) -> bool:
    """Return True if a sentence ends before a word; the full stop of "tsp." does not count."""
    mark = gap(text, tokens, index)
    if index == 0:
        return True
    if tokens[index - 1].text in ABBREVIATIONS and mark.strip() == ".":
        return False
    return bool(SENTENCE_MARK.search(mark))


def takes_object(tokens: Sequence[Word], index: int) -> bool:
    """Return True if a verb that ends before a word has an object or a place after it."""
    if index < len(tokens) and not tokens[index].joined:
        return False
    while index < len(tokens) and is_adverb(tokens[index].text):
        index += 1
    if index >= len(tokens):
        return False
    word = tokens[index].text
    if word in DETERMINERS | PRONOUNS | PREPOSITIONS or is_number(word):
        return word not in ("of", "until", "till", "than")
    return (
        lexicon().noun_at(tokens, index) is not None
        or lexicon().state_at(tokens, index) is not None
    )


@lru_cache(maxsize=512)
def kinds_of(text: str) -> tuple[Kind, ...]:
    """Return the kind of each word of a text."""
    tokens = words(text)
    kinds: list[Kind] = [""] * len(tokens)
    if not tokens:
        return ()
    starts = [i for i in range(len(tokens)) if starts_sentence(text, tokens, i)]
    for start, end in zip(starts, [*starts[1:], len(tokens)], strict=True):
        _mark_sentence(text, tokens, start, end, kinds)
    _mark_asides(text, tokens, kinds)
    _mark(kinds, 0, _title_end(text, tokens), "aside")
    if starts[1:2] == [1] and ";" not in gap(text, tokens, 1) and _is_run_in_title(tokens):
        _mark(kinds, 0, 1, "aside")
    return tuple(kinds)


def _is_run_in_title(tokens: Sequence[Word]) -> bool:
    """Return True for the first word of "Chill. Pour the custard into the crust"."""
    verb = lexicon().verb_at(tokens, 0)
    titled = verb is not None and verb[0].action.name in RUN_IN_TITLES
    return titled and lexicon().verb_at(tokens, 1) is not None


def _title_end(text: str, tokens: Sequence[Word]) -> int:
    """Return the number of words of a title before a colon: "Make the glaze: stir the honey".

    A title that repeats the action ("Bake the buns: bake for an hour") names its object.
    """
    end = next((i for i in range(1, len(tokens)) if TITLE_MARK.search(gap(text, tokens, i))), 0)
    title = [token.text for token in tokens[:end]]
    lists = not end or end > MAX_TITLE or {"following", "these", "with", "in"} & set(title)
    first = next((i for i in range(end) if not is_adverb(tokens[i].text)), 0)
    acts = lexicon().verb_at(tokens, first) is not None or tokens[0].text in ("begin", "start")
    colon = bool(end) and ":" in gap(text, tokens, end)
    acts = acts or (colon and end <= MAX_LABEL and lexicon().noun_at(tokens, 0) is not None)
    again = tokens[first].text in {token.text for token in tokens[end:]}
    if lists or not acts or again or any(starts_sentence(text, tokens, i) for i in range(1, end)):
        return 0
    return (
        end if any(_is_imperative(tokens, i, len(tokens)) for i in range(end, len(tokens))) else 0
    )


def _mark(kinds: list[Kind], start: int, end: int, kind: Kind) -> None:
    for index in range(start, end):
        kinds[index] = kinds[index] or kind


def _mark_sentence(
    text: str, tokens: Sequence[Word], start: int, end: int, kinds: list[Kind]
) -> None:
    first = tokens[start].text
    second = tokens[start + 1].text if start + 1 < end else ""
    allows = first == "you" and second in OPTION_HELPERS
    allows = allows or _is_titled_option(text, tokens, start, end)
    allows = allows or (first in OPTION_HELPERS and second in ("be", "also"))
    machine = first == "if" and _has_machine(tokens, start, end)
    if (first in OPTION_STARTS | {"if", "or"} and not machine) or allows:
        _mark(kinds, start, end, "option")
        return
    if first in STATEMENTS or (first == "some" and second in IDEAS):
        _mark(kinds, start, end, "aside")
        return
    if first == "feel" and second == "free":
        _mark(kinds, start, end, "option")
        return
    clause = start
    index = start
    while index < end:
        word = tokens[index].text
        following = tokens[index + 1].text if index + 1 < end else ""
        opens = index == start or bool(CLAUSE_MARK.search(gap(text, tokens, index)))
        opens = opens or (index - 1 == clause and tokens[clause].text in ("and", "but"))
        clause = index if opens else clause
        stop = index + 1
        if word in RESULTS:
            stop = _clause_end(text, tokens, index, end)
            _mark(kinds, index, stop, "result")
        elif word == "if" and not (machine and index == start):
            stop = _clause_end(text, tokens, index, end)
            whole = not opens and following not in NEEDED
            _mark(kinds, clause if whole else index, stop, "option" if whole else "meanwhile")
        elif _begins_side_clause(tokens, index, start, end):
            stop = _clause_end(text, tokens, index, end)
            _mark(kinds, index, stop, "meanwhile")
        elif (word, following) == ("not", "to") or (
            opens and _is_remark_clause(tokens, index, end)
        ):
            stop = _clause_end(text, tokens, index, end)
            _mark(kinds, index, stop, "aside")
        elif (
            word == "or"
            and index > start
            and not NEGATIONS & {t.text for t in tokens[clause:index]}
            and lexicon().verb_at(tokens, index - 1) is None
            and _is_imperative(tokens, index + 1, end)
        ):
            stop = _clause_end(text, tokens, index, end)
            _mark(kinds, index, stop, "option")
        index = stop


def _has_machine(tokens: Sequence[Word], start: int, end: int) -> bool:
    """Return True for the first "If using a food processor, add ...", which is carried out."""
    earlier = any(t.text == "if" for t in tokens[max(0, start - CHOICE_WORDS) : start])
    if earlier or [t.text for t in tokens[start + 1 : start + 2]] != ["using"]:
        return False
    comma = next((i for i in range(start + 1, end) if not tokens[i].joined), end)
    nouns = [n[0] for i in range(start, comma) if (n := lexicon().noun_at(tokens, i))]
    things = any(noun.role != "food" for noun in nouns)
    return things and _is_imperative(tokens, comma, end)


def _is_titled_option(text: str, tokens: Sequence[Word], start: int, end: int) -> bool:
    """Return True for "Low-fat option - poach the eggs"."""
    for index in range(start, min(start + 4, end - 1)):
        if tokens[index].text in ("option", "version"):
            return gap(text, tokens, index + 1).strip() in ("-", ":", "\u2013", "\u2014")
    return False


def _is_remark_clause(tokens: Sequence[Word], index: int, end: int) -> bool:
    """Return True for a clause that warns or tells: "be careful", "it should thicken"."""
    following = tokens[index + 1].text if index + 1 < end else ""
    return (tokens[index].text, following) in CARES or _declares(tokens, index, end)


def _begins_side_clause(tokens: Sequence[Word], index: int, start: int, end: int) -> bool:
    word = tokens[index].text
    following = tokens[index + 1].text if index + 1 < end else ""
    before = tokens[index - 1].text if index > start else ""
    if word == "once":
        return following not in ("", "and", "or", "more", "again", "every", "a")
    if word == "which" and following in ("include", "includes"):
        return False
    if word == "to" and (following in PURPOSES or (following == "use" and index == start)):
        return True
    if word == "to":
        use = tokens[index + 2].text if index + 2 < end else ""
        return (following, use) in USES
    if word == "as" and following in ("much", "many", "few"):
        return False
    if word == "as":
        return before not in ("same", "such", "known") or following == "if"
    if word == "so":
        return following in ("that", "it", "they", "the", "you", "there", "as", "your")
    if word == "that" and following in MODALS:
        return True
    if word == "that":
        known = before in PREPOSITIONS | DETERMINERS | {""}
        verb = index > start and lexicon().verb_at(tokens, index - 1) is not None
        return not known and not verb and before not in ("and", "then")
    if word == "such":
        return following == "as"
    if word in ("instead", "rather"):
        return following in ("of", "than")
    if word == "like":
        return following in ("a", "an", "the", "this")
    return word in MEANWHILE


def _declares(tokens: Sequence[Word], index: int, end: int) -> bool:
    """Return True if a clause tells what happens: "it should thicken", "the dough will rise"."""
    if tokens[index].text in SPEAKERS:
        return _tells_opinion(tokens, index, end)
    if tokens[index].text in SUBJECTS:
        following = tokens[index + 1].text if index + 1 < end else ""
        return following not in ("in", "into", "on", "to", "with", "and", "aside", "")
    if tokens[index].text not in ("the", "your", "these", "each"):
        return _states(tokens, index, end)
    for at in range(index + 1, min(index + 6, end)):
        is_can = tokens[at - 1].text in DETERMINERS
        if tokens[at].text in MODALS | STATED and not is_can:
            return True
        if lexicon().verb_at(tokens, at) is not None and lexicon().noun_at(tokens, at) is None:
            return False
    return False


def _tells_opinion(tokens: Sequence[Word], index: int, end: int) -> bool:
    """Return True for "I like to use a fork" and "you want a firm dough", not "you need to stir"."""
    if tokens[index].text in OWN_VERBS and index + 1 < end:
        return tokens[index + 1].joined
    at = index + 1
    while at < end and (tokens[at].text in STATED or is_adverb(tokens[at].text)):
        at += 1
    following = tokens[at + 1].text if at + 1 < end else ""
    return at < end and tokens[at].text in OPINIONS and following != "to"


def _states(tokens: Sequence[Word], index: int, end: int) -> bool:
    """Return True if a clause without an article states something: "Times will vary"."""
    for at in range(index, min(index + 4, end)):
        word = tokens[at].text
        if word in STATED:
            return at > index
        noun = lexicon().noun_at(tokens, at)
        if word in PREPOSITIONS | DETERMINERS | OPENING or is_number(word) or is_adverb(word):
            return False
        if not tokens[at].joined and at > index:
            return False
        if noun is None and lexicon().verb_at(tokens, at) is not None:
            return False
    return False


RESULT_VERBS = frozenset("release lose hold keep absorb show reach".split())
"""Verbs of "until the berries soften and release their juices"."""
TIMES = frozenset("minute minutes min mins hour hours second seconds".split())
USES = frozenset(
    {("be", "used"), ("be", "served"), ("use", "in"), ("use", "for"), ("use", "as"),
     ("use", "later"), ("use", "when")}
)  # fmt: skip
"""After "to" they begin a purpose: "reserve the stock to be used in the sauce"."""
PURPOSES = frozenset({"catch"})
"""Verbs of a purpose, whose objects no clip needs: "a tray to catch the juice"."""
CHOICE_WORDS = 80
"""Words before "If using an oven" in which another machine may have been chosen."""
OPENING = frozenset("and or but then to not never do don't please let let's which that who".split())


def _clause_end(text: str, tokens: Sequence[Word], index: int, end: int) -> int:
    """Return the end of the side clause that begins at a word."""
    for at in range(index + 1, end):
        if CLAUSE_MARK.search(gap(text, tokens, at).replace("/", "")):
            return at
        word = tokens[at].text
        following = {t.text for t in tokens[at + 1 : at + 4]}
        if following & RESULT_VERBS and following & {"their", "its"}:
            continue
        if word in ("and", "then", "but") and _is_imperative(tokens, at + 1, end):
            return at
        if tokens[at - 1].text in TIMES and _is_imperative(tokens, at, end):
            return at
    return end


def _is_imperative(tokens: Sequence[Word], index: int, end: int) -> bool:
    """Return True if an instruction with an object begins at a word."""
    while index < end and (is_adverb(tokens[index].text) or tokens[index].text == "then"):
        index += 1
    if index >= end or tokens[index].text.endswith("ing"):
        return False
    verb = lexicon().verb_at(tokens, index)
    noun = lexicon().noun_at(tokens, index)
    if verb is None or (noun is not None and noun[1] > verb[1]):
        return False
    return takes_object(tokens, index + verb[1])


def _mark_asides(text: str, tokens: Sequence[Word], kinds: list[Kind]) -> None:
    """Mark remarks in brackets; a bracket that lists foods or a state is not a remark."""
    opened: int | None = None
    for index in range(len(tokens) + 1):
        last = index == len(tokens)
        mark = text[tokens[-1].end :] if last else gap(text, tokens, index)
        for sign in mark:
            if sign == "(":
                opened = index
            elif sign == ")" and opened is not None:
                if _is_remark(tokens, opened, index):
                    _mark(kinds, opened, index, "aside")
                opened = None


def _is_remark(tokens: Sequence[Word], start: int, end: int) -> bool:
    """Return True unless a bracket only lists foods and their states."""
    index = start
    while index < end:
        word = tokens[index].text
        noun = lexicon().noun_at(tokens, index)
        state = lexicon().state_at(tokens, index)
        if noun is not None and noun[0].role == "food":
            index += noun[1]
        elif state is not None:
            index += state[1]
        elif (word in ("and", "with", "of") and index > start) or word == "the" or is_adverb(word):
            index += 1
        else:
            return True
    return False


def is_loose(word: str) -> bool:
    """Return True for a verb that is as often an adjective or a noun."""
    return word in LOOSE_VERBS and word not in ADVERBS
