"""Find the foods, vessels and tools that a step names, and the words that refer back to them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from procvid.plan.language.comparisons import is_comparison, is_measure
from procvid.plan.language.english import (
    ADVERBS,
    DETERMINERS,
    GENERIC_FOODS,
    LINKING,
    OPENERS,
    PREPOSITIONS,
    PRONOUNS,
    UNITS,
    is_adverb,
    is_number,
)
from procvid.plan.language.lexicon import Entry, Phrase, StateWord, Word, lexicon
from procvid.plan.language.lists import LISTING, list_goes_on, lists_foods
from procvid.plan.language.mention import Mention
from procvid.plan.language.neighbours import by_neighbours
from procvid.plan.language.nouns import LOOKS, NOTHING, Noun, noun_at, noun_phrase
from procvid.plan.language.shaped import is_portion, points_back
from procvid.plan.language.side_clauses import CLAUSE_MARK, Kind, gap, starts_sentence

FITTED = frozenset(
    "microwave safe proof microwaveable sized clean sterilized empty quart inch".split()
)
"""Words before a vessel that say nothing of its looks."""
POURED = frozenset({"liquid", "sauce", "fat", "sweet"})
SIDE_DISHES = frozenset(
    "dressing sauce marinade glaze frosting topping rub brine gravy slurry paste".split()
)
"""Products that go on other food: "pour over the sauce" moves it, "pour over the loaf" does not."""
ANOTHER = frozenset({"another", "separate", "second", "different"})
TARGETS = frozenset({"over", "on", "onto", "to", "into", "from"})
GROUP_WORDS: dict[str, tuple[str, ...]] = {
    "vegetables": ("vegetable", "mushroom"),
    "vegetable": ("vegetable", "mushroom"),
    "veggies": ("vegetable", "mushroom"),
    "veg": ("vegetable", "mushroom"),
    "greens": ("vegetable",),
    "fruit": ("fruit",),
    "fruits": ("fruit",),
    "spices": ("spice",),
    "herbs": ("herb",),
    "noodles": ("grain",),
}
"""Words for whole groups of foods, and the groups of the lexicon that they cover."""


GROUPS = frozenset({"mixed spice", "mixed herbs", "mixed vegetables", "mixed greens"})
"""Names of groups, which a list after them replaces: "the spices: cumin, ..."."""
OTHERS = frozenset("other desired favorite favourite preferred".split())
"""After "or" they open a list, and choose nothing: "cheese, onions or any other toppings"."""
RIMS = frozenset({"rim", "edge", "top", "bottom", "back"})
"""Words of "a cutter or the rim of a glass"."""
LEFT_OVER = frozenset("remaining rest other else left remainder reserved second half".split())
SIZED = frozenset({"inch", "inches", "quart", "cm", "x"})
LISTED = frozenset({"listed", "mentioned"})
HALVED = frozenset("to into in onto over on".split())
MAX_APART = 40
"""Most words between two alternatives."""
NO_PART = DETERMINERS | {"of", "and", "with", "in", "together", "listed"}
"""Words before "ingredients" that name no part of the recipe, as "sauce ingredients" does."""


@dataclass
class NamedThings:
    """What a step names.

    `hinted` are things in side clauses ("until the onions are soft"); `refers` are words that refer
    back, each with its place and preposition.
    """

    named: list[Mention]
    hinted: list[Mention]
    refers: list[tuple[int, str, str]]


def find_mentions(
    text: str,
    tokens: Sequence[Word],
    verbs: Sequence[tuple[int, int, bool]],
    kinds: Sequence[Kind],
    extra: Mapping[Phrase, Entry],
) -> NamedThings:
    """Return all things named, and the words that refer back.

    Args:
        text: The step.
        tokens: Its words.
        verbs: Start and end of each verb, and whether "in" may belong to it: "stir in the milk".
        kinds: The kind of each word, from `clauses`.
        extra: The recipe's own foods that the lexicon does not know.
    """
    verb_words = {i for start, end, _ in verbs for i in range(start, end)}
    particles = {end for _, end, particle in verbs if particle}
    found = NamedThings([], [], [])
    preposition, index, particle = "", 0, False
    while index < len(tokens):
        word = tokens[index].text
        if index in verb_words:
            preposition = ""
            index += 1
            continue
        if index and (starts_sentence(text, tokens, index) or ")" in gap(text, tokens, index)):
            preposition = ""
        noun = noun_phrase(text, tokens, index, verb_words, extra)
        if noun is not None and noun.length == 1 and _is_shape(tokens, index):
            noun = None
        if noun is None:
            if word in LISTING:
                preposition = ""
            elif (
                word == "as" and tokens[index + 1 : index + 2] and tokens[index + 1].text == "much"
            ):
                pass
            elif word in PREPOSITIONS and word != "of" and not (word == "about" and preposition):
                preposition, particle = word, index in particles
                if index in particles and word in ("in", "over", "through"):
                    preposition = _particle(tokens, index, extra)
            if not kinds[index]:
                found.refers += _referring(text, tokens, index, preposition, _names_food(found))
            index += 1
            continue
        if (noun.entry is not NOTHING and not kinds[index]) or kinds[index] in (
            "result",
            "meanwhile",
        ):
            count = len(found.named)
            _collect(text, tokens, index, noun, preposition, verb_words, kinds, found)
            if particle and len(found.named) > count:
                found.named[-1] = replace(found.named[-1], particle=True)
        index += noun.length
    found.named = by_neighbours(tokens, found.named)
    return found


def _collect(
    text: str,
    tokens: Sequence[Word],
    index: int,
    noun: Noun,
    preposition: str,
    verb_words: set[int],
    kinds: Sequence[Kind],
    found: NamedThings,
) -> None:
    if noun.entry is NOTHING or is_measure(tokens, index, noun.length, noun.entry):
        return
    if is_comparison(tokens, index, noun.length):
        return
    if noun.entry.role == "food" and index and tokens[index - 1].text == "per":
        return
    if noun.entry.name in GROUPS and lists_foods(text, tokens, index + noun.length):
        return
    mention = _mention(text, tokens, index, noun, preposition, verb_words)
    if kinds[index]:
        found.hinted.append(mention)
        return
    last = found.named[-1] if found.named else None
    if last is not None and _is_alternative(tokens, last, mention, kinds):
        if OTHERS & {t.text for t in tokens[last.index + 1 : index]}:
            return
        whole = f"{last.wording} {tokens[index + noun.length - 1].text}"
        entry = lexicon().look_up(whole) if noun.length > 1 else None
        if entry is not None and entry.role == "food":
            found.named[-1] = replace(last, entry=entry, wording=whole)
        if list_goes_on(text, tokens, index + noun.length):
            return
        while len(found.named) > 1 and _only_listed(text, tokens, *found.named[-2:]):
            found.named.pop()
        return
    found.named.append(_with_shared_state(text, tokens, found.named, mention))


def _is_shape(tokens: Sequence[Word], index: int) -> bool:
    """Return True for a word that names no food of its own: "balls of dough", "press the log"."""
    return is_portion(tokens, index) or points_back(tokens, index)


def _particle(tokens: Sequence[Word], index: int, extra: Mapping[Phrase, Entry]) -> str:
    """Return "" for "pour in the eggs" (an object), "in" for "pour in the bowl" (a place)."""
    for at in range(index + 1, min(index + 5, len(tokens))):
        noun = noun_at(tokens, at, extra)
        if noun is not None:
            poured = noun[0].group in POURED or noun[0].name in SIDE_DISHES
            moves = noun[0].role == "food" and (tokens[index].text == "in" or poured)
            return "" if moves else tokens[index].text
        if tokens[at].text in GENERIC_FOODS:
            return ""
    return tokens[index].text


def _names_food(found: NamedThings) -> bool:
    return any(mention.entry.role == "food" for mention in found.named)


def _referring(
    text: str, tokens: Sequence[Word], index: int, preposition: str, after_food: bool
) -> Iterator[tuple[int, str, str]]:
    """Yield the word if it refers to foods: "it", "the mixture", "the dry ingredients".

    After a food of the same step, "the ingredients" are those that it has named.
    """
    word = tokens[index].text
    before = [t.text for t in tokens[max(0, index - 5) : index]]
    leads = [n for n, w in enumerate(before) if w in PREPOSITIONS and w != "of"]
    before = before[leads[-1] :] if leads else before
    if word == "ingredients" and lists_foods(text, tokens, index + 1):
        return
    ends = index + 1 >= len(tokens) or not tokens[index + 1].joined
    follows = "" if ends else tokens[index + 1].text
    if word in ("ingredients", "ingredient", "mixture", "mix"):
        kinds = [kind for kind in ("wet", "dry") if kind in before]
        if kinds:
            left = "remaining " if LEFT_OVER & set(before) else ""
            yield from ((index, f"{left}{kind} ingredients", preposition) for kind in kinds)
            return
        if word == "ingredients" and LEFT_OVER & set(before):
            yield index, "remaining ingredients", preposition
            return
        part = before[-1] if before else ""
        if word == "ingredients" and part and part not in NO_PART and not _is_tool_verb(part):
            yield index, "remaining ingredients", preposition
            return
        follower = [t.text for t in tokens[index + 1 : index + 2]]
        whole = before[-1:] == ["the"] and not {"all", "both"} & set(before)
        if word == "ingredients" and after_food and whole and follower != ["for"]:
            yield index, "mixture", preposition
            return
        if word == "ingredients" and (
            {"all", "both", "every"} & set(before) or follower == ["for"]
        ):
            yield index, "all ingredients", preposition
            return
    if word == "everything" and [t.text for t in tokens[index + 1 : index + 2]] == ["else"]:
        yield index, "remaining ingredients", preposition
        return
    if word in ("wet", "dry") and before and before[-1] == "the" and follows in ("", "and"):
        yield index, f"{word} ingredients", preposition
        return
    if word == "all" and follows in ("in", "into", "to", "together", "with"):
        yield index, "everything", preposition
        return
    if word == "everything" and follows in LISTED:
        yield index, "remaining ingredients", preposition
        return
    if word == "half" and follows in HALVED:
        yield index, "it", preposition
        return
    if points_back(tokens, index):
        yield index, "it", preposition
        return
    if word == "flesh" or (word == "roast" and index and tokens[index - 1].text in DETERMINERS):
        yield index, "it", preposition
        return
    if word in PRONOUNS | GENERIC_FOODS | GROUP_WORDS.keys() and _refers(tokens, index):
        yield index, word, preposition


def _is_tool_verb(word: str) -> bool:
    """Return True for "whisk" in "whisk ingredients together", not for "glaze"."""
    noun = lexicon().look_up(word)
    return word in lexicon().verbs and (noun is None or noun.role != "food")


def _refers(tokens: Sequence[Word], index: int) -> bool:
    """Return True if the word refers to foods; "this", "these" only without a noun."""
    if tokens[index].text not in ("this", "these", "those"):
        return True
    follower = tokens[index + 1].text if index + 1 < len(tokens) else ""
    return follower in PREPOSITIONS | ADVERBS | {"", "and"}


def _mention(
    text: str,
    tokens: Sequence[Word],
    index: int,
    noun: Noun,
    preposition: str,
    verb_words: set[int],
) -> Mention:
    """Return the mention with the adjectives before it and its stated state."""
    first, state, another, definite, prepared = index, None, False, False, False
    indefinite = False
    while first > 0 and first - 1 not in verb_words:
        word = tokens[first - 1].text
        mark = gap(text, tokens, first)
        if CLAUSE_MARK.search(mark) and not (
            mark.strip() == "," and word in LOOKS | ANOTHER | FITTED
        ):
            break
        stated = lexicon().state_at(tokens, first - 1)
        if word in DETERMINERS or word in ANOTHER:
            another = another or word in ANOTHER
            indefinite = indefinite or word in ("a", "an")
            definite = definite or word in ("the", "same", "your", "that", "this")
        elif word in ("prepared", "lined", "greased", "buttered", "oiled", "floured"):
            prepared = True
        elif (
            word in LOOKS
            or word in FITTED
            or is_adverb(word)
            or (
                stated is None
                and word.endswith("ed")
                and lexicon().noun_at(tokens, first - 1) is None
            )
        ):
            pass
        elif stated is not None and word not in PREPOSITIONS | OPENERS:
            state = state or stated[0]
        else:
            break
        first -= 1
    looks = _looks(text, tokens[first : index + noun.length - 1])
    wording = " ".join(t.text for t in tokens[noun.head : index + noun.length])
    looks = (
        " ".join(dict.fromkeys([*looks.split(), *noun.modifiers.split()]))
        if noun.modifiers
        else looks
    )
    if noun.cut:
        state = lexicon().states[(noun.cut,)]
    state = state or _state_after(text, tokens, index + noun.length)
    before = {t.text for t in tokens[max(0, first - 4) : index]}
    after = [t.text for t in tokens[index + noun.length : index + noun.length + 1] if t.joined]
    two_sizes = _has_two_sizes(tokens, index)
    baking = two_sizes and wording in ("pan", "pans")
    return Mention(
        lexicon().entries["cake pan"] if baking else noun.entry,
        index,
        looks,
        wording,
        state,
        preposition,
        definite,
        another,
        prepared,
        indefinite=indefinite,
        left_over=bool(LEFT_OVER & before),
        mixture=after in (["mixture"], ["mix"]),
        sized=two_sizes or bool(SIZED & before),
    )


def _has_two_sizes(tokens: Sequence[Word], index: int) -> bool:
    """Return True for "8 x 8 pan" and "13-by-9-inch pan"."""
    before = [t.text for t in tokens[max(0, index - 6) : index]]
    numbers = [word for word in before if is_number(word)]
    return len(numbers) > 1 and not {"minutes", "degrees", "f", "c", "to"} & set(before)


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
    joined = between == ["and"] and mention.index - last.index < 6
    if joined and last.state is not None and last.entry.group == mention.entry.group:
        return replace(mention, state=last.state)
    return mention


def _is_alternative(
    tokens: Sequence[Word], last: Mention, mention: Mention, kinds: Sequence[Kind]
) -> bool:
    """Return True for the second of "a blender or food processor", outside brackets."""
    if (last.entry.role == "food") != (mention.entry.role == "food"):
        return False
    if mention.index - last.index > MAX_APART:
        return False
    between = [t.text for t in tokens[last.index + 1 : mention.index]]
    own = (
        {*last.wording.split(), *last.looks.split()}
        | UNITS
        | LOOKS
        | DETERMINERS
        | PREPOSITIONS
        | ANOTHER
        | OTHERS
        | RIMS
    )
    first = last.index + 1
    dropped = _inside_others(tokens, last, mention)
    left = [
        w
        for n, w in enumerate(between)
        if w not in own
        and not kinds[first + n]
        and not is_adverb(w)
        and not is_number(w)
        and lexicon().state_at(tokens, first + n) is None
        and first + n not in dropped
    ]
    said = [w for n, w in enumerate(between) if not kinds[last.index + 1 + n]]
    return set(left) == {"or"} or (left == [] and "or" in said)


def _inside_others(tokens: Sequence[Word], last: Mention, mention: Mention) -> set[int]:
    """Return the places of vessels between two: "a cake pan or baking dish or skillet"."""
    if last.entry.role != "vessel":
        return set()
    after = last.index + len(last.wording.split())
    nouns = {i: lexicon().noun_at(tokens, i) for i in range(after, mention.index)}
    vessels = {i: n[1] for i, n in nouns.items() if n is not None and n[0].role == "vessel"}
    return {at for i, length in vessels.items() for at in range(i, i + length)}


def _only_listed(text: str, tokens: Sequence[Word], one: Mention, other: Mention) -> bool:
    """Return True if only a comma parts two foods: "rice, potatoes or naan"."""
    after = one.index + len(one.wording.split())
    return one.entry.role == "food" and after == other.index and "," in gap(text, tokens, after)
