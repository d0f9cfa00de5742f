"""Choose what a dish is served in."""

from __future__ import annotations

from procvid.plan.kitchen.things import Vessel
from procvid.plan.kitchen.vessel_question import VesselQuestion

SOUPS = frozenset(
    "soup stew curry chowder porridge chili ramen gumbo broth cereal oats pudding ragu".split()
)


def serving_vessel(q: VesselQuestion) -> Vessel:
    """Return what a dish is served in: a bowl for soup, a glass for drinks, else a plate."""
    if q.used is not None and q.used.use == "cold" and q.walk.mentioned_vessels:
        return q.used
    dish = [q.kitchen.foods[name] for name in q.foods if not q.kitchen.foods[name].minor]
    at = q.at(dish[0]) if dish else None
    if at is not None:
        eaten = q.verb in ("enjoy", "eat", "drink") or q.kitchen.last_action == "serve"
        if at.use == "serve" or (eaten and at.use == "cold"):
            return at
    if dish and all(food.group == "liquid" for food in dish):
        return q.get("glass", apart=True)
    named = {word for food in dish for word in food.name.split()}
    wet = at is not None and at.kind in ("pot", "slow cooker", "pressure cooker")
    if SOUPS & named or (wet and any(food.group == "liquid" for food in dish)):
        return q.kitchen.meet_serving_bowl(q.walk.number)
    return q.last if q.last is not None and q.last.use == "serve" else q.get("plate", apart=True)
