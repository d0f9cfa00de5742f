"""Find the vessels that a text names, and the one where an action leads: "add it to the rice"."""

from __future__ import annotations

import re
from dataclasses import replace

from procvid.plan.kitchen.products import BAKED_GOODS
from procvid.plan.kitchen.referred import groups_of, of_groups
from procvid.plan.kitchen.state import COOKED, KitchenState
from procvid.plan.kitchen.stepwalk import PASSING, StepWalk, holds
from procvid.plan.kitchen.things import MINOR_GROUPS, Vessel
from procvid.plan.language.goals import BARE
from procvid.plan.language.lexicon import lexicon
from procvid.plan.language.mention import Mention
from procvid.plan.language.mentions import GROUP_WORDS
from procvid.plan.language.reading import Segment

TOWARDS = frozenset({"to", "into", "over", "in"})
"""Prepositions that lead to a food where it lies: "add the egg to the rice"."""
MOVING = frozenset({"add", "spread", "squeeze", "grate", "crumble", "press"})
"""Actions that put a food somewhere."""
JOINING = frozenset({"add", "mix", "stir"})
"""Actions that bring foods together."""
READYING = frozenset("line grease prepare preheat fill heat".split())
"""Actions on a vessel that the next step may mean by "it"."""
GREASING = frozenset({"butter", "oil", "flour", "spray"})
ICING = frozenset({"pipe", "swirl", "frost"})
SERVED = frozenset({"serving bowl", "serving bowls", "soup bowl", "soup bowls"})
OVEN_KINDS = {"dish": "baking dish", "pan": "roasting pan"}
PAN_OF_WATER = re.compile(r"\bpan of (?:[\w-]+ ){0,2}water\b")
OR_MACHINE = re.compile(r"\bor\b[^.;]*\bmixer\b")
INSIDE = re.compile(r"\binside\b\W*$")
MIXER_SPEED = re.compile(r"\bon (?:a )?(?:low|medium|high|medium-low|medium-high)\b")


def mentioned_vessel(
    kitchen: KitchenState, walk: StepWalk, segment: Segment
) -> tuple[Vessel | None, list[str]]:
    """Return the vessel that an action names as its place, and all vessels it names."""
    places: list[Vessel] = []
    names: list[str] = []
    first = "?"
    for mention in segment.vessels:
        vessel = _same_dish(kitchen, segment, mention)
        if vessel is None:
            vessel = kitchen.meet_vessel(_by_use(kitchen, segment, mention, walk.text), walk.number)
        if mention.wording in SERVED and vessel.use == "cold":
            vessel = kitchen.meet_serving_bowl(walk.number)
        vessel = _with_food(kitchen, segment, mention) or vessel
        names.append(vessel.name)
        if mention.preposition not in ("from", "of", "off", "out", "with", "using"):
            target = mention.preposition in ("to", "into", "onto", "in", "on")
            target = target or (mention.preposition == "over" and not first)
            first = mention.preposition if not places else first
            beneath = vessel.kind == "cooling rack" and bool(places)
            places.insert(0 if target and not beneath else len(places), vessel)
    if not places:
        places = _mixer_bowl(kitchen, walk, segment)
    within = bool({"it", "them"} & set(segment.targets)) or INSIDE.search(walk.text.lower())
    if (
        not places
        and kitchen.last_action in READYING
        and segment.verb.action.name == "add"
        and within
    ):
        places = kitchen.named[-1:]
    bare = segment.verb.name in ("transfer", "pour", "tip") and not (
        segment.targets or segment.goal
    )
    if not places and bare and kitchen.last_action in ("grease", "line"):
        places = kitchen.named[-1:]
    if not places and segment.verb.action.name in ("add", "stir", "fry"):
        hinted = [m for m in segment.hinted_vessels if m.definite]
        met = [kitchen.meet_vessel(m, walk.number) for m in hinted]
        places = [vessel for vessel in met if vessel.used][:1]
        ready = [kitchen.foods.get(kitchen.name_of(m)) for m in segment.conditions]
        spots = [kitchen.vessels.get(f.vessel or "") for f in ready if f is not None]
        places = places or [at for at in spots if at is not None and at.use == "stove"][:1]
    if not places and segment.goal in BARE:
        places = [v for v in reversed(kitchen.named) if _is_called(v, segment.goal)][:1]
    if not places:
        places = _beside(kitchen, walk, segment)
    walk.mentioned_vessels += names
    if not places and names and segment.verb.action.name == "remove":
        places = [kitchen.vessels[names[0]]]
    return places[0] if places else None, names


def _same_dish(kitchen: KitchenState, segment: Segment, mention: Mention) -> Vessel | None:
    """Return the last tray or tin if "the pan" in which something cools can only be that."""
    last = kitchen.vessels.get(kitchen.last_vessel or "")
    rests = segment.verb.action.name in ("chill", "wait", "remove", "cover") or (
        segment.verb.name.split()[0] in ("let", "rest", "leave")
    )
    unseen = all(v.kind != mention.entry.name for v in kitchen.vessels.values())
    oven = last is not None and last.use == "oven" and mention.entry.group == "oven"
    return last if rests and mention.definite and unseen and oven else None


