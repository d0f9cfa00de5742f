"""Read the words after a verb as phrases, and write them with their articles."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from procvid.plan.language.english import ADVERBS, is_adverb, is_known
from procvid.plan.language.lexicon import Entry, lexicon, words
from procvid.plan.writing.wording import UNCOUNTED, joined, one

TIES = frozenset(
    "in into on onto to with over from at by inside through between around across using without "
    "against along off toward towards under underneath beneath beside atop among throughout via".split()
)
DROPPED = frozenset("for per during after before until".split())
"""Prepositions whose phrase no clip shows: "for serving"."""
DEFINITE = frozenset("your my our their his her its some".split())
STARTS = frozenset(
    "a an the that each every both all half another two three four five six seven eight nine ten "
    "brim form fit cover fill any more enough plenty one this these those everything itself "
    "themselves".split()
)
PARTICLES = frozenset(
    "in out up down off over through together aside well back on away apart open dry flat even "
    "smooth under around side to".split()
)
BLANK = (
    ADVERBS
    | PARTICLES
    | frozenset(
        "lengthwise lengthways crosswise diagonally halfway thoroughly half upside once twice warm hot "
        "cold room occasionally frequently often smoothly overtop top".split()
    )
)
SHAPES = frozenset(
    "cubes strips rings rounds slices pieces chunks wedges halves quarters thirds batons sticks "
    "matchsticks ribbons florets circles squares triangles balls patties discs disks portions logs "
    "dice bits segments crumbs batches layers bites parts shreds spears sections shape shapes half "
    "thin small large bite sized flakes stages patty mounds rectangles peaks powder coins dough "
    "sheets handfuls bars fingers intervals puree place".split()
)
FIXED_PLACES = frozenset("oven fridge refrigerator freezer microwave stove stovetop sink".split())
PLURAL_SAFE = ("ss", "us", "is")
RESULTS = frozenset("form fit cover fill".split())
"""Purposes that a picture shows: "to form a ball"."""
LEVELS = frozenset("low rolling gentle full".split())
STATES = frozenset("open dry flat even smooth".split())
LIQUIDS = frozenset("broth stock vinegar sauce".split())
TOP_PLACES = frozenset("top bottom side sides center centre middle edge edges end ends".split())
SUFFIX_LASTS = frozenset({"up", "down", "apart", "first", "out"})
STOP_AFTER_COMMA = frozenset("about plus including and".split())
PARTICIPLES = frozenset("cut ground frozen torn split beaten".split())
MAX_ITEMS = 7
SHORT_REMARK = 3
"""Most words of a remark that a list goes on after: "butter, softened, and sugar"."""


@dataclass
class SpokenPhrase:
    """A preposition ("" for the object) with its items; `suffix` is "skin side down"."""

    tie: str
    items: list[list[str]] = field(default_factory=lambda: [[]])
    suffix: str = ""


def read_phrases(rest: Sequence[str]) -> list[SpokenPhrase]:
    """Return the phrases of a clause's words."""
    phrases = [SpokenPhrase("")]
    index, comma = 0, False
    while index < len(rest):
        word = rest[index]
        current = phrases[-1]
        following = rest[index + 1] if index + 1 < len(rest) else ""
        if word == "or" and following in TIES:
            break
        if word == "," or (word in ("and", "plus", "or") and following in TIES | {"then"}):
            comma = True
        elif (comma or rest[index - 1 : index] in (("and",), ["and"])) and _starts_instruction(
            rest, index
        ):
            break
        elif word in ("and", "plus", "n"):
            current.items.append([])
            comma = False
        elif word == "or":
            current.items.append(["or"])
            comma = False
        elif word == "to" and _is_purpose(rest, index + 1):
            break
        elif (
            word in TIES | DROPPED
            and rest[max(0, index - 1) : index] not in (("the",), ("your",))
            and not _is_particle(rest, index, current)
        ):
            phrases.append(SpokenPhrase(word))
            comma = False
        else:
            if comma and current.items[-1] and not _is_open(current):
                current.items.append([])
            comma = False
            current.items[-1].append(word)
        index += 1
    return [_tidy(p) for p in phrases if p.tie not in DROPPED]


def _is_open(phrase: SpokenPhrase) -> bool:
    """Return True for "in a wide" before a comma and "heavy-bottomed pan"."""
    item = phrase.items[-1]
    described = phrase.tie != "" and len(item) in (2, 3) and item[0] in ("a", "an", "the")
    return described and not entries_in(" ".join(item))


