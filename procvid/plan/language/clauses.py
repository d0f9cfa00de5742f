"""Read the clauses of a step: each imperative with the words that belong to it.

What leads to a verb ("In a large bowl, ...") and what follows it ("until ...", "for 5 minutes")
belongs to its clause. Conditions, options, remarks and headings are clauses without a verb.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from procvid.plan.language.english import (
    COMMON,
    DETERMINERS,
    PREPOSITIONS,
    PRONOUNS,
    SUBORDINATORS,
    is_adverb,
    is_number,
)
from procvid.plan.language.lexicon import Verb, Word, lexicon, words
from procvid.plan.language.side_clauses import gap
from procvid.plan.language.verbs import find_plain_verbs

MAX_HEADING_WORDS, MAX_WORD_CHARS = 8, 30
HEADING = re.compile(r"[^.:!?\u2013\u2014-]+(?::|\s[\u2013\u2014-](?=\s+[A-Z]))\s+")
SENTENCE_END = re.compile(r"(?<=[.!?])[\"'”’)\]]*\s+(?=[^a-z\s])|(?<=[a-z)][.!])(?=[A-Z])|\n+")
MAX_ABBREVIATION = 8
ABBREVIATION = re.compile(r"\b(?:approx|min|mins|hr|hrs|tbsp|tsp|oz|lb|no|vs|e\.g|i\.e)\.$", re.I)
JOINERS = frozenset({"and", "then", "n", "next", "finally", "also", "but"})
LEADERS = frozenset("when once after as while in on using with meanwhile into to from".split())
"""First words of a phrase that leads to the verb after its comma."""
OPTIONS = frozenset("if unless optionally optional alternatively or otherwise".split())
"""First words of a condition, an option or an alternative."""
OPTION_START = re.compile(
    r"\W*(?:if|unless|optional(?:ly)?|alternatively|or|otherwise|you (?:can|could|may|might)|"
    r"note|tips?|be careful|careful|don't worry|"
    r"for (?:a|an) [\w -]+ (?:version|option)|feel free|want|prefer|need)\b",
    re.I,
)
SILENT_VERBS = frozenset({"enjoy", "eat", "drink", "cool", "remove from heat", "take off the heat"})
"""Verbs whose action has a picture, but they do not."""
FORWARD = frozenset({"preheat", "prepare", "gather", "measure", "open"})
"""Actions without a picture that lead to the next action; the others end the one before."""
FETCHING = frozenset({"take", "get", "grab", "use"})
"""Verbs that only fetch a tool for the next action: "take a knife and slice"."""
NOUN_WORDS = frozenset("extract skin core shell stone seed pit husk ice bone".split())
FORECASTS = frozenset({"will", "would", "should", "may", "might"})
HELPS = frozenset({("to", "help"), ("to", "allow"), ("to", "let"), ("to", "make")})
STATIVE = frozenset(
    "want need like prefer love know see note remember watch repeat except plus toward towards "
    "whilst ensure reminder become resemble help calculate pause envision".split()
)
SUBJECTS = frozenset({"it", "they", "he", "she", "you"})
MODALS = frozenset("will would may might can could should must shall".split())
HELPERS = frozenset("use take continue begin start".split())
"""Verbs whose action is named after "to": "use a knife to slice"."""
LOOK_VERBS = frozenset("brown dry clean cool warm set crisp open clear thicken soften".split())
STOVES = frozenset("stove oven burner hob broiler".split())
SETTINGS = STOVES | frozenset("heat temperature flame speed grill".split())
SETTING_VERBS = frozenset("turn reduce lower increase raise bring set adjust return".split())
OBJECT_STARTS = DETERMINERS | PRONOUNS
PHRASE_STARTS = OBJECT_STARTS | PREPOSITIONS - {"of"}
LEADS = LEADERS | OPTIONS
NO_VERBS = COMMON | STATIVE
TO_TASTE = re.compile(r"\bto taste\b", re.I)


@dataclass(frozen=True)
class Clause:
    """A clause of a step.

    Attributes:
        start: First character in the step.
        end: Character after the last.
        verb: Its imperative; None for a remark.
        visible: True if it has a picture of its own.
        forward: True if it joins the next clause when it has no picture.
        places: Vessels that it names.
        bare: True if it names no food and no thing.
        sentence: Number of its sentence in the step.
    """

    start: int
    end: int
    verb: Verb | None
    visible: bool
    forward: bool = False
    places: frozenset[str] = frozenset()
    bare: bool = False
    sentence: int = 0


def read_clauses(text: str) -> Iterator[Clause]:
    """Yield the clauses of a step, in order; together they cover it."""
    for number, (start, end) in enumerate(_sentences(text)):
        sentence = text[start:end]
        for clause in _sentence_clauses(sentence):
            yield replace(
                clause, start=start + clause.start, end=start + clause.end, sentence=number
            )


def _sentences(text: str) -> Iterator[tuple[int, int]]:
    """Yield start and end of each heading ("For the sauce:") and sentence."""
    start = 0
    heading = HEADING.match(text)
    if heading and _is_heading(heading.group(), text[heading.end() :][:MAX_WORD_CHARS]):
        start = heading.end()
        yield 0, start
    for mark in SENTENCE_END.finditer(text):
        before = text[max(start, mark.start() - MAX_ABBREVIATION) : mark.start()]
        if mark.start() >= start and not ABBREVIATION.search(before):
            yield start, mark.end()
            start = mark.end()
    yield start, len(text)


def _is_heading(text: str, rest: str) -> bool:
    """Return True for a few words before a sentence or an action: "For the sauce: melt ..."."""
    opens = rest[:1].isupper() or lexicon().verb_at(words(rest), 0) is not None
    return opens and len(words(text)) <= MAX_HEADING_WORDS


def _sentence_clauses(sentence: str) -> Iterator[Clause]:
    tokens = words(sentence)
    verbs = _imperatives(sentence, tokens)
    heading = HEADING.fullmatch(sentence) is not None
    if not verbs or heading or OPTION_START.match(sentence):
        yield Clause(0, len(sentence), None, visible=False, forward=heading)
        return
    chains, places = [[verbs[0]]], [0]
    for verb in verbs[1:]:
        last = chains[-1][-1]
        first = _first_joiner(sentence, tokens, last.end, verb.start)
        if _is_chained(sentence, tokens, first, last, verb):
            chains[-1].append(verb)
            continue
        at = _cut_before(sentence, tokens, first, last, verb)
        if at is not None:
            chains.append([verb])
            places.append(at)
    ends = [*places[1:], len(sentence)]
    for start, end, chain in zip(places, ends, chains, strict=True):
        yield _clause(sentence, tokens, start, end, chain)


@dataclass(frozen=True)
class _Found:
    """An imperative: its verb and its tokens."""

    verb: Verb
    start: int
    end: int


UNKNOWN = "unknown"


def _imperatives(sentence: str, tokens: Sequence[Word]) -> list[_Found]:
    """Return the imperatives outside brackets, also those that the lexicon does not know."""
    by_hand = bool(tokens) and tokens[0].text in HELPERS
    found = {
        verb.start: _Found(verb.verb, verb.start, verb.end)
        for verb in find_plain_verbs(sentence, tokens)
        if not verb.forbidden
        and (not verb.weak or (by_hand and tokens[verb.start - 1].text == "to"))
        and _is_base(tokens[verb.start].text)
        and not _has_subject(tokens, verb.start)
    }
    for index in range(len(tokens)):
        if index not in found and _is_missed(sentence, tokens, index):
            known = lexicon().verb_at(tokens, index)
            verb, length = known if known else (_unknown(), 1)
            found[index] = _Found(verb, index, index + length)
    return [found[i] for i in sorted(found) if not _in_brackets(sentence, tokens[i].start)]


def _unknown() -> Verb:
    return Verb(UNKNOWN, replace(lexicon().actions["add"], name=UNKNOWN))


def _has_subject(tokens: Sequence[Word], index: int) -> bool:
    """Return True for a statement: "the oats will boil up", "it may brown"."""
    at = index - 1
    while at >= 0 and is_adverb(tokens[at].text):
        at -= 1
    word = tokens[at].text if at >= 0 else ""
    before = tokens[at - 1].text if at > 0 else ""
    return word in SUBJECTS or (word in MODALS and before not in ("we", "i"))


def _is_base(word: str) -> bool:
    """Return True unless a form in -ing or -s tells what something does: "it forms a ball"."""
    if word.endswith("ing"):
        return word in ("bring", "string")
    return not word.endswith("s") or word.endswith("ss")


def _is_missed(sentence: str, tokens: Sequence[Word], index: int) -> bool:
    """Return True for an unknown word where an imperative stands: "Smear them ..."."""
    word = tokens[index].text
    if index and tokens[index - 1].text == "then" and lexicon().verb_at(tokens, index):
        return _is_base(word)
    follower = tokens[index + 1].text if index + 1 < len(tokens) else ""
    if index == 0 and lexicon().verb_at(tokens, 0) is not None:
        return follower in PHRASE_STARTS
    if word in NO_VERBS or is_number(word) or word.endswith(("ed", "ing", "s")):
        return False
    if lexicon().noun_at(tokens, index) or lexicon().state_at(tokens, index):
        return False
    if follower not in OBJECT_STARTS or follower == "one":
        return False
    before = [t.text for t in tokens[:index]]
    while before and is_adverb(before[-1]):
        before.pop()
    return not before or before[-1] in ("and", "then") or "," in gap(sentence, tokens, len(before))


def _in_brackets(sentence: str, at: int) -> bool:
    before = sentence[:at]
    return before.count("(") > before.count(")") or before.count("[") > before.count("]")


def _first_joiner(sentence: str, tokens: Sequence[Word], start: int, verb: int) -> int:
    """Return the first of the words that join a verb to the words before: "and then gently"."""
    while verb > start and _leads_to_verb(sentence, tokens, verb):
        verb -= 1
    return verb


def _is_chained(
    sentence: str, tokens: Sequence[Word], first: int, last: _Found, verb: _Found
) -> bool:
    """Return True if no object stands between two verbs: "peel and dice the potatoes"."""
    between = {t.text for t in tokens[first : verb.start]}
    signs = "".join(gap(sentence, tokens, i) for i in range(first, verb.start + 1))
    return first <= last.end and not between & {"then", "or"} and ";" not in signs


def _cut_before(
    sentence: str, tokens: Sequence[Word], first: int, last: _Found, verb: _Found
) -> int | None:
    """Return where the clause of a verb begins, as a character; None if it begins no shot.

    `first` is the first of the words that join it to the words before.
    """
    between = [t.text for t in tokens[first : verb.start]]
    signs = "".join(gap(sentence, tokens, i) for i in range(first, verb.start + 1))
    if not (set(between) & {"and", "then", "n"} or re.search(r"[,;:&\u2013\u2014]| - ", signs)):
        return None
    if set(between) & {"or"} or (first > last.end and tokens[first - 1].text == "or"):
        return None
    if _describes(sentence, tokens, last.end, verb) or _is_aside(tokens, last.end, verb.start):
        return None
    if not between and not _takes_words(tokens, verb.end):
        return None
    lead = _lead(sentence, tokens, last.end, first)
    if lead is None:
        return _after(sentence, tokens[first - 1].end)
    return None if tokens[lead].text in OPTIONS else _after(sentence, tokens[lead - 1].end)


def _after(sentence: str, at: int) -> int:
    """Return the position after closing brackets and quotation marks."""
    while at < len(sentence) and sentence[at] in ")]\"'”’":
        at += 1
    return at


def _describes(sentence: str, tokens: Sequence[Word], start: int, verb: _Found) -> bool:
    """Return True for a verb's word that is a noun or a look: "milk and dry ingredients"."""
    word, follower = tokens[verb.start].text, ""
    if verb.end < len(tokens) and gap(sentence, tokens, verb.end).isspace():
        follower = tokens[verb.end].text
    if verb.end > verb.start + 1 or follower in OBJECT_STARTS or follower == "with":
        return False
    if word in NOUN_WORDS or lexicon().noun_at(tokens, verb.start) is not None:
        return True
    subordinate = SUBORDINATORS & {t.text for t in tokens[start : verb.start]}
    return word in LOOK_VERBS and bool(subordinate or follower in ("ingredient", "ingredients"))


