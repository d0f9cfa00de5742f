"""Find the imperatives of a step.

A verb counts at the start of a sentence or clause, after "and", "then" or a comma, and after adverbs
("Now gently fold ..."). Words that `clauses` marks are passed over.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from procvid.plan.language.english import (
    DETERMINERS,
    LINKING,
    NEGATIONS,
    OPENERS,
    PREPOSITIONS,
    PRONOUNS,
    SUBORDINATORS,
    is_adverb,
    is_number,
)
from procvid.plan.language.lexicon import Verb, Word, lexicon, phrase, words
from procvid.plan.language.senses import covers_with_food, sense_of
from procvid.plan.language.side_clauses import (
    CLAUSE_MARK,
    TIMES,
    Kind,
    gap,
    is_loose,
    kinds_of,
    starts_sentence,
    takes_object,
)

CUTS = {
    "cubes": "dice", "cube": "dice", "dice": "dice", "chunks": "dice", "pieces": "dice",
    "bits": "dice", "bite": "dice", "squares": "slice", "matchsticks": "slice",
}  # fmt: skip
MAX_READ_CHARS = 600
CLAUSE_WORDS = 40
"""Most words after a verb in which its particle is looked for."""
BOILING = frozenset({"boil", "simmer", "boiling"})
SHAPES = frozenset("ball balls log logs rope ropes meatball meatballs cylinder cylinders".split())
STARTING = frozenset("continue keep start begin".split())
"""Words before "to stir" and "stirring", which are what is done."""
KINDS_OF_FOODS = frozenset("ingredients ingredient spices mixture mix seasonings goods".split())
FETCHING = frozenset("prepare use get grab take".split())
MAX_TOOL_WORDS = 16
TOOL_MARK = re.compile(r"[.!?;:,]")
"""Most words of "use a large fork to" before its verb."""
FLAPS = frozenset("side sides edge edges end ends corner corners flap flaps".split())
FOLDED = frozenset(
    "half thirds quarters triangle triangles rectangle square envelope parcel".split()
)
DRAINED = frozenset("water liquid oil grease fat brine".split())
HEATED = frozenset("oil butter ghee skillet pan wok griddle saucepan pot".split())
PREHEATED = frozenset("oven broiler grill fryer degrees".split())
PLACING = frozenset({"place", "put", "set", "return"})
STOVES = frozenset("cooktop stove stovetop heat oven burner hob grill".split())
LEVELS = frozenset("high low medium broil warm simmer".split())
DIALS = frozenset("heat temperature speed mixer flame oven burner".split())
CARES = frozenset({("make", "sure"), ("be", "sure")})
FALLBACKS: tuple[tuple[Kind, ...], ...] = ((), ("option",), ("option", "aside"))
"""Kinds of words that also count, one after the other, while no verb is found."""


@dataclass
class FoundVerb:
    """A verb at `start` to `end`; `weak` for purposes and side actions.

    `beside` marks a side action ("stirring often"), whose objects belong to the verb before it.
    """

    verb: Verb
    start: int
    end: int
    weak: bool = False
    forbidden: bool = False
    beside: bool = False


def names_action(text: str) -> bool:
    """Return True if a text contains a kitchen instruction in its first 600 characters."""
    text = text[:MAX_READ_CHARS]
    tokens = words(text)
    return bool(find_verbs(text, tokens) or any_verb(tokens))


def starts_with_action(text: str) -> bool:
    """Return True if a text begins with an imperative, after adverbs: "Now slice"."""
    text = text[:MAX_READ_CHARS]
    tokens = words(text)
    found = find_verbs(text, tokens)
    return bool(found) and all(
        is_adverb(t.text) or t.text in OPENERS for t in tokens[: found[0].start]
    )


def find_verbs(
    text: str, tokens: Sequence[Word], kinds: Sequence[Kind] | None = None
) -> list[FoundVerb]:
    """Return the imperatives in order; options count only if there is nothing else to do."""
    kinds = kinds_of(text) if kinds is None else kinds
    for allowed in FALLBACKS:
        found = _find(text, tokens, [not kind or kind in allowed for kind in kinds])
        if found:
            return found
    return []


def find_plain_verbs(text: str, tokens: Sequence[Word]) -> list[FoundVerb]:
    """Return the imperatives outside options, remarks and side clauses."""
    return _find(text, tokens, [not kind for kind in kinds_of(text)])


def _find(text: str, tokens: Sequence[Word], counts: Sequence[bool]) -> list[FoundVerb]:
    found: list[FoundVerb] = []
    is_open, subordinate, aim = True, False, ""
    index = 0
    while index < len(tokens):
        mark, word = gap(text, tokens, index), tokens[index].text
        if CLAUSE_MARK.search(mark) and mark.strip() != "/":
            is_open, subordinate, aim = True, False, ""
        if not counts[index]:
            is_open = word in TIMES
            index += 1
            continue
        if (word, tokens[index + 1].text if index + 1 < len(tokens) else "") in CARES:
            is_open, aim = True, ""
            index += 2
            continue
        if word == "then" and not subordinate and not is_open:
            is_open, aim = True, word
            index += 1
            continue
        if is_adverb(word) and not _verb_here(tokens, index, is_open):
            index += 1
            continue
        if word in OPENERS:
            is_open = not (subordinate and word in ("and", "or", "to"))
            aim = aim if word == "to" and aim in ("start", "begin") else word
            index += 1
            continue
        if word == "taste" and index and tokens[index - 1].text == "to":
            is_open, aim = False, ""
            index += 1
            continue
        verb = _verb_here(tokens, index, is_open, starts=starts_sentence(text, tokens, index))
        after = tokens[index + verb[1]].text if verb and index + verb[1] < len(tokens) else ""
        if verb and after and gap(text, tokens, index + verb[1]) == "-":
            verb = None
        if after in ("side", "sides"):
            verb = None
        if aim == "to" and verb is not None and _names_thing(tokens, index, verb[1]):
            verb = None
        inner = bool(index) and (":" in mark or not starts_sentence(text, tokens, index))
        if (
            verb is not None
            and inner
            and (is_loose(word) or is_loose(verb[0].name))
            and not takes_object(tokens, index + verb[1])
        ):
            verb = None
        if verb is not None:
            gerund = word.endswith("ing") and word not in ("bring", "string")
            helped = aim == "by" or aim in STARTING
            weak = (gerund and not helped) or (aim == "to" and not _uses(text, tokens, index))
            joined = aim == "or" and bool(found) and found[-1].forbidden
            forbidden = aim in NEGATIONS or joined
            beside = gerund and not helped and bool(found)
            found.append(FoundVerb(verb[0], index, index + verb[1], weak, forbidden, beside))
            index += verb[1]
            is_open, aim = False, ""
            continue
        noun = lexicon().noun_at(tokens, index)
        place = _starts_with_place(text, tokens, index) and noun is not None
        is_open, aim = place and noun is not None and noun[0].role != "food", ""
        is_open = is_open or (noun is not None and _after_purpose(text, tokens, found))
        compares = word == "as" and {"much", "many"} & {t.text for t in tokens[index : index + 2]}
        subordinate = subordinate or (word in SUBORDINATORS and not compares)
        index += noun[1] if noun else 1
    found = [_whole_verb(text, tokens, verb, counts) for verb in found]
    return _with_purpose(text, tokens, found)


def _with_purpose(text: str, tokens: Sequence[Word], found: Sequence[FoundVerb]) -> list[FoundVerb]:
    """Return slicing for "to slice the cake, prepare a knife": the purpose is what is seen."""
    if len(found) < 2 or not found[0].weak or found[1].verb.name not in FETCHING:
        return list(found)
    at = found[0].start - 1
    to = at >= 0 and tokens[at].text == "to" and starts_sentence(text, tokens, at)
    noun = next((n for i in range(6) if (n := lexicon().noun_at(tokens, found[1].end + i))), None)
    if not to or noun is None or noun[0].role != "tool":
        return list(found)
    return [replace(found[0], weak=False), replace(found[1], weak=True), *found[2:]]


def _after_purpose(text: str, tokens: Sequence[Word], found: Sequence[FoundVerb]) -> bool:
    """Return True right after "To make the sauce", where the instruction may follow."""
    if not found or not found[-1].weak or found[-1].start == 0:
        return False
    before = found[-1].start - 1
    return tokens[before].text == "to" and starts_sentence(text, tokens, before)


def _starts_with_place(text: str, tokens: Sequence[Word], index: int) -> bool:
    """Return True if a sentence begins with a place and the word is its noun: "in a bowl whisk"."""
    start = index
    while start > max(0, index - 8) and not CLAUSE_MARK.search(gap(text, tokens, start)):
        start -= 1
    first = tokens[start].text
    return index - start < 7 and first in ("in", "into", "to", "on", "onto", "using", "with")


def _verb_here(
    tokens: Sequence[Word], index: int, is_open: bool, *, starts: bool = False
) -> tuple[Verb, int] | None:
    """Return the verb that begins here, unless the words name a thing ("brown sugar").

    `starts` says that a sentence begins here, where nouns are rare.
    """
    verb = lexicon().verb_at(tokens, index) if is_open else None
    if verb is None:
        return None
    noun = lexicon().noun_at(tokens, index)
    if (starts and index and _lists_dry(tokens, index)) or _counts_pieces(tokens, index):
        return None
    kind = [t.text for t in tokens[index : index + 2]]
    if kind[0] in ("dry", "wet") and kind[-1] in KINDS_OF_FOODS:
        return None
    if noun is None:
        return verb
    if noun[1] > verb[1]:
        return verb if _browns(tokens, index, noun[0].group, starts=starts) else None
    follower = tokens[index + verb[1]].text if index + verb[1] < len(tokens) else ""
    if noun[0].role != "food" and _is_second(tokens, index) and follower not in DETERMINERS:
        return None
    if verb[1] > 1 or (noun[0].role != "food" and index > 0):
        return verb
    tied = follower in ("with", "together") and not (
        noun[0].role == "food" and _is_listed(tokens, index)
    )
    acts_on = tied or follower in DETERMINERS | PRONOUNS or (follower and is_number(follower))
    alone = starts and noun[0].role != "food"
    joined = (
        is_adverb(follower)
        or (follower in PREPOSITIONS and follower != "of")
        or lexicon().noun_at(tokens, index + 1) is not None
    )
    return verb if acts_on or alone or (starts and joined) else None


def _browns(tokens: Sequence[Word], index: int, group: str, *, starts: bool) -> bool:
    """Return True for "brown onions and garlic in oil", which opens its clause."""
    opens = starts or (index > 0 and is_adverb(tokens[index - 1].text))
    return tokens[index].text == "brown" and opens and group in ("vegetable", "meat", "poultry")


def _is_second(tokens: Sequence[Word], index: int) -> bool:
    """Return True for the plate of "a cake pan or plate"."""
    before = [t.text for t in tokens[max(0, index - 1) : index]]
    nouns = (lexicon().noun_at(tokens, index - n) for n in (2, 3) if index >= n)
    things = any(noun is not None and noun[0].role != "food" for noun in nouns)
    return before == ["or"] and things


def _counts_pieces(tokens: Sequence[Word], index: int) -> bool:
    """Return True for "slices of chicken", which is no slicing."""
    after = [t.text for t in tokens[index + 1 : index + 2]]
    return tokens[index].text.endswith("s") and after == ["of"]


def _lists_dry(tokens: Sequence[Word], index: int) -> bool:
    """Return True for "Dry rice, salt and cumin": a list of what the sentence before adds."""
    first = lexicon().noun_at(tokens, index + 1) if tokens[index].text == "dry" else None
    after = index + 1 + first[1] if first is not None else len(tokens)
    if after >= len(tokens) or tokens[after].joined:
        return False
    second = lexicon().noun_at(tokens, after)
    return second is not None and second[0].role == "food"


def _is_listed(tokens: Sequence[Word], index: int) -> bool:
    """Return True for a food after a verb or another food: "whisk cream with", "butter and cream"."""
    joined = index > 1 and tokens[index - 1].text in ("and", "or")
    if joined:
        return lexicon().noun_at(tokens, index - 2) is not None
    return index > 0 and lexicon().verb_at(tokens, index - 1) is not None


def _names_thing(tokens: Sequence[Word], index: int, length: int) -> bool:
    """Return True if the word after "to" is a thing: "transfer to plate", not "to plate them"."""
    follower = tokens[index + length].text if index + length < len(tokens) else ""
    noun = lexicon().noun_at(tokens, index)
    if noun is None and is_loose(tokens[index].text):
        described = lexicon().noun_at(tokens, index + length)
        return described is not None and described[0].role == "vessel"
    return noun is not None and follower not in DETERMINERS | PRONOUNS


def _uses(text: str, tokens: Sequence[Word], index: int) -> bool:
    """Return True for the verb after "use a fork to", which names the action."""
    for at in range(index - 1, max(-1, index - MAX_TOOL_WORDS), -1):
        before = tokens[at - 1].text if at else ""
        if tokens[at].text == "using" and before == "by":
            return True
        if tokens[at].text == "use":
            opens = bool(CLAUSE_MARK.search(gap(text, tokens, at)))
            return at == 0 or opens or before in ("and", "then")
        if TOOL_MARK.search(gap(text, tokens, at)):
            return False
    return False


def _whole_verb(
    text: str, tokens: Sequence[Word], found: FoundVerb, counts: Sequence[bool]
) -> FoundVerb:
    """Resolve separate particles: "cut ... into cubes" is dice, "bring ... to a boil" is boil."""
    clause = []
    for index in range(found.end, min(found.end + CLAUSE_WORDS, len(tokens))):
        if re.search(r"[.!?;:]", gap(text, tokens, index)) or not counts[index]:
            break
        clause.append(tokens[index].text)
    name = phrase(found.verb.name)
    verbs = lexicon().verbs
    if len(name) > 1 and name[-1] == "in" and name[0] in verbs:
        noun = next(
            (n for n in (lexicon().noun_at(tokens, found.end + i) for i in range(4)) if n), None
        )
        if noun is not None and noun[0].role == "vessel":
            return replace(found, verb=verbs[name[0]], end=found.end - 1)
    meant = sense_of(name[0], clause) if len(name) == 1 else None
    if meant is not None:
        return replace(found, verb=verbs[meant])
    if name == ("take",) and _begins_with_in(text, tokens, found.start):
        return replace(found, verb=verbs["put"])
    if name == ("scoop",) and "out" in clause[1:6]:
        return replace(found, verb=verbs["scoop out"])
    folded = name in (("fold",), ("fold", "in")) and _folds_over(clause)
    if folded or (name == ("fold", "in", "half") and clause[:1] == ["of"]):
        return replace(found, verb=verbs["fold in half" if folded else "fold in"])
    poured = name == ("pour", "out") or (name == ("pour",) and {"out", "off"} & set(clause[:5]))
    if poured and DRAINED & set(clause[:5]):
        return replace(found, verb=verbs["drain"])
    warms = name in (("preheat",), ("pre", "heat")) and bool(HEATED & set(clause[:5]))
    if warms and not PREHEATED & set(clause[:6]):
        return replace(found, verb=verbs["heat"])
    if name == ("turn",) and "out" in clause[:5] and "of" not in clause[:5]:
        return replace(found, verb=verbs["turn out"])
    if name == ("turn",) and {"off", "down"} & set(clause[:4]) and STOVES & set(clause[:4]):
        return replace(found, verb=verbs["turn off"])
    if name[0] in PLACING and _is_over_heat(tokens, found.end, clause):
        return replace(found, verb=verbs["heat"])
    if name[0] in MOVED and RACKS & set(clause[:5]) and RACK_PLACES & set(clause):
        return replace(found, verb=verbs["preheat"])
    if name == ("turn",) and clause[:1] == ["to"] and LEVELS & set(clause[1:3]):
        return replace(found, verb=verbs["reduce heat"])
    if name[0] in DIALING and DIALS & set(clause[:4]):
        return replace(found, verb=verbs["reduce heat"])
    if name == ("cover",) and covers_with_food(tokens, found.end, len(clause)):
        return replace(found, verb=verbs["top"])
    into = next((i for i, word in enumerate(clause) if word in ("into", "in")), None)
    if name[0] == "cut" and into is not None:
        after = clause[into + 1 :][:5]
        if {"mixture", "flour", "streusel", "ingredients"} & set(after):
            return replace(found, verb=verbs["cut in"])
        for word in after:
            if word in CUTS:
                return replace(found, verb=verbs["dice" if CUTS[word] == "dice" else "slice"])
    if name == ("heat",) and clause[:1] == ["to"] and re.fullmatch(r"\d{3}", " ".join(clause[1:2])):
        return replace(found, verb=verbs["preheat"])
    if name in (("bring",), ("return",), ("come",)) and BOILING & set(clause):
        return replace(found, verb=verbs["boil"])
    if name == ("roll",) and SHAPES & set(clause):
        return replace(found, verb=verbs["shape"])
    if name == ("roll",) and {"up", "spiral"} & set(clause[:8]):
        return replace(found, verb=verbs["roll up"])
    if name in (("let",), ("allow",), ("leave",)):
        return _let(text, tokens, found)
    return found


def _folds_over(clause: Sequence[str]) -> bool:
    """Return True for "fold in the sides" and "fold it into a triangle", which mixes nothing."""
    words = [word for word in clause if word not in ("a", "an")]
    shaped = any(a in ("into", "in") and b in FOLDED for a, b in pairwise(words))
    return bool(FLAPS & set(clause[:4])) or shaped


def _begins_with_in(text: str, tokens: Sequence[Word], index: int) -> bool:
    """Return True if the sentence of a verb names its place first: "In a bowl, take the flour"."""
    start = index
    while start > 0 and not starts_sentence(text, tokens, start):
        start -= 1
    return start < index and tokens[start].text == "in"


def _is_over_heat(tokens: Sequence[Word], start: int, clause: Sequence[str]) -> bool:
    """Return True for "over medium heat" and "a pan on high heat", not "the beans over heat"."""
    at = next((i for i, word in enumerate(clause[:7]) if word in ("over", "on")), None)
    if at is None or not HEATS & set(clause[at + 1 : at + 5]):
        return False
    nouns = (lexicon().noun_at(tokens, start + i) for i in range(at))
    return all(n is None or n[0].role == "vessel" or n[0].name == "water" for n in nouns)


HEATS = frozenset({"heat", "flame"})
MOVED = frozenset("place put set arrange position adjust move".split())
RACKS = frozenset({"rack", "racks"})
RACK_PLACES = frozenset("center centre middle third lower upper lowest position positions".split())
DIALING = frozenset("reduce lower increase raise turn set adjust".split())
"""Verbs that change a heat or a speed when one follows: "reduce the mixer speed"."""


def _let(text: str, tokens: Sequence[Word], found: FoundVerb) -> FoundVerb:
    """Return the verb after "let": "let it simmer" is simmer."""
    for index in range(found.end, min(found.end + 8, len(tokens))):
        if CLAUSE_MARK.search(gap(text, tokens, index)):
            break
        inner = lexicon().verb_at(tokens, index)
        plural = tokens[index].text.endswith("s") and not tokens[index].text.endswith("ss")
        plural = plural or _describes_noun(tokens, index) or _is_steam(tokens, index)
        stands = inner is not None and inner[0].name in ("set", "run")
        named = plural or stands or lexicon().noun_at(tokens, index) is not None
        if inner is not None and not named and inner[0].name != "dissolve":
            rests = inner[0].name == "release"
            return replace(found, verb=lexicon().verbs["wait"] if rests else inner[0])
    return found


def _is_steam(tokens: Sequence[Word], index: int) -> bool:
    """Return True for "let steam escape", but not for "let them steam"."""
    before = tokens[index - 1].text
    return tokens[index].text == "steam" and before in DETERMINERS | {"let", "allow"}


def _describes_noun(tokens: Sequence[Word], index: int) -> bool:
    """Return True for the first word of "brown butter", a look and not an action."""
    noun = lexicon().noun_at(tokens, index + 1)
    return is_loose(tokens[index].text) and tokens[index].text != "cool" and noun is not None


def any_verb(tokens: Sequence[Word]) -> FoundVerb | None:
    """Return any verb form that names no thing, else a stated state, as the verb."""
    index = 0
    stated: FoundVerb | None = None
    by_state = {v.action.state: v for v in lexicon().verbs.values() if v.name == v.action.name}
    while index < len(tokens):
        noun = lexicon().noun_at(tokens, index)
        verb = lexicon().verb_at(tokens, index)
        state = lexicon().state_at(tokens, index)
        working = index == 0 and tokens[0].text.endswith("ing")
        ends = index + 1 == len(tokens) and tokens[index].text.endswith("s")
        left = tokens[index].text == "rest" and index and tokens[index - 1].text in DETERMINERS
        if verb is not None and noun is None and not working and not ends and not left:
            return FoundVerb(verb[0], index, index + verb[1])
        if stated is None and state is not None and state[0].state in by_state:
            linked = index > 0 and any(t.text in LINKING for t in tokens[max(0, index - 3) : index])
            if linked:
                stated = FoundVerb(by_state[state[0].state], index, index + state[1])
        index += noun[1] if noun else 1
    return stated
