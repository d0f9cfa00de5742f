"""The table of substitutions is sound, and no diet is led to a food that it excludes."""

from __future__ import annotations

from collections import Counter

import pytest

from procvid.errors import InputError
from procvid.plan.detour.table import (
    all_substitutions,
    allowed_for,
    contains,
    diets,
    excluded_by,
    substitutes,
)
from procvid.plan.language.lexicon import lexicon, phrase, read_rows

FOOD_USES = frozenset(
    "any frying baking binding alone topping raw thickening sweetening seasoning whipping coating"
    " sauce boiling".split()
)
ALLERGENS = frozenset(
    "gluten dairy egg peanuts nuts soy fish shellfish sesame celery mustard lupin sulphites".split()
)
ANIMAL = frozenset("meat pork beef poultry honey gelatin".split())
TAGS = ALLERGENS | ANIMAL | {"alcohol"}
GROUP_TAGS = {
    "poultry": {"meat", "poultry"}, "meat": {"meat"}, "fish": {"fish"}, "seafood": {"shellfish"},
    "egg": {"egg"}, "cheese": {"dairy"},
}  # fmt: skip
PLANTS = {"flax egg", "chia egg", "vegan cheese", "vegan cream cheese", "vegan sausage"}
"""Foods made of plants in a group of animal foods."""

CHECKED = {
    "": "carrot|rice|rice noodle|glass noodle|corn tortilla|coconut aminos|rice milk|olive oil|"
        "maple syrup|water|vegan cheese|flax egg|chia egg|aquafaba|gluten-free flour|agar|"
        "quinoa|buckwheat|sunflower butter|rice cracker|apple cider|millet|coconut milk|no food",
    "gluten": "flour|breadcrumbs|spaghetti|couscous|seitan|barley|oats|naan-style bread|udon|"
              "pita bread|oat milk|malt vinegar",
    "gluten soy": "soy sauce|teriyaki sauce",
    "gluten soy sesame": "hoisin sauce",
    "gluten soy shellfish": "oyster sauce",
    "gluten egg": "egg noodle|egg noodles|ladyfingers",
    "gluten dairy egg": "croissant|brioche|pancakes",
    "dairy": "milk|whole milk|butter|ghee|cheddar|parmesan|greek yogurt|heavy cream|creme fraiche",
    "dairy soy": "chocolate chip",
    "dairy nuts": "pesto",
    "dairy nuts soy": "nutella",
    "egg": "egg|large eggs|egg yolk|meringue",
    "egg mustard": "mayonnaise",
    "soy": "tofu|tempeh|miso|soy milk|tamari|edamame|dark chocolate",
    "fish": "salmon|anchovies|fish sauce|worcestershire sauce|dashi",
    "shellfish": "shrimp|prawns|mussels|squid|oysters",
    "sesame": "tahini|sesame oil|hummus|sesame seeds",
    "peanuts": "peanut|peanut butter|peanut oil",
    "nuts": "almond|almond milk|pine nuts|almond flour|almond butter|walnuts",
    "celery": "celery|celeriac|vegetable stock",
    "mustard": "dijon mustard|mustard seed",
    "meat beef": "beef|ground beef|steak|veal",
    "meat pork": "bacon|ham|prosciutto|chorizo|lard",
    "meat poultry": "chicken|chicken breast|duck|turkey bacon|chicken liver",
    "meat": "lamb|venison",
    "meat celery": "broth|stock",
    "meat poultry celery": "chicken stock",
    "alcohol": "rum|mirin|sake|vanilla extract",
    "alcohol sulphites": "red wine|champagne",
    "alcohol gluten": "beer",
    "honey": "honey",
    "gelatin": "gelatin|marshmallow|gummy bears",
}  # fmt: skip

