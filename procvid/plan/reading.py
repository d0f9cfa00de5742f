"""Read one step: its verbs, and the foods, vessels and tools that belong to each verb.

A verb counts at the start of a sentence or clause, after "and", "then" or a comma, and after adverbs
("Now gently fold ..."). Everything up to the next verb belongs to it. Words before the first verb
("In a large bowl, whisk ...") belong to the first verb.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from procvid.plan.codec import MAX_NAME_CHARS
from procvid.plan.english import (
    ADVERBS,
    DETERMINERS,
    GENERIC_FOODS,
    LINKING,
    NEGATIONS,
    OPENERS,
    PREPOSITIONS,
    PRONOUNS,
    SUBORDINATORS,
    is_adverb,
    is_known,
    is_number,
)
from procvid.plan.lexicon import Entry, StateWord, Verb, Word, lexicon, phrase, words

LOOKS = frozenset(
    "red orange yellow green blue purple pink black white brown grey gray silver "
    "golden dark light large small big little medium tiny deep shallow wide narrow "
    "heavy round square oval rectangular striped dotted spotted checked patterned "
    "wooden bamboo marble glass ceramic copper steel stainless iron cast metal "
    "enamel enamelled plastic nonstick non stick bottomed heatproof ovenproof "
    "rubber silicone".split()
)
"""Words of looks; a description contains only these, and only from the text."""

CUTS = {
    "cubes": "dice", "cube": "dice", "dice": "dice", "chunks": "dice", "pieces": "dice",
    "bits": "dice", "bite": "dice", "squares": "dice", "matchsticks": "slice",
}  # fmt: skip
BOILING = frozenset({"boil", "simmer", "boiling"})
MEASURES = frozenset({"cup", "glass", "jar", "bottle", "spoon", "container", "zip bag", "jug"})
CLAUSE_MARK = re.compile(r"[.!?;:,()\u2013\u2014\u2022/]|--")
SENTENCE_MARK = re.compile(r"[.!?;:\u2022]")
MAX_READ_CHARS = 600
ANOTHER = frozenset({"another", "separate", "second", "different"})


@dataclass(frozen=True)
class Mention:
    """A thing named in a step: its words, looks, state and preposition.

    `preposition` is the last one between the verb and the mention ("" for a direct object);
    `another` marks "another bowl", `definite` marks "the mushrooms".
    """

    entry: Entry
    index: int
    looks: str
    wording: str
    state: StateWord | None
    preposition: str
    definite: bool = False
    another: bool = False


@dataclass(frozen=True)
class Segment:
    """A verb with everything that belongs to it.

    `refers` are pronouns and words such as "mixture" that refer to the object, `targets` those
    that name its destination ("on top of the vegetables").
    """

    verb: Verb
    weak: bool = False
    foods: tuple[Mention, ...] = ()
    vessels: tuple[Mention, ...] = ()
    tools: tuple[Mention, ...] = ()
    refers: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    shares_next: bool = False
    guessed: str = ""


@dataclass(frozen=True)
class Reading:
    """A step as read.

    `verb_known` is False when no verb of the lexicon was found; `forbidden` are the actions that
    the step forbids, which are not segments.
    """

    segments: tuple[Segment, ...]
    verb_known: bool = True
    forbidden: tuple[str, ...] = ()


@dataclass
class _Found:
    verb: Verb
    start: int
    end: int
    weak: bool = False
    forbidden: bool = False


def gap(text: str, tokens: Sequence[Word], index: int) -> str:
    """Return the signs between a word and the one before it."""
    return text[tokens[index - 1].end if index else 0 : tokens[index].start]


def names_action(text: str) -> bool:
    """Return True if a text contains a kitchen instruction in its first 600 characters."""
    tokens = words(text[:MAX_READ_CHARS])
    return bool(find_verbs(text, tokens) or _any_verb(tokens))


def starts_with_action(text: str) -> bool:
    """Return True if a text begins with an imperative, after adverbs: "Now slice"."""
    tokens = words(text[:MAX_READ_CHARS])
    found = find_verbs(text, tokens)
    return bool(found) and all(
        is_adverb(t.text) or t.text in OPENERS for t in tokens[: found[0].start]
    )


def find_verbs(text: str, tokens: Sequence[Word]) -> list[_Found]:
    """Return the imperatives in order; purposes and side actions are marked weak."""
    found: list[_Found] = []
    is_open, subordinate, aim = True, False, ""
    index = 0
    while index < len(tokens):
        mark, word = gap(text, tokens, index), tokens[index].text
        if CLAUSE_MARK.search(mark):
            is_open, subordinate, aim = True, False, ""
        if is_adverb(word) and not _verb_here(tokens, index, is_open):
            index += 1
            continue
        if word in OPENERS:
            is_open = not (subordinate and word in ("and", "or", "to"))
            aim = word
            index += 1
            continue
        verb = _verb_here(tokens, index, is_open)
        if verb is not None:
            gerund = word.endswith("ing") and word not in ("bring", "string")
            helped = aim in ("by", "continue", "keep", "start", "begin")
            weak = (gerund and not helped) or aim == "to"
            joined = aim == "or" and bool(found) and found[-1].forbidden
            found.append(_Found(verb[0], index, index + verb[1], weak, aim in NEGATIONS or joined))
            index += verb[1]
            is_open, aim = False, ""
            continue
        noun = lexicon().noun_at(tokens, index)
        is_open, aim = False, ""
        subordinate = subordinate or word in SUBORDINATORS
        index += noun[1] if noun else 1
    return [_whole_verb(text, tokens, verb) for verb in found]


def _verb_here(tokens: Sequence[Word], index: int, is_open: bool) -> tuple[Verb, int] | None:
    """Return the verb that begins here, unless the words name a thing ("brown sugar")."""
    verb = lexicon().verb_at(tokens, index) if is_open else None
    if verb is None:
        return None
    noun = lexicon().noun_at(tokens, index)
    if noun is None:
        return verb
    if noun[1] > verb[1]:
        return None
    if verb[1] > 1 or (noun[0].role != "food" and index > 0):
        return verb
    follower = tokens[index + verb[1]].text if index + verb[1] < len(tokens) else ""
    acts_on = follower in DETERMINERS | PRONOUNS | {"with"}
    alone = index == 0 and noun[0].role != "food"
    joined = is_adverb(follower) or lexicon().noun_at(tokens, index + 1) is not None
    return verb if acts_on or alone or (index == 0 and joined) else None


def _whole_verb(text: str, tokens: Sequence[Word], found: _Found) -> _Found:
    """Resolve separate particles: "cut ... into cubes" is dice, "bring ... to a boil" is boil."""
    clause = []
    for index in range(found.end, len(tokens)):
        if re.search(r"[.!?;:]", gap(text, tokens, index)):
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
    into = next((i for i, word in enumerate(clause) if word in ("into", "in")), None)
    if name[0] == "cut" and into is not None:
        after = clause[into + 1 :][:5]
        for word in after:
            if word in CUTS:
                return replace(found, verb=verbs["dice" if CUTS[word] == "dice" else "slice"])
    if name == ("bring",) and BOILING & set(clause):
        return replace(found, verb=verbs["boil"])
    if name in (("let",), ("allow",), ("leave",)):
        for index in range(found.end, min(found.end + 8, len(tokens))):
            if CLAUSE_MARK.search(gap(text, tokens, index)):
                break
            inner = lexicon().verb_at(tokens, index)
            if inner is not None and lexicon().noun_at(tokens, index) is None:
                return replace(found, verb=inner[0])
    return found


def _any_verb(tokens: Sequence[Word]) -> _Found | None:
    """Return any verb form that names no thing, else a stated state, as the verb."""
    index = 0
    stated: _Found | None = None
    by_state = {v.action.state: v for v in lexicon().verbs.values() if v.name == v.action.name}
    while index < len(tokens):
        noun = lexicon().noun_at(tokens, index)
        verb = lexicon().verb_at(tokens, index)
        state = lexicon().state_at(tokens, index)
        if verb is not None and noun is None:
            return _Found(verb[0], index, index + verb[1])
        if stated is None and state is not None and state[0].state in by_state:
            linked = index > 0 and any(t.text in LINKING for t in tokens[max(0, index - 3) : index])
            if linked:
                stated = _Found(by_state[state[0].state], index, index + state[1])
        index += noun[1] if noun else 1
    return stated


def read_step(text: str, extra: dict[tuple[str, ...], Entry]) -> Reading:
    """Read a step. `extra` names the recipe's own foods that the lexicon does not know."""
    tokens = words(text)
    found = find_verbs(text, tokens)
    if not found:
        other = _any_verb(tokens)
        found = [other] if other else []
    known = bool(found)
    forbidden = tuple(verb.verb.name for verb in found if verb.forbidden)
    if forbidden and all(verb.forbidden or verb.weak for verb in found):
        # The step only forbids actions.
        found = [_Found(lexicon().verbs["rest"], 0, 0)]
    if not found:
        found = [_Found(lexicon().verbs["stir"], 0, 0)]
    mentions, refers = _mentions(text, tokens, found, extra)
    segments = []
    strong = any(not verb.weak for verb in found)
    for number, verb in enumerate(found):
        if verb.forbidden or (strong and verb.weak):
            continue
        end = found[number + 1].start if number + 1 < len(found) else len(tokens)
        start = 0 if number == 0 else verb.start
        inside = [m for m in mentions if start <= m.index < end]
        segment = Segment(
            verb=verb.verb,
            weak=verb.weak,
            foods=tuple(m for m in inside if m.entry.role == "food"),
            vessels=tuple(m for m in inside if m.entry.role == "vessel"),
            tools=tuple(m for m in inside if m.entry.role == "tool"),
            refers=tuple(w for i, w, tie in refers if start <= i < end and tie not in TARGETS),
            targets=tuple(w for i, w, tie in refers if start <= i < end and tie in TARGETS),
            shares_next=end < len(tokens) and _only_joined(tokens, verb.end, end),
            guessed=_guess_food(text, tokens, verb.end, end) if known else "",
        )
        segments.append(segment)
    return Reading(tuple(segments), known, forbidden)


