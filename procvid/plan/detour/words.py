"""Replace or remove a thing in the words of a step or an ingredient line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from procvid.plan.language.english import DETERMINERS, SUBORDINATORS, UNITS, is_number
from procvid.plan.language.lexicon import (
    Entry,
    Word,
    lexicon,
    phrase,
    plurals,
    shown_plural,
    verb_forms,
    words,
)
from procvid.plan.language.side_clauses import kinds_of
from procvid.plan.language.verbs import find_verbs

COUNTED = frozenset({"fruit", "vegetable", "egg", "mushroom", "nut"})
"""Groups of foods that have a plural in a recipe."""
UNCOUNTED = frozenset(
    "asparagus broccoli cabbage cauliflower celery corn garlic jackfruit kale lettuce seitan "
    "spinach tempeh tofu fruit ginger".split()
)
"""Foods of these groups without a plural."""
GREASING = {"fat": "grease", "powder": "dust", "spice": "sprinkle", "sweet": "sprinkle"}
"""Verbs for "butter the tin" and "flour the board", by the group of the food that takes over."""
BEFORE_NOUN = DETERMINERS | UNITS | {"of", "fresh", "large", "small", "medium", "extra", "little"}
TOPPING = frozenset(
    "garnish sprinkle scatter dust drizzle top decorate season finish brush dot dredge coat".split()
)
"""Verbs that have nothing to do without what they add."""
PREPOSITIONS = frozenset("in with into over on onto of from using plus without for to".split())
JOINED = r"(?:,\s*(?:and|or|plus)\b|,|\band\b|\bor\b|\bplus\b|&)"
LEFT = re.compile(rf"\s*({JOINED})\s*$", re.IGNORECASE)
RIGHT = re.compile(rf"\s*({JOINED})\s*", re.IGNORECASE)
MELTED = re.compile(r"\b([Mm]elt)( (?:the |a little |some )?)(?=[a-z]* ?oil)", re.ASCII)
"""Oil is heated where butter is melted."""
PRONOUN_CLAUSE = re.compile(
    r"\W*[A-Za-z-]+(?: \w+)? (?:it|them)\b.*?(?:[.;!](?:\s|$)|, (?:then|and) |\b(?:and|then) |$)"
)
SENTENCE = re.compile(r"[.!?]\s+")
ANIMALS = frozenset({"meat", "poultry", "fish", "seafood", "egg"})
OF_ANIMALS = re.compile(
    r"(?:,? ?\b(?:boneless|skinless|skin-on|bone-in|deveined|tail-on|tails removed|shell-on|free-range|"
    r"grass-fed|extra-large)\b,?)",
    re.IGNORECASE,
)
"""Words that say nothing of what takes the place of meat, fish or eggs."""
FLAT = frozenset(
    {"plate", "cutting board", "baking sheet", "tray", "platter", "wire rack", "counter"}
)
"""Vessels that food lies on, not in."""
ON_OR_IN = re.compile(r"\b(on|in) (?:(?:a|an|the|each|large|small) ){0,2}$", re.IGNORECASE)
ARTICLE = re.compile(r"\b(a|an)\s+$", re.IGNORECASE)
CLAUSE_END = re.compile(r"\s*(?:[.;:!?,(]|\band\b|\bthen\b|\buntil\b|\bfor \d|$)", re.IGNORECASE)


@dataclass(frozen=True)
class Thing:
    """A food, vessel or tool as a person names it; `entry` is None if the lexicon lacks it."""

    words: str
    entry: Entry | None

    @property
    def name(self) -> str:
        """Return the canonical name."""
        return self.entry.name if self.entry else self.words

    @property
    def group(self) -> str:
        """Return the group of a food, or the use of a vessel; "" if unknown."""
        return self.entry.group if self.entry else ""

    @property
    def counted(self) -> bool:
        """Return True for a thing that has a plural in a recipe: an egg, a pan, but not butter."""
        if self.entry is None or self.entry.role != "food":
            return True
        many = self.group in COUNTED or self.name.endswith(("seed", "crumb", "flake"))
        return many and self.name not in UNCOUNTED


@dataclass(frozen=True)
class _Named:
    """A place where a text names a thing: characters, tokens, and how."""

    start: int
    end: int
    index: int
    plural: bool
    verb: bool


def thing_of(text: str) -> Thing:
    """Return the thing that a person names."""
    plain = " ".join(text.split()).lower()
    thing = Thing(plain, lexicon().look_up(plain))
    known = lexicon().singulars.get(phrase(plain))
    if known is None or not thing.counted:
        return thing
    *rest, _ = plain.split()
    return replace(thing, words=" ".join([*rest, known[-1]]))


def sentence(text: str) -> str:
    """Return the text with its first letter in upper case."""
    return text[:1].upper() + text[1:]


def names(text: str, thing: Thing) -> bool:
    """Return True if a text names a thing."""
    return next(_places(text, thing), None) is not None


def foods_named(text: str) -> Iterator[str]:
    """Yield the lexicon's foods that a text names, in their order; "toast it" names none."""
    tokens = words(text)
    starts = {verb.start for verb in find_verbs(text, tokens, kinds_of(text))}
    index = 0
    while index < len(tokens):
        noun = lexicon().noun_at(tokens, index)
        length = noun[1] if noun is not None else 1
        is_verb = index in starts and _is_verb(tokens, index + length)
        part = _is_part(text, tokens[index].start, tokens[index + length - 1].end)
        if noun is not None and noun[0].role == "food" and not (is_verb or part):
            yield noun[0].name
        index += length


