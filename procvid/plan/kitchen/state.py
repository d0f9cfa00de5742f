"""Track the state of the kitchen between steps: the state and vessel of each food.

A food has one state at a time, the last one an action produced; how it came there stays in its
description ("carrot, sliced in step 1"). A vessel is clean until a step uses it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from procvid.plan.kitchen.things import (
    RAW_GROUPS,
    Food,
    Vessel,
    called,
    first_state,
    fits,
    food_looks,
    is_plural,
    size_of,
)
from procvid.plan.language.lexicon import Entry, StateWord
from procvid.plan.language.mention import Mention, is_other_kind
from procvid.plan.language.mentions import GROUP_WORDS, SIDE_DISHES

STIRRED = frozenset(
    "soup stew curry chili chowder sauce gravy filling salad slaw coleslaw topping dressing glaze "
    "frosting".split()
)
"""Products that no picture shows as fried or boiled."""
POURED_GROUPS = frozenset("liquid fat spice powder sweet egg".split())
"""Groups of foods that come in portions: a step may use some of it again."""
CUT_STATES = frozenset("sliced diced grated peeled mashed crumbled torn".split())
COOKED = frozenset(
    "fried boiled baked grilled steamed toasted melted mixed blended cooked mashed kneaded shaped "
    "rolled".split()
)
NAMES_OF_GROUPS: dict[str, frozenset[str]] = {
    "meat": frozenset({"meat", "poultry"}),
    "cheese": frozenset({"cheese"}),
    "pasta": frozenset({"grain"}),
    "noodle": frozenset({"grain"}),
    "fish": frozenset({"fish"}),
    "nut": frozenset({"nut"}),
    "mixed herbs": frozenset({"herb"}),
    "mixed spice": frozenset({"spice"}),
    "mixed vegetables": frozenset({"vegetable", "mushroom"}),
}
"""Foods whose name may also mean all foods of its group in use."""


ORDINALS = ("second", "third", "fourth", "fifth", "sixth")
SEPARATE = frozenset({"bowl", "pot", "frying pan", "jar", "container", "blender"})
"""Vessels of which "a bowl" means another one while the one in use is full."""
BARE_VESSELS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys("pan pans".split(), ("oven", "stove")),
    **dict.fromkeys("dish dishes".split(), ("oven", "serve")),
    **dict.fromkeys("tin tins sheet sheets tray trays".split(), ("oven",)),
}
"""Words for a vessel named before, and the uses of those that they can mean."""
ROUND = frozenset(
    {
        "pot",
        "wok",
        "grill",
        "griddle",
        "slow cooker",
        "pressure cooker",
        "rice cooker",
        "steamer",
        "kettle",
        "double boiler",
        "air fryer",
        "deep fryer",
        "glass",
    }
)
"""Vessels that nobody calls a pan or a dish."""
TITLE_COOKERS = {
    "instant pot": "pressure cooker", "pressure cooker": "pressure cooker",
    "slow cooker": "slow cooker", "crock pot": "slow cooker", "crockpot": "slow cooker",
}  # fmt: skip
"""Machines that a title may name, in which the dish is cooked."""
BIRDS = frozenset({"turkey", "whole chicken", "chicken", "duck", "goose", "turkey breast"})
BIRD_PARTS = frozenset(
    {"wing", "leg", "breast", "thigh", "drumstick", "skin", "neck", "chicken wing", "chicken leg",
     "chicken breast", "chicken thigh", "turkey breast"}
)  # fmt: skip
"""Foods that are parts of a whole bird, if the list has one."""
COLLECTIVES = {"mixed berries": "berry", "bell pepper": "pepper"}
"""Names that may stand for a food in use that ends so: "the berries", "the peppers"."""
COOKERS = frozenset({"pressure cooker", "slow cooker", "rice cooker"})
"""Machines whose inner pot is called "the pot"."""
MACHINES = frozenset({"food processor", "blender", "stand mixer bowl"})
"""Vessels with a bowl of their own."""
PASTAS = frozenset({"spaghetti", "macaroni", "lasagna sheet", "ravioli", "gnocchi", "noodle"})


class KitchenState:
    """State of all foods and vessels while the steps are walked through.

    Args:
        dishes: Foods that the title names; a step that names one means what was made so far.
        title: The words of the title.
    """

    def __init__(self, dishes: Collection[str] = (), title: Collection[str] = ()) -> None:
        self.dishes = frozenset(dishes)
        self.title_words = tuple(title)
        self.title = frozenset(title)
        words = " ".join(title)
        self.cooker = next((kind for name, kind in TITLE_COOKERS.items() if name in words), "")
        self.foods: dict[str, Food] = {}
        self.absorbed: dict[str, tuple[Food, str]] = {}
        self.vessels: dict[str, Vessel] = {}
        self.tools: dict[str, Vessel] = {}
        self.named: list[Vessel] = []
        self.named_later: frozenset[str] = frozenset()
        self.served: set[str] = set()
        self.listed: dict[str, Mention] = {}
        self.last_vessel: str | None = None
        self.last_hot: str | None = None
        self.last_foods: list[str] = []
        self.last_step = 0
        self.last_action: str | None = None

    def list_ingredients(self, mentions: Sequence[Mention], *, served: bool = False) -> None:
        """Store the ingredient list; its looks and states hold from the first use.

        Args:
            mentions: The foods of a line.
            served: Whether they come in at the end: "ice cream, for serving".
        """
        for mention in mentions:
            if served and mention.entry.name not in self.listed:
                self.served.add(mention.entry.name)
            self.listed.setdefault(mention.entry.name, mention)

    def name_of(self, mention: Mention) -> str:
        """Return the food of a mention: "the chicken" may mean the chicken breast in use."""
        name = mention.entry.name
        if name in BIRD_PARTS and name not in self.listed:
            birds = [n for n in self.foods if n in BIRDS]
            name = birds[0] if birds else name
        peppers = [n for n in {**self.foods, **self.listed} if n in ("bell pepper", "chili pepper")]
        if name in ("pepper", "spare rib") and mention.definite and peppers:
            name = peppers[0] if name == "pepper" or name not in self.listed else name
        if name in COLLECTIVES and mention.definite and name not in self.listed:
            last = COLLECTIVES[name]
            name = next((n for n in reversed(self.foods) if n.endswith(last)), name)
        whole_of = self.absorbed[name][1] if name in self.absorbed else ""
        lumps = mention.entry.group not in POURED_GROUPS
        if lumps and mention.definite and not mention.left_over and whole_of == f"{name} mixture":
            return whole_of if whole_of in self.foods else name
        known = {**dict.fromkeys(self.listed), **dict.fromkeys(self.foods)}
        if name in known:
            return name
        if not mention.definite:
            groups = {n: m.entry.group for n, m in self.listed.items()}
            groups |= {n: food.group for n, food in self.foods.items()}
            raw = mention.entry.group in RAW_GROUPS
            kinds = [
                n
                for n in known
                if (n.endswith(f" {name}") or (raw and n.startswith(f"{name} ")))
                and groups[n] == mention.entry.group
                and not is_other_kind(mention, n)
            ]
            return kinds[0] if len(kinds) == 1 else name
        whole = name.split()
        longer = [
            k
            for k in known
            if k != name
            and (k.split()[: len(whole)] == whole or k.split()[-len(whole) :] == whole)
            and not is_other_kind(mention, k)
        ]
        return longer[0] if len(longer) == 1 else name

    def group_members(self, mention: Mention) -> list[str]:
        """Return the foods in use that a group word such as "the meat" means."""
        groups = NAMES_OF_GROUPS.get(mention.entry.name)
        name = mention.entry.name
        if groups is None or name in self.foods or name in self.listed:
            return []
        listed = {m.entry.name: m.entry.group for m in self.listed.values()}
        known = {**listed, **{food.name: food.group for food in self.foods.values()}}
        if name in ("pasta", "noodle"):
            return [known_name for known_name in known if known_name in PASTAS]
        return [known_name for known_name, group in known.items() if group in groups]

    def names_of(self, mention: Mention) -> list[str]:
        """Return the foods of a mention, the members of a group word or one food."""
        return self.group_members(mention) or [self.name_of(mention)]

    def of_groups(self, word: str) -> list[str]:
        """Return the foods in use that a word such as "the vegetables" means."""
        return [f.name for f in self.foods.values() if f.group in GROUP_WORDS[word]]

    def meet_food(
        self, mention: Mention, step: int, *, name: str = "", making: str | None = None
    ) -> Food:
        """Return the food of a mention, added at its first use; adopt a stated state.

        `name` overrides the mention's own ("the meat" means the beef); `making` is the state that
        the step's action makes, which a mention may state as its result ("the onions are sliced").
        """
        name = name or self.name_of(mention)
        portion = not mention.definite and mention.entry.group in POURED_GROUPS
        food = self.foods.get(name) or self._revived(name, apart=mention.left_over or portion)
        looks = food_looks(mention)
        if food is None:
            listed = self.listed.get(name)
            group = listed.entry.group if listed else mention.entry.group
            food = Food(name, group, looks, first_state(group), step)
            food.called = called(listed or mention, name)
            if listed is not None:
                food.looks = looks or food_looks(listed)
                if listed.state is not None and listed.state.state is not None:
                    food.state, food.listed = listed.state.state, True
            self.foods[name] = food
        food.looks = food.looks or looks
        shown = food.called or food.name
        listed = self.listed.get(food.name, mention)
        food.many = food.many or is_plural(mention, shown) or is_plural(listed, shown)
        result = making is not None and mention.state is not None and mention.state.state == making
        if "fresh" in mention.looks and food.state in COOKED and not mention.definite:
            food.state, food.vessel = first_state(food.group), None
        if mention.preposition not in ("until", "till") and not result:
            self.set_state(food, mention.state)
        return food

    def _revived(self, name: str, *, apart: bool) -> Food | None:
        """Return a food that went into a product, if a step names it again; `apart` for its rest."""
        if name not in self.absorbed:
            return None
        food, product = self.absorbed.pop(name)
        whole = self.foods.get(product)
        if whole is not None:
            food.vessel = None if apart else whole.vessel
        self.foods[name] = food
        return food

    def is_product(self, mention: Mention) -> bool:
        """Return True if a mention names what earlier steps made: "the dough", "the soup"."""
        name = mention.entry.name
        if name in self.foods or name in self.listed or mention.preposition in ("for", "as"):
            return False
        if name == "topping" and mention.preposition == "with":
            return False
        group = mention.entry.group
        bought = (
            n for n in self.listed if n.endswith(name) and n not in {**self.foods, **self.absorbed}
        )
        if name in SIDE_DISHES and any(bought):
            return False
        dish = name in self.dishes and group in ("bread", "other", "sauce")
        return (group == "made" or dish) and (mention.definite or mention.preposition != "with")

    def become(self, parts: Sequence[str], mention: Mention, step: int) -> Food | None:
        """Replace foods by what they have become; None if there are no such foods."""
        known = [self.foods[name] for name in dict.fromkeys(parts) if name in self.foods]
        solid = any(food.group in RAW_GROUPS | {"bread", "grain", "egg"} for food in known)
        raw = any(food.group in RAW_GROUPS for food in known)
        if not known or (mention.entry.name in SIDE_DISHES and solid):
            return None
        main = next((food for food in known if not food.minor), known[0])
        name = mention.entry.name
        made = Food(name, mention.entry.group, food_looks(mention), main.state, step, main.vessel)
        if len(known) > 1 or made.state in CUT_STATES:
            states = [food.state for food in known]
            stirred = (state for state in ("kneaded", "mixed", "blended") if state in states)
            cooked = (state for state in states if state in COOKED)
            made.state = next(stirred, next(cooked, "mixed"))
        if name.split()[-1] in STIRRED:
            made.state = "mixed"
        floury = not raw and any(food.is_of({"powder"}) for food in known)
        made.base = "powder" if floury else main.base or main.group
        made.many = is_plural(mention, name)
        for part in known:
            self.absorbed[part.name] = (self.foods.pop(part.name), name)
        self.foods[name] = made
        gone = {part.name for part in known}
        left = [n for n in self.last_foods if n not in gone]
        self.last_foods = left if len(left) == len(self.last_foods) else [made.name, *left]
        return made

    def forget(self, food: str) -> None:
        """Take a food out of use, as if no step had named it."""
        del self.foods[food]
        self.last_foods = [name for name in self.last_foods if name != food]

    def product_of(self, name: str) -> str:
        """Return what a food has become, at the end of the chain; its own name if it is gone."""
        seen = {name}
        while name in self.absorbed and self.absorbed[name][1] not in seen:
            name = self.absorbed[name][1]
            seen.add(name)
        return name

    def mixture_of(self, name: str) -> str | None:
        """Return the mixture that a food went into: "the cheese mixture"; None if there is none."""
        parts = [part for part in self.absorbed if part == name or part.endswith(f" {name}")]
        made = [self.product_of(part) for part in parts]
        made += [food for food in self.foods if food == f"{name} mixture"]
        return next((food for food in made if food in self.foods), None)

    def knows(self, mention: Mention) -> bool:
        """Return True if a food is in use, or is what was made so far."""
        return self.name_of(mention) in self.foods or self.is_product(mention)

    def left_over(self) -> list[Mention]:
        """Return the listed ingredients that no step has used yet and no later step names."""
        used = {*self.foods, *self.absorbed}
        used |= self.served
        left = {name: mention for name, mention in self.listed.items() if name not in used}
        unnamed = [mention for name, mention in left.items() if name not in self.named_later]
        return unnamed or list(left.values())

    def set_state(self, food: Food, stated: StateWord | None) -> None:
        """Adopt a state from the text, unless the food is further along already."""
        if stated is None or stated.state is None or stated.state == food.state:
            return
        if food.state in COOKED and (stated.kind == "cut" or stated.state == "cooked"):
            return
        if stated.state == "whole" and food.history:
            return
        food.state, food.listed = stated.state, False

    def change_state(self, food: Food, state: str, step: int) -> None:
        """Set the state that an action of this step gives a food."""
        food.state, food.listed = state, False
        food.history.append((state, step))

    def meet_vessel(self, mention: Mention, step: int) -> Vessel:
        """Return the vessel of a mention; "another bowl" or a bowl of another size is a new one."""
        vessel = self._meet_vessel(mention, step)
        self.named = [*(v for v in self.named if v is not vessel), vessel]
        return vessel

    def _meet_vessel(self, mention: Mention, step: int) -> Vessel:
        kind, looks = mention.entry.name, mention.looks
        known = self._meant(mention)
        if known is not None:
            return known
        same_kind = [v for v in self.vessels.values() if v.kind == kind and v.used]
        if not mention.indefinite and not mention.sized:
            same_kind = same_kind or self._called(mention.wording)
        same_kind = same_kind or [v for v in self.vessels.values() if v.kind == kind]
        for vessel in same_kind:
            separate = mention.indefinite and kind in SEPARATE and self._filled(vessel.name)
            separate = separate and kind not in MACHINES
            if (
                vessel.name == self.last_vessel
                and not mention.another
                and not separate
                and fits(vessel.looks, looks)
            ):
                vessel.looks = vessel.looks or looks
                return vessel
        fitting = [v for v in same_kind if fits(v.looks, looks)]
        fitting.sort(key=lambda v: self.named.index(v) if v in self.named else -1, reverse=True)
        if fitting and mention.indefinite and kind in SEPARATE - MACHINES:
            fitting = [v for v in fitting if not self._filled(v.name)]
        if fitting and not mention.another:
            fitting[0].looks = fitting[0].looks or looks
            return fitting[0]
        name = kind
        if same_kind:
            differs = size_of(looks) and not mention.another
            name = f"{size_of(looks)} {kind}" if differs else f"second {kind}"
        if mention.another or (name in self.vessels and self._filled(name)):
            name = next((f"{n} {kind}" for n in ORDINALS if not self._filled(f"{n} {kind}")), name)
        if name in self.vessels:
            return self.vessels[name]
        made = Vessel(name, kind, mention.entry.group, looks, step, wording=mention.wording)
        return self.vessels.setdefault(name, made)

    def _filled(self, vessel: str) -> bool:
        return vessel in self.vessels and bool(self.contents(vessel))

    def _meant(self, mention: Mention) -> Vessel | None:
        """Return the vessel that "the prepared pan" or a bare "pan" means: the last one named."""
        bare = mention.wording in BARE_VESSELS
        if mention.another or mention.indefinite:
            return None
        ready = [v for v in self.vessels.values() if v.prepared]
        if mention.prepared and ready:
            same = (v for v in reversed(ready) if v.kind == mention.entry.name)
            return next(same, ready[-1])
        machine = self.vessels.get(self.last_vessel or "")
        of_machine = mention.wording == "pot" and not mention.sized
        if of_machine and machine is not None and machine.kind in COOKERS:
            return machine
        bowls = machine is not None and machine.kind in MACHINES - {"blender"}
        if mention.wording == "bowl" and machine is not None and bowls:
            return machine if mention.definite and not size_of(mention.looks) else None
        if not bare or size_of(mention.looks):
            return None
        uses = BARE_VESSELS[mention.wording]
        flat = next((v for v in reversed(self.named) if v.use in uses and _is_flat(v)), None)
        hot = self.vessels.get(self.last_hot or "")
        return hot if flat is None and mention.definite and mention.wording == "pan" else flat

    def _called(self, wording: str) -> list[Vessel]:
        """Return the vessels in use that a bare "dish", "pan" or "tray" can mean."""
        if wording not in ("dish", "pan", "tin", "tray", "sheet", "basket", "pot", "dishes"):
            return []
        return [
            v
            for v in self.vessels.values()
            if v.name.endswith(wording) or v.wording.endswith(wording)
        ]

    def begin_part(self) -> None:
        """Begin another part of the recipe: nothing that lies about belongs to it."""
        self.last_vessel = self.last_hot = None
        self.last_foods = []

    def begin_variant(self, heading: str) -> None:
        """Begin the recipe anew as a heading says ("Stove top"): nothing was done to the food yet."""
        words = heading.lower()
        self.cooker = next((kind for name, kind in TITLE_COOKERS.items() if name in words), "")
        self.begin_part()
        self.foods.clear()
        self.absorbed.clear()

    def get_vessel(self, entry: Entry, step: int, foods: Sequence[str] = ()) -> Vessel:
        """Return an unnamed vessel of that kind: the last used one, that of the foods, or a free one."""
        same_kind = [v for v in self.vessels.values() if v.kind == entry.name]
        if same_kind and entry.name in MACHINES | COOKERS:
            return same_kind[0]
        new = len(foods) > 1 and all(self.foods[n].vessel is None for n in foods if n in self.foods)
        for vessel in same_kind:
            if vessel.name == self.last_vessel and not (new and self._filled(vessel.name)):
                return vessel
        known = [self.foods[name] for name in foods if name in self.foods]
        held = {food.vessel for food in known if food.group not in POURED_GROUPS}
        for vessel in same_kind:
            if vessel.name in held or entry.group == "cut" or not self._filled(vessel.name):
                return vessel
        free = (f"{n} {entry.name}" for n in ORDINALS if not self._filled(f"{n} {entry.name}"))
        name = next(free, f"second {entry.name}") if same_kind else entry.name
        return self.vessels.setdefault(name, Vessel(name, entry.name, entry.group, "", step))

    def meet_serving_bowl(self, step: int) -> Vessel:
        """Return an empty bowl for a soup: a bowl in use holds what was mixed in it."""
        free = [v for v in self.vessels.values() if v.kind == "bowl" and not self.contents(v.name)]
        if free:
            return free[0]
        name = "serving bowl" if "bowl" in self.vessels else "bowl"
        return self.vessels.setdefault(name, Vessel(name, "bowl", "cold", "", step))

    def contents(self, vessel: str | None) -> list[str]:
        """Return the foods in a vessel: those of the last step in order, then the newest first."""
        if vessel is None:
            return []
        inside = dict.fromkeys(f.name for f in self.foods.values() if f.vessel == vessel)
        recent = [name for name in self.last_foods if name in inside]
        return [*recent, *(name for name in reversed(inside) if name not in recent)]

    def base_beside(self, moved: Sequence[str]) -> list[str]:
        """Return what lies ready in another vessel than the moved foods: the crust in its dish."""
        source = {self.foods[name].vessel for name in moved if name in self.foods}
        source = source or {self.last_vessel}
        order = [*(v for v in self.vessels.values() if v not in self.named), *self.named]
        filled = [v for v in reversed(order) if v.name not in source and v.use != "cut"]
        filled = [v for v in filled if any(not self.foods[n].minor for n in self.contents(v.name))]
        filled.sort(key=lambda v: v.use != "oven")
        return self.contents(filled[0].name) if filled else []

    def is_filled(self, vessel: str | None) -> bool:
        """Return True if a vessel holds more than oil, salt and the like."""
        return any(not self.foods[name].minor for name in self.contents(vessel))

    def is_among(self, food: str, others: Sequence[str]) -> bool:
        """Return True if a food lies in the vessel of one of the others."""
        vessel = self.foods[food].vessel
        return vessel is not None and any(self.foods[n].vessel == vessel for n in others)

    def beside(self, food: str) -> list[str]:
        """Return a food with all that lies in its vessel, a board apart."""
        vessel = self.vessels.get(self.foods[food].vessel or "")
        if vessel is None or vessel.use in ("cut", "passing"):
            return [food]
        return [food, *(n for n in self.contents(vessel.name) if n != food)]

    def holds(self, vessel: str, *groups: str) -> bool:
        """Return True if a vessel holds a food of one of the groups."""
        return any(self.foods[name].group in groups for name in self.contents(vessel))

    def put(self, food: Food, vessel: Vessel | None) -> None:
        """Move a food, and place it last in the order."""
        food.vessel = vessel.name if vessel else None
        self.foods[food.name] = self.foods.pop(food.name)


def _is_flat(vessel: Vessel) -> bool:
    """Return True for a vessel that people call a pan or a dish: a saucepan, no pot."""
    return vessel.kind not in ROUND or vessel.wording.endswith("pan")