def _only_joined(tokens: Sequence[Word], start: int, end: int) -> bool:
    """Return True if only "and" and adverbs lie between two verbs ("peel and dice")."""
    return all(t.text in OPENERS or is_adverb(t.text) for t in tokens[start:end])


def _mentions(
    text: str, tokens: Sequence[Word], found: Sequence[_Found], extra: dict[tuple[str, ...], Entry]
) -> tuple[list[Mention], list[tuple[int, str, str]]]:
    """Return all things named, and the words that refer back with place and preposition."""
    verb_words = {i for verb in found for i in range(verb.start, verb.end)}
    mentions: list[Mention] = []
    refers: list[tuple[int, str, str]] = []
    particles = {v.end for v in found if v.verb.action.name in ("add", "mix", "stir")}
    preposition, index = "", 0
    while index < len(tokens):
        word = tokens[index].text
        if index in verb_words:
            preposition = ""
            index += 1
            continue
        if index and re.search(r"[.!?;:]", gap(text, tokens, index)):
            preposition = ""
        noun = _noun_at(tokens, index, extra)
        if noun is None:
            if word in PREPOSITIONS and word != "of":
                preposition = word
                if index in particles and word in ("in", "over", "through"):
                    preposition = _particle(tokens, index, extra)
            if word in PRONOUNS | GENERIC_FOODS | GROUP_WORDS.keys() and _refers(tokens, index):
                refers.append((index, word, preposition))
            index += 1
            continue
        entry, length = noun
        if not _is_measure(tokens, index, length, entry) and not _is_comparison(
            tokens, index, length
        ):
            mention = _mention(text, tokens, index, length, entry, preposition, verb_words)
            mentions.append(_with_shared_state(text, tokens, mentions, mention))
        index += length
    return mentions, refers