def replaced(text: str, thing: Thing, instead: Thing) -> str:
    """Return the text with another thing in the place of one, in the same number."""
    for place in reversed(list(_places(text, thing))):
        text = _greased(text, place, instead) if place.verb else _named(text, place, instead)
    if thing.group in ANIMALS and instead.group not in ANIMALS:
        text = OF_ANIMALS.sub("", text)
    if instead.group == "fat" and instead.words.endswith("oil"):
        text = MELTED.sub(lambda m: _like(m[1], "heat") + m[2], text)
        text = re.sub(rf"\bmelted ({re.escape(instead.words)})\b", r"\1", text)
    return text


def removed(text: str, thing: Thing) -> str:
    """Return the text without a thing; "" if nothing is left to do.

    A list loses one item, a phrase such as "with the basil" goes as a whole, and a clause whose only
    object is the thing goes with its verb.
    """
    for _ in range(20):
        place = next(_places(text, thing), None)
        if place is None:
            break
        text = _without(text, place)
    return _tidy(text)


def without_pronoun(text: str) -> str:
    """Return a text without the clauses at its start whose object is "it" or "them".

    Use it for a text whose "it" is the thing that was removed.
    """
    while True:
        found = PRONOUN_CLAUSE.match(text)
        if found is None or _names_food(found[0]):
            return _tidy(text)
        rest = text[found.end() :].strip(" ,;")
        text = rest[:1].upper() + rest[1:]


def _names_food(text: str) -> bool:
    """Return True if the text names a food other than oil, butter and spices."""
    tokens = words(text)
    nouns = (lexicon().noun_at(tokens, index) for index in range(len(tokens)))
    found = (noun[0] for noun in nouns if noun is not None)
    return any(entry.role == "food" and entry.group not in ("fat", "spice") for entry in found)


def with_verb(text: str, old: str, new: str) -> str:
    """Return the text with the verbs of one action replaced by another verb in the same form.

    Args:
        text: A step.
        old: The canonical action whose verbs go.
        new: The verb that takes their place, in its base form.
    """
    tokens = words(text)
    for found in reversed(find_verbs(text, tokens, kinds_of(text))):
        if found.verb.action.name != old or found.end <= found.start:
            continue
        first, last = tokens[found.start], tokens[found.end - 1]
        forms = verb_forms(new)
        form = forms[2] if first.text.endswith("ing") else forms[0]
        text = text[: first.start] + _like(text[first.start], form) + text[last.end :]
    return text


