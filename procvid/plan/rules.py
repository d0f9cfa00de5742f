"""Plan a recipe by rules: lexicon, grammar of imperatives and the state of the kitchen.

A step may contain several actions. All of them change the kitchen, and one names the step: the
action with the most to see (the lexicon's weight: slicing or frying before adding, adding before
heating, heating before waiting). At equal weight the first one wins, unless a later action changes
the same food ("dice the onion and fry it" shows frying) or is the only one to name its vessel ("add
the parsley and serve on a plate" shows serving).
"""

from __future__ import annotations

import re

from procvid.plan.codec import MAX_OBJECTS
from procvid.plan.kitchen.named_vessel import MIXER_SPEED
from procvid.plan.kitchen.state import KitchenState
from procvid.plan.kitchen.stepwalk import Done, StepWalk
from procvid.plan.kitchen.things import Vessel
from procvid.plan.kitchen.walk import finish_step, walk_step
from procvid.plan.language.english import NO_FOODS, is_known, is_number
from procvid.plan.language.lexicon import Entry, phrase, plurals, words
from procvid.plan.language.mention import Mention
from procvid.plan.language.reading import OwnFoods, own_foods, read_step
from procvid.plan.recipe.servings import other_notes
from procvid.plan.writing.prompt import enhance
from procvid.plan.writing.wording import DEVICES
from procvid.types import Plan, PlannedObject, Recipe, StepPlan

PLANNER = "rules 1"
MAX_FOODS = 8
VESSEL_IMPORTANCE, SURFACE_IMPORTANCE, TOOL_IMPORTANCE = 0.9, 0.7, 0.5
FOOD_IMPORTANCE = (0.8, 0.65, 0.55, 0.45, 0.4, 0.36, 0.33, 0.31)
MINOR_IMPORTANCE = 0.25
HEAVY = frozenset("meat poultry fish seafood grain made vegetable legume".split())
"""Groups of foods that stay in a crowded plan, although the step does not name them."""
GLUED = re.compile(
    r"(?<=[\d½¼¾⅓⅔⅛] )(cups?|teaspoons?|tablespoons?|ounces?|pounds?|grams?)(?!cake|ful|s\b)"
    r"(?=[a-z]{3})",
    re.IGNORECASE,
)
"""A unit without a space before the food: "3 cupswater"."""
SERVED_LINE = re.compile(r"\b(?:for|to) (?:serv|garnish|decorat|cook|fry|greas)|\bgarnish\b")
COOKED_APART = {"grain": "boil", "fat": "melt"}
"""Groups of foods that a later action of that name takes from the list: "boil the pasta"."""


def plan_recipe(recipe: Recipe) -> Plan:
    """Plan every step of a recipe. Any text gets a plan; the notes list the assumptions."""
    own = own_words(recipe)
    title = read_step(recipe.title, own)
    dishes = [m.entry.name for s in title.segments for m in s.foods]
    kitchen = KitchenState(dishes, [w.text for w in words(recipe.title)])
    for line in recipe.ingredients:
        kitchen.list_ingredients(_listed(line, own), served=bool(SERVED_LINE.search(line.lower())))
    readings = [read_step(text, own) for text in recipe.steps]
    steps: list[StepPlan] = []
    notes = other_notes(recipe.notes)
    for number, (text, reading) in enumerate(zip(recipe.steps, readings, strict=True), start=1):
        kitchen.named_later = frozenset(
            m.entry.name
            for r in readings[number:]
            for s in r.segments
            for m in s.foods
            if s.verb.action.name in ADDING or COOKED_APART.get(m.entry.group) == s.verb.action.name
        )
        walk = walk_step(kitchen, number, text, reading, readings[number:])
        steps.append(plan_step(kitchen, walk))
        finish_step(kitchen, walk)
        goes_on = (
            bool(recipe.parents) and recipe.parents[number - 1] in recipe.parents[: number - 1]
        )
        notes += [note for note in walk.notes if not (goes_on and NO_FOOD in note)]
    return Plan(recipe.title, tuple(steps), PLANNER, tuple(dict.fromkeys(notes)))


def _listed(line: str, own: OwnFoods) -> list[Mention]:
    """Return the foods of a line of the ingredient list; what a comma or a dash adds is no food."""
    line = GLUED.sub(r"\1 ", line)
    tokens = words(line)
    found = [m for segment in read_step(line, own).segments for m in segment.foods]
    note = re.search(r",| [-–—] ", line)
    end = note.start() if note else len(line)
    return [m for m in found if tokens[m.index].start < end] or found[:1]


def own_words(recipe: Recipe) -> OwnFoods:
    """Return the foods of the recipe's list that the lexicon lacks, and the words it may mean."""
    entries = {
        phrase(name): Entry(name, "food", "other", ()) for name in own_foods(recipe.ingredients)
    }
    entries |= {(*key[:-1], key[-1] + "s"): entry for key, entry in entries.items()}
    head = re.split(r"\bwith\b|\brecipe\b|[(|,:–—]", recipe.title.lower())[0]
    title = [w.text for w in words(head)][-2:]
    dishes = [w for w in title if not is_known(w) and not is_number(w) and w not in NO_FOODS]
    for word in dishes:
        made = Entry(word, "food", "made", ())
        for form in (word, *plurals(word)):
            entries.setdefault((form,), made)
    known = {w.text for line in (recipe.title, *recipe.ingredients) for w in words(line)}
    return OwnFoods(entries, frozenset(known))


