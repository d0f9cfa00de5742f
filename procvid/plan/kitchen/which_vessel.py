"""Find the vessel of an action that the text does not name: where the food lies, or the usual one.

The rules are asked in the order of `RULES`; the first that knows an answer gives it.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from procvid.plan.kitchen.named_vessel import JOINING, MOVING, TOWARDS
from procvid.plan.kitchen.serving import SOUPS, serving_vessel
from procvid.plan.kitchen.settle import GRILLS
from procvid.plan.kitchen.state import POURED_GROUPS
from procvid.plan.kitchen.stepwalk import PASSING, holds
from procvid.plan.kitchen.things import Vessel
from procvid.plan.kitchen.vessel_question import NOWHERE, VesselQuestion
from procvid.plan.kitchen.which_foods import CUTTING
from procvid.plan.language.goals import PIECES
from procvid.plan.language.lexicon import lexicon

PARTS = frozenset({"squeeze", "grate", "crumble", "tear", "sift", "mix", "melt"})
"""Actions that leave their food in the dish with a particle: "squeeze in the lime"."""
AHEAD = frozenset("add stir mix marinate soak heat fill flip".split())
"""Actions that may happen in the vessel that a later step names."""
OVER = frozenset("top garnish decorate sprinkle dust drizzle brush season rub layer spread".split())
"""Verbs with which a base lies on a plate, if it lies nowhere else."""
PLAINLY = frozenset("add pour tip place put transfer return".split())
"""Verbs that move their object, also one "with" another."""
SEASONING = frozenset({"season", "salt", "salt and pepper"})
RUBBING = frozenset({"rub", "brush", "massage"})
HOT = frozenset("fried boiled baked grilled steamed toasted".split())
COOKERS: dict[str, frozenset[str]] = {
    "fry": frozenset({"frying pan", "wok", "pot", "griddle", "deep fryer", "pressure cooker"}),
    "boil": frozenset({"pot", "pressure cooker", "slow cooker", "rice cooker", "kettle"}),
    "grill": GRILLS,
    "toast": frozenset({"frying pan", "wok", "griddle"}),
}
"""Vessels in which an action happens once they were heated."""
COLD_MIXING = re.compile(r"\bmix (?:well|everything|together)\b|\bmarinat")
AS_IT_COOKS = re.compile(r"\b(?:as|while) (?:it|they|the \w+) cooks?\b|\bas you cook\b")
SLOWLY = re.compile(r"\bon (?:low|high)\b(?! heat).*\bhours?\b|\bhours? on (?:low|high)\b")


def usual_vessel(question: VesselQuestion) -> Vessel | None:
    """Return the place of an action that the text does not name, None for none."""
    for rule in RULES:
        vessel = rule(question)
        if vessel is NOWHERE:
            return None
        if vessel is not None:
            return vessel
    return None


def _on_a_surface(q: VesselQuestion) -> Vessel | None:
    """Answer for the counter, and for a goal that nobody knows."""
    lost = bool(q.segment.goal) and q.segment.goal not in PIECES | {"top"} and not q.walk.goal
    return NOWHERE if q.segment.on_surface or (lost and q.name in MOVING) else None


def _joining(q: VesselQuestion) -> Vessel | None:
    """Answer for "stir in the rice" and "squeeze in the lime": where the others lie."""
    last = q.used or q.last
    ending = q.verb.split()[-1]
    particle = any(m.particle and not m.preposition for m in q.segment.foods)
    joins = ending in ("in", "through", "together") and q.name in JOINING
    new = bool(q.foods) and all(q.kitchen.foods[n].vessel is None for n in q.foods)
    joins = ((particle and q.name in PARTS) or joins) and not (ending == "together" and new)
    filled = last is not None and bool(q.kitchen.contents(last.name)) and q.suits(last)
    return last if joins and filled else None


def _measured(q: VesselQuestion) -> Vessel | None:
    """Answer for what goes into a measuring cup."""
    cups = (m.entry.name == "measuring cup" and m.preposition in TOWARDS for m in q.segment.tools)
    if any(cups):
        return NOWHERE
    measured = any(done.action.name == "measure" for done in q.walk.done) and q.used is None
    return q.get("jug") if measured and q.name in ("add", "stir") else None


def _taken_out(q: VesselQuestion) -> Vessel | None:
    return (q.at(q.main) or NOWHERE) if q.name == "remove" else None


def _into_loose_liquid(q: VesselQuestion) -> Vessel | None:
    """Answer for a liquid that lies in no vessel yet: that is a bowl's work."""
    liquid = any(
        m.entry.group == "liquid" and m.preposition in TOWARDS and not m.particle
        for m in q.segment.foods
    )
    return q.get("bowl") if q.name == "add" and liquid and _leads_to_loose(q, wet=True) else None