def _particle(tokens: Sequence[Word], index: int, extra: dict[tuple[str, ...], Entry]) -> str:
    """Return "" for "pour in the eggs" (an object), "in" for "pour in the bowl" (a place)."""
    for at in range(index + 1, min(index + 5, len(tokens))):
        noun = _noun_at(tokens, at, extra)
        if noun is not None:
            return "" if noun[0].role == "food" else tokens[index].text
    return tokens[index].text


TARGETS = frozenset({"over", "on", "onto", "to", "into", "from"})
GROUP_WORDS: dict[str, tuple[str, ...]] = {
    "vegetables": ("vegetable", "mushroom"),
    "vegetable": ("vegetable", "mushroom"),
    "veggies": ("vegetable", "mushroom"),
    "veg": ("vegetable", "mushroom"),
    "greens": ("vegetable",),
    "fruit": ("fruit",),
    "fruits": ("fruit",),
}
"""Words for whole groups of foods, and the groups of the lexicon that they cover."""


def _noun_at(
    tokens: Sequence[Word], index: int, extra: dict[tuple[str, ...], Entry]
) -> tuple[Entry, int] | None:
    noun = lexicon().noun_at(tokens, index)
    for length in range(4, noun[1] if noun else 0, -1):
        own = extra.get(tuple(t.text for t in tokens[index : index + length]))
        if own is not None:
            return own, length
    return noun