def _takes_words(tokens: Sequence[Word], index: int) -> bool:
    """Return True if what follows a verb can be its object or place: not "skin side up"."""
    if index >= len(tokens) or lexicon().noun_at(tokens, index) is not None:
        return True
    word = tokens[index].text
    return word in COMMON or is_number(word) or is_adverb(word)


def _is_aside(tokens: Sequence[Word], start: int, end: int) -> bool:
    """Return True inside a purpose, a forecast or an alternative: "or heat it and mix"."""
    said = [t.text for t in tokens[start:end]]
    helps = any(pair in HELPS for pair in pairwise(said)) or bool(FORECASTS & set(said))
    instead = any(
        tokens[index - 1].text == "or" and _acts(tokens, index) for index in range(start + 1, end)
    )
    return (helps or instead) and "then" not in said


def _acts(tokens: Sequence[Word], index: int) -> bool:
    """Return True for a word that is a verb and no noun: "or heat the cream"."""
    is_noun = lexicon().noun_at(tokens, index) is not None
    return not is_noun and lexicon().verb_at(tokens, index) is not None


def _leads_to_verb(sentence: str, tokens: Sequence[Word], index: int) -> bool:
    """Return True if the word before belongs to "and then gently" before a verb."""
    if re.search(r"[,;]", gap(sentence, tokens, index)):
        return False
    word, after = tokens[index - 1].text, tokens[index].text
    paired = index > 1 and tokens[index - 2].text == "and"
    return word in JOINERS or (is_adverb(word) and (after not in JOINERS or paired))