def _topped_on_board(q: VesselQuestion) -> Vessel | None:
    """Answer for what is topped where it was cut or where it cools."""
    if q.name != "add" or q.verb not in OVER or q.segment.foods[4:]:
        return None
    spots = q.spots(q.foods)
    board = next((at for at in spots[1:] if at is not None and at.use in PASSING), None)
    return board if board is not None and spots[0] is not board else None


def _loose_base(q: VesselQuestion) -> Vessel | None:
    """Answer for loose bread or dough that a filling goes onto: a plate."""
    base = _base(q)
    if base is not None and base.split()[-1] in ("dough", "pastry"):
        return NOWHERE
    if base is not None:
        return q.kitchen.get_vessel(lexicon().entries["plate"], q.walk.number, [base])
    if q.name not in ("add", "spread") or not _leads_to_loose(q):
        return None
    raw = next((n for n in q.foods if q.kitchen.foods[n].state == "raw"), None)
    if raw is None:
        return NOWHERE
    return q.kitchen.get_vessel(lexicon().entries["plate"], q.walk.number, [raw])


def _named_before(q: VesselQuestion) -> Vessel | None:
    """Answer with a vessel that the same step has named."""
    named = q.used is not None and q.used.name in q.walk.mentioned_vessels
    if q.name == "mix" and q.used is not None and q.used.use in PASSING:
        return None
    return q.used if named and q.name in JOINING else None


def _seasoned(q: VesselQuestion) -> Vessel | None:
    """Answer for food that is seasoned before it is cooked, or on the board."""
    if q.verb not in SEASONING | RUBBING or q.main is None:
        return None
    at = q.at(q.main)
    if q.main.state == "raw":
        return q.get("plate") if at is None or at.use in PASSING else None
    if q.verb in RUBBING:
        return None
    return at if at is not None and at.use == "cut" and not q.segment.foods[1:] else None


def _cut_in_its_dish(q: VesselQuestion) -> Vessel | None:
    """Answer for brownies, cut in their dish, and for meat that is chopped as it cooks."""
    if q.name not in CUTTING or q.main is None:
        return None
    at = q.at(q.main)
    if at is not None and at.use == "stove" and AS_IT_COOKS.search(q.walk.text.lower()):
        return at
    if q.main.group not in ("made", "bread"):
        return None
    return at if at is not None and at.use == "oven" else None


def _same_step(q: VesselQuestion) -> Vessel | None:
    """Answer with the vessel of an earlier action of the step."""
    if q.used is None or not q.suits(q.used):
        return None
    return q.used if not q.action.vessel or q.used.use != "serve" else None


def _in_microwave(q: VesselQuestion) -> Vessel | None:
    """Answer with the bowl that goes into the microwave."""
    microwave = q.verb == "microwave" or any(m.entry.name == "microwave" for m in q.segment.tools)
    if not microwave or q.name in ("serve", "remove"):
        return None
    spots = (q.used, q.at(q.main), q.last)
    return next((at for at in spots if at is not None and at.use in ("cold", "serve")), None)


