"""Find the foods that "it", "the vegetables", "the mixture" or "the dry ingredients" mean."""

from __future__ import annotations

import re

from procvid.plan.kitchen.state import KitchenState
from procvid.plan.kitchen.stepwalk import StepWalk, here, holds, see
from procvid.plan.kitchen.things import MINOR_GROUPS
from procvid.plan.language.lexicon import lexicon, words
from procvid.plan.language.mention import Mention
from procvid.plan.language.mentions import GROUP_WORDS
from procvid.plan.language.reading import Segment

MIXED = frozenset("dressing vinaigrette marinade glaze icing sauce gravy rub".split())
"""Products of liquids and powders: "to make the dressing, combine all ingredients"."""
MIXED_GROUPS = {
    "vegetables": "mixed vegetables", "veggies": "mixed vegetables", "veg": "mixed vegetables",
    "herbs": "mixed herbs", "spices": "mixed spice",
}  # fmt: skip
CHUNKS = frozenset(
    "meat poultry fish seafood bread grain fruit nut mushroom legume vegetable".split()
)
PARTS_OF = re.compile(r"\b(\w+) ingredients\b")
WET = frozenset({"liquid", "egg", "fat", "sauce", "sweet"})
DRY = frozenset({"powder", "spice", "grain", "nut"})


def referred_foods(kitchen: KitchenState, walk: StepWalk, segment: Segment) -> list[str]:
    """Return the foods that "it", "them", "the vegetables" or "the mixture" mean."""
    last = "ingredients" if "mixture" in segment.refers else "?"
    for word in sorted(segment.refers, key=lambda w: w.endswith(last)):
        if word.endswith(" ingredients"):
            names = _listed_foods(kitchen, walk, segment, word)
        elif word == "ingredients" and (added := _added_here(kitchen, walk)):
            names = added
        elif word == "ingredients" and kitchen.left_over() and not _loose(kitchen):
            names = _listed_foods(kitchen, walk, segment, "remaining ingredients")
        elif word in ("everything", "ingredients") and segment.vessels:
            loose = [
                f for f in kitchen.foods.values() if not f.vessel or not holds(kitchen, f.vessel)
            ]
            names = [f.name for f in loose] or kitchen.contents(kitchen.last_vessel)
        elif word in ("mixture", "mix", "ingredients", "ingredient", "contents", "everything"):
            place = here(kitchen, walk)
            inside = kitchen.contents(place.name) if place is not None else []
            names = inside or kitchen.contents(kitchen.last_vessel) or kitchen.last_foods
        elif word in ("it", "them", "they", "these", "those", "this"):
            known = [n for done in walk.done for n in done.foods if n in kitchen.foods]
            own = [n for n in known if not kitchen.foods[n].minor]
            if segment.verb.action.name in ("melt", "heat"):
                own = own or known
            names = own or [n for n in kitchen.last_foods if not kitchen.foods[n].minor]
            names = names[:1] if word in ("it", "this") and not own else names
            names = _all_of_it(kitchen, segment, names)
        elif word == "food":
            names = kitchen.last_foods
        else:
            names = kitchen.of_groups(word) or [
                kitchen.meet_food(m, walk.number).name
                for m in kitchen.left_over()
                if m.entry.group in GROUP_WORDS[word]
            ]
            if not names and word in MIXED_GROUPS:
                entry = lexicon().entries[MIXED_GROUPS[word]]
                mention = Mention(entry, 0, "", entry.name, None, "", definite=True)
                names = [kitchen.meet_food(mention, walk.number, name=entry.name).name]
        if word == "ingredients" and not names:
            names = _listed_foods(kitchen, walk, segment, "remaining ingredients")
        if word.endswith("ingredients") and not names:
            names = _called_for(kitchen, walk)
        if groups_of(word):
            others = [w for w in segment.refers if w != word and groups_of(w)]
            names += [n for w in others for n in _listed_foods(kitchen, walk, segment, w)]
        names = [n for n in dict.fromkeys(names) if n in kitchen.foods]
        if names:
            for name in names:
                see(kitchen, walk, name)
            return names
    return []