def _lead(sentence: str, tokens: Sequence[Word], start: int, end: int) -> int | None:
    """Return the first token of a phrase that leads to a verb: ", once melted, add ..."."""
    if end >= len(tokens) or "," not in gap(sentence, tokens, end):
        return None
    for index in range(end - 1, start, -1):
        opened = "," in gap(sentence, tokens, index) or tokens[index - 1].text in ("and", "then")
        if opened and tokens[index].text in LEADS:
            return index
        if "," in gap(sentence, tokens, index):
            return None
    return None


def _clause(
    sentence: str, tokens: Sequence[Word], start: int, end: int, chain: Sequence[_Found]
) -> Clause:
    """Return the clause of some verbs with the same object; the last one that is seen counts."""
    seen = [one for one in chain if not _is_setting(tokens, one) and one.verb.action.weight > 1]
    seen = [one for one in seen if one.verb.action.name != "serve"] or seen
    verb = (seen or chain)[-1]
    inside = [i for i, t in enumerate(tokens) if start <= t.start < end]
    nouns = [noun[0] for i in inside if (noun := lexicon().noun_at(tokens, i)) is not None]
    things = [n for i, n in enumerate(nouns) if n.role in ("food", "vessel")]
    alone = start > 0 and all(is_adverb(tokens[i].text) for i in inside if i >= verb.end)
    setting = _is_setting(tokens, verb)
    aside = tokens[verb.start].text in ("set", "put") and tokens[inside[-1]].text == "aside"
    fetches = not things and verb.verb.name in FETCHING
    serves = not things and verb.verb.action.name == "serve"
    return Clause(
        start,
        end,
        verb.verb,
        visible=not (setting or alone or aside or fetches or serves)
        and _is_visible(sentence[start:end], verb.verb),
        forward=setting or fetches or verb.verb.action.name in FORWARD,
        places=frozenset(n.name for n in nouns if n.role == "vessel" or n.name == "oven"),
        bare=not things,
    )


def _is_setting(tokens: Sequence[Word], verb: _Found) -> bool:
    """Return True for a change of the heat: "lower the heat", "turn the broiler to high"."""
    word, after = tokens[verb.start].text, {t.text for t in tokens[verb.start + 1 :][:4]}
    return bool(word in SETTING_VERBS and after & SETTINGS) or bool(
        word == "heat" and after & STOVES
    )


def _is_visible(clause: str, verb: Verb) -> bool:
    if verb.name in SILENT_VERBS:
        return False
    if verb.name == "season" and TO_TASTE.search(clause):
        return False
    return verb.action.weight > 1
