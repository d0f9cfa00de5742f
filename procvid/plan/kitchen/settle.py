"""Resolve what a verb means in context: "cook" in a pot of water is boiling."""

from __future__ import annotations

from collections.abc import Sequence

from procvid.plan.kitchen.state import KitchenState
from procvid.plan.kitchen.things import Food, Vessel
from procvid.plan.language.lexicon import Action, Verb, lexicon
from procvid.plan.language.reading import Segment

PLACING = frozenset("put place transfer slide tip arrange move spoon ladle scoop turn lay".split())
GENTLE_MIXING = frozenset(
    {"mix", "combine", "fold", "incorporate", "fold in", "mix in", "mix together", "stir together"}
)
WET_COOKERS = frozenset({"pressure cooker", "slow cooker", "rice cooker"})
DEVICES = {"oven": "bake", "broiler": "grill", "microwave": "heat",
           "fridge": "chill", "freezer": "freeze", "toaster": "toast"}  # fmt: skip


def settle_action(
    kitchen: KitchenState,
    verb: Verb,
    segment: Segment,
    foods: Sequence[Food],
    named: Vessel | None,
    here: Vessel | None,
) -> Action:
    """Return the action of a verb, given its foods, its named vessel and the step's vessel."""
    actions = lexicon().actions
    main = foods[0] if foods else None
    devices = [
        m.entry.name for m in segment.tools if m.preposition in ("in", "into", "on", "to", "under")
    ]
    device = next((DEVICES[name] for name in devices if name in DEVICES), None)
    if (
        device == "bake"
        and not foods
        and not segment.refers
        and verb.name in PLACING
        and segment.vessels
    ):
        return actions["preheat"]
    if device and (
        verb.name in ("cook", "cook through") or verb.name in PLACING | {"return", "pop"}
    ):
        return actions[device]
    if verb.name in ("cook", "cook through", "soften"):
        wet = any(m.entry.group == "liquid" and m.preposition == "in" for m in segment.foods)
        return actions["boil" if wet else _cooking(kitchen, main, named or here)]
    plural = any(
        m.wording in ("bowls", "plates", "glasses", "cups", "mugs") for m in segment.vessels
    )
    if verb.name in PLACING | {"pour"} and plural:
        return actions["serve"]
    if (
        verb.name in PLACING
        and verb.action.name in ("add", "flip")
        and segment.vessels
        and named
        and named.use == "serve"
    ):
        return actions["serve"]
    sense = _sense(kitchen, verb, segment, foods)
    if sense is not None:
        return actions[sense]
    if verb.name in GENTLE_MIXING:
        place = named or here or (None if main else kitchen.vessels.get(kitchen.last_vessel or ""))
        if place is not None and place.use == "stove":
            return actions["stir"]
    return verb.action


SOLID = frozenset(
    "vegetable mushroom fruit herb nut meat poultry fish seafood bread legume".split()
)
GRILLS = frozenset({"grill pan", "grill", "griddle", "panini press"})
STIRRERS = frozenset({"whisk", "spoon", "spatula", "fork"})
CUT_APART = frozenset({"meat", "poultry", "fish", "seafood", "vegetable"})
AROMATICS = frozenset("onion garlic shallot leek celery carrot mushroom ginger".split())
SHEETS = frozenset({"dough", "pastry", "crust", "wrapper", "paper"})
"""Last words of foods that are folded and not mixed."""
TORN = frozenset({"fork", "tongs"})