def choose_main(kitchen: KitchenState, walk: StepWalk) -> Done:
    """Return the action that names the step; see the module docstring."""
    best = walk.done[0]
    for done in walk.done[1:]:
        more = _weight(kitchen, done) - _weight(kitchen, best)
        same_food = bool(set(done.changed) & set(best.changed))
        better_placed = (
            bool(done.mentioned_vessels) and not best.mentioned_vessels and not done.changed
        )
        if more > 0 or (more == 0 and (same_food or better_placed)):
            best = done
    return best


def _weight(kitchen: KitchenState, done: Done) -> int:
    """Return how much there is to see; actions on butter or salt alone count less."""
    if done.changed and all(kitchen.foods[name].minor for name in done.changed):
        return min(done.action.weight, 2)
    return done.action.weight


def plan_step(kitchen: KitchenState, walk: StepWalk) -> StepPlan:
    """Return the plan of a step that was walked through."""
    main = choose_main(kitchen, walk)
    if main.action.weight <= 1:
        walk.notes.append(f"Step {walk.number} ({main.action.name}) has little to show.")
    things = [
        *_vessel_objects(kitchen, walk, main),
        *_food_objects(kitchen, walk, main),
        *_tool_objects(kitchen, walk, main),
    ]
    if len(things) >= MAX_OBJECTS:
        walk.notes.append(
            f"Step {walk.number} names {len(things)} objects; the plan keeps {MAX_OBJECTS - 1}."
        )
    objects = (
        *things[: MAX_OBJECTS - 1],
        PlannedObject(
            "counter", "surface", "counter", "clean", "clean", "highly_likely",
            SURFACE_IMPORTANCE, mentioned=False,
        ),
    )  # fmt: skip
    prompt = enhance(walk.text, main.action.name, objects)
    return StepPlan(walk.number, walk.text, main.action.name, objects, prompt)


def _vessel_objects(kitchen: KitchenState, walk: StepWalk, main: Done) -> list[PlannedObject]:
    names = [main.vessel.name] if main.vessel else []
    names += [name for name in walk.mentioned_vessels if name not in names]
    objects = []
    for rank, name in enumerate(dict.fromkeys(names)):
        vessel = kitchen.vessels[name]
        vessel.since_step = vessel.since_step if vessel.used else walk.number
        objects.append(
            PlannedObject(
                name=name,
                role="vessel",
                description=vessel.description(),
                state_before="in use" if vessel.used else "clean",
                state_after="in use",
                likelihood="highly_likely",
                importance=round(max(VESSEL_IMPORTANCE - 0.3 * rank, 0.3), 2),
                mentioned=name in walk.mentioned_vessels,
                since_step=vessel.since_step,
            )
        )
        vessel.used = True
    return objects


def _food_objects(kitchen: KitchenState, walk: StepWalk, main: Done) -> list[PlannedObject]:
    shown = [done for done in walk.done if done.action.name != "prepare"]
    names = list(dict.fromkeys([*main.foods, *(n for done in shown for n in done.foods)]))
    names = [name for name in names if name in kitchen.foods]
    crowded = len(names) > MAX_FOODS
    names.sort(key=lambda n: (crowded and n not in walk.mentioned, kitchen.foods[n].minor))
    if crowded:
        carried = [n for n in names if n not in walk.mentioned]
        heavy = [n for n in carried if kitchen.foods[n].group in HEAVY]
        heavy = sorted(heavy, key=lambda n: kitchen.foods[n].group not in MEATS)[:2]
        first = [n for n in names if n not in heavy][: MAX_FOODS - len(heavy)]
        names = [*first, *heavy, *(n for n in names if n not in (*first, *heavy))]
    if main.changed and kitchen.foods[main.changed[0]].minor is False:
        names.sort(key=lambda n: n != main.changed[0])
    if len(names) > MAX_FOODS:
        walk.notes.append(
            f"Step {walk.number} names {len(names)} foods; the plan keeps the first {MAX_FOODS}."
        )
    objects = []
    for rank, name in enumerate(names[:MAX_FOODS]):
        food = kitchen.foods[name]
        before = walk.before.get(name, food.state)
        minor = food.minor and rank > 0
        objects.append(
            PlannedObject(
                name=name,
                role="food",
                description=walk.past.get(name, food.description()),
                state_before=before,
                state_after=food.state,
                likelihood="likely" if before == food.state else "unlikely",
                importance=MINOR_IMPORTANCE if minor else FOOD_IMPORTANCE[rank],
                mentioned=name in walk.mentioned,
                since_step=food.since_step,
            )
        )
    return objects


