"""Say what "it", "the mixture" and "the remaining ingredients" stand for in the plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from procvid.plan.language.english import is_adverb
from procvid.plan.language.lexicon import lexicon, plurals, words
from procvid.plan.writing.phrases import BLANK, STARTS, SpokenPhrase, entries_in, write_phrase
from procvid.plan.writing.wording import (
    VESSEL_ACTIONS,
    heaviest,
    is_light,
    joined,
    seen_foods,
    spoken_name,
)
from procvid.types import PlannedObject

MAX_CARRIED = 4
PRONOUNS = frozenset("it them this these those all everything both".split())
FOLLOWING = frozenset("a an another yet out off".split())
"""Words after "it" that are no part of it: "give it a stir", "take it out of the pan"."""
MIXED = frozenset({"mixed", "blended", "kneaded"})
BLENDING_ACTIONS = frozenset("mix stir blend fold whisk".split())
"""Actions that show how the foods become one."""
SETTING_DOWN = frozenset({"add", "serve"})
"""Actions before which foods may lie apart."""
AS_ONE = frozenset("bake broil chill freeze wait steam knead shape roll".split())
"""Actions that a mixture goes through as one thing."""
POURED = frozenset("pour pouring scrape spoon ladle pipe".split())
"""Verbs that do so."""
SOLID = frozenset("meat poultry fish seafood made bread vegetable mushroom".split())
"""Groups of foods that no batter takes up."""
OUTSIDES = frozenset("top tops surface edges ends".split())
"""Parts that a clause names without the food that they belong to: "smooth the top"."""
VAGUE_LASTS = frozenset("mixture powder seed seeds paper".split())


@dataclass(frozen=True)
class ShotScene:
    """A shot's words and objects; `verb_end` is the first word after its verb."""

    text: str
    action: str
    foods: Sequence[PlannedObject]
    vessels: Sequence[PlannedObject]
    tools: Sequence[PlannedObject]
    verb_end: int = -1

    @property
    def done(self) -> str:
        """The state that the action makes: "sliced"."""
        action = lexicon().actions.get(self.action)
        return (action.state if action else None) or ""


def foods_text(
    scene: ShotScene, foods: Sequence[PlannedObject], most: int, *, whole: bool = False
) -> str:
    """Return foods as a list, those that are mixed together as one thing.

    Args:
        scene: The shot.
        foods: Some of its foods.
        most: How many of them to name.
        whole: True for a mixture of all the foods or none.
    """
    mixed = _mixed_together(scene, foods)
    entry = lexicon().entries.get(foods[0].name) if foods else None
    if len(foods) == len(mixed) == 1 and entry is not None and entry.group == "powder":
        return f"the {spoken_name(foods[0], '')} mixture"
    if len(mixed) < 2 or (whole and len(mixed) < len(foods)):
        return seen_foods(foods, most, scene.done)
    mixed = [f for f in foods if f in mixed or is_light(f)]
    apart = [f for f in foods if f not in mixed]
    shown = max(2, most - len(apart))
    first = heaviest(mixed, shown)
    ordered = [*first, *(f for f in mixed if f not in first)]
    names = [f"the {spoken_name(f, '').removesuffix(' mixture')}" for f in ordered]
    names = list(dict.fromkeys(names))
    if len(names) < 2:
        return seen_foods(foods, most, scene.done)
    if len(names) > shown:
        names = [*names[:shown], "other ingredients"]
    baked = scene.done != "baked" and any(f.state_before == "baked" for f in mixed)
    mixture = f"the {'baked ' if baked else ''}mixture of {joined(names)}"
    return f"{seen_foods(apart, 2, scene.done)} with {mixture}" if apart else mixture


def _mixed_together(scene: ShotScene, foods: Sequence[PlannedObject]) -> list[PlannedObject]:
    """Return the foods that an earlier step mixed, with what it folded in."""
    if scene.action in BLENDING_ACTIONS:
        return []
    mixed = [f for f in foods if f.state_before in MIXED or f.name.endswith(" mixture")]
    as_one = scene.action in AS_ONE or bool(POURED & {w.text for w in words(scene.text)})
    if not as_one:
        apart = len(foods) - len(mixed)
        return mixed if apart < (1 if scene.action in SETTING_DOWN else 2) else []
    return [f for f in foods if f in mixed or not _stays_apart(f)] if mixed else []


def _stays_apart(food: PlannedObject) -> bool:
    entry = lexicon().entries.get(food.name)
    return entry is not None and entry.group in SOLID


def _is_made(food: PlannedObject) -> bool:
    """Return True for a sauce or a marinade, which are no ingredients."""
    entry = lexicon().entries.get(food.name)
    return entry is not None and entry.group == "made"


def referents(scene: ShotScene, said: str) -> list[PlannedObject]:
    """Return the foods that "it" or a missing object stands for."""
    left = [f for f in scene.foods if not is_named(f, said)]
    carried = [f for f in left if not f.mentioned]
    return carried or left


def phrase_text(scene: ShotScene, phrase: SpokenPhrase, said: str) -> str | None:
    """Return a phrase with articles, "it" and "the mixture" replaced; None if nobody can say."""
    items: list[list[str]] = []
    texts: dict[int, str] = {}
    for item in phrase.items:
        known = _resolved(scene, item, said, phrase.tie)
        if known is None:
            return None
        if known:
            texts[len(items)] = known
        items.append(item)
    if not texts:
        return write_phrase(phrase)
    parts = [texts.get(n) or write_phrase(SpokenPhrase("", [item])) for n, item in enumerate(items)]
    return " ".join(w for w in (phrase.tie, joined(parts)) if w) + phrase.suffix