def _sense(
    kitchen: KitchenState, verb: Verb, segment: Segment, foods: Sequence[Food]
) -> str | None:
    """Return the action of a verb with several senses, by its objects."""
    groups = [food.group for food in foods if not food.minor]
    if verb.name in ("shred", "pull", "pull apart") and groups:
        torn = TORN & {m.entry.name for m in segment.tools}
        if torn or groups[0] in ("meat", "poultry", "fish", "seafood"):
            return "tear"
    if verb.name == "blend" and STIRRERS & {m.entry.name for m in segment.tools}:
        return "mix"
    if verb.name == "rub" and groups and groups[0] in ("meat", "poultry", "fish"):
        with_spice = any(m.preposition in ("with", "over", "on", "") and m.entry.group in ("spice", "fat")
                         for m in segment.foods)  # fmt: skip
        return "marinate" if with_spice else None
    sugar = any(m.entry.name in ("powdered sugar", "cocoa powder") for m in segment.foods)
    if verb.name in ("dust", "sprinkle") and sugar and not segment.vessels:
        return "add"
    moved = any(m.preposition in ("to", "into", "onto", "on") for m in segment.vessels)
    if verb.name in ("remove", "take", "lift", "take out", "lift out", "turn out") and moved:
        return "add"
    lid = any(m.entry.name == "lid" and not m.preposition for m in segment.tools)
    if lid and not foods and verb.name in PLACING | {"return", "secure", "add"}:
        return "cover"
    if verb.name in ("top", "garnish") and not foods and not segment.foods:
        return "serve"
    on_vessel = any(not m.preposition for m in segment.vessels) and not segment.foods
    out = any(m.preposition == "from" for m in segment.tools)
    if verb.action.name == "remove" and on_vessel and not foods and not out:
        return "wait"
    covering = {m.preposition for m in segment.vessels} >= {"", "over"} and not segment.foods
    if (verb.name == "seal" and not foods) or (verb.name in PLACING and covering):
        return "cover"
    over = any(m.preposition in ("over", "around") for m in segment.foods)
    on_tool = any(not m.preposition for m in segment.tools)
    if verb.name == "fold" and (over or on_tool):
        return "fold"
    last = kitchen.foods.get(next(iter(kitchen.last_foods), ""))
    sheet = last is not None and (last.group == "bread" or last.name.split()[-1] in SHEETS)
    if verb.name == "fold" and not foods and sheet:
        return "fold"
    bare = not foods and not segment.foods and not segment.refers and not segment.guessed
    if bare and verb.name == "turn" and any(not m.preposition for m in segment.vessels):
        return "heat"
    things = [*segment.vessels, *segment.tools]
    if bare and verb.name in PLACING and any(not m.preposition for m in things):
        return "prepare"
    folded = foods[0].name not in ("batter", "egg white") if foods else False
    if (
        verb.name in ("fold", "fold over")
        and folded
        and groups[:1] in (["bread"], ["made"], ["egg"])
    ):
        return "fold"
    coating = [m for m in segment.foods if m.preposition == "in"]
    if verb.name == "roll" and groups[:1] == ["bread"] and not coating:
        return "roll up"
    if verb.name == "roll" and coating and not segment.vessels:
        return "coat"
    if (
        verb.name.startswith("remove the skin")
        and groups[:1]
        and groups[0] in ("meat", "poultry", "fish")
    ):
        return "tear"
    topped = any(m.preposition == "with" for m in segment.foods)
    if verb.action.name == "cover" and topped and not segment.tools:
        return "add"
    oven = any(m.entry.name == "oven" for m in segment.tools) and not segment.vessels
    if not foods and (
        verb.name == "position" or (oven and verb.name in ("arrange", "adjust", "set"))
    ):
        return "preheat"
    if (
        verb.name in ("heat", "heat up")
        and not foods
        and any(m.entry.name == "oven" and not m.preposition for m in segment.tools)
    ):
        return "preheat"
    heated = {m.entry.group for m in segment.vessels} & {"stove"} or any(
        f.group == "fat" for f in foods
    )
    if verb.action.name == "preheat" and heated:
        return "heat"
    if verb.name in ("flour", "dust", "butter", "oil") and len(foods) < 2:
        return "grease"
    if verb.name in ("divide", "portion", "split", "press") and segment.vessels:
        return "add" if verb.name != "press" else None
    if verb.name in ("divide", "portion") and groups[:1] and groups[0] in CUT_APART:
        return "slice"
    if verb.name == "level" and any(m.entry.name == "knife" for m in segment.tools):
        return "slice"
    if verb.name == "press" and foods and (foods[0].group == "fruit" or foods[0].name == "garlic"):
        return "squeeze"
    if verb.name in GENTLE_MIXING and len(groups) > 1 and all(group in SOLID for group in groups):
        return "stir"
    return None


def _browns(main: Food | None) -> bool:
    """Return True for food that is fried in a pot without liquid: bacon, onions."""
    if main is None:
        return False
    return main.name in AROMATICS or main.group in ("meat", "poultry")


def _cooking(kitchen: KitchenState, main: Food | None, place: Vessel | None) -> str:
    """Return fry, boil, bake, grill or steam for a bare "cook"."""
    if place is None and main is not None:
        place = kitchen.vessels.get(main.vessel or "")
    pasta = main is not None and main.group in ("grain", "legume") and main.vessel is None
    if pasta and place is None:
        return "boil"
    if place is None:
        last = kitchen.vessels.get(kitchen.last_vessel or "")
        heated = kitchen.vessels.get(kitchen.last_hot or "")
        if heated is not None and (last is None or last.use not in ("stove", "oven")):
            last = heated
        hot = last is not None and last.use in ("stove", "oven")
        place = last if main is None or hot else None
    if place is not None and place.use not in ("stove", "oven"):
        last = kitchen.vessels.get(kitchen.last_hot or "")
        place = last if last is not None else place
    if place is not None:
        if place.use == "oven":
            return "bake"
        if place.kind in GRILLS:
            return "grill"
        if place.kind == "steamer":
            return "steam"
        wet = kitchen.holds(place.name, "liquid")
        dry_pot = place.kind == "pot" and (kitchen.holds(place.name, "fat") or _browns(main))
        sauteed = kitchen.holds(place.name, "fat") and _browns(main)
        if (
            wet
            or (place.kind in WET_COOKERS and not sauteed)
            or (place.kind == "pot" and not dry_pot)
        ):
            return "boil"
    if main is not None and main.group in ("grain", "legume"):
        return "boil" if place is None or place.kind == "pot" else "fry"
    return "fry"