def _is_purpose(rest: Sequence[str], index: int) -> bool:
    """Return True after "to" in "to wrap the ham", not in "to plate"."""
    while index < len(rest) and is_adverb(rest[index]):
        index += 1
    tokens = words(" ".join(rest[index : index + 6]))
    if not tokens or tokens[0].text in STARTS | LEVELS | {"the", "boil", "simmer"} | RESULTS:
        return False
    verb, noun = lexicon().verb_at(tokens, 0), lexicon().noun_at(tokens, 0)
    if verb is None and len(tokens) > 1 and not is_known(tokens[0].text):
        return True
    after = tokens[verb[1] if verb else 1 :]
    objects = bool(after) and after[0].text in STARTS | {"the", "up"}
    return (verb is not None and noun is None) or (objects and (verb is not None or noun is None))


def _starts_instruction(rest: Sequence[str], index: int) -> bool:
    """Return True for another verb that nobody reads as one: "and cool completely"."""
    tokens = words(" ".join(rest[index : index + 6]))
    verb = lexicon().verb_at(tokens, 0)
    if lexicon().noun_at(tokens, 0) or lexicon().state_at(tokens, 0):
        return False
    if verb is None:
        unknown = rest[index] not in STARTS | TIES | {"the"} and not is_adverb(rest[index])
        return unknown and rest[index + 1 : index + 2] in (("the",), ("a",), ("an",), ("your",))
    follower = tokens[verb[1]].text if verb[1] < len(tokens) else ""
    plain = not rest[index].endswith(("ing", "ed"))
    return plain and (not follower or is_adverb(follower) or follower in STARTS | TIES | {"the"})


def _is_particle(rest: Sequence[str], index: int, current: SpokenPhrase) -> bool:
    """Return True for "on" in "place the lid on", without words of its own after it."""
    following = rest[index + 1] if index + 1 < len(rest) else ","
    return following in (",", "and") or (following in TIES and rest[index] in PARTICLES)


def _tidy(phrase: SpokenPhrase) -> SpokenPhrase:
    """Return the phrase without empty and second-choice items, and with its suffix apart."""
    kept: list[list[str]] = []
    suffix = ""
    for item in _described(phrase.items):
        if all(w in TIES for w in item) or (
            len(item) == 1 and item[0].endswith("ing") and _names_nothing(item)
        ):
            continue
        if item[0] == "or":
            kept = _chosen(kept, item[1:])
            continue
        if kept and _is_suffix(item):
            suffix = suffix or f", {' '.join(item)}"
            continue
        if kept and _is_remark(item):
            if len(item) > SHORT_REMARK:
                break
            continue
        kept.append(item)
    return SpokenPhrase(phrase.tie, kept, suffix)


def _described(items: Sequence[list[str]]) -> list[list[str]]:
    """Return "peeled", "quartered potatoes" as one item, "peeled and quartered potatoes"."""
    first = items[0] if items else []
    made = bool(first) and (first[-1].endswith("ed") or first[-1] in PARTICIPLES)
    loose = made and len(first) < 3 and not entries_in(" ".join(first))
    if len(items) < 2 or not items[1] or items[1][0] in STARTS | {"or", "the"}:
        return list(items)
    if len(first) == 2 and first[0] in ("a", "an") and not entries_in(first[1]):
        return [[*first, "and", *items[1]], *items[2:]]
    if not loose:
        return list(items)
    return [[*first, "and", *items[1]], *items[2:]] if entries_in(" ".join(items[1])) else [*items]


def _chosen(kept: list[list[str]], other: list[str]) -> list[list[str]]:
    """Return the first choice of "chicken or vegetable broth": "chicken broth"."""
    if not kept or not other:
        return kept or ([other] if other else [])
    first = kept[-1]
    described = len(first) < 3 and len(other) > 1 and not entries_in(" ".join(first))
    liquid = len(first) == 1 and len(other) == 2 and other[-1] in LIQUIDS
    return [*kept[:-1], [*first, other[-1]]] if described or liquid else kept


def _is_suffix(item: Sequence[str]) -> bool:
    side = "side" in item or "sides" in item
    named = [w for w in item if not is_adverb(w) and w not in BLANK]
    working = item[0].endswith("ing") and item[0] not in (
        "icing",
        "frosting",
        "seasoning",
        "topping",
        "remaining",
        "whipping",
        "baking",
    )
    return (
        (item[-1] in SUFFIX_LASTS and (side or len(item) < 4))
        or (working and lexicon().look_up(" ".join(named)) is None and len(item) < 8)
        or (len(item) < 4 and all(is_adverb(w) or w in BLANK for w in item))
    )


def _names_nothing(item: Sequence[str]) -> bool:
    return lexicon().look_up(item[-1]) is None


def _is_remark(item: Sequence[str]) -> bool:
    """Return True for "chopped" after the onion, or for words that name nothing."""
    tokens = words(" ".join(item))
    named = any(lexicon().noun_at(tokens, i) for i in range(len(tokens)))
    plain = [w for w in item if not is_adverb(w)]
    return not named and (not plain or plain[0].endswith("ed") or item[0] in STOP_AFTER_COMMA)