WAYS_OUT = """
vegan: milk/any buttermilk/any evaporated milk/any cream/any cream/whipping half-and-half/any
vegan: whipped cream/any sour cream/any yogurt/any ice cream/any butter/frying butter/baking
vegan: butter/topping ghee/frying margarine/any lard/any cheese/any cheddar/any mozzarella/any
vegan: parmesan/topping feta/any ricotta/any cream cheese/any mascarpone/any goat cheese/any
vegan: halloumi/any paneer/any gruyere/any egg/binding egg/baking egg/alone egg/topping
vegan: egg/whipping egg/coating egg/sauce egg white/whipping egg wash/any mayonnaise/any honey/any
vegan: gelatin/any broth/boiling stock cube/any fish sauce/any oyster sauce/any pesto/any
vegan: worcestershire sauce/any beef/any ground beef/any steak/any chicken/any chicken breast/any
vegan: pork/any bacon/frying pancetta/any ham/any sausage/any lamb/any fish/any salmon/any
vegan: tuna/any shrimp/any crab/any scallop/any anchovy/any chocolate/any turkey/any meat/any
vegetarian: beef/any chicken/any pork/any bacon/any ham/any broth/any fish/any shrimp/any
vegetarian: gelatin/any fish sauce/any worcestershire sauce/any lard/baking salmon/any
pescatarian: beef/any ground beef/any chicken/any pork/any bacon/any sausage/any broth/any
gluten-free: flour/baking flour/thickening bread/any breadcrumbs/coating pasta/any noodle/any
gluten-free: spaghetti/any macaroni/any couscous/any bulgur/any barley/any soy sauce/any
gluten-free: tortilla/any cracker/any oats/any beer/any bun/any puff pastry/any pizza dough/any
dairy-free: milk/any butter/baking cream/sauce cheese/any yogurt/any sour cream/any parmesan/any
egg-free: egg/binding egg/baking egg/alone egg/coating mayonnaise/raw egg white/any
nut-free: almond/any walnut/any pecan/any cashew/any pine nut/any almond milk/any almond butter/any
nut-free: almond flour/baking pesto/any nut/any
peanut-free: peanut/any peanut butter/any
soy-free: soy sauce/any tofu/any miso/any chocolate/any edamame/any
fish-free: fish/any salmon/any tuna/any fish sauce/any worcestershire sauce/any anchovy/any
shellfish-free: shrimp/any crab/any lobster/any scallop/any squid/any oyster sauce/any clam/any
sesame-free: sesame oil/any sesame seed/any tahini/any
pork-free: pork/any bacon/any ham/any pancetta/any prosciutto/any sausage/any ground pork/any
pork-free: pork chop/any lard/baking gelatin/any
alcohol-free: wine/sauce wine/any beer/any brandy/any rum/any mirin/any sake/any champagne/any
"""


def ways_out() -> list[tuple[str, str, str]]:
    """Return the cases: a diet, a food that it excludes, and a use of the food."""
    found = []
    for line in WAYS_OUT.strip().splitlines():
        diet, foods = line.split(": ")
        name = ""
        for word in foods.split():
            first, slash, use = word.partition("/")
            name = f"{name} {first}".strip()
            if slash:
                found.append((diet, name, use))
                name = ""
    return found


def kind(name: str) -> str:
    """Return "food", or "thing" for tools and vessels."""
    role = lexicon().entries[name].role
    return "food" if role == "food" else {"tool": "thing", "vessel": "thing"}[role]


def test_the_table_is_as_large_as_promised() -> None:
    kinds = Counter(kind(row.thing) for row in all_substitutions())
    assert kinds["food"] >= 190
    assert kinds["thing"] >= 40
    assert len(ways_out()) >= 120
    assert len({food for _, food, _ in ways_out()}) >= 60


@pytest.mark.parametrize(
    ("file", "columns"),
    [("substitutions.tsv", 7), ("sources.tsv", 3), ("contains.tsv", 2), ("diets.tsv", 3)],
)
def test_rows_are_whole_and_unique(file: str, columns: int) -> None:
    rows = read_rows(file)
    assert {len(row) for row in rows} == {columns}
    key = 3 if file == "substitutions.tsv" else 1
    assert [row for row, n in Counter(tuple(r[:key]) for r in rows).items() if n > 1] == []


def test_every_name_is_a_canonical_name_of_one_kind() -> None:
    for row in all_substitutions():
        assert {row.thing, row.instead} <= set(lexicon().entries), row
        assert kind(row.thing) == kind(row.instead), row
        assert row.thing != row.instead, row


def test_uses_amounts_and_needs_fit_the_kind() -> None:
    actions = set(lexicon().actions)
    for row in all_substitutions():
        if kind(row.thing) == "food":
            assert row.use in FOOD_USES, row
            assert row.amount, row
        else:
            assert row.use in actions | {"any"}, row
            assert row.needs in actions | {""}, row
            assert row.needs != row.use, row
            assert not row.amount, row


def test_notes_are_short_plain_sentences() -> None:
    for row in all_substitutions():
        assert len(row.adds) <= 90, row
        assert not row.adds or row.adds.endswith("."), row


