"""Find what a food does in a recipe: it fries, bakes, binds, tops, and so on."""

from __future__ import annotations

from procvid.plan.language.lexicon import lexicon, words
from procvid.types import Plan, PlannedObject, StepPlan

FRYING = frozenset({"fry", "melt", "grill", "heat", "toast"})
BAKING = frozenset({"bake"})
DOUGH = frozenset({"flour", "sugar", "dough", "batter", "baking powder", "yeast", "cornmeal"})
WHIPPING = frozenset("whip whipped whisk whisked beat peaks".split())
COATING = frozenset("coat dredge dip brush breaded egg wash".split())
THICKENERS = frozenset({"flour", "cornstarch", "starch", "arrowroot"})
COOKING = frozenset({"fry", "boil", "bake", "grill", "toast", "melt", "steam", "blanch", "broil"})


def uses_of(plan: Plan, name: str) -> frozenset[str]:
    """Return the uses of a food in a plan, as the table of substitutions names them."""
    entry = lexicon().look_up(name)
    group = entry.group if entry else ""
    steps = [step for step in plan.steps if _item(step, name) is not None]
    found: set[str] = set()
    mixed = any(_mixed_with(step, name, DOUGH) for step in steps)
    baked = any(step.action in BAKING for step in steps) or any(
        step.action in BAKING for step in plan.steps if steps and step.number > steps[-1].number
    )
    if mixed and (baked or group != "spice"):
        found.add("baking")
    for step in steps:
        found |= _uses_in(step, name, group, mixed)
    if group == "egg" and not mixed and any(_is_cold_mix(s, name) for s in steps):
        found.add("binding")
    if group == "egg" and baked and any(_mixed_with(step, name, None) for step in steps):
        found.add("binding")
    if group == "egg" and not found & {"binding", "baking"}:
        found.add("alone")
    cooked = any(step.action in COOKING for step in steps)
    if steps and not cooked and not mixed:
        found.add("raw")
    if steps and not mixed and steps[-1].action in ("serve", "add", "spread") and not cooked:
        found.add("topping")
    if group in ("sweet",):
        found.add("sweetening")
    if group in ("spice", "herb"):
        found.add("seasoning")
    return frozenset(found)


def _uses_in(step: StepPlan, name: str, group: str, mixed: bool) -> set[str]:
    said = {word.text for word in words(step.text)}
    found: set[str] = set()
    mentioned = lexicon().look_up(name) is None or _is_named(step, name)
    if group == "fat" and step.action in FRYING:
        found.add("frying")
    if mentioned and said & COATING:
        found.add("coating")
    if mentioned and group in ("cheese", "liquid", "egg", "fat") and said & WHIPPING:
        found.add("whipping")
    if name in THICKENERS and not mixed and _on_stove(step) and not said & {"dough", "batter"}:
        found.add("thickening")
    if group in ("liquid", "cheese", "sauce") and step.action in ("boil", "add", "stir", "mix"):
        found |= {"sauce", "boiling"} if step.action == "boil" else {"sauce"}
    if group not in ("fat", "liquid", "egg") and step.action in COOKING and not mixed:
        found |= {"alone", "boiling"} if step.action == "boil" else {"alone"}
    return found


def _is_named(step: StepPlan, name: str) -> bool:
    tokens = words(step.text)
    nouns = (lexicon().noun_at(tokens, at) for at in range(len(tokens)))
    return any(noun is not None and noun[0].name == name for noun in nouns)


def _item(step: StepPlan, name: str) -> PlannedObject | None:
    return next((o for o in step.objects if o.name == name and o.role == "food"), None)


def _mixed_with(step: StepPlan, name: str, others: frozenset[str] | None) -> bool:
    """Return True if the step has the food mixed with one of these, or with any main food."""
    item = _item(step, name)
    if item is None or "mixed" not in (item.state_after, item.state_before):
        return False
    rest = [o.name for o in step.objects if o.role == "food" and o.name != name]
    if others is None:
        return _has_main(rest)
    named = {word.text for word in words(step.text)} & {"dough", "batter", "crust", "pastry"}
    return bool(set(rest) & others or named)


def _is_cold_mix(step: StepPlan, name: str) -> bool:
    """Return True if the step mixes the food with a main food in a bowl."""
    vessels = [lexicon().look_up(o.name) for o in step.objects if o.role == "vessel"]
    cold = any(entry is not None and entry.group in ("cold", "serve") for entry in vessels)
    return cold and step.action != "serve" and _mixed_with(step, name, None)


def _on_stove(step: StepPlan) -> bool:
    vessels = [lexicon().look_up(o.name) for o in step.objects if o.role == "vessel"]
    return any(entry is not None and entry.group == "stove" for entry in vessels)


def _has_main(foods: list[str]) -> bool:
    entries = [lexicon().look_up(name) for name in foods]
    main = ("meat", "poultry", "fish", "seafood", "vegetable", "grain", "legume", "bread", "cheese")
    return any(entry is not None and entry.group in main for entry in entries)
