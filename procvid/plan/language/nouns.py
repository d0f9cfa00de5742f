"""Find the noun phrases of a step: the last noun of a group is the thing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from procvid.plan.language.english import DETERMINERS, is_adverb, is_number
from procvid.plan.language.lexicon import Entry, Phrase, Word, lexicon
from procvid.plan.language.side_clauses import gap

LOOKS = frozenset(
    "red orange yellow green blue purple pink black white brown grey gray silver "
    "golden dark light large small big little medium tiny deep shallow wide narrow "
    "heavy round square oval rectangular striped dotted spotted checked patterned "
    "wooden bamboo marble glass ceramic copper steel stainless iron cast metal "
    "enamel enamelled plastic nonstick non stick bottomed heatproof ovenproof "
    "rubber silicone".split()
)
"""Words of looks; a description contains only these, and only from the text."""

PARTS: dict[str, str] = {
    **dict.fromkeys("cubes cube chunks chunk dice".split(), "diced"),
    **dict.fromkeys(
        "slices slice strips strip rings rounds wedges wedge halves half ribbons".split(), "sliced"
    ),
    **dict.fromkeys("mash".split(), "mashed"),
    **dict.fromkeys("puree".split(), "blended"),
    **dict.fromkeys("crumbs crumbles".split(), "crumbled"),
    **dict.fromkeys("shavings".split(), "grated"),
    **dict.fromkeys(
        "pieces piece bites bite florets floret leaves leaf stalks stems sprigs cloves fillets breasts "
        "thighs legs tips caps skins bones flesh meat root fronds kernels patties bottoms tops "
        "layers layer filling balls ball sheets sheet".split(),
        "",
    ),
}
"""Words after a food that name a part or a cut of it, and the state of that cut ("" for none)."""

THING_HEADS = frozenset(
    "bag bags stand liner liners rings cutter cutters press maker presser packet package box bowl "
    "server mill grinder spinner squeezer brush machine warmer dish tender attachment stick "
    "holder spray wheel wheels".split()
)
"""Words that make a thing of the food before them: "a nut bag", "fork tender"."""

PLAIN_VESSELS = frozenset(
    "pan pans pot pots bowl bowls jar jars dish dishes tray trays tin tins basket baskets".split()
)
"""Words that repeat what a vessel is: "a baking sheet pan", "the blender jar"."""

MEASURES = frozenset({"cup", "glass"})
ATTACHED = frozenset({"attachment", "attachments"})
"""Words that repeat what a tool is: "the dough hook attachment"."""
CUTS_OF_MEAT = frozenset("wing drumstick thigh breast tenderloin cutlet".split())
"""Foods that are a part of the meat before them: "turkey cutlets" are turkey."""
SPICES = frozenset({"spice", "spices", "powder"})
"""Words after a herb or a spice that change nothing: "oregano spice"."""
CUPPED = frozenset({"vegetable", "bread", "made"})
"""Groups of foods that serve as cups: "lettuce cups"."""
GERUNDS = frozenset("filling topping stuffing dressing frosting icing coating".split())
"""Foods that are also verbs: ", filling each cup"."""

PURPOSES = frozenset("cooking boiling soaking poaching braising frying serving dipping".split())
"""Words between a food and what serves it: "pasta cooking water"."""

FLAVORS = frozenset(
    "extract essence flavoring flavouring flavor flavour concentrate bitters emulsion "
    "powder".split()
)
"""Words that make a flavoring of the food before them: "raspberry extract" is no raspberry."""

FRUIT_WORDS = frozenset("fresh ripe juicy naval navel meyer organic whole".split())
SQUEEZED = frozenset("juice zest rind peel".split())
"""Parts of a citrus fruit: "juice of 1 large lemon" is lemon juice."""

NOTHING = Entry("", "tool", "", ())
"""Stands for a phrase that names nothing to show."""


@dataclass(frozen=True)
class Noun:
    """A noun phrase of `length` words; `modifiers` is what stands before its head."""

    entry: Entry
    length: int
    modifiers: str = ""
    cut: str = ""
    head: int = 0


def noun_at(
    tokens: Sequence[Word], index: int, extra: Mapping[Phrase, Entry]
) -> tuple[Entry, int] | None:
    """Return the longest noun of the lexicon or of the recipe that begins at a word."""
    noun = lexicon().noun_at(tokens, index)
    for length in range(4, noun[1] if noun else 0, -1):
        own = extra.get(tuple(t.text for t in tokens[index : index + length]))
        if own is not None:
            return own, length
    return noun


def noun_phrase(
    text: str,
    tokens: Sequence[Word],
    index: int,
    verb_words: set[int],
    extra: Mapping[Phrase, Entry],
) -> Noun | None:
    """Return the noun phrase that begins at a word; its last noun is its head."""
    first = noun_at(tokens, index, extra)
    part = _part_of_fruit(tokens, index)
    if part is not None:
        return part
    if first is None:
        return None
    entry, length = _overlapping(tokens, index, first)
    if _is_gerund(text, tokens, index, length) or _is_purpose(tokens, index, length):
        return Noun(NOTHING, 1)
    if length == 1 and tokens[index].text in LOOKS and _colours(tokens, index + 1, extra):
        return None
    head, cut = index, ""
    if entry.name == "bowl" and (machine := _machine(tokens, index + length)) is not None:
        return Noun(machine[0], length + machine[1], head=index)
    while (at := index + length) < len(tokens) and at not in verb_words:
        if gap(text, tokens, at).strip(" -\u2011\t\n\xa0") or "\n" in gap(text, tokens, at):
            break
        word = tokens[at].text
        if _stands_apart(tokens, at + 1):
            break
        following = noun_at(tokens, at, extra)
        if (
            entry.role == "food"
            and word in PARTS
            and (following is None or word in ("mash", "leg", "legs"))
        ):
            cut = PARTS[word] if entry.group != "made" else ""
            length += 1
        elif _repeats(entry, word) or (word == "cups" and entry.group in CUPPED):
            length += 1
        elif following is not None and _is_kind_of(entry, following[0]):
            length += following[1]
        elif following is not None and _joins(entry, following[0]):
            entry, head = following[0], at
            length += following[1]
        elif word in PURPOSES and (after := noun_at(tokens, at + 1, extra)) is not None:
            entry, head = after[0], at + 1
            length += 1 + after[1]
        elif word in THING_HEADS and following is None:
            return Noun(NOTHING, length + 1)
        elif word in FLAVORS and following is None and entry.role == "food":
            name = f"{entry.name} {word}"
            return Noun(Entry(name, "food", "spice", ()), length + 1, head=index)
        elif word == "ingredients":
            return Noun(NOTHING, length)
        else:
            break
    before = " ".join(
        t.text for t in tokens[index:head] if first[0].role == "food" or t.text in LOOKS
    )
    return Noun(entry, length, before, cut, head)


def _stands_apart(tokens: Sequence[Word], index: int) -> bool:
    """Return True before "by" and "side up", which the noun before belongs to: "mayo-side down"."""
    after = [t.text for t in tokens[index : index + 2]]
    return after[:1] == ["by"] or after in (["side", "up"], ["side", "down"])


def _overlapping(tokens: Sequence[Word], index: int, first: tuple[Entry, int]) -> tuple[Entry, int]:
    """Return chili powder for "red chili powder", whose first two words are a food too."""
    if first[0].role != "food":
        return first
    for at in range(index + 1, index + first[1]):
        other = lexicon().noun_at(tokens, at)
        if other is not None and other[0].role == "food" and at + other[1] > index + first[1]:
            return other[0], at + other[1] - index
    return first


def _is_gerund(text: str, tokens: Sequence[Word], index: int, length: int) -> bool:
    """Return True for "filling" in ", filling each cup" and "filling 3/4 full"."""
    if length > 1 or tokens[index].text not in GERUNDS or index + 1 >= len(tokens):
        return False
    before, after = tokens[index - 1].text if index else "", tokens[index + 1].text
    opens = not tokens[index].joined or before in ("by", "before", "after", "when", "and")
    acts = after in ACTED_ON or is_number(after)
    return tokens[index + 1].joined and acts and (opens or before not in DETERMINERS)


def _is_purpose(tokens: Sequence[Word], index: int, length: int) -> bool:
    """Return True for "to pickle" and "to brine", which name no food."""
    to = index > 0 and tokens[index - 1].text == "to" and length == 1
    after = tokens[index + 1].text if index + 1 < len(tokens) else ""
    stews = tokens[index].text == "stew" and (after in STEWING or is_adverb(after))
    return to and (tokens[index].text in ("pickle", "brine", "scallop") or stews)


STEWING = frozenset({"for", "in", "until", "till", "over", "on", "about"})
"""Words after "stew" the verb: "allow it to stew for an hour"."""
ACTED_ON = frozenset("the each them it right your them all every halfway almost about".split())


def _repeats(entry: Entry, word: str) -> bool:
    """Return True if a word only repeats what the thing before it is."""
    if entry.role == "vessel":
        return entry.name not in MEASURES and word in PLAIN_VESSELS
    if entry.role == "tool":
        return word in ATTACHED
    return entry.group in ("herb", "spice") and word in SPICES


MEATS = frozenset({"meat", "poultry", "fish"})
PEPPERS = frozenset(
    {"chili pepper", "jalapeno", "habanero", "poblano pepper", "chipotle pepper", "bell pepper",
     "pepperoncini"}
)  # fmt: skip
PASTAS = frozenset({"macaroni", "spaghetti", "ravioli", "gnocchi", "pasta"})


def _is_kind_of(first: Entry, second: Entry) -> bool:
    """Return True if the second noun adds nothing: "turkey cutlets", "macaroni noodles"."""
    cut = first.group in MEATS and second.name in CUTS_OF_MEAT
    hot = first.name in PEPPERS and second.name in ("pepper", *PEPPERS)
    return cut or hot or (first.name in PASTAS and second.name in ("noodle", "pasta"))


def _part_of_fruit(tokens: Sequence[Word], index: int) -> Noun | None:
    """Return lemon juice for "juice of 1 large lemon" and "zest and juice of a lemon"."""
    words = [t.text for t in tokens[index : index + 9]]
    if words[0] not in SQUEEZED:
        return None
    joint = next((i for i, word in enumerate(words[:4]) if word == "of"), None)
    if joint is None or not all(w in SQUEEZED or w == "and" for w in words[:joint]):
        return None
    for at in range(joint + 1, len(words)):
        noun = lexicon().noun_at(tokens, index + at)
        if noun is not None and noun[0].group == "fruit":
            part = "juice" if words[0] == "juice" else "zest"
            entry = lexicon().look_up(f"{noun[0].name} {part}")
            length = 1 if joint > 1 else at + noun[1]
            return Noun(entry, length, head=index) if entry else None
        if noun is not None or not _sizes(tokens[index + at].text):
            return None
    return None


def _sizes(word: str) -> bool:
    """Return True for words between "juice of" and its fruit: "half a large"."""
    return is_number(word) or word in DETERMINERS | LOOKS | FRUIT_WORDS


def _machine(tokens: Sequence[Word], index: int) -> tuple[Entry, int] | None:
    """Return the machine whose bowl is meant ("bowl of a food processor"), and its words."""
    if index >= len(tokens) or tokens[index].text != "of":
        return None
    for at in range(index + 1, min(index + 6, len(tokens))):
        noun = lexicon().noun_at(tokens, at)
        if noun is None:
            continue
        entry = noun[0]
        if entry.name == "electric mixer":
            entry = lexicon().entries["stand mixer bowl"]
        return (entry, at - index + noun[1]) if entry.role == "vessel" else None
    return None


def _colours(tokens: Sequence[Word], index: int, extra: Mapping[Phrase, Entry]) -> bool:
    """Return True if a word of looks before `index` describes a thing: "orange square pan"."""
    while index < len(tokens) and tokens[index].text in LOOKS:
        index += 1
    noun = noun_at(tokens, index, extra)
    return noun is not None and noun[0].role != "food"


NO_HEADS = frozenset({"half-and-half"})
"""Foods that no food before them describes: "stock half and half" lacks a comma."""


def _joins(first: Entry, second: Entry) -> bool:
    """Return True if two nouns side by side are one thing: "soup bowl", "garlic sauce"."""
    zested = first.group == "herb" and second.name.endswith(" zest")
    if second.name in NO_HEADS or zested:
        return False
    if second.role == "food":
        return first.role == "food" or second.name in ("sauce", "juice", "gravy")
    return second.role != "surface"
