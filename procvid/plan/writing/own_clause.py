"""Find the clause of a shot's main action in the step's own words, without what no clip shows.

"In a large bowl (see note), whisk 2 eggs with a fork for 3 minutes, then rest." becomes the verb
"whisk", the words "eggs with a fork" and the lead "in a large bowl".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from procvid.plan.language.english import OPENERS, is_adverb
from procvid.plan.language.lexicon import Verb, Word, lexicon, words
from procvid.plan.language.reading import is_title
from procvid.plan.language.side_clauses import Kind, gap, kinds_of, starts_sentence
from procvid.plan.language.verbs import FoundVerb
from procvid.plan.writing.clutter import clean
from procvid.plan.writing.happenings import ENDINGS, is_happening
from procvid.plan.writing.phrases import entries_in
from procvid.plan.writing.wording import verbs_of

MAX_TEXT_CHARS, MAX_REST_WORDS = 800, 60
MAX_TRIED = 3
PLAIN: Kind = ""
MAX_USED_WORDS = 10
"""Most words from "use" to the verb in "use a fork to dock the crust"."""
LEADS = frozenset("in into on onto to using with over from inside".split())
ONTO_VERBS = frozenset("pour drizzle spoon brush spread ladle dollop sprinkle scatter".split())
"""Verbs whose "over" belongs to the place as well."""
PLACING_WORDS = frozenset("to onto on into between".split())
"""Second words of verbs such as "slide onto a plate", which belong to the place."""
COOKED = frozenset({"fry", "boil", "bake", "grill", "steam", "heat"})
"""Actions that "cook" may mean."""

ORDERED = frozenset("the a an all in your some".split())
"""Words after a verb that nobody read as one: "to the bowl add all the flour"."""
NO_MANNER = frozenset("finally immediately lastly firstly secondly separately really only".split())


BREAK = re.compile(r"[;:\u2013\u2014\u2022]| - ")


@dataclass(frozen=True)
class OwnClause:
    """The clause of an action.

    Attributes:
        verbs: The verbs that share its object, as written: ("peel", "dice").
        known: The lexicon's entry of the last one.
        manner: An adverb before it: "gently".
        leads: Phrases that lead to it, each as words: ("in", "a", "bowl").
        rest: The words and commas after it.
        end: The index of the first word after it.
        before: The clause before it.
    """

    verbs: tuple[str, ...]
    known: Verb
    manner: str
    leads: tuple[tuple[str, ...], ...]
    rest: tuple[str, ...]
    end: int = -1
    before: OwnClause | None = None


def own_clauses(text: str, action: str) -> list[OwnClause]:
    """Return the clauses of an action in order; none if the text is not safe to speak."""
    if len(text) > MAX_TEXT_CHARS or is_title(text):
        return []
    tokens, kinds = words(text), kinds_of(text)
    required = [t.text for t, kind in zip(tokens, kinds, strict=True) if kind != "option"]
    if all(word in OPENERS or is_adverb(word) for word in required):
        kinds = tuple(PLAIN for _ in kinds)
    found = [v for v in verbs_of(text) if not v.forbidden and not v.weak]
    found = found or [v for v in verbs_of(text) if not v.forbidden and _is_use(tokens, v)]
    mine = [n for n, v in enumerate(found) if v.verb.action.name == action and v.end > v.start]
    if not mine and action in COOKED:
        mine = [n for n, v in enumerate(found) if v.verb.name == "cook"]
    if not mine and len(found) == 1 and found[0].end > found[0].start:
        mine = [0]
    clauses = (_with_one_before(text, tokens, kinds, found, n) for n in mine[:MAX_TRIED])
    return [clause for clause in clauses if clause is not None]


def _is_use(tokens: Sequence[Word], verb: FoundVerb) -> bool:
    """Return True for "dock" in "use a fork to dock the crust"."""
    before = [t.text for t in tokens[max(0, verb.start - MAX_USED_WORDS) : verb.start]]
    while before and is_adverb(before[-1]):
        before.pop()
    return before[-1:] == ["to"] and "use" in before


def _with_one_before(
    text: str,
    tokens: Sequence[Word],
    kinds: Sequence[Kind],
    found: Sequence[FoundVerb],
    number: int,
) -> OwnClause | None:
    """Return the clause of a verb with the one before it, which may name its object."""
    clause = _clause(text, tokens, kinds, found, number)
    first, _ = _chain(text, tokens, found, number)
    if clause is None or first == 0:
        return clause
    return replace(clause, before=_clause(text, tokens, kinds, found, first - 1))


def _clause(
    text: str,
    tokens: Sequence[Word],
    kinds: Sequence[Kind],
    found: Sequence[FoundVerb],
    number: int,
) -> OwnClause | None:
    first, last = _chain(text, tokens, found, number)
    begin = found[first].start
    end = _end(text, tokens, found[last + 1].start if last + 1 < len(found) else None,
               found[last].end)  # fmt: skip
    spoken = _spoken(text, tokens, kinds, found[last].end, end, tail=True)
    rest = clean(spoken, happens=is_happening(found[last].verb.name))
    if begin and tokens[begin - 1].text == "or" and lexicon().noun_at(tokens, begin):
        return None
    verbs = [_as_written(tokens, v) for v in found[first : last + 1]]
    while len(verbs) > 1 and verbs[-1] in ENDINGS:
        verbs.pop()
    head, *more = verbs[-1].split()
    halved = more == ["in", "half"]
    poured = more == ["over"] and head in ONTO_VERBS
    if (
        more
        and (more[0] in PLACING_WORDS or halved or poured)
        and head != "bring"
        and rest is not None
    ):
        verbs[-1], rest = head, (*more, *rest)
    elif more[:1] == ["the"] and rest is not None:
        at = found[last].end
        lists = at < len(tokens) and (tokens[at].text == "and" or "," in gap(text, tokens, at))
        verbs[-1], rest = head, (*more, *(("and",) if lists and rest else ()), *rest)
    if rest is None or len(rest) > MAX_REST_WORDS or rest[:1] == ("of",):
        return None
    start = max(found[first - 1].end if first else 0, _sentence_start(text, tokens, begin))
    manner = ""
    if begin > start and tokens[begin - 1].text.endswith("ly"):
        manner, begin = tokens[begin - 1].text, begin - 1
        manner = "" if manner in NO_MANNER else manner
    leads = (
        () if first and start == found[first - 1].end else _leads(text, tokens, kinds, start, begin)
    )
    return OwnClause(tuple(verbs), found[last].verb, manner, leads, rest, found[last].end)


def _chain(
    text: str, tokens: Sequence[Word], found: Sequence[FoundVerb], number: int
) -> tuple[int, int]:
    """Return the first and last of the verbs that share an object with a verb."""
    first = last = number
    if is_happening(found[number].verb.name):
        return number, number
    while first > 0 and _shares(text, tokens, found[first - 1], found[first]):
        first -= 1
    while last + 1 < len(found) and _shares(text, tokens, found[last], found[last + 1]):
        last += 1
    return (first, last) if last - first < 3 else (number, number)


def _shares(text: str, tokens: Sequence[Word], one: FoundVerb, other: FoundVerb) -> bool:
    between = [t.text for t in tokens[one.end : other.start]]
    marks = "".join(gap(text, tokens, i) for i in range(one.end, other.start + 1))
    joins = bool(between) or "&" in marks or "," in marks
    plain = all(w in OPENERS and w != "or" for w in between) and not re.search(r"[.;:!?(\n]", marks)
    hands = not (is_happening(one.verb.name) or is_happening(other.verb.name))
    return joins and plain and hands and one.verb.action.name != "cover"


def _as_written(tokens: Sequence[Word], verb: FoundVerb) -> str:
    return " ".join(t.text for t in tokens[verb.start : verb.end])


def _sentence_start(text: str, tokens: Sequence[Word], index: int) -> int:
    while index > 0 and not starts_sentence(text, tokens, index):
        index -= 1
    return index


def _end(text: str, tokens: Sequence[Word], following: int | None, start: int) -> int:
    """Return where a clause ends: at its sentence's end, or before the next verb's joiners."""
    end = len(tokens)
    for index in range(start, len(tokens)):
        if starts_sentence(text, tokens, index):
            end = index
            break
    if following is None or following >= end:
        return end
    end = following
    while end > start and (tokens[end - 1].text in OPENERS or is_adverb(tokens[end - 1].text)):
        if "," in gap(text, tokens, end) and tokens[end - 1].text not in OPENERS:
            break
        end -= 1
    lead = _lead_of_next(text, tokens, start, end)
    return lead


def _lead_of_next(text: str, tokens: Sequence[Word], start: int, end: int) -> int:
    """Return the start of a phrase that leads to the next verb: ", in a bowl, whisk ..."."""
    if end >= len(tokens) or "," not in gap(text, tokens, end):
        return end
    for index in range(end - 1, max(start, end - 8), -1):
        if "," in gap(text, tokens, index) or tokens[index - 1].text in ("and", "then"):
            return index if tokens[index].text in LEADS else end
    return end


def _spoken(
    text: str, tokens: Sequence[Word], kinds: Sequence[Kind], start: int, end: int, *, tail: bool
) -> str:
    """Return the words from one to another that count, without what stands in brackets."""
    depth = 0
    parts: list[str] = []
    for index in range(start, end):
        mark = gap(text, tokens, index) if index > start or tail else ""
        depth = max(
            0, depth + mark.count("(") + mark.count("[") - mark.count(")") - mark.count("]")
        )
        range_sign = tokens[index].text[0].isdigit() or tokens[index - 1].text[0].isdigit()
        if index > start and BREAK.search(mark) and depth == 0 and not range_sign:
            break
        if index > start and not kinds[index] and _is_unfinished(tokens, kinds, index):
            break
        if depth or kinds[index]:
            if kinds[index] and parts and depth == 0 and "," not in parts[-1:]:
                parts.append(", " if "," in mark else " ")
            continue
        parts.append(re.sub(r"\([^()]*\)|[()\[\]]", " ", mark))
        parts.append(text[tokens[index].start : tokens[index].end])
    if parts and end < len(tokens) and tail:
        parts.append(re.match(r"\s*[°º˚\"”″]?[FC]?", gap(text, tokens, end))[0])  # type: ignore[index]
    return "".join(parts)


def _is_unfinished(tokens: Sequence[Word], kinds: Sequence[Kind], index: int) -> bool:
    """Return True after "until a thick," whose noun follows its comma."""
    return (
        index > 2
        and kinds[index - 1] == "result"
        and tokens[index - 2].text in ("a", "an", "the")
        and lexicon().noun_at(tokens, index - 1) is None
    )


def _leads(
    text: str, tokens: Sequence[Word], kinds: Sequence[Kind], start: int, end: int
) -> tuple[tuple[str, ...], ...]:
    """Return the phrases before a verb that say where or with what: "in a large bowl"."""
    spoken = clean(_spoken(text, tokens, kinds, start, end, tail=False))
    if not spoken:
        return ()
    phrases: list[list[str]] = [[]]
    for part in spoken:
        if part == ",":
            phrases.append([])
        elif part == "use" and not phrases[-1]:
            phrases[-1].append("with")
        else:
            phrases[-1].append(part)
    return tuple(_in_vessel(p) for p in phrases if _is_lead(p))


def _in_vessel(phrase: Sequence[str]) -> tuple[str, ...]:
    """Return "in the same pan" for "use the same pan"; machines are used as tools."""
    found = [e for e, _, _ in entries_in(" ".join(phrase))]
    holds = len(found) == 1 and found[0].role == "vessel" and found[0].group in ("stove", "oven")
    return ("in", *phrase[1:]) if holds and phrase[0] == "with" else tuple(phrase)


def _is_lead(phrase: Sequence[str]) -> bool:
    if len(phrase) < 2 or phrase[0] not in LEADS or phrase[-1] in ("hand", "hands", "fingers"):
        return False
    tokens = words(" ".join(phrase))
    if (
        phrase[0] == "to"
        and phrase[1] not in ("a", "the", "an", "same")
        and lexicon().verb_at(tokens, 1)
    ):
        return False
    return any(lexicon().noun_at(tokens, i) for i in range(1, len(tokens))) and not any(
        lexicon().verb_at(tokens, i)
        and lexicon().noun_at(tokens, i) is None
        and tokens[i + 1].text in ORDERED
        for i in range(2, len(tokens) - 1)
    )