def _blended_in_place(q: VesselQuestion) -> Vessel | None:
    """Answer for an immersion blender, which goes into the pot."""
    immersed = any(
        "immersion" in m.wording or m.wording.startswith("stick") for m in q.segment.tools
    )
    return (q.at(q.main) or q.last) if q.name == "blend" and immersed else None


def _served(q: VesselQuestion) -> Vessel | None:
    return serving_vessel(q) if q.name == "serve" else None


def _drained(q: VesselQuestion) -> Vessel | None:
    wet = q.main is not None and q.main.state in ("boiled", "soaked")
    return q.get("colander") if q.name == "drain" and wet else None


def _slowly(q: VesselQuestion) -> Vessel | None:
    """Answer for "cook on low for 8 hours"."""
    slow = q.verb == "cook" and q.says(SLOWLY) and (q.last is None or q.last.use != "oven")
    return q.get("slow cooker", apart=True) if slow else None


def _in_place(q: VesselQuestion) -> Vessel | None:
    """Answer with the vessel in which the food lies, if the action leaves it there."""
    if q.action.needs == ("cut",) or not q.foods or not _acts_in_place(q):
        return None
    at = q.at(q.moved)
    if at is None and q.name in ("boil", "fry") and q.last is not None and q.last.use == "stove":
        at = next((v for v in q.spots(q.foods) if v is q.last), None)
    if at is None or (q.name == "mix" and _begins_anew(q, at)):
        return None
    if at.use == "stove" and q.name in ("bake", "broil"):
        return at
    return at if q.suits(at) and _goes_on(q, at) else None


def _scooped(q: VesselQuestion) -> Vessel | None:
    """Answer for what is scooped or portioned where it lies."""
    at = q.at(q.main)
    stays = q.verb in ("scoop", "portion") and not q.segment.targets and not q.segment.goal
    return at if stays and at is not None and at.use not in PASSING else None


def _ground(q: VesselQuestion) -> Vessel | None:
    """Answer for what is ground: a mortar is for spices and little things."""
    small = q.main is None or q.main.group in ("spice", "herb", "nut")
    if q.name != "grind" or small:
        return None
    machines = [v for v in q.kitchen.vessels.values() if v.kind in ("food processor", "blender")]
    return machines[-1] if machines else q.get("food processor")


def _soaked(q: VesselQuestion) -> Vessel | None:
    """Answer for what is put into a bath of its own: a bowl."""
    new = q.main is not None and q.main.vessel is None and q.used is None
    return q.get("bowl") if q.name == "soak" and new else None


def _coated(q: VesselQuestion) -> Vessel | None:
    """Answer with the vessel of the crumbs or the sauce."""
    if q.name != "coat":
        return None
    at = q.at(q.main) if q.foods[1:] else None
    together = at is not None and q.kitchen.is_among(q.foods[0], q.foods[1:])
    fats = all(q.kitchen.foods[n].group == "fat" for n in q.foods[1:])
    if at is not None and at.use not in PASSING and (together or fats):
        return at
    return next((v for v in q.spots(q.foods[1:]) if v is not None and q.suits(v)), None)


def _drained_of_fat(q: VesselQuestion) -> Vessel | None:
    fried = q.main is not None and q.main.state == "fried"
    return q.get("plate") if q.name == "drain" and fried else None


def _heated(q: VesselQuestion) -> Vessel | None:
    """Answer with a heated vessel that is free for a cooking action and suits it."""
    hot, kinds = q.hot, COOKERS.get(q.name)
    if hot is None or kinds is None or hot.kind not in kinds:
        return None
    if q.kitchen.last_action == "heat" and hot is q.last:
        return hot
    inside = [name for name in q.kitchen.contents(hot.name) if not q.kitchen.foods[name].minor]
    return hot if all(name in q.foods or name == "water" for name in inside) else None


