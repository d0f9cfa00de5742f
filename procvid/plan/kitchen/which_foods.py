"""Find the foods of an action: named, meant by "it" or "the dough", implied, or in its vessel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from procvid.plan.kitchen.products import BAKED_GOODS, DOUGHS, parts_of
from procvid.plan.kitchen.referred import referred_foods
from procvid.plan.kitchen.state import KitchenState
from procvid.plan.kitchen.stepwalk import StepWalk, holds, see, see_named
from procvid.plan.kitchen.things import Vessel
from procvid.plan.language.goals import HOLLOWS, PIECES
from procvid.plan.language.lexicon import Action, Entry, lexicon
from procvid.plan.language.mention import Mention
from procvid.plan.language.mentions import GROUP_WORDS, SIDE_DISHES
from procvid.plan.language.reading import Segment

APART = frozenset("add chill freeze wrap shape roll fry grill bake broil wait remove serve".split())
"""Actions on the food of the step before, wherever it lies: "season" after "pat the fish dry"."""
WARMING = frozenset({"heat", "heat up", "warm", "warm up", "reheat"})
"""Verbs without an object that warm what is on the stove: "heat until it simmers"."""
HEAT_ONLY = frozenset(
    {"reduce heat", "reduce the heat", "turn off", "remove from the heat", "remove from heat"}
)
"""Verbs that change the heat of what stands on the stove."""
PULLED = frozenset({"toothpick", "skewer", "foil", "lid", "plastic wrap", "parchment paper"})
"""Tools that a hand takes off the food."""
TOPPING = frozenset("top garnish sprinkle dust decorate finish spread frost fill".split())
TIED = frozenset({"with", "in", "over", "on", "onto", "to", "into"})
BATTERS = frozenset({"brownie mix", "cake mix", "muffin mix", "pancake mix", "baking mix"})
MELTING = frozenset({"fat", "cheese", "sweet"})
GARNISHES = frozenset({"liquid", "sauce", "sweet", "herb", "spice"})
MAX_IMPLIED = 4
MAX_CARRIED = 5
CUTTING = frozenset("slice dice grate peel mash grind crumble tear squeeze sift".split())
NOTHING_IMPLIED = frozenset("preheat gather prepare measure line grease open wash heat".split())
CARRYING = frozenset("add stir mix fry boil bake steam flip cover mash blend season melt".split())
"""Actions on all that lies in a vessel, not only on the food that the step names."""
SHAPED = frozenset(
    "dough ball batter paste patty slurry bar cookie meatball dumpling pierogi roux log loaf".split()
)
"""Products that foods are made into: "knead into a dough"; a crust is filled instead."""


def find_foods(
    kitchen: KitchenState, walk: StepWalk, segment: Segment, follower: Segment | None
) -> list[str]:
    """Return the foods of an action, the main one first: named, shared or referred to."""
    source = follower or segment
    names: list[str] = []
    direct = False
    for named in sorted(source.foods, key=lambda m: bool(m.preposition)):
        mention = _as_dish(kitchen, named)
        taken_out = source.verb.action.name in ("remove", "drain")
        if taken_out and mention.preposition in ("from", "off"):
            continue
        if mention.preposition == "for" and mention.entry.name not in kitchen.foods:
            continue
        making = source.verb.action.state
        members = kitchen.group_members(mention) or [kitchen.name_of(mention)]
        mixture = kitchen.mixture_of(mention.entry.name) if mention.mixture else None
        mixture = mixture or _spice_mix(kitchen, walk, mention)
        shaped = _in_hand(kitchen, walk, mention)
        if shaped is not None:
            members = [shaped]
        elif mixture is not None:
            members = [mixture]
        elif mention.mixture and members[0] in kitchen.foods:
            members = kitchen.beside(members[0])
        elif kitchen.is_product(mention) and source.verb.action.name not in ("prepare", "gather"):
            members = _made(kitchen, walk, segment, mention, names)
        if members == [mention.entry.name] and members[0] in DOUGHS & kitchen.foods.keys():
            _absorb(kitchen, walk, mention)
        for name in members:
            kitchen.meet_food(mention, walk.number, name=name, making=making)
            see(kitchen, walk, name)
            walk.mentioned.add(name)
        direct = direct or not mention.preposition
        names += members
    if source.guessed and not direct:
        names = [*_guessed(kitchen, walk, segment, source.guessed, names), *names]
    elif not direct:
        names = referred_foods(kitchen, walk, source) + names
    elif any(w.endswith(" ingredients") or w in GROUP_WORDS for w in source.refers):
        names += referred_foods(kitchen, walk, source)
    walk.goal = _goal_foods(kitchen, walk, source, names)
    names += walk.goal
    unique = [name for name in dict.fromkeys(names) if name in kitchen.foods]
    if "salt and pepper" in unique:
        unique = [name for name in unique if name not in ("salt", "pepper")]
    first = next((n for n in unique if not kitchen.foods[n].minor), None)
    return unique if first is None else [first, *(n for n in unique if n != first)]


def _as_dish(kitchen: KitchenState, mention: Mention) -> Mention:
    """Read "the chili" as the stew if the recipe makes one."""
    own = kitchen.listed.get(mention.entry.name)
    listed = own is not None and not (mention.wording == "chili" and own.wording != "chili")
    if mention.entry.name in BATTERS and not listed:
        return replace(mention, entry=lexicon().entries["batter"])
    cream = kitchen.foods.get("cream")
    if mention.entry.name == "whipped cream" and not listed and not kitchen.knows(mention):
        whipped = cream is not None and cream.state == "mixed"
        return replace(mention, entry=lexicon().entries["cream"]) if whipped else mention
    if mention.wording != "chili" or "chili" not in kitchen.title or listed:
        return mention
    return replace(mention, entry=Entry("chili", "food", "made", ()))


def _absorb(kitchen: KitchenState, walk: StepWalk, mention: Mention) -> None:
    """Let a batter or dough take in what was mixed into its bowl since."""
    name = mention.entry.name
    vessel = kitchen.vessels.get(kitchen.foods[name].vessel or "")
    inside = kitchen.contents(vessel.name) if vessel is not None and vessel.use == "cold" else []
    if len(inside) > 1 and name not in walk.before:
        old = kitchen.foods[name]
        kitchen.become([name, *(n for n in inside if n != name)], mention, walk.number)
        kitchen.foods[name].state = old.state


def _in_hand(kitchen: KitchenState, walk: StepWalk, mention: Mention) -> str | None:
    """Return what "a ball" is shaped of: the dough, or what the step before made."""
    if mention.entry.name != "ball" or "ball" in kitchen.listed:
        return None
    if "dough" in kitchen.foods:
        return "dough"
    known = [n for n in kitchen.last_foods if n in kitchen.foods and not kitchen.foods[n].minor]
    floury = any(kitchen.foods[n].is_of({"powder"}) for n in known)
    if floury and (len(known) > 1 or known[0].endswith(" mixture")):
        dough = Mention(lexicon().entries["dough"], 0, "", "dough", None, "", definite=True)
        kitchen.become(kitchen.contents(kitchen.foods[known[0]].vessel), dough, walk.number)
        return "dough" if "dough" in kitchen.foods else None
    return known[0] if known else None


def _spice_mix(kitchen: KitchenState, walk: StepWalk, mention: Mention) -> str | None:
    """Return the mix of spices in a bowl that "the seasoning" or "the spice mix" means."""
    name = mention.entry.name
    if name in kitchen.foods or name in kitchen.listed or not mention.definite:
        return None
    if name not in ("seasoning mix", "mixed spice", "rub") and mention.wording != "seasoning":
        return None
    for vessel in reversed(list(kitchen.vessels.values())):
        inside = kitchen.contents(vessel.name)
        spices = [n for n in inside if kitchen.foods[n].group in ("spice", "sweet")]
        if vessel.use == "cold" and len(spices) > 1 and len(spices) == len(inside):
            mix = Mention(
                Entry("seasoning mix", "food", "spice", ()), 0, "", "seasoning mix", None, ""
            )
            kitchen.become(inside, mix, walk.number)
            return "seasoning mix"
    return None


def _goal_foods(
    kitchen: KitchenState, walk: StepWalk, segment: Segment, beside: Sequence[str]
) -> list[str]:
    """Return the food that an action leads to under another name: "over the rolls"."""
    if not segment.goal or segment.vessels:
        return []
    goal = lexicon().singular(segment.goal)
    if segment.goal in PIECES | HOLLOWS | {"top"}:
        worked = [n for n in kitchen.last_foods if n in kitchen.foods and n not in beside]
        found = [n for n in worked if not kitchen.foods[n].minor][:1]
        if segment.goal == "top" and not found:
            inside = kitchen.contents(kitchen.last_vessel)
            found = [n for n in inside if n not in beside][:1]
    else:
        found = [n for n in kitchen.foods if n.split()[-1] == goal and n not in beside][-1:]
    if not found and (
        goal in BAKED_GOODS or goal in kitchen.title or segment.goal in kitchen.title
    ):
        found = kitchen.base_beside(beside)
    see_named(kitchen, walk, found)
    return found


def _made(
    kitchen: KitchenState,
    walk: StepWalk,
    segment: Segment,
    mention: Mention,
    beside: Sequence[str],
) -> list[str]:
    """Return what "the dough" is in this step: the dough, or its parts if the step mixes them."""
    made = parts_of(kitchen, segment, mention, beside)
    parts = [name for name in made if name not in beside]
    new = {name for done in walk.done for name in done.foods}
    shaped = mention.preposition in ("into", "to") and mention.entry.name in SHAPED
    if shaped and any(not m.preposition for m in segment.foods):
        walk.pending.append(([*parts, *beside], mention))
        return []
    if new & set(parts):
        walk.pending.append((parts, mention))
        return parts
    product = kitchen.become(parts, mention, walk.number)
    taken = any(m.preposition == "from" for m in segment.vessels)
    return parts if product is None and taken and parts else [mention.entry.name]


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
    see_named(kitchen, walk, names)
    return names


def with_implied(
    kitchen: KitchenState,
    walk: StepWalk,
    segment: Segment,
    action: Action,
    foods: list[str],
    vessel: Vessel | None,
) -> list[str]:
    """Return the foods of an action and those it acts on unnamed: "season with salt"."""
    pulled = any(not m.preposition and m.entry.name in PULLED for m in segment.tools)
    if not foods and action.name == "remove" and pulled:
        return []
    on_tool = any(not mention.preposition for mention in segment.tools)
    fitted = len(segment.tools) > 1 and action.name == "add"
    if not foods and on_tool and (fitted or action.name in (*CUTTING, "fold")):
        return []
    if not foods and segment.verb.name in HEAT_ONLY and "speed" not in walk.text.lower():
        return kitchen.contents(kitchen.last_hot)[:MAX_IMPLIED]
    bare = not (foods or segment.vessels or segment.tools or walk.done)
    if bare and segment.verb.name in WARMING:
        inside = kitchen.contents(vessel.name if vessel else kitchen.last_vessel)
        return [n for n in inside if kitchen.foods[n].group != "fat"][:MAX_IMPLIED]
    on_vessel = any(not mention.preposition for mention in segment.vessels)
    bowl = vessel is not None and vessel.use == "cold" and not kitchen.contents(vessel.name)
    if not foods and on_vessel and bowl and action.name in ("chill", "freeze"):
        return []
    if (
        not foods
        and on_vessel
        and action.name in ("wrap", "spread", "coat", "prick", "dry", "wash")
    ):
        return []
    ready = [kitchen.name_of(m) for m in segment.conditions]
    ready = [n for n in dict.fromkeys(ready) if n in kitchen.foods and not kitchen.foods[n].minor]
    if not foods and ready and action.name not in NOTHING_IMPLIED:
        for name in ready:
            see(kitchen, walk, name)
        return ready
    if not foods:
        hinted = _hinted_here(kitchen, walk, segment, action, vessel)
        return (
            hinted
            or implied_foods(kitchen, walk, action, vessel)
            or _hinted(kitchen, walk, segment, action)
        )
    if action.name in ("fry", "boil", "bake") and all(
        kitchen.foods[n].group == "fat" for n in foods
    ):
        known = implied_foods(kitchen, walk, action, vessel, aloud=False)
        return [*(n for n in known if n not in foods), *foods]
    ties = {mention.preposition for mention in segment.foods}
    aside = bool(ties) and ties <= TIED and not segment.refers
    if ties & {"to", "into"}:
        aside = aside and action.name == "add"
    holds_object = any(not mention.preposition for mention in segment.vessels)
    if not aside or segment.guessed or holds_object:
        return foods
    if action.name in CUTTING and ties <= {"in", "into"}:
        return foods
    known = [n for n in implied_foods(kitchen, walk, action, vessel, aloud=False) if n not in foods]
    if ties <= {"over", "on", "onto"} and action.name in ("add", "spread"):
        last = [n for n in kitchen.last_foods if n in kitchen.foods and n not in foods]
        known = last or known
        for name in known:
            see(kitchen, walk, name)
    topped = segment.verb.name in TOPPING and ties == {"with"}
    dish = _dish(kitchen, segment, foods) if topped else None
    if dish is not None:
        see(kitchen, walk, dish)
        return [*(n for n in foods if n != dish), dish]
    over = ties <= {"over", "on", "onto"}
    first = foods if action.name in ("add", "spread") and not over else []
    unique = list(dict.fromkeys([*first, *known[:MAX_IMPLIED], *foods]))
    return sorted(unique, key=lambda n: kitchen.foods[n].minor)


def _dish(kitchen: KitchenState, segment: Segment, foods: Sequence[str]) -> str | None:
    """Return the newest baked dish, if the last vessel only holds what goes onto it."""
    inside = kitchen.contents(kitchen.last_vessel)
    parts = {word for n in inside for word in n.split()}
    made = any(n in inside or parts & set(n.split()) for n in foods)
    if not made and not any(m.entry.group == "made" for m in segment.hints):
        return None
    baked = [food for food in kitchen.foods.values() if food.state == "baked" and not food.minor]
    last = kitchen.vessels.get(kitchen.last_vessel or "")
    mixing = last is not None and last.use == "cold"
    if not baked or not mixing or baked[-1].vessel == kitchen.last_vessel:
        return None
    return baked[-1].name


def _hinted_here(
    kitchen: KitchenState, walk: StepWalk, segment: Segment, action: Action, vessel: Vessel | None
) -> list[str]:
    """Return what lies in the last vessel if a result names the butter or oil in it."""
    names = {kitchen.name_of(m) for m in segment.hints}
    inside = kitchen.contents(vessel.name if vessel else kitchen.last_vessel)
    named = [n for n in inside if n in names and kitchen.foods[n].group == "fat"]
    if action.name in NOTHING_IMPLIED or not named or walk.done:
        return []
    for name in inside:
        see(kitchen, walk, name)
    return [*named, *(n for n in inside if n not in named and not kitchen.foods[n].minor)]


def _hinted(kitchen: KitchenState, walk: StepWalk, segment: Segment, action: Action) -> list[str]:
    """Return the foods of a side clause where nothing else is known: "cook until the rice is soft"."""
    if action.name in NOTHING_IMPLIED:
        return []
    names = [kitchen.meet_food(mention, walk.number).name for mention in segment.hints]
    see_named(kitchen, walk, names)
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
    own = (done for done in walk.done if done.action.name != "prepare")
    done_before = list(own)
    drained = [at for at, done in enumerate(done_before) if done.action.name == "drain"]
    done_before = done_before[drained[-1] :] if drained else done_before
    known = [n for done in done_before for n in done.foods if n in kitchen.foods]
    before = list(dict.fromkeys(known))
    if action.name == "melt":
        before = [n for n in before if kitchen.foods[n].group in MELTING] or before
    if action.name in CUTTING:
        before.sort(key=lambda n: kitchen.foods[n].since_step)
    inside = kitchen.contents(vessel.name if vessel else kitchen.last_vessel)
    loose = [n for n in kitchen.last_foods if n in kitchen.foods and not kitchen.foods[n].minor]
    recent = kitchen.last_step >= walk.number - 1
    apart = recent and bool(loose) and not set(loose) & set(inside)
    cut_before = kitchen.last_action in (*CUTTING, "remove", "drain", "wait")
    taken_out = action.name in CUTTING and cut_before
    if vessel is None and apart and (action.name in APART or taken_out):
        inside = []
    names = before
    if action.name == "serve" and before and all(_pours(kitchen, n) for n in before):
        solid = [n for n in loose if n not in before and not _pours(kitchen, n)]
        names = [*solid, *before]
    if not names and action.name in ("add", "serve") and vessel is not None and aloud:
        names = _brought(kitchen, inside)
    if not names and any(not kitchen.foods[n].minor for n in inside):
        names = inside
    if not names and inside and not recent:
        names = inside
    if not names:
        names = kitchen.last_foods or inside
    names = [n for n in names if not kitchen.foods[n].minor] or list(names)
    if action.name in (*CUTTING, "serve", "remove", "dry"):
        names = [n for n in names if n != "water"] or names
    if action.name in (*CUTTING, "serve"):
        names = [n for n in names if n.split()[-1] not in SIDE_DISHES] or names
    if action.name in ("slice", "roll", "roll up", "uncover") and all(
        _flows(kitchen, n) for n in names
    ):
        baked = [f.name for f in kitchen.foods.values() if f.state == "baked" and not f.minor]
        names = baked[-1:] or names
    for name in names:
        see(kitchen, walk, name)
    if names and not before and aloud:
        of = kitchen.last_step
        listed = ", ".join(names[:3])
        walk.notes.append(
            f"Step {walk.number} names no food, so it uses the {listed} of step {of}."
        )
    return names


def _pours(kitchen: KitchenState, food: str) -> bool:
    """Return True for a liquid, a sauce, a herb and the like, which are no dish."""
    return kitchen.foods[food].minor or kitchen.foods[food].group in GARNISHES


def _flows(kitchen: KitchenState, food: str) -> bool:
    """Return True for a cream, a filling and the like, which nobody slices or rolls."""
    known = kitchen.foods[food]
    return known.group in (*GARNISHES, "cheese", "fat", "powder") or known.state == "mixed"


def _brought(kitchen: KitchenState, inside: Sequence[str]) -> list[str]:
    """Return what "add to the pot" or "ladle into bowls" brings: the last foods and their neighbours."""
    last = [n for n in kitchen.last_foods if n not in inside and not kitchen.foods[n].minor]
    source = kitchen.foods[last[0]].vessel if last else None
    if source is None or not holds(kitchen, source):
        return last
    return [*last, *(n for n in kitchen.contents(source) if n not in last)]


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
        or not holds(kitchen, vessel.name)
    ):
        return foods
    inside = [n for n in kitchen.contents(vessel.name) if kitchen.foods[n].shows]
    joined = given or action.name == "add" or any(name in inside for name in foods)
    if not joined:
        return foods
    carried = [n for n in inside if n not in foods and n != "water"][:MAX_CARRIED]
    for name in carried:
        see(kitchen, walk, name)
    return [*foods, *carried]