NO_FOOD = "names no food"
"""In the note of a step that uses the foods before it; the later shots of a step always do."""
ADDING = frozenset("add mix spread squeeze grate coat fill crumble".split())
"""Actions that bring an ingredient; a later one says that it is not among "all ingredients" now."""
VERB_TOOLS = {
    "brush": "pastry brush", "baste": "pastry brush", "roll out": "rolling pin",
    "refrigerate": "fridge", "chill": "fridge", "microwave": "microwave", "freeze": "freezer",
}  # fmt: skip
STIRRERS = ("whisk", "spoon", "electric mixer")
WHISKING = frozenset({"whisk", "beat", "whip", "whisk together", "whisk in", "beat in"})
LUMPS = frozenset("meat poultry bread grain made nut fish seafood legume".split())
MEATS = frozenset({"meat", "poultry", "fish"})
BY_HAND = re.compile(r"\b(?:with|using|use|by)\b[^.;,:]*\b(?:hands?|fingers|fingertips)\b")
CRUMBS = frozenset({"breadcrumbs", "oreo", "oats"})
STIRRING = frozenset({"fork", "whisk", "spoon", "spatula", "electric mixer", "chopsticks"})
LIDDED = frozenset({"jar", "container"})
COVERS = {"stove": "lid", "oven": "foil", "cold": "kitchen towel"}
"""What covers a vessel of each use, if the step does not say it."""


def _is_coarse(kitchen: KitchenState, done: Done) -> bool:
    """Return True if a spoon mixes the foods rather than a whisk."""
    groups = [kitchen.foods[n].group for n in done.foods if n in kitchen.foods]
    return (
        any(group in LUMPS for group in groups)
        or bool(CRUMBS & set(done.foods))
        or groups[:1] == ["cheese"]
        or (groups[:1] in (["vegetable"], ["fruit"], ["mushroom"]))
    )


WRAPPINGS = frozenset(
    {"lid", "foil", "plastic wrap", "parchment paper", "kitchen towel", "stove", "oven"}
)
"""Tools that come beside another tool, so that an action's usual tool stays."""


def _tool_objects(kitchen: KitchenState, walk: StepWalk, main: Done) -> list[PlannedObject]:
    named = list(
        {
            m.entry.name: m
            for done in walk.done
            for m in done.tools
            if done is main or m.entry.name not in DEVICES
        }.values()
    )
    objects: list[PlannedObject] = []
    usual = VERB_TOOLS.get(main.verb, main.action.tool)
    if main.verb.startswith("remove ") and not main.verb.endswith(("skin", "skins", "peel")):
        usual = None
    if main.action.name == "cover" and main.vessel is not None and not named:
        usual = "lid" if main.vessel.kind in LIDDED else COVERS.get(main.vessel.use)
    if main.action.name == "mix" and main.verb not in WHISKING and _is_coarse(kitchen, main):
        usual = "spoon"
    if main.action.name == "mix" and MIXER_SPEED.search(walk.text.lower()):
        usual = "electric mixer"
    if main.vessel is not None and main.vessel.kind == "stand mixer bowl" and usual in STIRRERS:
        usual = None
    stirred = usual in ("whisk", "spoon") and any(m.entry.name in STIRRING for m in named)
    if stirred or main.verb in ("shake", "swirl"):
        usual = None
    baked = any(kitchen.foods[n].state == "baked" for n in main.foods if n in kitchen.foods)
    if main.verb == "roll" and baked:
        usual = None
    meaty = any(kitchen.foods[n].group in MEATS for n in main.foods if n in kitchen.foods)
    if main.action.name == "flatten" and not meaty:
        usual = None
    if BY_HAND.search(walk.text.lower()):
        usual = None
    if main.action.name == "preheat" and walk.mentioned_vessels:
        usual = None
    machine = main.vessel is not None and main.vessel.name in ("blender", "food processor")
    alone = all(m.entry.name in WRAPPINGS - {usual} for m in main.tools)
    absent = all(m.entry.name != usual for m in named)
    if usual and not machine and absent and (alone or usual == "oven"):
        objects.append(_tool_object(kitchen, walk, usual, "", TOOL_IMPORTANCE, mentioned=False))
    for rank, mention in enumerate(named):
        importance = max(TOOL_IMPORTANCE - 0.05 * (rank + len(objects)), 0.2)
        name = mention.entry.name
        objects.append(_tool_object(kitchen, walk, name, mention.looks, importance, mentioned=True))
    return objects


def _tool_object(
    kitchen: KitchenState,
    walk: StepWalk,
    name: str,
    looks: str,
    importance: float,
    *,
    mentioned: bool,
) -> PlannedObject:
    tool = kitchen.tools.setdefault(name, Vessel(name, name, "", looks, walk.number))
    tool.looks = tool.looks or looks
    used, tool.used = tool.used, True
    return PlannedObject(
        name=name,
        role="tool",
        description=tool.description(),
        state_before="in use" if used else "clean",
        state_after="in use",
        likelihood="likely",
        importance=round(importance, 2),
        mentioned=mentioned,
        since_step=tool.since_step,
    )