@lru_cache(maxsize=256)
def entries_in(spoken: str) -> tuple[tuple[Entry, int, int], ...]:
    """Return the things of the lexicon that a text names, each with its first and last word."""
    tokens = words(spoken)
    found = []
    index = 0
    while index < len(tokens):
        noun = lexicon().noun_at(tokens, index)
        if noun:
            found.append((noun[0], index, index + noun[1] - 1))
        index += noun[1] if noun else 1
    return tuple(found)


def write_phrase(phrase: SpokenPhrase) -> str:
    """Return the phrase with articles: "with a fork", "the onion and the garlic"."""
    items = phrase.items
    more = len(items) > MAX_ITEMS
    written = [with_article(item, phrase.tie) for item in items[:MAX_ITEMS]]
    if more:
        written.append("other ingredients")
    spoken = joined([w for w in written if w])
    return " ".join(w for w in (phrase.tie, spoken) if w) + phrase.suffix


def with_article(item: Sequence[str], tie: str) -> str:
    """Return the words of a noun with the article that recipes leave out."""
    item = [w for n, w in enumerate(item) if w != "some" or item[n + 1 : n + 2] != ["more"]]
    if "some of" in " ".join(item):
        return " ".join(item)
    item = ["the" if w in DEFINITE else w for w in item]
    text = " ".join(item)
    if not item or item[0] in STARTS or item[0] == "the":
        text = " ".join(_with_the(list(item)))
        return re.sub(r"\bthe (?=the\b)", "", text)
    core = list(item)
    before: list[str] = []
    while len(core) > 1 and (is_adverb(core[0]) or core[0] in PARTICLES - STATES):
        if _names_from(core) or core[1] == "of":
            break
        before.append(core.pop(0))
    if not core or all(is_adverb(w) or w in BLANK for w in core):
        return text
    if core[0] in STARTS or core[0] == "the":
        return text
    if before and core[0].endswith("ed"):
        core, before = [*before, *core], []
    article = _article(core, tie)
    core = _with_the(core)
    return " ".join([*before, article, *core] if article else [*before, *core])


def _with_the(core: list[str]) -> list[str]:
    """Return "top of the pie" for "top of pie"."""
    at = core.index("of") if "of" in core[1:-1] else 0
    if (
        at
        and core[at - 1] in TOP_PLACES | {"rest", "surface"}
        and core[at + 1] not in STARTS | {"the"}
    ):
        return [*core[: at + 1], "the", *core[at + 1 :]]
    return core


def _names_from(core: Sequence[str]) -> bool:
    """Return True if a noun of the lexicon begins here: "hot sauce"."""
    tokens = words(" ".join(core))
    noun = lexicon().noun_at(tokens, 0)
    return noun is not None and noun[1] > 1


def _article(core: Sequence[str], tie: str) -> str:
    head = _head(core)
    last = core[core.index("of") - 1] if "of" in core[1:] else core[-1]
    found = entries_in(" ".join(core))
    entry = next(
        (e for e, _, end in found if end == len(words(" ".join(core[: head + 1]))) - 1), None
    )
    plural = last.endswith("s") and not last.endswith(PLURAL_SAFE)
    shaped = core[0] in SHAPES and core[0].endswith("s") and core[1:2] != ["of"]
    last = core[0] if shaped else last
    if last in SHAPES and (tie in ("into", "in", "to", "by", "at") or (plural and entry is None)):
        return ""
    if tie == "to" and last in ("boil", "simmer"):
        return "a"
    if tie == "into" and plural and (entry is None or entry.role == "food"):
        return ""
    if last in FIXED_PLACES:
        return "the"
    if entry is not None and entry.role in ("vessel", "tool", "surface"):
        if tie in ("", "to", "from", "out of", "off"):
            return "the"
        if plural or entry.name in UNCOUNTED or last in ("paper", "foil", "wrap", "parchment"):
            return ""
        first = one(core[0]).split()[0]
        return first if first in ("a", "an") else ""
    if tie in ("with", "using", "without", "by", "at", "through"):
        return ""
    if last in TOP_PLACES:
        return "the" if tie not in ("on",) or last not in ("top",) else ""
    if tie == "in" and (entry is None or entry.group in ("liquid", "fat")):
        return "" if last in ("half", "two", "water", "oil", "butter") else "the"
    return "the"


def _head(core: Sequence[str]) -> int:
    """Return the index of the head noun: the last word before "of" or an adverb at the end."""
    end = core.index("of") - 1 if "of" in core[1:] else len(core) - 1
    while end > 0 and (is_adverb(core[end]) or core[end] in BLANK):
        end -= 1
    return end
