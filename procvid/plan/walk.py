"""Walk through a step: the objects, place and result of each action."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from procvid.plan.kitchen import KitchenState, Vessel
from procvid.plan.lexicon import Action, Entry, Verb, lexicon
from procvid.plan.mentions import GROUP_WORDS, Mention
from procvid.plan.reading import Reading, Segment
from procvid.plan.settle import settle_action

MAX_IMPLIED = 4
CUTTING = frozenset("slice dice grate peel mash grind crumble tear squeeze sift".split())
DRY_HEAT = frozenset("fry bake toast grill".split())
ELSEWHERE = frozenset("over onto on for from until till before after while like when once".split())
"""Prepositions whose food the action leaves alone: "grate the cheese over the pasta"."""
TOWARDS = frozenset({"to", "into", "over"})
"""Prepositions that lead to a food where it lies: "add the egg to the rice"."""
PASSING = frozenset({"cut", "passing"})
NOTHING_IMPLIED = frozenset("preheat gather prepare measure line grease open wash heat".split())
MOVING_NOTHING = (NOTHING_IMPLIED | {"wait", "check"}) - {"heat"}
HEADING = 30
"""A text without a verb is taken for a heading up to this length."""
CARRYING = frozenset("add stir mix fry boil bake steam flip cover mash blend season melt".split())
"""Actions on all that lies in a vessel, not only on the food that the step names."""
MAX_CARRIED = 5
SOUPS = frozenset(
    "soup stew curry chowder porridge chili ramen gumbo broth cereal oats pudding ragu".split()
)
SWEETENED = frozenset({"liquid", "egg", "fat", "sauce", "sweet"})
DRY = frozenset({"powder", "spice", "grain", "nut"})
LIQUIDS = frozenset({"liquid", "fat", "egg", "sauce"})


@dataclass
class Done:
    """Result of one action of a step."""

    action: Action
    foods: list[str]
    changed: list[str]
    vessel: Vessel | None
    mentioned_vessels: list[str]
    tools: tuple[Mention, ...]


@dataclass
class StepWalk:
    """A step while it is walked through.

    `pending` are foods that become a product at the end of the step, each with its mention.
    """

    number: int
    text: str
    before: dict[str, str] = field(default_factory=dict)
    past: dict[str, str] = field(default_factory=dict)
    mentioned: set[str] = field(default_factory=set)
    mentioned_vessels: list[str] = field(default_factory=list)
    done: list[Done] = field(default_factory=list)
    pending: list[tuple[list[str], Mention]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def walk_step(
    kitchen: KitchenState, number: int, text: str, reading: Reading, later: Sequence[Reading]
) -> StepWalk:
    """Carry out every action of a step in the kitchen."""
    walk = StepWalk(number, text)
    if reading.forbidden:
        actions = " or ".join(dict.fromkeys(reading.forbidden))
        walk.notes.append(f"Step {number} says not to {actions}, so the clip does not show it.")
    for index, segment in enumerate(reading.segments):
        follower = sharing(reading.segments[index:])
        foods = find_foods(kitchen, walk, segment, follower)
        vessel, named = mentioned_vessel(kitchen, walk, segment)
        verb = segment.verb
        if not reading.verb_known:
            dishes = all(m.entry.group == "made" for m in segment.foods)
            heading = dishes and len(text) <= HEADING
            verb = lexicon().verbs["prepare" if heading else "add" if segment.foods else "stir"]
            if kitchen.last_action and "repeat" in text.lower():
                verb = lexicon().verbs[kitchen.last_action]
            walk.notes.append(f"Step {number}: no known action, treated as {verb.action.name}.")
        place = vessel or _here(kitchen, walk)
        known = [kitchen.foods[name] for name in foods]
        action = settle_action(kitchen, verb, segment, known, vessel, place)
        foods = with_implied(kitchen, walk, segment, action, foods, vessel)
        given = vessel is not None
        if vessel is None and action.in_vessel:
            vessel = usual_vessel(kitchen, walk, action, segment, foods, later)
        foods = with_carried(kitchen, walk, action, foods, vessel, given=given)
        act(kitchen, walk, segment, follower, action, foods, vessel)
        walk.done[-1].mentioned_vessels = named
    _remember(kitchen, walk)
    return walk


def finish_step(kitchen: KitchenState, walk: StepWalk) -> None:
    """Make the products of a step of their parts, after the step was planned."""
    for parts, mention in walk.pending:
        kitchen.become(parts, mention, walk.number)
    for done in walk.done:
        if done.action.name == "prepare":
            _forget_unmade(kitchen, walk, done)


def _forget_unmade(kitchen: KitchenState, walk: StepWalk, done: Done) -> None:
    """Forget what a step only announces: "make the filling"; later steps make it."""
    for name in done.foods:
        food = kitchen.foods.get(name)
        new = food is not None and food.group == "made" and food.since_step == walk.number
        if food is not None and new and not food.history:
            del kitchen.foods[name]
            kitchen.last_foods = [n for n in kitchen.last_foods if n != name]


def sharing(segments: Sequence[Segment]) -> Segment | None:
    """Return the later verb whose object an action shares: "peel and dice the potatoes"."""
    if not segments[0].shares_next or segments[0].foods:
        return None
    follower = next((s for s in segments[1:] if not s.shares_next or s.foods), None)
    if follower is None:
        return None
    direct = any(not mention.preposition for mention in follower.foods)
    return follower if direct or follower.refers or follower.guessed else None


def find_foods(
    kitchen: KitchenState, walk: StepWalk, segment: Segment, follower: Segment | None
) -> list[str]:
    """Return the foods of an action, the main one first: named, shared or referred to."""
    source = follower or segment
    names: list[str] = []
    direct = False
    for mention in sorted(source.foods, key=lambda m: bool(m.preposition)):
        if mention.preposition == "for" and mention.entry.name not in kitchen.foods:
            continue
        making = source.verb.action.state
        members = kitchen.group_members(mention) or [kitchen.name_of(mention)]
        if kitchen.is_product(mention) and source.verb.action.name not in ("prepare", "gather"):
            members = _made(kitchen, walk, segment, mention, names)
        for name in members:
            kitchen.meet_food(mention, walk.number, name=name, making=making)
            _see(kitchen, walk, name)
            walk.mentioned.add(name)
        direct = direct or not mention.preposition
        names += members
    if source.guessed and not direct:
        names = [*_guessed(kitchen, walk, segment, source.guessed, names), *names]
    elif not direct:
        names = referred_foods(kitchen, walk, source) + names
    unique = list(dict.fromkeys(names))
    first = next((n for n in unique if not kitchen.foods[n].minor), None)
    return unique if first is None else [first, *(n for n in unique if n != first)]


def _made(
    kitchen: KitchenState,
    walk: StepWalk,
    segment: Segment,
    mention: Mention,
    beside: Sequence[str],
) -> list[str]:
    """Return what "the dough" is in this step: the dough, or its parts if the step mixes them."""
    parts = [name for name in _parts(kitchen, segment) if name not in beside]
    new = {name for done in walk.done for name in done.foods}
    if mention.preposition in ("into", "to") and any(not m.preposition for m in segment.foods):
        walk.pending.append(([*parts, *beside], mention))
        return []
    if new & set(parts):
        walk.pending.append((parts, mention))
        return parts
    kitchen.become(parts, mention, walk.number)
    return [mention.entry.name]


def _parts(kitchen: KitchenState, segment: Segment) -> list[str]:
    """Return the foods that "the dough" or "the soup" was made of: those of the vessel in use."""
    for mention in segment.vessels:
        named = [v.name for v in kitchen.vessels.values() if v.kind == mention.entry.name]
        for name in reversed(named):
            if any(not kitchen.foods[n].minor for n in kitchen.contents(name)):
                return kitchen.contents(name)
    inside = kitchen.contents(kitchen.last_vessel)
    if any(not kitchen.foods[name].minor for name in inside):
        return inside
    return [name for name in kitchen.last_foods if name in kitchen.foods]


def with_carried(
    kitchen: KitchenState,
    walk: StepWalk,
    action: Action,
    foods: list[str],
    vessel: Vessel | None,
    *,
    given: bool,
) -> list[str]:
    """Return the foods of an action and those that lie in its vessel already.

    Without a word about the vessel, a new food does not join what happens to lie there.
    """
    if (
        vessel is None
        or action.name not in CARRYING
        or not foods
        or not _holds(kitchen, vessel.name)
    ):
        return foods
    inside = [n for n in kitchen.contents(vessel.name) if not kitchen.foods[n].minor]
    joined = given or action.name == "add" or any(name in inside for name in foods)
    if not joined:
        return foods
    carried = [n for n in inside if n not in foods and n != "water"][:MAX_CARRIED]
    for name in carried:
        _see(kitchen, walk, name)
    return [*foods, *carried]


def _listed_foods(kitchen: KitchenState, walk: StepWalk, word: str) -> list[str]:
    """Return the foods that "the remaining ingredients" or "the dry ingredients" mean."""
    names: list[str] = []
    if word == "all ingredients" and not kitchen.left_over():
        names = [n for n in kitchen.foods if not kitchen.foods[n].vessel]
    if word in ("dry ingredients", "wet ingredients"):
        groups = DRY if word.startswith("dry") else SWEETENED
        names = [food.name for food in kitchen.foods.values() if food.group in groups]
        liquid = any(food.group in LIQUIDS for food in kitchen.foods.values())
        if names and (word.startswith("dry") or liquid):
            return names
    for mention in kitchen.left_over():
        if word == "dry ingredients" and mention.entry.group not in (*DRY, "sweet"):
            continue
        if word == "wet ingredients" and mention.entry.group not in SWEETENED:
            continue
        names.append(kitchen.meet_food(mention, walk.number).name)
    return list(dict.fromkeys(names))


def referred_foods(kitchen: KitchenState, walk: StepWalk, segment: Segment) -> list[str]:
    """Return the foods that "it", "them", "the vegetables" or "the mixture" mean."""
    for word in segment.refers:
        if word in (
            "remaining ingredients",
            "all ingredients",
            "dry ingredients",
            "wet ingredients",
        ):
            names = _listed_foods(kitchen, walk, word)
        elif word in ("everything", "ingredients") and segment.vessels:
            loose = [
                f for f in kitchen.foods.values() if not f.vessel or not _holds(kitchen, f.vessel)
            ]
            names = [f.name for f in loose] or kitchen.contents(kitchen.last_vessel)
        elif word in ("mixture", "mix", "ingredients", "ingredient", "contents", "everything"):
            names = kitchen.contents(kitchen.last_vessel) or kitchen.last_foods
        elif word in ("it", "them", "they", "these", "those", "this"):
            here = [n for done in walk.done for n in done.foods if not kitchen.foods[n].minor]
            names = here or [n for n in kitchen.last_foods if not kitchen.foods[n].minor]
            names = names[:1] if word in ("it", "this") and not here else names
            names = _all_of_it(kitchen, segment, names)
        elif word == "food":
            names = kitchen.last_foods
        else:
            names = kitchen.of_groups(word)
        if word == "ingredients" and not names:
            names = _listed_foods(kitchen, walk, "remaining ingredients")
        names = [n for n in dict.fromkeys(names) if n in kitchen.foods]
        if names:
            for name in names:
                _see(kitchen, walk, name)
            return names
    return []


def _holds(kitchen: KitchenState, vessel: str | None) -> bool:
    """Return True if a vessel keeps its foods together; on a board they lie loose."""
    return vessel is not None and kitchen.vessels[vessel].use not in PASSING


def _all_of_it(kitchen: KitchenState, segment: Segment, names: list[str]) -> list[str]:
    """Return all foods of a hot vessel if "it" leaves the vessel for a plate."""
    to_plate = any(mention.entry.group == "serve" for mention in segment.vessels)
    if not names or not (to_plate or segment.verb.action.name == "serve"):
        return names
    vessel = kitchen.vessels.get(kitchen.foods[names[0]].vessel or "")
    if vessel is None or vessel.use != "stove":
        return names
    return [*names, *(n for n in kitchen.contents(vessel.name) if n not in names and n != "water")]


def with_implied(
    kitchen: KitchenState,
    walk: StepWalk,
    segment: Segment,
    action: Action,
    foods: list[str],
    vessel: Vessel | None,
) -> list[str]:
    """Return the foods of an action and those it acts on unnamed: "season with salt"."""
    if not foods:
        return implied_foods(kitchen, walk, action, vessel) or _hinted(
            kitchen, walk, segment, action
        )
    ties = {mention.preposition for mention in segment.foods}
    aside = bool(ties) and ties <= {"with", "in", "over"} and not segment.refers
    holds_object = any(not mention.preposition for mention in segment.vessels)
    if not aside or segment.guessed or holds_object:
        return foods
    known = [n for n in implied_foods(kitchen, walk, action, vessel, aloud=False) if n not in foods]
    first = foods if action.name in ("add", "spread") else []
    unique = list(dict.fromkeys([*first, *known[:MAX_IMPLIED], *foods]))
    return sorted(unique, key=lambda n: kitchen.foods[n].minor)


def _hinted(kitchen: KitchenState, walk: StepWalk, segment: Segment, action: Action) -> list[str]:
    """Return the foods of a side clause where nothing else is known: "cook until the rice is soft"."""
    if action.name in NOTHING_IMPLIED:
        return []
    names = [kitchen.meet_food(mention, walk.number).name for mention in segment.hints]
    for name in names:
        _see(kitchen, walk, name)
        walk.mentioned.add(name)
    return names


def implied_foods(
    kitchen: KitchenState,
    walk: StepWalk,
    action: Action,
    vessel: Vessel | None,
    *,
    aloud: bool = True,
) -> list[str]:
    """Return the foods of an action that names none: of the step, the vessel, or the last ones."""
    if action.name in NOTHING_IMPLIED:
        return []
    here = list(dict.fromkeys(n for done in walk.done for n in done.foods))
    if action.name in CUTTING:
        here.sort(key=lambda n: kitchen.foods[n].since_step)
    inside = kitchen.contents(vessel.name if vessel else kitchen.last_vessel)
    names = here
    if not names and action.name in ("add", "serve") and vessel is not None and aloud:
        names = _brought(kitchen, inside)
    if not names and any(not kitchen.foods[n].minor for n in inside):
        names = inside
    if not names:
        names = kitchen.last_foods or inside
    names = [n for n in names if not kitchen.foods[n].minor] or list(names)
    for name in names:
        _see(kitchen, walk, name)
    if names and not here and aloud:
        of = kitchen.last_step
        listed = ", ".join(names[:3])
        walk.notes.append(
            f"Step {walk.number} names no food, so it uses the {listed} of step {of}."
        )
    return names


def _brought(kitchen: KitchenState, inside: Sequence[str]) -> list[str]:
    """Return what "add to the pot" or "ladle into bowls" brings: the last foods and their neighbours."""
    last = [n for n in kitchen.last_foods if n not in inside and not kitchen.foods[n].minor]
    source = kitchen.foods[last[0]].vessel if last else None
    if source is None or not _holds(kitchen, source):
        return last
    return [*last, *(n for n in kitchen.contents(source) if n not in last)]


def mentioned_vessel(
    kitchen: KitchenState, walk: StepWalk, segment: Segment
) -> tuple[Vessel | None, list[str]]:
    """Return the vessel that an action names as its place, and all vessels it names."""
    places: list[Vessel] = []
    names: list[str] = []
    for mention in segment.vessels:
        vessel = kitchen.meet_vessel(mention, walk.number)
        names.append(vessel.name)
        if mention.preposition not in ("from", "of", "off", "out"):
            target = mention.preposition in ("to", "into", "onto", "in", "on")
            places.insert(0 if target else len(places), vessel)
    if not places:
        places = _beside(kitchen, segment)
    walk.mentioned_vessels += names
    if not places and names and segment.verb.action.name == "remove":
        places = [kitchen.vessels[names[0]]]
    return places[0] if places else None, names


def _beside(kitchen: KitchenState, segment: Segment) -> list[Vessel]:
    """Return the vessel of the food that an action leads to: "add the egg to the rice"."""
    towards = TOWARDS | ({"on", "onto"} if segment.verb.action.name == "add" else set())
    names = [kitchen.name_of(m) for m in segment.foods if m.preposition in towards]
    for word in segment.targets:
        if word in GROUP_WORDS:
            names += kitchen.of_groups(word)
        elif word in ("dry ingredients", "wet ingredients"):
            groups = DRY if word.startswith("dry") else SWEETENED
            names += [f.name for f in kitchen.foods.values() if f.group in groups]
        elif word in ("mixture", "mix", "ingredients", "contents"):
            names += kitchen.contents(kitchen.last_vessel)
    spots = [kitchen.foods[n].vessel for n in names if n in kitchen.foods]
    held = [kitchen.vessels[spot] for spot in spots if spot is not None and _holds(kitchen, spot)]
    made = any(m.entry.group == "made" and m.preposition in TOWARDS for m in segment.foods)
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
    suits = action.needs
    here = _here(kitchen, walk)
    if here is not None and _suits(here, suits) and (not action.vessel or here.use != "serve"):
        return here
    if action.name == "serve":
        return _serving(kitchen, walk, segment, foods, here)
    if suits != ("cut",) and foods and _acts_in_place(action, segment):
        at = kitchen.vessels.get(kitchen.foods[foods[0]].vessel or "")
        if (
            at is not None
            and _suits(at, suits)
            and _goes_on(kitchen, action, segment.verb, at, foods[0])
        ):
            return at
    if action.vessel is not None:
        ready = [
            v for v in kitchen.vessels.values() if v.use in suits and _ready(kitchen, action, v)
        ]
        entry = lexicon().entries[action.vessel]
        return ready[-1] if ready else kitchen.get_vessel(entry, walk.number)
    last = kitchen.vessels.get(kitchen.last_vessel or "")
    there = last is not None and bool(foods) and kitchen.foods[foods[0]].vessel == last.name
    leaves = there and action.name == "add" and not _acts_in_place(action, segment)
    loose = bool(foods) and not _holds(kitchen, kitchen.foods[foods[0]].vessel)
    stays = there or not foods or (action.name in ("add", "stir", "fill") and loose)
    if last is not None and stays and not leaves:
        return last
    return _vessel_ahead(kitchen, walk, action, later)


def _acts_in_place(action: Action, segment: Segment) -> bool:
    """Return True if the food stays; "add" moves it, "season the egg" does not."""
    if action.name != "add":
        return True
    with_other = any(mention.preposition == "with" for mention in segment.foods)
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
    return kitchen.get_vessel(lexicon().entries[kind], walk.number)


def _serving(
    kitchen: KitchenState,
    walk: StepWalk,
    segment: Segment,
    foods: Sequence[str],
    here: Vessel | None,
) -> Vessel:
    """Return what a dish is served in: a bowl for soup, a glass for drinks, else a plate."""
    if here is not None and here.use == "cold" and walk.mentioned_vessels:
        return here
    dish = [kitchen.foods[name] for name in foods if not kitchen.foods[name].minor]
    at = kitchen.vessels.get(dish[0].vessel or "") if dish else None
    if (
        segment.verb.name in ("enjoy", "eat", "drink")
        and at is not None
        and at.use in ("cold", "serve")
    ):
        return at
    if at is not None and at.use == "serve":
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


def _here(kitchen: KitchenState, walk: StepWalk) -> Vessel | None:
    """Return the vessel of an earlier action of the same step."""
    places = [done.vessel for done in walk.done if done.vessel is not None]
    return places[-1] if places else None


def _suits(vessel: Vessel, needs: Sequence[str]) -> bool:
    return vessel.use in needs if needs else vessel.use not in PASSING


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
    if action.name in ("drain", "serve"):
        foods = [name for name in foods if name != "water"] or foods
    changed = _changed(kitchen, action, foods, tied)
    for name in changed:
        food = kitchen.foods[name]
        if food.listed and food.state == action.state:
            walk.before[name] = "raw" if food.group in ("meat", "fish") else "whole"
        if action.state is not None and food.state != action.state:
            kitchen.change_state(food, action.state, walk.number)
        food.listed = False
    if action.name in ("drain", "remove"):
        _take_out(kitchen, action, foods, vessel)
    elif vessel is not None and action.name not in MOVING_NOTHING:
        for name in reversed(foods):
            if tied.get(name, "") != "from" and (action.name not in CUTTING or name in changed):
                kitchen.put(kitchen.foods[name], vessel)
    if action.name in ("grease", "line", "prepare"):
        for mention in segment.vessels:
            kitchen.meet_vessel(mention, walk.number).prepared = True
    if vessel is not None and vessel.use in ("stove", "oven"):
        kitchen.last_hot = vessel.name
    walk.done.append(Done(action, foods, changed, vessel, [], segment.tools))


def _changed(
    kitchen: KitchenState, action: Action, foods: Sequence[str], tied: dict[str, str]
) -> list[str]:
    """Return the foods whose state the action changes; oil, salt and sauces keep theirs."""
    if action.state is None:
        return []
    direct = [n for n in foods if not tied.get(n)]
    own = [n for n in foods if tied.get(n, "") not in ELSEWHERE] or list(foods)
    if action.name in CUTTING and direct:
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
    foods = list(dict.fromkeys(n for done in walk.done for n in done.foods))
    kitchen.last_action = walk.done[0].action.name
    if foods:
        kitchen.last_foods, kitchen.last_step = foods, walk.number
    for done in walk.done:
        if done.vessel is not None and done.vessel.use not in PASSING:
            kitchen.last_vessel = done.vessel.name


def _see(kitchen: KitchenState, walk: StepWalk, name: str) -> None:
    """Store a food's state and past at the start of the step, once."""
    if name not in walk.before:
        walk.before[name] = kitchen.foods[name].state
        walk.past[name] = kitchen.foods[name].description()


def _guessed(
    kitchen: KitchenState, walk: StepWalk, segment: Segment, name: str, beside: Sequence[str]
) -> list[str]:
    """Add the unknown object of a verb as a food, or as what was made if the title names it."""
    mention = Mention(Entry(name, "food", "other", ()), 0, "", name, None, "", definite=True)
    names = [name]
    if name not in kitchen.foods and name.split()[-1] in kitchen.title:
        names = _made(kitchen, walk, segment, mention, beside) or names
    if names == [name] and name not in kitchen.foods:
        kitchen.meet_food(mention, walk.number, name=name)
        walk.notes.append(f'Step {walk.number}: unknown word "{name}", treated as a food.')
    for one in names:
        _see(kitchen, walk, one)
        walk.mentioned.add(one)
    return names