def _machine(q: VesselQuestion) -> Vessel | None:
    """Answer for the microwave, the slow cooker, and the machine of the title."""
    microwave = any(m.entry.name == "microwave" for m in q.segment.tools)
    if q.action.vessel is not None and microwave:
        return q.get("bowl")
    if q.name not in ("fry", "boil"):
        return None
    loose = all(q.kitchen.foods[n].vessel is None for n in q.foods)
    if q.kitchen.cooker and q.hot is None and loose:
        return q.get(q.kitchen.cooker, apart=True)
    return None


def _of_the_action(q: VesselQuestion) -> Vessel | None:
    """Answer with the usual vessel of the action, one that waits for it first."""
    if q.name == "fry" and q.kitchen.title & SOUPS:
        return q.hot or q.get("pot", apart=True)
    if q.action.vessel is None:
        return None
    pan = q.last is not None and q.last.kind == "frying pan"
    if q.name == "grill" and pan and not GRILLS & {v.kind for v in q.kitchen.vessels.values()}:
        return q.last
    known = q.kitchen.vessels.values()
    ready = [v for v in known if v.use in q.action.needs and _is_ready(q, v)]
    return ready[-1] if ready else q.get(q.action.vessel)


def _cooled(q: VesselQuestion) -> Vessel | None:
    """Answer for hot food that lies nowhere: it cools on a plate."""
    loose = q.main is not None and q.main.vessel is None and q.main.state in HOT
    return q.get("plate") if q.name in ("wait", "chill") and loose else None


def _oil_goes_to_heat(q: VesselQuestion) -> Vessel | None:
    """Answer for oil, butter and raw meat after food was put onto a plate."""
    fats = bool(q.foods) and all(q.kitchen.foods[n].group == "fat" for n in q.foods)
    raw = q.main is not None and q.main.state == "raw" and q.hot is not None
    plated = q.last is not None and q.last.use == "serve"
    if q.verb != "add" or not plated or not (fats or raw):
        return None
    return q.hot or q.get(q.kitchen.cooker or "frying pan", apart=True)


def _just_heated(q: VesselQuestion) -> Vessel | None:
    """Answer for what is added after a pan was heated."""
    heated = q.last is not None and q.hot is q.last
    readied = q.kitchen.last_action in ("heat", "melt", "preheat")
    return q.last if q.name == "add" and heated and readied else None


def _on_baked_goods(q: VesselQuestion) -> Vessel | None:
    """Answer for a cake that is filled or frosted: its rack, else a plate."""
    under = q.moved
    baked = under is not None and "baked" in (under.state, *(s for s, _ in under.history))
    if under is None or not baked or q.name not in ("add", "spread"):
        return None
    at = q.at(under)
    if at is not None and at.kind == "cooling rack":
        return at
    loose = (at is None or at.use == "cut") and q.last is not None and q.last.use != "serve"
    return (
        q.kitchen.get_vessel(lexicon().entries["plate"], q.walk.number, [under.name])
        if loose
        else None
    )


def _loose_dish(q: VesselQuestion) -> Vessel | None:
    """Answer for loose food that is garnished "with" something: a plate."""
    under = q.moved
    loose = under is not None and under.vessel is None and not under.minor
    if q.name != "add" or not q.beside or under is None or not loose or q.verb not in OVER:
        return None
    return q.kitchen.get_vessel(lexicon().entries["plate"], q.walk.number, [under.name])


def _tossed(q: VesselQuestion) -> Vessel | None:
    """Answer for drained food that is tossed: the bowl of its dressing, else a new one."""
    loose = q.main is not None and not holds(q.kitchen, q.main.vessel)
    if q.name != "stir" or not loose:
        return None
    spots = q.spots([n for n in q.beside if n in q.kitchen.foods])
    bowl = next((at for at in spots if at is not None and at.use == "cold"), None)
    if bowl is None and q.last is not None and q.last.use == "oven":
        return q.get("bowl")
    return bowl


