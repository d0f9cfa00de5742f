"""The lexicon's data are large enough, free of contradictions, and looked up as people write."""

from __future__ import annotations

import pytest

from procvid.plan.language.lexicon import (
    given_forms,
    lexicon,
    phrase,
    plurals,
    read_rows,
    verb_forms,
    words,
)

TOY_FOODS = ("carrot", "tomato", "cucumber", "mushroom", "egg", "onion", "potato", "cheese")
TOY_THINGS = ("frying pan", "pot", "bowl", "cutting board", "plate", "knife", "spoon", "whisk")
TOY_ACTIONS = ("slice", "dice", "add", "stir", "fry", "boil", "mix", "serve")


def test_is_as_large_as_promised() -> None:
    assert len(lexicon().of_role("food")) >= 300
    assert len(lexicon().of_role("vessel", "tool", "surface")) >= 80
    assert len(lexicon().verbs) >= 120


def test_no_name_means_two_things() -> None:
    seen: dict[tuple[str, ...], str] = {}
    for entry in lexicon().entries.values():
        for form in given_forms(entry):
            assert seen.setdefault(form, entry.name) == entry.name, " ".join(form)


@pytest.mark.parametrize(("file", "columns"), [("foods.tsv", 3), ("things.tsv", 4),
                                               ("verbs.tsv", 2), ("actions.tsv", 6),
                                               ("states.tsv", 3)])  # fmt: skip
def test_rows_are_whole_and_unique(file: str, columns: int) -> None:
    rows = read_rows(file)
    assert {len(row) for row in rows} == {columns}
    assert len({row[0] for row in rows}) == len(rows)


def test_actions_point_to_things_that_exist() -> None:
    for action in lexicon().actions.values():
        for name in (action.vessel, action.tool):
            assert name is None or name in lexicon().entries, (action.name, name)
        assert 0 <= action.weight <= 4


def test_every_vessel_has_a_use() -> None:
    uses = {entry.group for entry in lexicon().of_role("vessel")}
    assert uses == {"stove", "oven", "cold", "serve", "cut", "passing"}


def test_the_toy_kitchen_is_known_by_its_exact_names() -> None:
    assert all(lexicon().entries[name].role == "food" for name in TOY_FOODS)
    assert all(name in lexicon().entries for name in TOY_THINGS)
    assert all(lexicon().verbs[name].action.name == name for name in TOY_ACTIONS)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Cherry tomatoes", "tomato"),
        ("potatoes", "potato"),
        ("spring onions", "spring onion"),
        ("red onion", "onion"),
        ("sweet potatoes", "sweet potato"),
        ("eggplant", "eggplant"),
        ("Jalapeños", "jalapeno"),
        ("knives", "knife"),
        ("bay leaves", "bay leaf"),
        ("skillet", "frying pan"),
        ("sauté pan", "frying pan"),
        ("saucepan", "pot"),
        ("casserole", "pot"),
        ("casserole dish", "baking dish"),
        ("mixing bowl", "bowl"),
        ("chopping board", "cutting board"),
        ("serving plate", "plate"),
        ("peppers", "bell pepper"),
        ("black pepper", "pepper"),
        ("aubergines", "eggplant"),
        ("worktop", "counter"),
    ],
)
def test_looks_up_names_as_people_write_them(text: str, name: str) -> None:
    found = lexicon().look_up(text)
    assert found is not None and found.name == name


def test_an_unknown_name_is_none() -> None:
    assert lexicon().look_up("gearbox") is None
    assert lexicon().look_up("") is None


@pytest.mark.parametrize(
    ("verb", "action"),
    [("julienne", "slice"), ("chop", "dice"), ("mince", "dice"), ("saute", "fry"), ("sear", "fry"),
     ("simmer", "boil"), ("poach", "boil"), ("whisk", "mix"), ("fold", "mix"), ("plate", "serve"),
     ("garnish", "add"), ("pour", "add"), ("sprinkle", "add"), ("season", "add"),
     ("crack", "add"), ("toss", "stir")],
)  # fmt: skip
def test_verbs_have_sensible_actions(verb: str, action: str) -> None:
    assert lexicon().verbs[verb].action.name == action


def test_states_that_actions_produce() -> None:
    made = {name: lexicon().actions[name].state for name in TOY_ACTIONS}
    assert made == {"slice": "sliced", "dice": "diced", "add": None, "stir": None, "fry": "fried",
                    "boil": "boiled", "mix": "mixed", "serve": None}  # fmt: skip


def test_the_longest_name_wins() -> None:
    tokens = words("the spring onions and a frying pan")
    spring = lexicon().noun_at(tokens, 1)
    pan = lexicon().noun_at(tokens, 5)
    assert spring is not None and (spring[0].name, spring[1]) == ("spring onion", 2)
    assert pan is not None and (pan[0].name, pan[1]) == ("frying pan", 2)


def test_words_keep_their_place_in_the_text() -> None:
    text = "Stir-fry ½ a Jalapeño"
    assert [text[w.start : w.end] for w in words(text)] == ["Stir", "fry", "½", "a", "Jalapeño"]
    assert phrase("Chef’s knife") == ("chef's", "knife")


def test_word_forms() -> None:
    assert plurals("loaf") == ("loaves", "loafs")
    assert "cherries" in plurals("cherry")
    assert "chopping" in verb_forms("chop") and "slicing" in verb_forms("slice")
    assert "fries" in verb_forms("fry") and "frying" in verb_forms("fry")