def _refers(tokens: Sequence[Word], index: int) -> bool:
    """Return True if the word refers to foods; "this", "these" only without a noun."""
    if tokens[index].text not in ("this", "these", "those"):
        return True
    follower = tokens[index + 1].text if index + 1 < len(tokens) else ""
    return follower in PREPOSITIONS | ADVERBS | {"", "and"}


def _is_measure(tokens: Sequence[Word], index: int, length: int, entry: Entry) -> bool:
    """Return True for an amount: "2 cups of flour", "a jar of pesto", "1 glass milk"."""
    if entry.name not in MEASURES and tokens[index].text != "tin":
        return False
    before = tokens[index - 1].text if index else ""
    after = tokens[index + length].text if index + length < len(tokens) else ""
    return (
        after == "of"
        or is_number(before or " ")
        or (before in ("a", "half") and _is_food(tokens, index + length))
    )


def _is_food(tokens: Sequence[Word], index: int) -> bool:
    noun = lexicon().noun_at(tokens, index)
    return noun is not None and noun[0].role == "food"


def _is_comparison(tokens: Sequence[Word], index: int, length: int) -> bool:
    """Return True for comparisons: "the size of a walnut", "without salt", "like cream"."""
    before = [t.text for t in tokens[max(0, index - 3) : index]]
    after = tokens[index + length].text if index + length < len(tokens) else ""
    sizes = {"size", "consistency", "thickness", "texture", "colour", "color"}
    return (
        after in ("sized", "size", "like", "safe", "proof")
        or bool(sizes & set(before))
        or bool({"without", "like", "no"} & set(before[-2:]))
    )