def _to_the_other_bowl(q: VesselQuestion) -> Vessel | None:
    """Answer for "add the flour mixture": the bowl with what was mixed before it."""
    at = q.at(q.main)
    plain = q.name == "add" and q.segment.foods and not q.segment.vessels and not q.segment.targets
    if not plain or q.main is None or at is None or at.use != "cold" or at is not q.last:
        return None
    if q.main.state not in ("mixed", "sifted", "blended") or _holds_others(q, at):
        return None
    named = [v for v in reversed(q.kitchen.named) if v.use == "cold" and v is not at]
    return next((v for v in named if q.kitchen.is_filled(v.name)), None)


def _stays(q: VesselQuestion) -> Vessel | None:
    """Answer with the last vessel, where the work goes on."""
    last = q.last
    if last is None:
        return None
    liquid = bool(q.foods) and all(q.kitchen.foods[n].group == "liquid" for n in q.foods)
    if last.use == "oven" and last.prepared and liquid and not q.kitchen.contents(last.name):
        return None
    alone = not q.segment.foods and not q.segment.targets
    if q.verb == "pour" and alone and last.kind in ("blender", "jug", "cocktail shaker"):
        return q.get("glass", apart=True)
    there = q.main is not None and q.main.vessel == last.name
    others = q.name == "add" and _holds_others(q, last)
    more = any(mention.left_over for mention in q.segment.foods)
    leaves = there and q.name == "add" and not more and not _acts_in_place(q) and not others
    loose = q.main is not None and not holds(q.kitchen, q.main.vessel)
    joining = q.name in ("add", "stir") or (q.name == "fill" and last.use != "stove")
    stays = there or not q.foods or (joining and loose) or others
    return last if stays and not leaves else None


def _by_later_steps(q: VesselQuestion) -> Vessel | None:
    """Answer with the vessel that the next steps use, if the action can happen there."""
    microwave = any(m.entry.name == "microwave" for m in q.segment.tools)
    if q.verb in SEASONING and q.foods:
        return q.get("plate")
    if q.name == "heat" and microwave:
        return q.get("bowl")
    worked = q.main is not None and q.main.group == "made" and not q.segment.refers
    if q.name not in AHEAD or (worked and q.main is not None and q.main.vessel is None):
        return None
    ahead = _vessel_ahead(q)
    if q.name != "heat" or ahead.use == "stove":
        return ahead
    if q.verb == "microwave":
        return q.get("bowl")
    liquid = q.main is not None and q.main.group == "liquid"
    return q.get("pot" if liquid else "frying pan", apart=True)


RULES: tuple[Callable[[VesselQuestion], Vessel | None], ...] = (
    _on_a_surface, _joining, _measured, _taken_out, _into_loose_liquid, _topped_on_board,
    _loose_base, _named_before, _seasoned, _cut_in_its_dish, _in_microwave, _blended_in_place,
    _same_step, _served, _drained, _slowly, _in_place, _scooped, _ground, _soaked, _coated,
    _drained_of_fat, _heated, _machine, _of_the_action, _cooled, _oil_goes_to_heat, _just_heated,
    _on_baked_goods, _loose_dish, _tossed, _to_the_other_bowl, _stays, _by_later_steps,
)  # fmt: skip


def _leads_to_loose(q: VesselQuestion, *, wet: bool = False) -> bool:
    """Return True if an action leads to food that lies in no vessel: "in the centre of the dough"."""
    tied = [m for m in q.segment.foods if m.preposition in TOWARDS | {"on", "onto"}]
    tied = [m for m in tied if not m.particle]
    names = [*q.walk.goal, *(n for m in tied for n in q.kitchen.names_of(m))]
    known = [q.kitchen.foods[n] for n in names if n in q.kitchen.foods]
    solid = [food for food in known if not food.minor and (wet or food.group != "liquid")]
    return bool(solid) and not any(holds(q.kitchen, food.vessel) for food in solid)


