"""Walk through a step: carry out its actions in the kitchen."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from procvid.plan.kitchen.named_vessel import MOVING, mentioned_vessel
from procvid.plan.kitchen.products import BAKED_GOODS, DOUGHS
from procvid.plan.kitchen.referred import CHUNKS
from procvid.plan.kitchen.settle import PLACING, settle_action
from procvid.plan.kitchen.state import POURED_GROUPS, KitchenState
from procvid.plan.kitchen.stepwalk import PASSING, Done, StepWalk, here, see
from procvid.plan.kitchen.things import Vessel
from procvid.plan.kitchen.vessel_question import VesselQuestion
from procvid.plan.kitchen.which_foods import (
    CUTTING,
    NOTHING_IMPLIED,
    find_foods,
    with_carried,
    with_implied,
)
from procvid.plan.kitchen.which_vessel import usual_vessel
from procvid.plan.language.lexicon import Action, Entry, lexicon
from procvid.plan.language.mention import Mention
from procvid.plan.language.reading import Reading, Segment, is_title

DRY_HEAT = frozenset("fry bake toast grill".split())
ELSEWHERE = frozenset("over onto on for from until till before after while like when once".split())
"""Prepositions whose food the action leaves alone: "grate the cheese over the pasta"."""
MOVING_NOTHING = (NOTHING_IMPLIED | {"wait", "check"}) - {"heat"}
MIXING = {"mix": 3, "blend": 2, "knead": 2}
"""Actions that make one mixture, and of how many foods at least."""
DISHES = frozenset({"baking dish", "pie dish"})
"""Dishes that cool with what was baked in them."""
METHOD_CHARS = 40
METHOD = re.compile(
    r"^\W*(?:stove ?top|oven|air fryer|slow cooker|crock ?pot|instant pot|pressure cooker|grill|"
    r"microwave)(?: (?:method|instructions|directions|version|option))?\W*$",
    re.IGNORECASE,
)
"""A heading of another way to cook the same dish."""
LEAVEN = frozenset(
    {"yeast", "cornstarch", "mustard", "vinegar", "baking soda", "baking powder", "lemon juice"}
)
"""Foods that give their name to a mixture only if nothing else is in it."""
STREWN = frozenset("nut cheese herb spice sauce sweet other".split())
"""Groups of foods that are strewn or spooned over others."""
HEADING, LABEL = 30, 60
"""A text without a verb is taken for a heading up to this length, one with a colon up to LABEL."""


def walk_step(
    kitchen: KitchenState, number: int, text: str, reading: Reading, later: Sequence[Reading]
) -> StepWalk:
    """Carry out every action of a step in the kitchen."""
    walk = StepWalk(number, text)
    if not reading.verb_known and is_heading(text):
        kitchen.begin_part()
    if len(text) <= METHOD_CHARS and METHOD.search(text):
        kitchen.begin_variant(text)
    if reading.forbidden:
        actions = " or ".join(dict.fromkeys(reading.forbidden))
        walk.notes.append(f"Step {number} says not to {actions}, so the clip does not show it.")
    segments = [_with_particles(kitchen, segment) for segment in reading.segments]
    for index, segment in enumerate(segments):
        follower = sharing(segments[index:])
        foods = find_foods(kitchen, walk, segment, follower)
        vessel, named = mentioned_vessel(kitchen, walk, segment)
        verb = segment.verb
        if not reading.verb_known:
            heading = is_heading(text)
            verb = lexicon().verbs["prepare" if heading else "add" if segment.foods else "check"]
            if kitchen.last_action and "repeat" in text.lower():
                verb = lexicon().verbs[kitchen.last_action]
            walk.notes.append(f"Step {number}: no known action, treated as {verb.action.name}.")
        place = vessel or here(kitchen, walk)
        known = [kitchen.foods[name] for name in foods]
        action = settle_action(kitchen, verb, segment, known, vessel, place)
        foods = with_implied(kitchen, walk, segment, action, foods, vessel)
        given = vessel is not None
        if vessel is None and action.in_vessel:
            vessel = usual_vessel(VesselQuestion(kitchen, walk, action, segment, foods, later))
        if vessel is None and action.name in ("line", "grease"):
            vessel = next((v for v in reversed(kitchen.named) if v.use == "oven"), None)
        vessel = _in_its_dish(kitchen, segment, action, foods, vessel)
        if action.name == "prepare" and verb.name in ("make", "prepare") and foods:
            _leave_oven(kitchen)
            if index + 1 < len(segments):
                foods = _without_unmade(kitchen, walk, foods)
        own = foods
        foods = with_carried(kitchen, walk, action, foods, vessel, given=given)
        act(kitchen, walk, segment, follower, action, foods, vessel)
        if action.name == "mix" and vessel is not None and vessel.use == "stove":
            _keep_states(kitchen, walk, [name for name in foods if name not in own])
        walk.done[-1].mentioned_vessels = named
    for done in walk.done:
        done.foods = [name for name in done.foods if name in kitchen.foods]
        done.changed = [name for name in done.changed if name in kitchen.foods]
    _remember(kitchen, walk)
    return walk


def _leave_oven(kitchen: KitchenState) -> None:
    """Begin the next product elsewhere than in the oven: "make the sauce"."""
    last = kitchen.vessels.get(kitchen.last_vessel or "")
    if last is not None and last.use in ("oven", "serve"):
        kitchen.last_vessel = kitchen.last_hot = None


def _in_its_dish(
    kitchen: KitchenState,
    segment: Segment,
    action: Action,
    foods: Sequence[str],
    vessel: Vessel | None,
) -> Vessel | None:
    """Return the dish of a food that is set with it onto a rack or a tray, else the vessel."""
    at = kitchen.vessels.get(kitchen.foods[foods[0]].vessel or "") if foods else None
    if vessel is None or at is None:
        return vessel
    moved = action.name in ("add", "bake") and not segment.foods
    rack = vessel.kind == "cooling rack"
    cools = rack and action.name in ("chill", "wait")
    hot = rack and kitchen.last_action == "bake" and segment.verb.name in PLACING | {"set"}
    set_down = moved and (hot or vessel.kind == "baking tray")
    kinds = DISHES | {"cake pan", "loaf pan", "ramekin"} if set_down else DISHES
    return at if (cools or set_down) and at.kind in kinds else vessel


def is_heading(text: str) -> bool:
    """Return True if a text without a verb is a heading: short, and no sentence."""
    long = LABEL if text.rstrip().endswith(":") else HEADING
    return is_title(text) or (len(text) <= long and not text.rstrip().endswith((".", "!")))


def _drained(kitchen: KitchenState, walk: StepWalk, foods: list[str]) -> list[str]:
    """Return what is drained: the food that lies in the water or the oil, not these."""
    solid = [n for n in foods if kitchen.foods[n].group not in ("liquid", "fat")]
    if solid or not foods:
        return solid or foods
    vessel = kitchen.foods[foods[0]].vessel or kitchen.last_hot
    inside = [
        n for n in kitchen.contents(vessel) if kitchen.foods[n].group not in ("liquid", "fat")
    ]
    for name in inside:
        see(kitchen, walk, name)
    return [n for n in inside if not kitchen.foods[n].minor] or foods


def _with_particles(kitchen: KitchenState, segment: Segment) -> Segment:
    """Read "scatter over the parsley" by what is there: parsley that is new is what moves."""
    foods = tuple(
        replace(m, preposition="") if m.particle and _moves(kitchen, m) else m
        for m in segment.foods
    )
    if segment.verb.name.endswith(" over"):
        foods = tuple(
            replace(m, preposition="over") if not m.preposition and _lies_apart(kitchen, m) else m
            for m in foods
        )
    return segment if foods == segment.foods else replace(segment, foods=foods)


def _lies_apart(kitchen: KitchenState, mention: Mention) -> bool:
    """Return True for food in another vessel than the last one: "spoon over the chicken"."""
    food = kitchen.foods.get(kitchen.name_of(mention))
    at = kitchen.vessels.get(food.vessel or "") if food is not None else None
    filled = kitchen.is_filled(kitchen.last_vessel)
    return at is not None and at.name != kitchen.last_vessel and filled


def _moves(kitchen: KitchenState, mention: Mention) -> bool:
    """Return True if what follows "over" or "on" is what moves: it is new, or lies elsewhere."""
    if mention.preposition not in ("over", "on"):
        return False
    portion = mention.entry.group in POURED_GROUPS and not mention.definite
    if portion or not kitchen.knows(mention):
        return mention.preposition == "over"
    food = kitchen.foods.get(kitchen.name_of(mention))
    strewn = food is not None and food.group in STREWN and food.vessel != kitchen.last_vessel
    return strewn and kitchen.is_filled(kitchen.last_vessel)


def _keep_states(kitchen: KitchenState, walk: StepWalk, names: Sequence[str]) -> None:
    """Give foods that lie in a pan their state back: whisking a sauce does not change the meat."""
    for name in names:
        food = kitchen.foods[name]
        if food.history and food.history[-1] == ("mixed", walk.number):
            food.history.pop()
            food.state = walk.before[name]
    done = walk.done[-1]
    done.changed = [name for name in done.changed if name not in names]


def finish_step(kitchen: KitchenState, walk: StepWalk) -> None:
    """Make the products of a step of their parts, after the step was planned."""
    for parts, mention in walk.pending:
        kitchen.become(parts, mention, walk.number)
    for done in walk.done:
        if done.action.name == "prepare":
            _forget_unmade(kitchen, walk, done)
    _join_mixed(kitchen, walk)
    _name_baked(kitchen, walk)


def _name_baked(kitchen: KitchenState, walk: StepWalk) -> None:
    """Call a baked batter or dough what the title calls it: the cake, the bread."""
    words = [lexicon().singular(word) for word in kitchen.title_words]
    names = [word for word in words if word in BAKED_GOODS - {"crust"}]
    for done in walk.done:
        if done.action.name != "bake" or done.vessel is None or not names:
            continue
        inside = kitchen.contents(done.vessel.name)
        floury = any(n in DOUGHS or _is_floury(kitchen, n) for n in inside)
        if floury and names[-1] not in kitchen.foods:
            mention = Mention(Entry(names[-1], "food", "made", ()), 0, "", names[-1], None, "")
            baked = kitchen.become(inside, mention, walk.number)
            if baked is not None:
                baked.state = "baked"


def _is_floury(kitchen: KitchenState, name: str) -> bool:
    food = kitchen.foods[name]
    return name.endswith(" mixture") and food.base == "powder"


def _join_mixed(kitchen: KitchenState, walk: StepWalk) -> None:
    """Make one mixture of what a step mixed of many foods; the next step shows that."""
    for done in walk.done:
        mixed = [
            n for n in done.changed if n in kitchen.foods and kitchen.foods[n].group != "spice"
        ]
        if done.action.name not in MIXING or len(mixed) < MIXING[done.action.name]:
            continue
        hot = done.vessel is not None and done.vessel.use == "stove"
        if hot and any(kitchen.foods[n].group in ("meat", "poultry", "fish") for n in mixed):
            continue
        parts = [n for n in done.foods if n in kitchen.foods]
        mixed.sort(key=lambda n: (n in LEAVEN, kitchen.foods[n].group == "liquid"))
        name = f"{mixed[0].removesuffix(' mixture').split()[-1]} mixture"
        mention = Mention(Entry(name, "food", "made", ()), 0, "", name, None, "")
        kitchen.become(parts, mention, walk.number)


def _without_unmade(kitchen: KitchenState, walk: StepWalk, foods: Sequence[str]) -> list[str]:
    """Return the foods without products that the same step goes on to make; forget those."""
    unmade = [
        name
        for name in foods
        if name not in kitchen.listed
        and kitchen.foods[name].group == "made"
        and kitchen.foods[name].since_step == walk.number
        and not kitchen.foods[name].history
    ]
    for name in unmade:
        kitchen.forget(name)
        walk.before.pop(name, None)
        walk.mentioned.discard(name)
    return [name for name in foods if name not in unmade]


def _forget_unmade(kitchen: KitchenState, walk: StepWalk, done: Done) -> None:
    """Forget what a step only announces: "make the filling"; later steps make it."""
    for name in done.foods:
        food = kitchen.foods.get(name)
        bought = name in kitchen.listed
        new = food is not None and not bought and food.since_step == walk.number
        if food is not None and new and not food.history:
            kitchen.forget(name)
            kitchen.dishes |= {name}


def sharing(segments: Sequence[Segment]) -> Segment | None:
    """Return the later verb whose object an action shares: "peel and dice the potatoes"."""
    waits = segments[0].verb.action.name == "wait"
    if not segments[0].shares_next or segments[0].foods or waits:
        return None
    follower = next((s for s in segments[1:] if not s.shares_next or s.foods), None)
    if follower is None:
        return None
    direct = any(not mention.preposition for mention in follower.foods)
    return follower if direct or follower.refers or follower.guessed else None


def act(
    kitchen: KitchenState,
    walk: StepWalk,
    segment: Segment,
    follower: Segment | None,
    action: Action,
    foods: list[str],
    vessel: Vessel | None,
) -> None:
    """Carry out an action: change states, move foods, use the vessel."""
    source = follower or segment
    tied = {kitchen.name_of(m): m.preposition for m in source.foods}
    if action.name in ("drain", "serve", "wash"):
        foods = [name for name in foods if name != "water"] or foods
    if action.name == "drain":
        foods = _drained(kitchen, walk, foods)
    on_tool = any(not m.preposition for m in segment.tools)
    unnamed = not source.foods and not source.refers and not source.guessed
    packed = action.name == "wrap" and bool(segment.tools)
    changed = [] if (on_tool and unnamed) or packed else _changed(kitchen, action, foods, tied)
    for name in changed:
        food = kitchen.foods[name]
        if food.listed and food.state == action.state:
            walk.before[name] = "raw" if food.group in ("meat", "fish") else "whole"
        if action.state is not None and food.state != action.state:
            kitchen.change_state(food, action.state, walk.number)
        food.listed = False
    leaves_oven = any(m.entry.name == "oven" and m.preposition == "from" for m in segment.tools)
    if action.name in ("drain", "remove") and not leaves_oven:
        _take_out(kitchen, action, foods, vessel)
    elif vessel is None and (segment.on_surface or action.name in MOVING):
        for name in foods:
            kitchen.put(kitchen.foods[name], None)
        kitchen.last_vessel = None
    elif vessel is None and action.name in ("roll", "knead", "flatten"):
        for name in foods:
            at = kitchen.vessels.get(kitchen.foods[name].vessel or "")
            if at is not None and at.use == "cold":
                kitchen.put(kitchen.foods[name], None)
                kitchen.last_vessel = None
    elif action.name in ("cover", "wrap") and any(d.action.name == "remove" for d in walk.done):
        pass
    elif vessel is not None and action.name not in MOVING_NOTHING:
        for name in reversed(foods):
            coats = action.name == "coat" and bool(tied.get(name))
            stays = coats and kitchen.foods[name].vessel is not None
            stays = stays or (action.name in CUTTING and name not in changed)
            if tied.get(name, "") != "from" and not stays:
                kitchen.put(kitchen.foods[name], vessel)
    if segment.verb.name == "set aside" and (segment.foods or segment.refers):
        for name in foods:
            at = kitchen.vessels.get(kitchen.foods[name].vessel or "")
            if at is not None and at.use == "stove" and kitchen.foods[name].group in CHUNKS:
                kitchen.put(kitchen.foods[name], None)
    if action.name in ("grease", "line", "prepare"):
        for mention in segment.vessels:
            kitchen.meet_vessel(mention, walk.number).prepared = True
    if vessel is not None and vessel.use in ("stove", "oven"):
        kitchen.last_hot = vessel.name
    walk.done.append(Done(action, foods, changed, vessel, [], segment.tools, segment.verb.name))


def _changed(
    kitchen: KitchenState, action: Action, foods: Sequence[str], tied: dict[str, str]
) -> list[str]:
    """Return the foods whose state the action changes; oil, salt and sauces keep theirs."""
    if action.state is None:
        return []
    direct = [n for n in foods if not tied.get(n)]
    own = [n for n in foods if tied.get(n, "") not in ELSEWHERE] or list(foods)
    if action.name in CUTTING | {"coat", "fill", "wrap", "spread"} and direct:
        own = direct
    if action.name in ("roll", "shape", "roll up", "flatten", "fill", "coat"):
        own = [n for n in own if kitchen.foods[n].group != "liquid"] or own
    groups = {"spice", "fat"} if action.name != "mix" else {"spice"}
    if action.name in DRY_HEAT or action.name in ("slice", "dice", "peel", "tear", "crumble"):
        groups |= {"liquid", "sauce"}
    kept = [n for n in own if kitchen.foods[n].group not in groups]
    if action.name == "melt":
        return direct or own
    if kept or action.name in DRY_HEAT | {"coat", "wrap", "fill"}:
        return kept
    return own


def _take_out(
    kitchen: KitchenState, action: Action, foods: Sequence[str], vessel: Vessel | None
) -> None:
    water = kitchen.foods.get("water")
    if action.name == "drain" and water is not None:
        water.vessel = None
    for name in foods:
        if action.name == "drain" and name == "water":
            continue
        food = kitchen.foods[name]
        elsewhere = vessel if vessel is not None and food.vessel != vessel.name else None
        kitchen.put(food, elsewhere)


def _remember(kitchen: KitchenState, walk: StepWalk) -> None:
    """Store what the next step may refer to: the last foods and the last vessel."""
    dipped = [d for d in walk.done if d.action.name == "coat" and d.foods]
    foods = list(dict.fromkeys(n for done in walk.done for n in done.foods))
    if dipped:
        foods = (dipped[0].changed or dipped[0].foods)[:1]
    if walk.done[0].action.name == "remove" and kitchen.last_foods:
        foods = [n for n in foods if kitchen.foods[n].group not in ("spice", "herb")]
    acted = [done for done in walk.done if done.action.name != "prepare"] or walk.done
    kitchen.last_action = acted[0].action.name
    creamed = kitchen.last_action in ("mix", "melt") and not set(foods) & set(kitchen.last_foods)
    weighty = any(not kitchen.foods[name].minor for name in foods)
    if weighty or (foods and (creamed or not kitchen.last_foods)):
        kitchen.last_foods, kitchen.last_step = foods, walk.number
    for done in walk.done:
        set_aside = done.action.name in ("wait", "remove") and kitchen.last_hot is not None
        if set_aside and done.vessel is not None and done.vessel.use == "serve":
            continue
        if done.vessel is not None and done.vessel.use not in PASSING:
            kitchen.last_vessel = done.vessel.name