def _resolved(scene: ShotScene, item: Sequence[str], said: str, tie: str) -> str | None:
    """Return the foods of an item that refers to them; "" if it names things; None if unknown."""
    if len(item) > 2 and item[-2] == "of" and item[-1] in ("it", "them"):
        found = _as_product(referents(scene, said))
        place = " ".join(item[:-1])
        place = place if item[0] in STARTS | {"top", "the"} else f"the {place}"
        return f"{place} {foods_text(scene, found, MAX_CARRIED)}" if found else None
    if len(item) > 2 and item[0] in ("it", "them") and item[1] in FOLLOWING:
        found = referents(scene, said)
        return f"{foods_text(scene, found, MAX_CARRIED)} {' '.join(item[1:])}" if found else None
    head = [w for w in item if not is_adverb(w) and w not in BLANK]
    plain = [w for w in item if w in ("top", "the") or not is_adverb(w)]
    if len(plain) == 2 and plain[0] == "the" and plain[1] in OUTSIDES and tie != "on":
        if scene.action in VESSEL_ACTIONS:
            return ""
        found = referents(scene, said)
        way = "".join(f" {w}" for w in item if w not in plain)
        few = 0 < len(found) < 3
        return f"the {plain[1]} of {foods_text(scene, found, MAX_CARRIED)}{way}" if few else ""
    if item[-1:] == ["amount"] and (found := referents(scene, said)):
        return f"{write_phrase(SpokenPhrase('', [list(item)]))} of {seen_foods(found[:1], 1)}"
    if len(item) > 1 and item[-1] == "mixture" and item[-2] in ("wet", "dry"):
        return f"the {item[-2]} mixture"
    sides = [w for w in item if w not in ("the", "on", "for")]
    if tie == "" and sides in (["other", "side"], ["second", "side"], ["both", "sides"]):
        found = referents(scene, said)
        on = f"on {'' if sides[0] == 'both' else 'the '}{' '.join(sides)}"
        return f"{foods_text(scene, found, MAX_CARRIED)} {on}" if found else None
    if not head:
        return ""
    last = len(item)
    while last > 1 and (is_adverb(item[last - 1]) or item[last - 1] in BLANK):
        last -= 1
    tail = list(item[last:])
    described = head[0] in ("it", "them") and len(head) < 4
    if list(item) in (["wet"], ["the", "wet"], ["dry"], ["the", "dry"]):
        return f"the {item[-1]} ingredients"
    one = tie == "" and head in (["each"], ["each", "one"])
    if (head[0] in PRONOUNS and len(head) == 1) or described or one:
        if tie in ("in", "into") and scene.vessels and head[0] == "it":
            return f"the {spoken_name(scene.vessels[0], '')}"
        found = referents(scene, said)
        if not found:
            return "everything" if head[0] in ("everything", "all") else None
        return " ".join(
            [foods_text(scene, found, MAX_CARRIED), *([] if one else head[1:]), *_on_sides(tail)]
        )
    plain = [w for w in head if w not in ("the", "your", "this", "that", "of", "all", "entire")]
    if len(plain) == 1 and plain[0] in ("mixture", "mix"):
        return " ".join([_mixture(scene, said, tie), *tail])
    loose = {"remaining", "dry", "wet", "other", "all", "rest", "first"}
    if plain and plain[-1] in ("ingredients", "ingredient") and set(plain[:-1]) <= loose:
        both = {"wet", "dry"} <= {w.text for w in words(said)}
        if tie not in ("", "with") or both:
            return ""
        found = [f for f in scene.foods if not is_named(f, said)]
        named = [f for f in found if f.mentioned and not _is_made(f)] or found
        return seen_foods(named, 5, scene.done) if named else f"the {' '.join(plain)}"
    return ""


def _as_product(foods: list[PlannedObject]) -> list[PlannedObject]:
    """Return the mixture or product alone, which "the rest of it" means; else all the foods."""
    made = [f for f in foods if f.name.endswith("mixture") or _is_made(f)]
    return made[:1] or foods


def _on_sides(tail: list[str]) -> list[str]:
    """Return "on each side" for the "side" of "cook each side"."""
    return ["on", "each", "side"] if tail in (["side"], ["sides"]) else tail


def _mixture(scene: ShotScene, said: str, tie: str) -> str:
    found = [f for f in scene.foods if not is_named(f, said)]
    product = next(
        (f for f in found if f.name.endswith(("mixture", "batter", "dough", "filling"))), None
    )
    if product is not None:
        return f"the {spoken_name(product, '')}"
    if 0 < len(found) < 4 and tie != "with":
        return f"the mixture of {seen_foods(found, 3, scene.done)}"
    return "the mixture"


def is_named(item: PlannedObject, said: str) -> bool:
    """Return True if words name an object, also by another name or its last word."""
    tokens = {w.text for w in words(said)}
    found = {e.name for e, _, _ in entries_in(said)}
    if item.name in found or (item.role == "vessel" and found & ends_of(item.name)):
        return True
    own = spoken_name(item, "").split()
    if own[-1] in VAGUE_LASTS and len(own) > 1:
        return own[0] in tokens and own[-1] in tokens
    if "florets" in tokens and item.name in ("broccoli", "cauliflower"):
        return True
    lasts = {own[-1], item.name.split()[-1]}
    return any(form in tokens for last in lasts for form in (last, *plurals(last)))


def ends_of(name: str) -> set[str]:
    """Return "large frying pan", "frying pan" and "pan"."""
    parts = name.split()
    return {" ".join(parts[n:]) for n in range(len(parts))}
