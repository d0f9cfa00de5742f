"""Find what "the dough", "the sauce" or "the crust" of a step was made of.

The last vessel comes first, unless what lies in it can't be such a thing: a crust lies in a baking
dish, a topping does not, and a sauce holds no meat.
"""

from __future__ import annotations

from collections.abc import Sequence

from procvid.plan.kitchen.referred import CHUNKS
from procvid.plan.kitchen.state import KitchenState
from procvid.plan.kitchen.things import RAW_GROUPS
from procvid.plan.language.mention import Mention
from procvid.plan.language.mentions import SIDE_DISHES
from procvid.plan.language.reading import Segment

BAKED_GOODS = frozenset(
    "cake cookie brownie cupcake muffin loaf pie scone shortbread cheesecake shortcake donut bread "
    "biscuit bar crust cornbread flatbread pizza quiche cobbler crumble".split()
)
BASES = (BAKED_GOODS | frozenset("base shell tart roll bun casserole lasagna".split())) - {
    "crumble",
    "bread",
}
"""Products that stand in a baking dish or tin."""
LOOSE = (
    SIDE_DISHES
    | frozenset("streusel crumble filling icing ganache syrup batter custard caramel".split())
) - {"rub"}
"""Products that are made in a bowl or a pan and moved from there."""
DOUGHS = frozenset("dough batter pastry".split())
STEWED = frozenset("soup stew curry chili chowder porridge ragu".split())
SALADS = frozenset("salad slaw coleslaw".split())
SALAD_GROUPS = frozenset("vegetable fruit grain legume meat poultry fish seafood mushroom".split())
LUMPS = frozenset("patty meatball fritter ball dumpling burger croquette nugget cutlet".split())
FORMED = frozenset({"shaped", "flattened", "rolled", "coated"})
SOLID = RAW_GROUPS | {"bread", "grain"}
ONTO = frozenset({"to", "into", "on", "onto", "over"})
"""Prepositions of the vessel that a product goes to, which does not hold it yet."""
TARGETS = frozenset({"over", "on", "onto", "into", "to", "in"})


def parts_of(
    kitchen: KitchenState, segment: Segment, mention: Mention, beside: Sequence[str]
) -> list[str]:
    """Return the foods that a product was made of, `beside` being those named before it."""
    name = mention.entry.name.split()[-1]
    if name == "slurry":
        return []
    if name in BAKED_GOODS and mention.preposition != "with":
        baked = [f.name for f in kitchen.foods.values() if f.state == "baked" and f.group != "fat"]
        if baked and not kitchen.is_among(baked[-1], beside):
            return baked
    if name in LUMPS:
        shaped = [f.name for f in kitchen.foods.values() if f.state in FORMED and f.group == "made"]
        if shaped and not kitchen.is_among(shaped[-1], beside):
            return shaped[-1:]
    own = [
        v.name
        for m in segment.vessels
        for v in kitchen.vessels.values()
        if v.kind == m.entry.name and m.preposition not in ONTO
    ]
    for vessel in reversed(own):
        if kitchen.is_filled(vessel):
            return kitchen.contents(vessel)
    if _is_poured_over(kitchen, segment):
        return []
    led_to = mention.preposition in TARGETS and not segment.vessels
    inside = kitchen.contents(kitchen.last_vessel)
    if name == "sauce" and (stew := [n for n in inside if n in STEWED]):
        return stew
    if name in LOOSE and (mixed := _mixture(kitchen, beside)):
        return [mixed]
    found = [v for v in _by_age(kitchen, beside, led_to=led_to) if _suits(kitchen, v, name)]
    if not found and led_to and name in BASES:
        found = [v for v in _by_age(kitchen, (), led_to=False) if _suits(kitchen, v, name)]
    if found:
        return kitchen.contents(found[0])
    last = [kitchen.foods[n] for n in kitchen.contents(kitchen.last_vessel)]
    with_it = mention.preposition == "with" and name in LOOSE
    if (
        led_to
        or with_it
        or (name in LOOSE and any(f.state == "baked" or f.group == "bread" for f in last))
    ):
        return []
    if kitchen.is_filled(kitchen.last_vessel):
        return kitchen.contents(kitchen.last_vessel)
    return [n for n in kitchen.last_foods if n in kitchen.foods]


def _is_poured_over(kitchen: KitchenState, segment: Segment) -> bool:
    """Return True for "pour the brine into the jar" if only raw pieces lie in the last vessel."""
    last = kitchen.vessels.get(kitchen.last_vessel or "")
    kinds = {m.entry.name for m in segment.vessels if m.preposition in ONTO}
    if last is None or last.kind not in kinds or segment.verb.name not in ("pour", "ladle"):
        return False
    inside = [kitchen.foods[n] for n in kitchen.contents(last.name)]
    return bool(inside) and all(food.group in CHUNKS for food in inside)


def _mixture(kitchen: KitchenState, beside: Sequence[str]) -> str | None:
    """Return the mixture that was poured over something solid in the last vessel."""
    inside = kitchen.contents(kitchen.last_vessel)
    solid = any(kitchen.foods[n].group in RAW_GROUPS for n in inside)
    mixed = [n for n in inside if n.endswith(" mixture") and n not in beside]
    return mixed[0] if solid and mixed else None


def _by_age(kitchen: KitchenState, moved: Sequence[str], *, led_to: bool) -> list[str]:
    """Return the filled vessels, the last one first; without that of the moved foods for a goal."""
    source = {kitchen.foods[n].vessel for n in moved if n in kitchen.foods}
    source = (source or {kitchen.last_vessel}) if led_to else set()
    named = [v.name for v in kitchen.named]
    order = [*(v for v in kitchen.vessels if v not in named), *named]
    last = [kitchen.last_vessel] if kitchen.last_vessel is not None else []
    ranked = [*last, *reversed(order)]
    return [v for v in dict.fromkeys(ranked) if v not in source and kitchen.is_filled(v)]


def _suits(kitchen: KitchenState, vessel: str, name: str) -> bool:
    """Return True if what lies in a vessel can be such a product."""
    use = kitchen.vessels[vessel].use
    inside = [kitchen.foods[n] for n in kitchen.contents(vessel)]
    if use in ("cut", "passing") and name not in DOUGHS | BASES:
        return False
    if name in BASES:
        return use == "oven"
    if name in DOUGHS:
        cold = use != "stove" or kitchen.vessels[vessel].prepared
        floury = [f for f in inside if f.name not in ("cornstarch", "slurry")]
        return cold and any(f.is_of({"powder", "made"}) for f in floury)
    if name in STEWED:
        return use == "stove"
    if name in SALADS:
        return any(f.is_of(SALAD_GROUPS) for f in inside)
    if name in LOOSE:
        return use in ("cold", "stove") and not any(f.group in SOLID for f in inside)
    return True