def _places(text: str, thing: Thing) -> Iterator[_Named]:
    tokens = words(text)
    starts = {v.start: v.end for v in find_verbs(text, tokens, kinds_of(text))}
    index = 0
    while index < len(tokens):
        length, plural = _match(tokens, index, thing)
        if not length:
            noun = lexicon().noun_at(tokens, index)
            index += noun[1] if noun and index not in starts else 1
            continue
        verb = index in starts and _is_verb(tokens, index + length)
        if _is_part(text, tokens[index].start, tokens[index + length - 1].end):
            index += length
            continue
        yield _Named(tokens[index].start, tokens[index + length - 1].end, index, plural, verb)
        index += length


def _is_part(text: str, start: int, end: int) -> bool:
    """Return True for a part of a joined word: "nut-free", "whole-milk ricotta"."""
    if text[end : end + 1] == "-":
        return True
    joined = text[start - 1 : start] == "-" or "-" in text[start:end]
    return joined and text[end : end + 1] == " " and _begins_item(text[end:])


def _match(tokens: tuple[Word, ...], index: int, thing: Thing) -> tuple[int, bool]:
    """Return how many words name the thing at a place, and if they are in the plural."""
    if thing.entry is not None:
        noun = lexicon().noun_at(tokens, index)
        if noun is None or noun[0].name != thing.entry.name:
            return 0, False
        said = tuple(t.text for t in tokens[index : index + noun[1]])
        return noun[1], said in lexicon().singulars
    singular = phrase(thing.words)
    for form in (singular, *((*singular[:-1], many) for many in plurals(singular[-1]))):
        if tuple(t.text for t in tokens[index : index + len(form)]) == form:
            return len(form), form != singular
    return 0, False


def _is_verb(tokens: tuple[Word, ...], after: int) -> bool:
    """Return True for "butter a tin" and "oil it", not for "butter in a pan"."""
    if after >= len(tokens) or not tokens[after].joined:
        return False
    word = tokens[after].text
    noun = lexicon().noun_at(tokens, after)
    is_vessel = noun is not None and noun[0].role != "food"
    return word in DETERMINERS or word in ("it", "them") or is_vessel


def _named(text: str, place: _Named, instead: Thing) -> str:
    said = text[place.start : place.end]
    text = _placed(text, place, instead)
    prefix = re.search(r"\b[a-z]+-$", text[: place.start], re.IGNORECASE)
    if prefix:
        # "extra-" of "extra-large eggs".
        text = text[: prefix.start()] + text[place.start :]
        gone = place.start - prefix.start()
        place = replace(place, start=place.start - gone, end=place.end - gone)
    before, name = text[: place.start], instead.words
    plural = place.plural and instead.counted
    if plural:
        *rest, last = name.split()
        name = " ".join([*rest, shown_plural(last)])
    unit = re.match(r"(.*\bof )", said, re.IGNORECASE)
    if unit and instead.group in ("fat", "liquid", "sauce"):
        # "a knob of butter" becomes "a little olive oil".
        name = f"little {name}" if ARTICLE.search(before) else name
    elif unit:
        name = unit[1] + name
    article = ARTICLE.search(before)
    if article and (plural or not (instead.counted or name.startswith("little"))):
        before = before[: article.start()]
    elif article:
        right = "an" if name[0] in "aeiou" else "a"
        before = before[: article.start()] + _like(article[1][0], right) + " "
    if not before.strip() or before.rstrip().endswith((".", "!", "?")):
        name = name[0].upper() + name[1:]
    return before + name + text[place.end :]


def _placed(text: str, place: _Named, instead: Thing) -> str:
    """Return the text with "in the bowl" for "on the plate", of the same length up to the thing."""
    if instead.entry is None or instead.entry.role != "vessel":
        return text
    found = ON_OR_IN.search(text[: place.start])
    if found is None:
        return text
    right = "on" if instead.name in FLAT else "in"
    return text[: found.start(1)] + _like(found[1], right) + text[found.end(1) :]


