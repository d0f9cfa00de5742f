"""Write the verbs of a clause as the gerund of a prompt."""

from __future__ import annotations

import re

from procvid.plan.language.english import is_adverb
from procvid.plan.language.lexicon import lexicon, words
from procvid.plan.writing.clutter import SIDE_WORK
from procvid.plan.writing.happenings import ENDINGS, HAPPENS, LETTING
from procvid.plan.writing.own_clause import OwnClause
from procvid.plan.writing.phrases import TIES
from procvid.plan.writing.wording import gerund, joined

COMPOUND = {
    "stir fry": "stir-frying", "pat dry": "patting dry", "hard boil": "boiling",
    "soft boil": "boiling", "roughly chop": "roughly chopping", "sous vide": "cooking",
    "salt and pepper": "seasoning",
}  # fmt: skip
DIALS = frozenset(
    "heat temperature oven flame speed burner timer valve dial knob pressure mode button vent power "
    "setting".split()
)
"""Things that a cook turns up or down, which no later verb goes on with."""
SWITCHING = frozenset({"turn", "switch", "set"})
"""Verbs that turn a pot on: "turn the pot to sauté"."""
TO_SETTING = re.compile(r"(?:cooker|[Pp]ot|fryer|grill) (?:to|on) (?:high|low|medium|warm|saut)")
"""A machine whose dial is turned: "turn the slow cooker to high"."""
LOWERING = frozenset({"lower", "reduce", "return", "turn down"})
"""Verbs of the heat in "reduce to a simmer"."""
WAYS_OF_COOKING = frozenset("bake fry roast boil toast grill".split())
"""Last words of verbs such as "blind bake"."""
STANDING = {"stand": "resting", "sit": "resting", "rise": "rising", "set": "setting",
            "thicken": "thickening", "harden": "hardening", "dry": "drying",
            "come": "", "absorb": ""}  # fmt: skip


def doing_of(clause: OwnClause) -> tuple[str, tuple[str, ...], bool]:
    """Return the gerunds of a clause, its words, and whether the food does it without a hand."""
    verb, rest = clause.verbs[-1], clause.rest
    if verb in LETTING:
        return _letting(verb, rest)
    if verb.startswith("bring"):
        rest = tuple("boil" if w == "boiling" else w for w in rest)
        boils = bool({"boil", "simmer"} & {*rest, *verb.split()})
        known = HAPPENS.get(verb, "coming")
        return (known if boils else "bringing"), rest, boils
    if verb in LOWERING and {"simmer", "boil"} & {*rest}:
        return ("simmering" if "simmer" in rest else "boiling"), (), True
    name = clause.known.name if clause.known.name.split()[0] == verb.split()[0] else verb
    spots = {*rest[1:]} & {"on", "in", "into", "over", "onto"}
    placed = name == "set" and (bool(spots) or rest[:1] == ("out",))
    if HAPPENS.get(name) and not placed:
        return HAPPENS[name], rest, True
    if any(v.split()[0] not in _base_forms(v) for v in clause.verbs):
        return "", rest, False
    hands = [v for v in clause.verbs if placed or (v not in HAPPENS and v not in ENDINGS)]
    hands = [v for v in hands if "heat" not in v.split()]
    hands = hands or [clause.verbs[-1]]
    return joined([_hand_gerund(v) for v in hands]), rest, False


def _base_forms(verb: str) -> set[str]:
    """Return the first words of the lexicon's verbs that a verb's words can be a form of."""
    tokens = words(verb)
    known = lexicon().verb_at(tokens, 0)
    return {known[0].name.split()[0]} if known else {verb.split()[0]}


def _hand_gerund(verb: str) -> str:
    if verb in COMPOUND:
        return COMPOUND[verb]
    head, *particles = verb.split()
    if particles and particles[-1] in WAYS_OF_COOKING:
        return f"{head}-{gerund(particles[-1])}"
    return " ".join(
        [head if head.endswith("ing") and head != "bring" else gerund(head), *particles]
    )


def _without_side_work(rest: tuple[str, ...]) -> tuple[str, ...]:
    """Return the words without ", stirring often" at their start."""
    return () if rest[:1] == (",",) and rest[1:2] and rest[1] in SIDE_WORK else rest


def _letting(verb: str, rest: tuple[str, ...]) -> tuple[str, tuple[str, ...], bool]:
    """Return the parts of "let the dough rise": "rising" and "the dough"."""
    tokens = words(" ".join(rest))
    for index, word in enumerate(rest[:8]):
        spot = next((i for i, t in enumerate(tokens) if t.text == word.lower()), None)
        inner = lexicon().verb_at(tokens, spot) if spot is not None else None
        names = inner is not None and lexicon().noun_at(tokens, spot or 0) is not None
        described = index > 0 and rest[index - 1] in ("the", "a", "an", "your", "one", "each")
        if described and word not in STANDING:
            continue
        if word in STANDING or (inner is not None and not names and not is_adverb(word)):
            before = tuple(w for w in rest[:index] if w != "to")
            name, length = word, 1
            if inner is not None and rest[index + 1 : index + 2] not in (("on",), ("in",)):
                name, length = inner[0].name, inner[1]
            doing = STANDING.get(word, HAPPENS.get(name, gerund(word)))
            return doing, _without_side_work((*before, *rest[index + length :])), True
    return ("resting", rest, True) if verb == "leave" else ("", rest, True)


def turns_dial(clause: OwnClause) -> bool:
    """Return True for "flip the valve", not for "take it out of the oven"."""
    ahead = list(clause.rest[:3])
    near = next((n for n, w in enumerate(ahead) if w in DIALS - {"oven"}), -1)
    return near >= 0 and not TIES & {*ahead[:near]}
