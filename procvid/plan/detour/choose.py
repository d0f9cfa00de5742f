"""Choose what takes the place of a food or tool, by the table of substitutions."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from procvid.errors import InputError
from procvid.plan.detour.table import Substitution, allowed_for, excluded_by, substitutes
from procvid.plan.detour.uses import uses_of
from procvid.plan.detour.wishes import Swap
from procvid.plan.detour.words import Thing, foods_named, names, sentence, thing_of
from procvid.plan.language.english import COMMON, is_number
from procvid.plan.language.lexicon import lexicon, words
from procvid.types import Plan, Recipe

OPTIONAL = frozenset({"spice", "herb", "nut"})
"""Groups of foods that a dish can do without."""
KEPT_FORMS = frozenset("canned dried frozen fresh powder flakes granules paste salt juice".split())
"""The same food in another form takes no place of it: whoever does without garlic wants no powder."""
MADE = frozenset({"made", "bread"})
"""Groups of foods that a recipe may make of others."""
LISTED = 8
FEW_FOODS = 4


def foods_of(recipe: Recipe) -> list[str]:
    """Return the lexicon's foods that a recipe names, in their order, without those that it makes.

    A dish or bread that is not among the ingredients is made: croutons of the bread, the batter.
    """
    listed = dict.fromkeys(name for line in recipe.ingredients for name in foods_named(line))
    named = dict.fromkeys(name for text in recipe.whole_steps for name in foods_named(text))
    found = listed | {name: None for name in named if not (listed and thing_of(name).group in MADE)}
    return list(found)


def explicit_swap(recipe: Recipe, plan: Plan, old: str, new: str) -> Swap:
    """Return the swap that a person asks for, with what the table says about it.

    Raises:
        InputError: The recipe does not have the thing.
    """
    thing, instead = _there(recipe, plan, old), thing_of(new)
    _check_thing(new)
    if thing.name == instead.name and thing.words == instead.words:
        raise InputError(f"The swap of {old} with itself changes nothing.", "Name another thing.")
    known = substitutes(thing.name, uses_of(plan, thing.name))
    twice = (f"{sentence(new)} is in the recipe already. Check its amount.",)
    there = twice if is_in(recipe, plan, new) and instead.name != thing.name else ()
    row = next((row for row in known if _same_kind(row.instead, instead.name)), None)
    if row is not None:
        swap = _swap(thing, row, new)
        return replace(swap, notes=(*swap.notes, *there))
    roles = [one.entry.role for one in (thing, instead) if one.entry is not None]
    if len(roles) == 2 and roles.count("food") == 1:
        raise InputError(
            f"{sentence(new)} cannot take the place of {old}.",
            "Swap a food with a food, and a tool with a tool.",
        )
    better = list(dict.fromkeys(one.instead for one in known))[:3]
    notes = (
        (f"{sentence(new)} is no known substitute for {old} here; known: {', '.join(better)}.",)
        if better
        else ()
    )
    return Swap(thing.words, new, (*notes, *there))


def chosen_swap(
    recipe: Recipe, plan: Plan, old: str, diets: Sequence[str], refused: Collection[str]
) -> Swap:
    """Return what takes the place of a thing that a person does without: a substitute, or nothing.

    Raises:
        InputError: The recipe does not have the thing, or the dish needs it and no substitute is
            known.
    """
    thing = _there(recipe, plan, old)
    if thing.group in OPTIONAL:
        return Swap(thing.words, "", ())
    row = _first(thing, plan, diets, refused)
    if row is not None:
        return _swap(thing, row, row.instead)
    if thing.entry is not None and thing.entry.role != "food":
        raise InputError(
            f"No substitute for the {old} is known.",
            f'Name one with --swap "{old}=...", or skip the step.',
        )
    if _is_main(plan, thing):
        raise InputError(
            f"The dish is made of {old}, and no substitute is known.",
            f'Name one with --swap "{old}=...".',
        )
    return Swap(thing.words, "", (f"Nothing takes the place of the {old}.",))


def diet_swaps(
    recipe: Recipe,
    plan: Plan,
    diet: str,
    diets: Sequence[str],
    taken: Collection[str],
    refused: Collection[str],
) -> list[Swap]:
    """Return a swap for each food that a diet excludes.

    Raises:
        InputError: There is no such diet, or no substitute is known for some of the foods.
    """
    excluded_by(diet)
    found, missing = [], []
    bought = {food for line in recipe.ingredients for food in foods_named(line)}
    for name in foods_of(recipe):
        if name in taken or allowed_for(name, diet):
            continue
        thing = thing_of(name)
        row = _first(thing, plan, diets, refused)
        if row is not None:
            found.append(_swap(thing, row, row.instead))
        elif thing.group in OPTIONAL:
            found.append(Swap(name, "", ()))
        elif name in bought or not bought:
            # A food that only a step names may be a colour or a comparison; a note names it.
            missing.append(name)
    if missing:
        listed = ", ".join(missing)
        raise InputError(
            f"No {diet} substitute is known for {listed}.",
            f'Name one with --swap "{missing[0]}=...", or leave it out with --without.',
        )
    return found


def _is_form(one: str, of: str) -> bool:
    """Return True for garlic powder and canned tomato, forms of garlic and tomato."""
    rest = one.replace(of, "").split() if of in one else []
    return bool(rest) and all(word in KEPT_FORMS for word in rest)


def _check_thing(name: str) -> None:
    """Raise InputError for words that name no thing: "1", "the", "boil", "<b>"."""
    tokens = words(name)
    known = lexicon().look_up(name) is not None
    plain = all(c.isalnum() or c in " '-" for c in name) and any(c.isalpha() for c in name)
    things = [word.text for word in tokens if not (word.text in COMMON or is_number(word.text))]
    is_verb = len(tokens) == 1 and lexicon().verb_at(tokens, 0) is not None
    if not known and (not plain or not things or is_verb):
        raise InputError(f"{name[:40]!r} is no food or tool.", "Name one, such as onion or whisk.")


def _same_kind(one: str, other: str) -> bool:
    """Return True for the same thing, and for two oils."""
    return one == other or (one.endswith("oil") and other.endswith("oil"))


def is_in(recipe: Recipe, plan: Plan, name: str) -> bool:
    """Return True if a recipe names a thing, or its plan shows it."""
    thing = thing_of(name)
    texts = (recipe.title, *recipe.ingredients, *recipe.whole_steps)
    shown = any(item.name == thing.name for step in plan.steps for item in step.objects)
    return bool(thing.words) and (shown or any(names(text, thing) for text in texts))


def _there(recipe: Recipe, plan: Plan, name: str) -> Thing:
    _check_thing(name)
    if is_in(recipe, plan, name):
        return thing_of(name)
    listed = foods_of(recipe)
    more = ", ..." if len(listed) > LISTED else ""
    raise InputError(
        f"The recipe has no {name[:60]}.", f"Its foods are {', '.join(listed[:LISTED])}{more}."
    )


def _first(
    thing: Thing, plan: Plan, diets: Sequence[str], refused: Collection[str]
) -> Substitution | None:
    """Return the first substitute that keeps the diets, or None."""
    unwanted = {thing_of(name).name for name in refused} | {thing.name}
    actions = {
        step.action for step in plan.steps for item in step.objects if item.name == thing.name
    }
    rows = [
        row
        for row in substitutes(thing.name, uses_of(plan, thing.name) | actions)
        if row.instead not in unwanted
        and not _is_form(row.instead, thing.name)
        and all(allowed_for(row.instead, diet) for diet in diets)
    ]
    return rows[0] if rows else None


def _swap(thing: Thing, row: Substitution, new: str) -> Swap:
    is_tool = thing.entry is not None and thing.entry.role != "food"
    if is_tool:
        action = row.use if row.use != "any" else ""
        note = f"Use a {new} instead of the {thing.words}."
        extra = (row.adds,) if row.adds else ()
        return Swap(thing.words, new, (note, *extra), verb=row.needs, action=action)
    amount = f" ({row.amount})" if row.amount and not _is_number(row.amount) else ""
    condition = f", {row.needs}" if row.needs else ""
    what = f"{thing.words} -> {new}{amount}{condition}."
    extra = (f"{sentence(new)}: {row.adds}",) if row.adds else ()
    number = _is_number(row.amount)
    return Swap(
        thing.words,
        new,
        (what, *extra),
        factor=row.amount if number else "",
        amount="" if number else row.amount,
    )


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).replace("/", "", 1).isdigit()


def _is_main(plan: Plan, thing: Thing) -> bool:
    """Return True if the title names the food, or half of the steps of a dish of few foods show it first."""
    shown = 0
    for step in plan.steps:
        foods = [item.name for item in step.objects if item.role == "food"]
        shown += thing.name in foods[:1]
    all_foods = {o.name for step in plan.steps for o in step.objects if o.role == "food"}
    few = len(all_foods) <= FEW_FOODS
    return names(plan.title, thing) or (few and 2 * shown >= len(plan.steps))