def _greased(text: str, place: _Named, instead: Thing) -> str:
    """Return "grease the tin with olive oil" for "butter the tin"."""
    verb = GREASING.get(instead.group, "cover")
    end = CLAUSE_END.search(text, place.end)
    stop = end.start() if end else len(text)
    target = text[place.end : stop]
    verb = _like(text[place.start], verb)
    return f"{text[: place.start]}{verb}{target} with {instead.words}{text[stop:]}"


def _without(text: str, place: _Named) -> str:
    tokens = words(text)
    start = tokens[_phrase_start(tokens, place.index)].start
    end = _phrase_end(text, tokens, place)
    before, after = text[:start], text[end:]
    left, right = LEFT.search(before), RIGHT.match(after)
    following = _begins_item(after[right.end() :]) if right else False
    leading = _ends_item(before[: left.start()]) if left else False
    if left and not leading and "," in left[1] and re.match(r"\s*(?:[.;!]|$)", after):
        # "red pepper flakes if using, and salt."
        leading = any(_ends_item(part) for part in re.split(r",| if ", before)[-3:])
    if right and following and not (left and leading):
        rest = after[right.end() :]
        return before + (_like(text[start], rest[:1]) + rest[1:] if not before.strip() else rest)
    if left and leading and not following:
        kept = before[: left.start()]
        if right is None or not following:
            kept = _last_joined(kept, left[1])
        return kept + after
    if left and right and leading:
        kept, joint = before[: left.start()], right[1]
        two = "," in joint and joint != "," and _last_joined(kept, "and") == kept
        return f"{kept} {joint.lstrip(', ')} {after[right.end() :]}" if two else kept + after
    return _without_phrase(text, tokens, place, start, end)


def _phrase_start(tokens: tuple[Word, ...], index: int) -> int:
    """Return the first word of the noun phrase: "2 large chopped" of "2 large chopped onions"."""
    while index > 0 and tokens[index].joined:
        word = tokens[index - 1].text
        state = lexicon().state_at(tokens, index - 1)
        if not (word in BEFORE_NOUN or is_number(word) or state is not None):
            break
        index -= 1
    return index


def _phrase_end(text: str, tokens: tuple[Word, ...], place: _Named) -> int:
    """Return the end of the noun phrase, with a part in brackets that follows it."""
    bracket = re.match(r"\s*\([^()]*\)", text[place.end :])
    return place.end + bracket.end() if bracket else place.end


def _begins_item(rest: str) -> bool:
    """Return True if an item of a list begins here: a food, not another verb."""
    tokens = words(rest)
    for index in range(min(6, len(tokens))):
        if index and not tokens[index].joined:
            return False
        verbs = {v.start for v in find_verbs(rest, tokens, kinds_of(rest))}
        if index in verbs and not index and _is_verb(tokens, index + 1):
            return False
        noun = lexicon().noun_at(tokens, index)
        if noun is not None:
            return noun[0].role == "food"
        word = tokens[index].text
        begins = word in BEFORE_NOUN or is_number(word)
        if not begins and lexicon().state_at(tokens, index) is None:
            return False
    return False


def _ends_item(before: str) -> bool:
    """Return True if the text ends with a food."""
    tokens = words(before.rstrip(" )"))
    for length in (1, 2, 3, 4):
        at = len(tokens) - length
        noun = lexicon().noun_at(tokens, at) if at >= 0 else None
        if noun is not None and noun[1] == length:
            return noun[0].role == "food"
    return False


def _last_joined(kept: str, joint: str) -> str:
    """Return "a and b" for the "a, b" that is left of "a, b and c"."""
    if "," in joint and not re.search("and|or|plus", joint):
        return kept
    comma = kept.rfind(", ")
    items = kept[comma + 2 :] if comma >= 0 else ""
    if comma < 0 or not _begins_item(items) or not _ends_item(kept[:comma]):
        return kept
    word = re.search("and|or|plus", joint)
    return f"{kept[:comma]} {word[0] if word else 'and'} {items}"