def _holds_others(q: VesselQuestion, vessel: Vessel) -> bool:
    """Return True if a vessel holds other food than these."""
    inside = q.kitchen.contents(vessel.name)
    return any(name not in q.foods and not q.kitchen.foods[name].minor for name in inside)


def _base(q: VesselQuestion) -> str | None:
    """Return the loose bread, tortilla or dough that a filling goes onto."""
    if q.name not in ("add", "spread"):
        return None
    spreads = q.name == "spread"
    onto = [
        q.kitchen.name_of(m) for m in q.segment.foods if m.preposition in ("on", "onto", "over")
    ]
    moved = {q.kitchen.name_of(m) for m in q.segment.foods if m.preposition in ("with", "")}
    acted = [n for n in q.foods if n not in moved] or list(q.foods)
    bases = [*onto, *acted[:1]] if spreads else onto
    known = [q.kitchen.foods[name] for name in bases if name in q.kitchen.foods]
    suits = (f for f in known if spreads or f.group == "bread")
    return next((food.name for food in suits if not holds(q.kitchen, food.vessel)), None)


def _acts_in_place(q: VesselQuestion) -> bool:
    """Return True if the food stays; "add" moves it, "season the egg" does not."""
    if q.name != "add":
        return True
    plain = q.verb.split()[0] in PLAINLY
    with_other = not plain and any(mention.preposition == "with" for mention in q.segment.foods)
    named = {n for mention in q.segment.foods for n in q.kitchen.names_of(mention)}
    if q.foods and named and q.foods[0] not in named and not q.segment.refers:
        return True
    return q.verb == "season" or with_other or not q.segment.foods


def _begins_anew(q: VesselQuestion, at: Vessel) -> bool:
    """Return True if new food is mixed with sugar, flour or the like that was used before."""
    new = any(q.kitchen.foods[n].vessel is None for n in q.foods)
    portion = q.moved is not None and q.moved.group in POURED_GROUPS
    return new and portion and at is not q.last


def _goes_on(q: VesselQuestion, at: Vessel) -> bool:
    """Return True if a food stays in its vessel: boiling may go on, frying leaves the water."""
    if q.name == "boil" and q.verb in ("boil", "blanch", "poach", "parboil"):
        wet = q.main is not None and q.main.group in ("sauce", "made")
        return at.kind == "pot" or wet or q.kitchen.holds(at.name, "liquid")
    return q.name != "fry" or q.main is None or q.main.state != "boiled"


def _is_ready(q: VesselQuestion, vessel: Vessel) -> bool:
    """Return True if a vessel waits for this action: hot oil, boiling water, a lined tray."""
    if q.name == "fry":
        return q.kitchen.holds(vessel.name, "fat") or vessel.kind == "wok"
    if q.name == "boil":
        return q.kitchen.holds(vessel.name, "liquid")
    return q.name == "bake"


def _vessel_ahead(q: VesselQuestion) -> Vessel:
    """Return the vessel that the next steps use, else a pan or a bowl."""
    if q.name == "add" and q.kitchen.last_hot is None and q.says(COLD_MIXING):
        return q.get("bowl", apart=True)
    for reading in q.later[:3]:
        for segment in reading.segments:
            for mention in segment.vessels:
                if mention.entry.group not in PASSING and mention.entry.group != "serve":
                    return q.kitchen.meet_vessel(mention, q.walk.number)
            usual = segment.verb.action.vessel
            if usual and lexicon().entries[usual].group not in (*PASSING, "serve"):
                return q.get(usual, apart=True)
    if q.name not in ("stir", "flip", "heat"):
        return q.get("bowl", apart=True)
    return q.get("pot" if q.kitchen.title & SOUPS else "frying pan", apart=True)