def _with_food(kitchen: KitchenState, segment: Segment, mention: Mention) -> Vessel | None:
    """Return the plate of "the plate with the steak", if there are several."""
    beside = [m for m in segment.foods if m.preposition == "with" and m.index > mention.index]
    if not mention.definite or not beside:
        return None
    food = kitchen.foods.get(kitchen.name_of(beside[0]))
    at = kitchen.vessels.get(food.vessel or "") if food is not None else None
    return at if at is not None and at.kind == mention.entry.name else None


def _mixer_bowl(kitchen: KitchenState, walk: StepWalk, segment: Segment) -> list[Vessel]:
    """Return the bowl of the stand mixer if the mixer works: "beat on low speed"."""
    action = segment.verb.action.name
    if action == "knead" and OR_MACHINE.search(walk.text.lower()):
        return []
    if any(m.wording.startswith("stand") for m in segment.tools) and action in (
        *JOINING,
        "blend",
        "knead",
    ):
        return [kitchen.get_vessel(lexicon().entries["stand mixer bowl"], walk.number)]
    stand = kitchen.vessels.get("stand mixer bowl")
    if stand is None or walk.mentioned_vessels:
        return []
    mixer = any(m.entry.name == "electric mixer" and m.preposition == "with" for m in segment.tools)
    fast = bool(MIXER_SPEED.search(walk.text.lower())) and action in JOINING
    return [stand] if mixer or (fast and kitchen.last_vessel == stand.name) else []


def _is_called(vessel: Vessel, word: str) -> bool:
    """Return True if a bare word such as "sheet" can mean a vessel."""
    names = {*vessel.name.split(), *vessel.wording.split()}
    return word in names or word.rstrip("s") in names or (word == "sheet" and "tray" in names)


def _by_use(kitchen: KitchenState, segment: Segment, mention: Mention, text: str) -> Mention:
    """Read "dish", "pan" and "pot" by what is done: one that is greased for a cake is a cake pan."""
    word = mention.wording
    kind = ""
    if segment.verb.action.name in ("bake", "broil") or (mention.sized and word == "dish"):
        kind = OVEN_KINDS.get(word, "")
    if word == "pan" and PAN_OF_WATER.search(text.lower()):
        kind = "pot"
    readied = segment.verb.action.name in ("line", "grease") or segment.verb.name in GREASING
    if readied and word in ("pan", "pans") and (mention.sized or BAKED_GOODS & kitchen.title):
        kind = "cake pan"
    if word == "pot" and not mention.looks and kitchen.cooker:
        kind = kitchen.cooker
    return replace(mention, entry=lexicon().entries[kind]) if kind else mention


def _beside(kitchen: KitchenState, walk: StepWalk, segment: Segment) -> list[Vessel]:
    """Return the vessel of the food that an action leads to: "add the egg to the rice"."""
    moving = segment.verb.action.name in MOVING - {"press"} or segment.verb.name in ICING
    towards = TOWARDS | ({"on", "onto", "across"} if moving else set())
    leading = [m for m in segment.foods if m.preposition in towards]
    leading = [m for m in leading if m.preposition != "in" or m.entry.group not in MINOR_GROUPS]
    names = [n for m in leading for n in kitchen.names_of(m)]
    names += walk.goal
    for word in segment.targets:
        if word in GROUP_WORDS:
            names += kitchen.of_groups(word)
        elif word in ("it", "them") and moving and not leading:
            moved = [name for m in segment.foods for name in kitchen.names_of(m)]
            last = [n for n in kitchen.last_foods if n in kitchen.foods and n not in moved]
            names += last[:1] or kitchen.base_beside(moved)
        elif groups := groups_of(word):
            names += of_groups(kitchen, groups)
        elif word in ("mixture", "mix", "ingredients", "contents", "everything"):
            names += kitchen.contents(kitchen.last_vessel)
    spots = [kitchen.foods[n].vessel for n in names if n in kitchen.foods]
    held = [kitchen.vessels[spot] for spot in spots if spot is not None and holds(kitchen, spot)]
    held = held or [kitchen.vessels[spot] for spot in spots if spot is not None and moving]
    cooked = [n for n in names if n in kitchen.foods and kitchen.foods[n].state in COOKED]
    if not held and moving and cooked:
        return [kitchen.get_vessel(lexicon().entries["plate"], kitchen.last_step, cooked)]
    made = any(
        m.entry.group == "made" and m.definite and m.preposition in TOWARDS for m in segment.foods
    )
    if not held and any("crust" in name for name in names):
        baked = [
            v for v in kitchen.vessels.values() if v.use == "oven" and kitchen.contents(v.name)
        ]
        if baked:
            return baked[-1:]
        return [kitchen.get_vessel(lexicon().entries["pie dish"], kitchen.last_step)]
    if not held and made:
        full = [v for v in kitchen.vessels.values() if kitchen.contents(v.name)]
        full = [v for v in full if v.use not in PASSING]
        held = sorted(full, key=lambda v: -len(kitchen.contents(v.name)))[:1]
    return held