def _without_phrase(
    text: str, tokens: tuple[Word, ...], place: _Named, start: int, end: int
) -> str:
    """Return the text without "with the basil", or without the clause about the thing."""
    at = _phrase_start(tokens, place.index)
    before = tokens[at - 1] if at else None
    side = _side_clause(text, tokens, at)
    if side is not None:
        head, tail = text[: side[0]], text[side[1] :]
        if head.strip() and not head.rstrip().endswith((".", "!", "?")):
            return head + tail
        tail = tail.lstrip(" ,")
        return head + tail[:1].upper() + tail[1:]
    verbs = find_verbs(text, tokens, kinds_of(text))
    taken = {n for verb in verbs for n in range(verb.start, verb.end)}
    verb = max((v for v in verbs if v.start < place.index), key=lambda v: v.start, default=None)
    bare = verb is not None and verb.end == at - 1
    adds = verb is not None and tokens[verb.start].text in TOPPING
    adds = adds and before is not None and (before.text == "with" or bare)
    if before is not None and before.text in PREPOSITIONS and at - 1 not in taken and not adds:
        if before.text == "of" and at > 1:
            return text[: tokens[_phrase_start(tokens, at - 1)].start] + text[end:]
        return text[: before.start] + text[end:]
    first = max((v.start for v in verbs if v.start <= place.index), default=0)
    following = min((v.start for v in verbs if v.start > place.index), default=len(tokens))
    stop = tokens[following].start if following < len(tokens) else len(text)
    sentence = re.search(r"[.!?](?:\s|$)", text[place.end : stop])
    ends = place.end + sentence.end() if sentence else stop
    begins = max((m.end() for m in SENTENCE.finditer(text[: tokens[first].start])), default=0)
    lead = all(v.start >= first or tokens[v.start].start < begins or v.weak for v in verbs)
    lead = lead or tokens[first].start == begins
    head = re.sub(r"[,;]?\s*(?:\b(?:and|then)\b)?\s*$", "", text[: tokens[first].start])
    tail = text[ends:]
    if lead and (sentence or not tail.strip()):
        # "In a bowl, mix the crust." goes with its lead-in.
        head = text[:begins]
    ended = not head.strip() or head.rstrip().endswith((".", "!", "?", ":"))
    if ended:
        return f"{head.rstrip()} {tail[:1].upper()}{tail[1:]}"
    if sentence or not tail.strip():
        return f"{head}. {tail}"
    return f"{head}, {tail}" if lead else f"{head} and {tail}"


def _side_clause(text: str, tokens: tuple[Word, ...], at: int) -> tuple[int, int] | None:
    """Return the characters of "until the onion is soft", if a thing is the subject of one."""
    if not at or tokens[at - 1].text not in SUBORDINATORS:
        return None
    end = re.compile(r"[.;,!?]|$").search(text, tokens[at].end)
    return tokens[at - 1].start, end.start() if end else len(text)


def _like(model: str, text: str) -> str:
    """Return the text with its first letter in upper case if the model is."""
    return text[:1].upper() + text[1:] if model[:1].isupper() else text


def _tidy(text: str) -> str:
    text = re.sub(r"\s+", " ", text).strip(" ,;")
    text = re.sub(r"\s+([.,;:!?])", r"\1", text)
    text = re.sub(r"([,;:])(?:\s*[,;])+", r"\1", text)
    text = re.sub(r"[,;:](?=[.!?])", "", text)
    text = re.sub(r"(?:^|(?<=[.!?] ))[.!?]\s*", "", text)
    text = re.sub(r"\b(?:and|or|with)([.!?]|$)", r"\1", text)
    text = re.sub(r"\s+([.!?])", r"\1", text).strip(" ,;")
    return text if any(c.isalpha() for c in text) else ""