def _mention(
    text: str,
    tokens: Sequence[Word],
    index: int,
    length: int,
    entry: Entry,
    preposition: str,
    verb_words: set[int],
) -> Mention:
    """Return the mention with the adjectives before it and its stated state."""
    first, state, another, definite = index, None, False, False
    while first - 1 not in verb_words and not CLAUSE_MARK.search(gap(text, tokens, first)):
        if first == 0:
            break
        word = tokens[first - 1].text
        stated = lexicon().state_at(tokens, first - 1)
        if word in DETERMINERS or word in ANOTHER:
            another = another or word in ANOTHER
            definite = definite or word in ("the", "same", "your")
        elif word in LOOKS or is_adverb(word):
            pass
        elif stated is not None:
            state = stated[0]
        elif (
            word in PREPOSITIONS | OPENERS
            or is_number(word)
            or lexicon().noun_at(tokens, first - 1)
        ):
            break
        else:
            break
        first -= 1
    looks = _looks(text, tokens[first : index + length - 1])
    wording = " ".join(t.text for t in tokens[index : index + length])
    state = state or _state_after(text, tokens, index + length)
    return Mention(entry, index, looks, wording, state, preposition, definite, another)


def _looks(text: str, before: Sequence[Word]) -> str:
    """Return the words of looks as the text spells them: "large non-stick"."""
    kept = [word for word in before if word.text in LOOKS]
    out = ""
    for number, word in enumerate(kept):
        joined = number and text[kept[number - 1].end : word.start] == "-"
        out += ("-" if joined else " ") + word.text
    return out.strip()


def _state_after(text: str, tokens: Sequence[Word], index: int) -> StateWord | None:
    """Return the state after the noun: "carrots, finely sliced", "the onion is fried"."""
    if index >= len(tokens):
        return None
    linked = tokens[index].text in LINKING
    if not linked and not re.search(r"[,(]", gap(text, tokens, index)):
        return None
    at = index + 1 if linked else index
    while at < len(tokens) and is_adverb(tokens[at].text):
        at += 1
    stated = lexicon().state_at(tokens, at)
    if stated is None:
        return None
    after = at + stated[1]
    ends = after >= len(tokens) or bool(CLAUSE_MARK.search(gap(text, tokens, after)))
    return stated[0] if ends or tokens[after].text in PREPOSITIONS | {"and"} else None


def _with_shared_state(
    text: str, tokens: Sequence[Word], earlier: Sequence[Mention], mention: Mention
) -> Mention:
    """Share the state in "chopped onion and garlic": same group, no article between."""
    if mention.state is not None or not earlier or mention.entry.role != "food":
        return mention
    last = earlier[-1]
    between = [t.text for t in tokens[last.index + len(last.wording.split()) : mention.index]]
    joined = all(word == "and" for word in between) and mention.index - last.index < 6
    if joined and last.state is not None and last.entry.group == mention.entry.group:
        return replace(mention, state=last.state)
    return mention


def _guess_food(text: str, tokens: Sequence[Word], start: int, end: int) -> str:
    """Return the unknown object of a verb: "Add the tempura"."""
    name: list[str] = []
    for index in range(start, min(end, len(tokens))):
        word = tokens[index].text
        if name and CLAUSE_MARK.search(gap(text, tokens, index)):
            break
        if word in DETERMINERS or is_adverb(word) or is_number(word) or word in LOOKS:
            continue
        if lexicon().state_at(tokens, index) is not None and not name:
            continue
        if is_known(word):
            break
        name.append(word)
    return _own_name(name)


def own_foods(ingredients: Sequence[str]) -> Iterator[str]:
    """Yield the foods of an ingredient list that the lexicon does not know."""
    for line in ingredients:
        head = re.split(r"[,(;]", line)[0]
        tokens = words(head)
        if any(lexicon().noun_at(tokens, i) for i in range(len(tokens))):
            continue
        name = [t.text for t in tokens if not is_number(t.text) and not is_known(t.text)]
        if _own_name(name):
            yield _own_name(name)


def _own_name(parts: Sequence[str]) -> str:
    """Return the name of a food that the lexicon does not know, "" for too long ones."""
    name = " ".join(parts)
    return name if len(parts) <= 3 and len(name) <= MAX_NAME_CHARS else ""