def test_every_source_is_known_and_used_and_few_foods_rest_on_our_own_judgement() -> None:
    known = {key: url for key, _, url in read_rows("sources.tsv")}
    assert {row[6] for row in read_rows("substitutions.tsv")} == set(known)
    assert [key for key, url in known.items() if not url.startswith("http")] == ["own"]
    for row in all_substitutions():
        assert row.source_title
    own = [row for row in all_substitutions() if not row.source_url and kind(row.thing) != "thing"]
    assert len(own) <= 44, own[-1]


def test_special_uses_come_before_any_use() -> None:
    found = substitutes("egg", {"binding"})
    assert [row.use for row in found] == ["binding"] * (len(found) - 1) + ["any"]
    assert found[0].instead == "flax egg"
    assert found[0].source_url.startswith("http")
    assert [row.use for row in substitutes("butter", ())] == ["any"] * 3
    assert substitutes("butter", {"any"}) == substitutes("butter", ())
    assert substitutes("no such food", {"baking"}) == ()


def test_an_egg_that_binds_is_not_an_egg_on_the_plate() -> None:
    def instead(use: str) -> set[str]:
        return {row.instead for row in substitutes("egg", {use}) if row.use == use}

    uses = ("binding", "baking", "alone", "whipping", "coating")
    assert all(instead(use) for use in uses)
    assert not instead("binding") & instead("alone")
    assert not instead("baking") & instead("coating")


def test_a_tool_may_change_the_action() -> None:
    rows = {row.instead: row.needs for row in substitutes("blender", {"blend"})}
    assert rows["masher"] == "mash"
    assert rows["immersion blender"] == ""


@pytest.mark.parametrize(
    ("name", "tags"),
    [(name, tags) for tags, names in CHECKED.items() for name in names.split("|")],
)
def test_a_food_contains(name: str, tags: str) -> None:
    assert contains(name) == set(tags.split())


def test_enough_foods_are_checked_by_hand() -> None:
    assert sum(len(names.split("|")) for names in CHECKED.values()) >= 80


def test_every_row_names_a_food_and_known_tags() -> None:
    for name, tags in read_rows("contains.tsv"):
        entry = lexicon().look_up(name)
        assert entry is not None, name
        assert entry.role == "food", name
        assert tags == "-" or set(tags.split()) <= TAGS, name
        assert tags != "-" or phrase(entry.name) != phrase(name), name


def test_a_kind_of_meat_is_also_tagged_meat() -> None:
    for name, _ in read_rows("contains.tsv"):
        if contains(name) & {"pork", "beef", "poultry"}:
            assert "meat" in contains(name), name


def test_no_code_needs_to_guess_tags_from_groups() -> None:
    for entry in lexicon().of_role("food"):
        if entry.name in PLANTS:
            assert allowed_for(entry.name, "vegan"), entry.name
        else:
            assert GROUP_TAGS.get(entry.group, set()) <= contains(entry.name), entry.name


def test_vegan_and_free_foods_are_what_they_say() -> None:
    for entry in lexicon().of_role("food"):
        if entry.name.startswith(("vegan ", "nut-free vegan ")):
            assert allowed_for(entry.name, "vegan"), entry.name
        if entry.name.startswith("gluten-free "):
            assert allowed_for(entry.name, "gluten-free"), entry.name
        if entry.name.startswith("alcohol-free "):
            assert allowed_for(entry.name, "alcohol-free"), entry.name


def test_diets_exclude_known_tags() -> None:
    assert len(diets()) == 14
    for diet in diets():
        assert excluded_by(diet) <= TAGS
        assert excluded_by(diet)
    assert excluded_by("vegan") >= ANIMAL | {"dairy", "egg", "fish", "shellfish"}
    assert excluded_by("vegetarian") < excluded_by("vegan")
    assert excluded_by("pescatarian") == excluded_by("vegetarian") - {"fish", "shellfish"}


def test_an_unknown_diet_names_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"'keto'.*vegan.*alcohol-free"):
        excluded_by("keto")
    with pytest.raises(InputError):
        allowed_for("milk", "keto")


@pytest.mark.parametrize(("diet", "food", "use"), ways_out())
def test_each_diet_has_a_way_out(diet: str, food: str, use: str) -> None:
    assert food in lexicon().entries
    assert not allowed_for(food, diet)
    assert any(allowed_for(row.instead, diet) for row in substitutes(food, {use}))


def test_every_diet_is_checked() -> None:
    assert {diet for diet, _, _ in ways_out()} == set(diets())
