"""Find the vessel of an action: named, where the food lies, or the usual one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from procvid.plan.goals import BARE
from procvid.plan.kitchen import COOKED, KitchenState
from procvid.plan.lexicon import Action, Verb, lexicon
from procvid.plan.mentions import GROUP_WORDS, Mention
from procvid.plan.products import BAKED_GOODS
from procvid.plan.reading import Reading, Segment
from procvid.plan.settle import GRILLS
from procvid.plan.stepwalk import PASSING, StepWalk, here, holds
from procvid.plan.things import MINOR_GROUPS, Vessel
from procvid.plan.which_foods import CUTTING, groups_of

TOWARDS = frozenset({"to", "into", "over", "in"})
"""Prepositions that lead to a food where it lies: "add the egg to the rice"."""
PARTS = frozenset({"squeeze", "grate", "crumble", "tear", "sift", "mix", "melt"})
"""Actions that leave their food in the dish with a particle: "squeeze in the lime"."""
MOVING = frozenset({"add", "spread", "squeeze", "grate", "crumble", "press"})
"""Actions that put a food somewhere."""
AHEAD = frozenset("add stir mix marinate soak heat fill flip".split())
"""Actions that may happen in the vessel that a later step names."""
READYING = frozenset("line grease prepare preheat fill heat".split())
"""Actions on a vessel that the next step may mean by "it"."""
INSIDE = re.compile(r"\binside\b\W*$")
GREASING = frozenset({"butter", "oil", "flour", "spray"})
SERVED = frozenset({"serving bowl", "serving bowls", "soup bowl", "soup bowls"})
MIXER_SPEED = re.compile(r"\bon (?:a )?(?:low|medium|high|medium-low|medium-high)\b")
SLOWLY = re.compile(r"\bon (?:low|high)\b.*\bhours?\b|\bhours? on (?:low|high)\b")
OVER = frozenset("top garnish sprinkle dust drizzle brush season rub layer spread".split())
"""Verbs with which a base lies on a plate, if it lies nowhere else."""
PLAINLY = frozenset("add pour tip place put transfer return".split())
"""Verbs that move their object, also one "with" another."""
JOINING = frozenset({"add", "mix", "stir"})
SEASONING = frozenset({"season", "salt", "salt and pepper"})
HOT = frozenset("fried boiled baked grilled steamed toasted".split())
COOKERS: dict[str, frozenset[str]] = {
    "fry": frozenset({"frying pan", "wok", "pot", "griddle", "deep fryer", "pressure cooker"}),
    "boil": frozenset({"pot", "pressure cooker", "slow cooker", "rice cooker", "kettle"}),
    "grill": GRILLS,
    "toast": frozenset({"frying pan", "wok", "griddle"}),
}
"""Vessels in which an action happens once they were heated."""
OVEN_KINDS = {"dish": "baking dish", "pan": "roasting pan"}
SOUPS = frozenset(
    "soup stew curry chowder porridge chili ramen gumbo broth cereal oats pudding ragu".split()
)


def mentioned_vessel(
    kitchen: KitchenState, walk: StepWalk, segment: Segment
) -> tuple[Vessel | None, list[str]]:
    """Return the vessel that an action names as its place, and all vessels it names."""
    places: list[Vessel] = []
    names: list[str] = []
    first = "?"
    baking = bool(BAKED_GOODS & kitchen.title)
    for mention in segment.vessels:
        vessel = kitchen.meet_vessel(_in_oven(segment, mention, baking=baking), walk.number)
        if mention.wording in SERVED and vessel.use == "cold":
            vessel = kitchen.meet_serving_bowl(walk.number)
        names.append(vessel.name)
        if mention.preposition not in ("from", "of", "off", "out", "with", "using"):
            target = mention.preposition in ("to", "into", "onto", "in", "on")
            target = target or (mention.preposition == "over" and not first)
            first = mention.preposition if not places else first
            beneath = vessel.kind == "cooling rack" and bool(places)
            places.insert(0 if target and not beneath else len(places), vessel)
    standing = any(m.wording.startswith("stand") for m in segment.tools)
    if not places and standing and segment.verb.action.name in (*JOINING, "blend", "knead"):
        places = [kitchen.get_vessel(lexicon().entries["stand mixer bowl"], walk.number)]
    mixer = any(m.entry.name == "electric mixer" and m.preposition == "with" for m in segment.tools)
    stand = kitchen.vessels.get("stand mixer bowl")
    fast = bool(MIXER_SPEED.search(walk.text.lower())) and segment.verb.action.name in JOINING
    mixer = mixer or (fast and stand is not None and kitchen.last_vessel == stand.name)
    mixer = mixer and not walk.mentioned_vessels
    if not places and mixer and stand is not None:
        places = [stand]
    within = bool({"it", "them"} & set(segment.targets)) or INSIDE.search(walk.text.lower())
    if (
        not places
        and kitchen.last_action in READYING
        and segment.verb.action.name == "add"
        and within
    ):
        places = kitchen.named[-1:]
    if not places and segment.verb.action.name in ("add", "stir", "fry"):
        hinted = [m for m in segment.hinted_vessels if m.definite]
        met = [kitchen.meet_vessel(m, walk.number) for m in hinted]
        places = [vessel for vessel in met if vessel.used][:1]
    if not places and segment.goal in BARE:
        places = [v for v in reversed(kitchen.named) if _is_called(v, segment.goal)][:1]
    if not places:
        places = _beside(kitchen, walk, segment)
    walk.mentioned_vessels += names
    if not places and names and segment.verb.action.name == "remove":
        places = [kitchen.vessels[names[0]]]
    return places[0] if places else None, names


def _is_called(vessel: Vessel, word: str) -> bool:
    """Return True if a bare word such as "sheet" can mean a vessel."""
    names = {*vessel.name.split(), *vessel.wording.split()}
    return word in names or word.rstrip("s") in names or (word == "sheet" and "tray" in names)


def _in_oven(segment: Segment, mention: Mention, *, baking: bool) -> Mention:
    """Read "dish" and "pan" as those of the oven where something is baked."""
    baked = segment.verb.action.name in ("bake", "broil")
    dish = mention.sized and mention.wording == "dish"
    kind = OVEN_KINDS.get(mention.wording) if baked or dish else None
    if mention.wording == "pan" and any(m.preposition == "of" for m in segment.foods):
        kind = "pot" if any(m.entry.name == "water" for m in segment.foods) else kind
    readied = segment.verb.action.name in ("line", "grease") or segment.verb.name in GREASING
    if readied and mention.wording in ("pan", "pans") and (mention.sized or baking):
        kind = "cake pan"
    return replace(mention, entry=lexicon().entries[kind]) if kind else mention


def _beside(kitchen: KitchenState, walk: StepWalk, segment: Segment) -> list[Vessel]:
    """Return the vessel of the food that an action leads to: "add the egg to the rice"."""
    moving = segment.verb.action.name in MOVING - {"press"} or segment.verb.name == "pipe"
    towards = TOWARDS | ({"on", "onto"} if moving else set())
    leading = [m for m in segment.foods if m.preposition in towards]
    leading = [m for m in leading if m.preposition != "in" or m.entry.group not in MINOR_GROUPS]
    names = [n for m in leading for n in kitchen.names_of(m)]
    names += walk.goal
    for word in segment.targets:
        if word in GROUP_WORDS:
            names += kitchen.of_groups(word)
        elif groups := groups_of(word):
            names += [f.name for f in kitchen.foods.values() if f.is_of(groups)]
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
        return [kitchen.get_vessel(lexicon().entries["pie dish"], kitchen.last_step)]
    if not held and made:
        full = [v for v in kitchen.vessels.values() if kitchen.contents(v.name)]
        full = [v for v in full if v.use not in PASSING]
        held = sorted(full, key=lambda v: -len(kitchen.contents(v.name)))[:1]
    return held


def usual_vessel(
    kitchen: KitchenState,
    walk: StepWalk,
    action: Action,
    segment: Segment,
    foods: Sequence[str],
    later: Sequence[Reading],
) -> Vessel | None:
    """Return the place of an action that the text does not name."""
    lost = bool(segment.goal) and segment.goal != "top" and not walk.goal
    if segment.on_surface or (lost and action.name in MOVING):
        return None
    suits = action.needs
    last = here(kitchen, walk) or kitchen.vessels.get(kitchen.last_vessel or "")
    particle = any(m.particle and not m.preposition for m in segment.foods)
    ending = segment.verb.name.split()[-1]
    joins = (particle and action.name in PARTS) or (
        ending in ("in", "through", "together") and action.name in JOINING
    )
    new = bool(foods) and all(kitchen.foods[n].vessel is None for n in foods)
    joins = joins and not (ending == "together" and new)
    if joins and last is not None and kitchen.contents(last.name) and _suits(last, suits):
        return last
    if any(m.entry.name == "measuring cup" and m.preposition in TOWARDS for m in segment.tools):
        return None
    if action.name == "remove":
        return kitchen.vessels.get(kitchen.foods[foods[0]].vessel or "") if foods else None
    liquid = any(m.entry.group == "liquid" and m.preposition in TOWARDS for m in segment.foods)
    if action.name == "add" and liquid and _leads_to_loose(kitchen, walk, segment, wet=True):
        return kitchen.get_vessel(lexicon().entries["bowl"], walk.number, foods)
    dressed = [kitchen.vessels.get(kitchen.foods[n].vessel or "") for n in foods]
    if action.name == "add" and segment.verb.name in OVER and not segment.foods[4:]:
        board = next((at for at in dressed[1:] if at is not None and at.use == "cut"), None)
        if board is not None and dressed[0] is not board:
            return board
    base = _board(kitchen, action, segment, foods)
    if base is not None:
        return kitchen.get_vessel(lexicon().entries["plate"], walk.number, [base])
    if action.name in ("add", "spread") and _leads_to_loose(kitchen, walk, segment):
        return None
    last = kitchen.vessels.get(kitchen.last_vessel or "")
    used = here(kitchen, walk)
    if used is not None and used.name in walk.mentioned_vessels and action.name in JOINING:
        return used
    if segment.verb.name in SEASONING and _is_raw(kitchen, foods):
        at = kitchen.vessels.get(kitchen.foods[foods[0]].vessel or "")
        if at is None or at.use in PASSING:
            return kitchen.get_vessel(lexicon().entries["plate"], walk.number, foods)
    elif segment.verb.name in SEASONING and foods:
        at = kitchen.vessels.get(kitchen.foods[foods[0]].vessel or "")
        if at is not None and at.use == "cut" and not segment.foods[1:]:
            return at
    if action.name in CUTTING and foods and kitchen.foods[foods[0]].group in ("made", "bread"):
        at = kitchen.vessels.get(kitchen.foods[foods[0]].vessel or "")
        if at is not None and at.use == "oven":
            return at
    if used is not None and _suits(used, suits) and (not action.vessel or used.use != "serve"):
        return used
    if action.name == "serve":
        return _serving(kitchen, walk, segment, foods, used)
    if action.name == "drain" and foods and kitchen.foods[foods[0]].state in ("boiled", "soaked"):
        return kitchen.get_vessel(lexicon().entries["colander"], walk.number, foods)
    aside = {kitchen.name_of(m) for m in segment.foods if m.preposition == "with"}
    moved = next((name for name in foods if name not in aside), foods[0] if foods else "")
    if suits != ("cut",) and foods and _acts_in_place(kitchen, action, segment, foods):
        at = kitchen.vessels.get(kitchen.foods[moved].vessel or "")
        if at is not None and at.use == "stove" and action.name in ("bake", "broil"):
            return at
        if (
            at is not None
            and _suits(at, suits)
            and _goes_on(kitchen, action, segment.verb, at, foods[0])
        ):
            return at
    if action.name == "coat":
        at = kitchen.vessels.get(kitchen.foods[foods[0]].vessel or "") if foods[1:] else None
        if at is not None and at.use not in PASSING and kitchen.is_among(foods[0], foods[1:]):
            return at
        spots = [kitchen.vessels.get(kitchen.foods[n].vessel or "") for n in foods[1:]]
        coating = next((v for v in spots if v is not None and _suits(v, suits)), None)
        if coating is not None:
            return coating
    if action.name == "drain" and foods and kitchen.foods[foods[0]].state == "fried":
        return kitchen.get_vessel(lexicon().entries["plate"], walk.number, foods)
    hot = kitchen.vessels.get(kitchen.last_hot or "")
    if hot is not None and _waits(kitchen, action, hot, foods):
        return hot
    if action.vessel is not None and any(m.entry.name == "microwave" for m in segment.tools):
        return kitchen.get_vessel(lexicon().entries["bowl"], walk.number, foods)
    if action.name in ("fry", "boil") and SLOWLY.search(walk.text.lower()):
        return kitchen.get_vessel(lexicon().entries["slow cooker"], walk.number)
    if action.name == "fry" and kitchen.title & SOUPS:
        return hot if hot is not None else kitchen.get_vessel(lexicon().entries["pot"], walk.number)
    if action.vessel is not None:
        ready = [
            v for v in kitchen.vessels.values() if v.use in suits and _ready(kitchen, action, v)
        ]
        entry = lexicon().entries[action.vessel]
        return ready[-1] if ready else kitchen.get_vessel(entry, walk.number, foods)
    cooled = action.name in ("wait", "chill") and bool(foods)
    if cooled and kitchen.foods[foods[0]].vessel is None and kitchen.foods[foods[0]].state in HOT:
        return kitchen.get_vessel(lexicon().entries["plate"], walk.number, foods)
    heated = kitchen.last_hot is not None and kitchen.last_hot == kitchen.last_vessel
    fats = bool(foods) and all(kitchen.foods[n].group == "fat" for n in foods)
    if (
        action.name == "add"
        and fats
        and hot is not None
        and last is not None
        and last.use == "serve"
    ):
        return hot
    if action.name == "add" and heated and kitchen.last_action in ("heat", "melt", "preheat"):
        return last
    under = kitchen.foods.get(moved)
    if under is not None and under.state == "baked" and action.name in ("add", "spread"):
        at = kitchen.vessels.get(under.vessel or "")
        if at is not None and at.kind == "cooling rack":
            return at
        if (at is None or at.use == "cut") and last is not None and last.use != "serve":
            return kitchen.get_vessel(lexicon().entries["plate"], walk.number, [moved])
    loose = under is not None and under.vessel is None and not under.minor
    if action.name == "add" and aside and loose and segment.verb.name in OVER:
        return kitchen.get_vessel(lexicon().entries["plate"], walk.number, [moved])
    there = last is not None and bool(foods) and kitchen.foods[foods[0]].vessel == last.name
    more = any(mention.left_over for mention in segment.foods)
    leaves = there and action.name == "add" and not more
    leaves = leaves and not _acts_in_place(kitchen, action, segment, foods)
    leaves = leaves and not _others(kitchen, last, foods)
    loose = bool(foods) and not holds(kitchen, kitchen.foods[foods[0]].vessel)
    dressed = [kitchen.vessels.get(kitchen.foods[n].vessel or "") for n in aside]
    bowl = next((at for at in dressed if at is not None and at.use == "cold"), None)
    if action.name == "stir" and loose and bowl is not None:
        return bowl
    if action.name == "stir" and loose and last is not None and last.use == "oven":
        return kitchen.get_vessel(lexicon().entries["bowl"], walk.number, foods)
    cool = last is not None and last.use != "stove"
    joining = action.name in ("add", "stir") or (action.name == "fill" and cool)
    stays = there or not foods or (joining and loose)
    stays = stays or (action.name == "add" and _others(kitchen, last, foods))
    if last is not None and stays and not leaves:
        return last
    if segment.verb.name in SEASONING and foods:
        return kitchen.get_vessel(lexicon().entries["plate"], walk.number, foods)
    if action.name == "heat" and any(m.entry.name == "microwave" for m in segment.tools):
        return kitchen.get_vessel(lexicon().entries["bowl"], walk.number, foods)
    worked = bool(foods) and kitchen.foods[foods[0]].group == "made" and not segment.refers
    if action.name not in AHEAD or (worked and kitchen.foods[foods[0]].vessel is None):
        return None
    ahead = _vessel_ahead(kitchen, walk, action, later)
    if action.name != "heat" or ahead.use == "stove":
        return ahead
    if segment.verb.name == "microwave":
        return kitchen.get_vessel(lexicon().entries["bowl"], walk.number, foods)
    liquid = bool(foods) and kitchen.foods[foods[0]].group == "liquid"
    return kitchen.get_vessel(lexicon().entries["pot" if liquid else "frying pan"], walk.number)


def _leads_to_loose(
    kitchen: KitchenState, walk: StepWalk, segment: Segment, *, wet: bool = False
) -> bool:
    """Return True if an action leads to food that lies in no vessel: "in the centre of the dough"."""
    tied = [m for m in segment.foods if m.preposition in TOWARDS | {"on", "onto"}]
    names = [*walk.goal, *(n for m in tied for n in kitchen.names_of(m))]
    known = [kitchen.foods[n] for n in names if n in kitchen.foods]
    solid = [food for food in known if not food.minor and (wet or food.group != "liquid")]
    return bool(solid) and not any(holds(kitchen, food.vessel) for food in solid)


def _is_raw(kitchen: KitchenState, foods: Sequence[str]) -> bool:
    return bool(foods) and kitchen.foods[foods[0]].state == "raw"


def _others(kitchen: KitchenState, vessel: Vessel | None, foods: Sequence[str]) -> bool:
    """Return True if a vessel holds other food than these."""
    inside = kitchen.contents(vessel.name) if vessel is not None else []
    return any(name not in foods and not kitchen.foods[name].minor for name in inside)


def _board(
    kitchen: KitchenState, action: Action, segment: Segment, foods: Sequence[str]
) -> str | None:
    """Return the loose bread, tortilla or dough that a filling goes onto: that is done on a plate."""
    if action.name not in ("add", "spread"):
        return None
    onto = [kitchen.name_of(m) for m in segment.foods if m.preposition in ("on", "onto", "over")]
    moved = {kitchen.name_of(m) for m in segment.foods if m.preposition in ("with", "")}
    acted = [n for n in foods if n not in moved] or list(foods)
    bases = [*onto, *acted[:1]] if action.name == "spread" else onto
    known = [kitchen.foods[name] for name in bases if name in kitchen.foods]
    spreading = action.name == "spread"
    loose = (f for f in known if (spreading or f.group == "bread") and not holds(kitchen, f.vessel))
    return next((food.name for food in loose), None)


def _waits(kitchen: KitchenState, action: Action, vessel: Vessel, foods: Sequence[str]) -> bool:
    """Return True if a heated vessel is free for a cooking action and suits it."""
    kinds = COOKERS.get(action.name)
    if kinds is None or vessel.kind not in kinds:
        return False
    if kitchen.last_action == "heat" and vessel.name == kitchen.last_vessel:
        return True
    inside = [name for name in kitchen.contents(vessel.name) if not kitchen.foods[name].minor]
    return all(name in foods or name == "water" for name in inside)


def _acts_in_place(
    kitchen: KitchenState, action: Action, segment: Segment, foods: Sequence[str]
) -> bool:
    """Return True if the food stays; "add" moves it, "season the egg" does not."""
    if action.name != "add":
        return True
    plain = segment.verb.name.split()[0] in PLAINLY
    with_other = not plain and any(mention.preposition == "with" for mention in segment.foods)
    named = {n for mention in segment.foods for n in kitchen.names_of(mention)}
    if foods and named and foods[0] not in named and not segment.refers:
        return True
    return segment.verb.name == "season" or with_other or not segment.foods


def _goes_on(kitchen: KitchenState, action: Action, verb: Verb, at: Vessel, food: str) -> bool:
    """Return True if a food stays in its vessel: boiling may go on, frying leaves the water."""
    if action.name == "boil" and verb.name in ("boil", "blanch", "poach", "parboil"):
        return at.kind == "pot" or kitchen.holds(at.name, "liquid")
    if action.name == "fry":
        return kitchen.foods[food].state != "boiled"
    return True


def _ready(kitchen: KitchenState, action: Action, vessel: Vessel) -> bool:
    """Return True if a vessel waits for this action: hot oil, boiling water, a lined tray."""
    if action.name == "fry":
        return kitchen.holds(vessel.name, "fat") or vessel.kind == "wok"
    if action.name == "boil":
        return kitchen.holds(vessel.name, "liquid")
    return action.name == "bake"


def _vessel_ahead(
    kitchen: KitchenState, walk: StepWalk, action: Action, later: Sequence[Reading]
) -> Vessel:
    """Return the vessel that the next steps use, else a pan or a bowl."""
    for reading in later[:3]:
        for segment in reading.segments:
            for mention in segment.vessels:
                if mention.entry.group not in PASSING and mention.entry.group != "serve":
                    return kitchen.meet_vessel(mention, walk.number)
            usual = segment.verb.action.vessel
            if usual and lexicon().entries[usual].group not in (*PASSING, "serve"):
                return kitchen.get_vessel(lexicon().entries[usual], walk.number)
    kind = "frying pan" if action.name in ("stir", "flip", "heat") else "bowl"
    if kind == "frying pan" and kitchen.title & SOUPS:
        kind = "pot"
    return kitchen.get_vessel(lexicon().entries[kind], walk.number)


def _serving(
    kitchen: KitchenState,
    walk: StepWalk,
    segment: Segment,
    foods: Sequence[str],
    used: Vessel | None,
) -> Vessel:
    """Return what a dish is served in: a bowl for soup, a glass for drinks, else a plate."""
    if used is not None and used.use == "cold" and walk.mentioned_vessels:
        return used
    dish = [kitchen.foods[name] for name in foods if not kitchen.foods[name].minor]
    at = kitchen.vessels.get(dish[0].vessel or "") if dish else None
    if (
        segment.verb.name in ("enjoy", "eat", "drink")
        and at is not None
        and at.use in ("cold", "serve")
    ):
        return at
    served = kitchen.last_action == "serve" and at is not None and at.use == "cold"
    if at is not None and (at.use == "serve" or served):
        return at
    entries = lexicon().entries
    if dish and all(food.group == "liquid" for food in dish):
        return kitchen.get_vessel(entries["glass"], walk.number)
    named = {word for food in dish for word in food.name.split()}
    wet = at is not None and at.kind in ("pot", "slow cooker", "pressure cooker")
    if SOUPS & named or (wet and any(food.group == "liquid" for food in dish)):
        return kitchen.meet_serving_bowl(walk.number)
    return _plate(kitchen, walk)


def _plate(kitchen: KitchenState, walk: StepWalk) -> Vessel:
    last = kitchen.vessels.get(kitchen.last_vessel or "")
    if last is not None and last.use == "serve":
        return last
    return kitchen.get_vessel(lexicon().entries["plate"], walk.number)


def _suits(vessel: Vessel, needs: Sequence[str]) -> bool:
    return vessel.use in needs if needs else vessel.use not in PASSING