def _added_here(kitchen: KitchenState, walk: StepWalk) -> list[str]:
    """Return what the step has just added by name: "add the water and sugar, whisk ingredients"."""
    before = walk.done[-1] if walk.done else None
    named = before is not None and before.action.name == "add" and len(before.foods) > 1
    return [n for n in before.foods if n in kitchen.foods] if before is not None and named else []


def _listed_foods(kitchen: KitchenState, walk: StepWalk, segment: Segment, word: str) -> list[str]:
    """Return the foods that "the remaining ingredients" or "the dry ingredients" mean."""
    if word == "all ingredients" and not kitchen.left_over():
        return [n for n in kitchen.foods if not kitchen.foods[n].vessel]
    groups = groups_of(word)
    unused = [m for m in kitchen.left_over() if m.entry.group in groups - MINOR_GROUPS]
    gathers = segment.verb.action.name == "mix" or bool(segment.vessels)
    fresh = gathers and len(unused) > 1
    if groups and not fresh and not word.startswith("remaining"):
        inside = of_groups(kitchen, groups)
        last = kitchen.vessels.get(kitchen.last_vessel or "")
        poured = segment.verb.action.name == "add" or bool(segment.targets)
        if groups is WET and poured and last is not None and last.use == "cold":
            inside = kitchen.contents(last.name)
        if any(not kitchen.foods[name].minor for name in inside):
            return inside
    left = [m for m in kitchen.left_over() if not groups or m.entry.group in groups]
    if groups and not left:
        return [
            f.name for f in kitchen.foods.values() if f.is_of(groups) and _is_cold(kitchen, f.name)
        ]
    if not groups and MIXED & {token.text for token in words(walk.text)[:8]}:
        fluid = any(m.entry.group in ("liquid", "fat", "sauce", "sweet") for m in left)
        left = [m for m in left if m.entry.group not in CHUNKS] if fluid else []
    return list(dict.fromkeys(kitchen.meet_food(m, walk.number).name for m in left))


def of_groups(kitchen: KitchenState, groups: frozenset[str]) -> list[str]:
    """Return the foods of groups: those in bowls, or else all."""
    inside = [f.name for f in kitchen.foods.values() if f.is_of(groups)]
    return [n for n in inside if _is_cold(kitchen, n)] or inside


def _called_for(kitchen: KitchenState, walk: StepWalk) -> list[str]:
    """Return the glaze of "the glaze ingredients", where the list has no more of them."""
    product = PARTS_OF.search(walk.text.lower())
    entry = lexicon().look_up(product[1]) if product is not None else None
    if entry is None or entry.role != "food":
        return []
    mention = Mention(entry, 0, "", entry.name, None, "", definite=True)
    return [kitchen.meet_food(mention, walk.number, name=entry.name).name]


def _is_cold(kitchen: KitchenState, food: str) -> bool:
    """Return True if a food lies in a bowl or another vessel for mixing."""
    vessel = kitchen.vessels.get(kitchen.foods[food].vessel or "")
    return vessel is not None and vessel.use == "cold"


def groups_of(word: str) -> frozenset[str]:
    """Return the groups of foods that "dry" or "wet ingredients" are; empty for other words."""
    if "dry ingredients" in word:
        return DRY
    return WET if "wet ingredients" in word else frozenset()


def _loose(kitchen: KitchenState) -> list[str]:
    """Return the foods that lie in no vessel that keeps them together."""
    return [f.name for f in kitchen.foods.values() if not holds(kitchen, f.vessel)]


def _all_of_it(kitchen: KitchenState, segment: Segment, names: list[str]) -> list[str]:
    """Return all foods of a hot vessel if "it" leaves the vessel for a plate."""
    to_plate = any(mention.entry.group == "serve" for mention in segment.vessels)
    if not names or not (to_plate or segment.verb.action.name == "serve"):
        return names
    vessel = kitchen.vessels.get(kitchen.foods[names[0]].vessel or "")
    if vessel is None or vessel.use != "stove":
        return names
    return [*names, *(n for n in kitchen.contents(vessel.name) if n not in names and n != "water")]
