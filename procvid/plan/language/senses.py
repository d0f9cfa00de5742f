"""Choose the sense of a verb by the words after it: "run a knife around" loosens, "run" rinses."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from procvid.plan.language.lexicon import Word, lexicon


@dataclass(frozen=True)
class Sense:
    """A sense of some verbs.

    Attributes:
        verbs: The verbs.
        marks: Words of which one must follow.
        within: Number of words after the verb in which it must stand.
        verb: The verb of the lexicon that is meant.
    """

    verbs: frozenset[str]
    marks: frozenset[str]
    within: int
    verb: str


def _sense(verbs: str, marks: str, within: int, verb: str) -> Sense:
    return Sense(frozenset(verbs.split()), frozenset(marks.split()), within, verb)


SENSES = (
    _sense("run", "knife spatula skewer", 6, "loosen"),
    _sense("run rinse hold place put", "tap faucet", 9, "rinse"),
    _sense("run", "water", 5, "rinse"),
    _sense("pass run press push", "sieve strainer sifter", 10, "strain"),
    _sense("pass run feed", "machine roller rollers setting", 10, "roll out"),
    _sense("run", "blender processor machine motor program", 4, "blend"),
    _sense("set", "timer clock time", 5, "wait"),
    _sense("set", "oven broiler", 2, "preheat"),
    _sense("set", "saute manual function mode pressure", 7, "preheat"),
    _sense("set put place", "aside", 8, "set aside"),
    _sense(
        "make create form dig", "well wells hole holes dent indent indentation dimple", 5, "press"
    ),
    _sense("make", "slit slits cuts incision incisions", 6, "slice"),
    _sense("make", "balls patties", 9, "shape"),
    _sense("give", "whisk", 6, "whisk"),
    _sense("give", "rinse wash", 6, "rinse"),
    _sense("give", "knead", 6, "knead"),
    _sense("separate", "balls pieces chunks portions handfuls", 9, "divide"),
    _sense("secure tie fasten", "lid lids", 4, "cover"),
    _sense("secure fasten", "toothpick toothpicks skewer skewers", 12, "skewer"),
    _sense("place put pop return replace fit close", "lid", 2, "cover"),
    _sense("remove lift take", "lid cover", 3, "uncover"),
    _sense("peel", "paper parchment backing foil plastic wrap wrapper liner", 7, "remove"),
    _sense("pat", "into out rectangle square circle disc thick thickness", 8, "press"),
    _sense("process", "canner canning bath", 7, "boil"),
    _sense("throw", "away out", 6, "discard"),
    _sense("lower reduce turn", "simmer", 8, "simmer"),
    _sense("reduce lower turn", "low medium", 2, "reduce heat"),
    _sense("turn flip set move switch", "valve vent knob dial switch button", 4, "reduce heat"),
    _sense("press push hit select", "button start cancel manual saute", 4, "reduce heat"),
    _sense("turn go become", "golden brown pale pink red white translucent opaque", 3, "check"),
    _sense("dunk bury", "middle center centre", 9, "put"),
    _sense("work", "dough", 3, "knead"),
    _sense("remove take lift pull", "heat flame burner", 6, "remove from the heat"),
    _sense("bring get", "heat", 9, "heat"),
    _sense("release", "pressure steam valve", 4, "wait"),
    _sense("bring", "temperature", 6, "wait"),
    _sense("bring", "together", 8, "shape"),
    _sense("divide portion distribute", "bowls plates glasses cups", 14, "divide between"),
    _sense("divide", "between among amongst", 10, "distribute"),
)
NOT_PORTIONED = frozenset("dough batter mixture custard filling egg eggs".split())
"""Foods that are divided between vessels before they are cooked, and not served."""


def sense_of(name: str, clause: Sequence[str]) -> str | None:
    """Return the verb that is meant; None for the usual sense.

    Args:
        name: A verb of one word.
        clause: The words after it, to the end of its clause.
    """
    for sense in SENSES:
        if name in sense.verbs and sense.marks & set(clause[: sense.within]):
            serves = sense.verb == "divide between"
            if not (serves and NOT_PORTIONED & set(clause)):
                return sense.verb
    return None


def covers_with_food(tokens: Sequence[Word], start: int, length: int) -> bool:
    """Return True for "cover with water": a food covers, not a lid.

    Args:
        tokens: The words of the step.
        start: The first word after the verb.
        length: Number of words of its clause.
    """
    covered = [t.text for t in tokens[start : start + length]]
    covered = covered[: covered.index("then")] if "then" in covered else covered
    at = next((i for i, word in enumerate(covered) if word in ("with", "in")), None)
    if at is None:
        return False
    for index in range(start + at + 1, start + min(at + 7, length)):
        noun = lexicon().noun_at(tokens, index)
        if noun is not None:
            return noun[0].role == "food"
        if not re.fullmatch(r"[\w'/.½¼¾]+", tokens[index].text):
            break
    return False
