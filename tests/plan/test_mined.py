"""Mined graphs: key steps, orders, alternatives, the file, notes on a recipe, and the command."""

from __future__ import annotations

import json
import random
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import networkx as nx
import pytest

from procvid.cli import main
from procvid.errors import InputError
from procvid.plan.graph.habits import detours_of, detours_taken, habits, key_steps_of
from procvid.plan.graph.mined import MinedGraph, UsualOrder, mine
from procvid.plan.graph.mined_file import load_mined, mined_from_json, mined_to_json, save_mined
from procvid.plan.graph.precedence import precedence
from procvid.plan.recipe.parse import parse_recipe
from procvid.plan.rules import plan_recipe
from procvid.plan.shots import cut_into_shots, with_recipe_steps
from procvid.types import Plan

SLICE = ("Slice the carrot.", "Cut the carrots into thin slices.", "Thinly slice the carrot.")
DICE = ("Dice the onion.", "Chop the onions into small cubes.", "Finely dice the onion.")
FRY = ("Fry the onion in the pan.", "Saute the onions for five minutes.")
BAKE = ("Bake the onion in the oven.", "Roast the onions for 20 minutes.")
ADD = ("Add the carrot to the pan.", "Tip the carrots into the pan.")
STIR = ("Stir well.", "Stir the carrot.")
SERVE = ("Serve the carrot on a plate.", "Plate the carrots.")


def plan_of(steps: Sequence[str], title: str = "Dinner") -> Plan:
    numbered = "\n".join(f"{n}. {step}" for n, step in enumerate(steps, start=1))
    recipe = cut_into_shots(parse_recipe(f"{title}\n\n{numbered}\n"))
    return with_recipe_steps(plan_recipe(recipe), recipe)


def random_steps(rng: random.Random) -> list[str]:
    """Return a recipe: dice before fry or bake, slice before add, at times a stir, then serve."""
    onion, carrot = [DICE, rng.choice([FRY, BAKE])], [SLICE, ADD]
    parts = []
    while onion or carrot:
        parts.append(rng.choice([part for part in (onion, carrot) if part]).pop(0))
    parts += [STIR] * (rng.random() < 0.5) + [SERVE]
    return [rng.choice(part) for part in parts]


@pytest.fixture(scope="module")
def recipes() -> list[list[str]]:
    rng = random.Random(0)
    return [random_steps(rng) for _ in range(40)]


@pytest.fixture(scope="module")
def mined(recipes: list[list[str]]) -> MinedGraph:
    return mine([plan_of(steps) for steps in recipes], "vegetables")


def test_key_steps_are_joined_over_wordings(mined: MinedGraph) -> None:
    assert {step.name for step in mined.steps} == {
        "slice the carrot", "dice the onion", "fry the onion", "bake the onion", "add the carrot",
        "stir the carrot", "serve the carrot",
    }  # fmt: skip
    assert mined.step("slice the carrot").recipes == mined.recipes
    assert [step.name for step in mined.steps if step.optional] == ["stir the carrot"]


def test_the_orders_are_those_of_the_recipes(mined: MinedGraph) -> None:
    assert {(edge.before, edge.after) for edge in mined.edges} == {
        ("slice the carrot", "add the carrot"),
        ("dice the onion", "fry the onion"),
        ("dice the onion", "bake the onion"),
        ("add the carrot", "stir the carrot"),
        ("fry the onion", "stir the carrot"),
        ("bake the onion", "stir the carrot"),
        ("stir the carrot", "serve the carrot"),
    }
    assert all(edge.in_order == edge.together for edge in mined.edges)
    leaving = [t for t in mined.transitions if t.before == "stir the carrot"]
    assert [(t.after, t.probability) for t in leaving] == [("serve the carrot", 1.0)]


def test_alternatives_are_detours(mined: MinedGraph) -> None:
    fry = mined.step("fry the onion")
    assert fry.alternatives == ("bake the onion",) and not fry.optional
    assert [step.name for step in detours_of(mined, fry)] == ["bake the onion"]
    assert detours_of(mined, mined.step("dice the onion")) == ()
    with pytest.raises(KeyError):
        mined.step("burn the onion")


def test_what_people_do_in_place_of_a_step_comes_with_its_options(mined: MinedGraph) -> None:
    recipe = [SLICE[0], DICE[0], FRY[0], ADD[0], STIR[0], SERVE[0]]
    bake, stir, all_of = mined.step("bake the onion"), mined.step("stir the carrot"), mined.recipes
    assert detours_taken(plan_of(recipe), mined) == (
        f"{bake.recipes} of {all_of} recipes bake the onion in place of step 3: "
        '--skip 3 --add "3: Bake the onion."',
        f"{all_of - stir.recipes} of {all_of} recipes do not stir the carrot (step 5): --skip 5",
    )
    other = detours_taken(plan_of(["Whisk the eggs and the flour.", "Fry the batter."]), mined)
    assert other == ('This recipe has little in common with "vegetables", so it is not compared.',)


def test_a_step_that_is_done_again_is_a_key_step_of_its_own() -> None:
    plans = [
        plan_of([DICE[n % 3], "Flip the onion.", FRY[n % 2], "Flip the onion.", f"Serve for {n}."])
        for n in range(5)
    ]
    graph = mine(plans, "onions")
    assert {"flip the onion", "flip the onion again"} < {step.name for step in graph.steps}
    assert set(key_steps_of(plans[0], graph)) >= {"flip the onion", "flip the onion again"}


def test_precedence_forgives_a_few_errors() -> None:
    orders = [[0, 1, 2], [0, 2, 1]] * 20 + [[1, 0, 2]]
    assert set(precedence(orders, 3).edges) == {(0, 1), (0, 2)}
    assert set(precedence([[0, 1], [1, 0]] * 5, 2).edges) == set()
    assert set(precedence([[0, 1]], 2).edges) == set(), "one recipe proves no order"
    circle = [[0, 1]] * 5 + [[1, 2]] * 5 + [[2, 0]] * 4
    assert nx.is_directed_acyclic_graph(precedence(circle, 3))


def test_habits_are_notes(mined: MinedGraph) -> None:
    usual = [SLICE[0], DICE[0], FRY[0], ADD[0], SERVE[0]]
    assert habits(plan_of(usual), mined) == ()
    early = habits(plan_of([SLICE[0], FRY[0], DICE[0], ADD[0], SERVE[0]]), mined)
    fry = mined.step("fry the onion").recipes
    assert early == (f"Most recipes ({fry} of {fry}) dice the onion before step 2, not in step 3.",)
    lacking = habits(plan_of([SLICE[0], BAKE[0], ADD[0], SERVE[0]]), mined)
    count = mined.recipes
    assert lacking == (
        f"Most recipes ({count} of {count}) dice the onion before step 2; this one does not.",
    )
    other = habits(plan_of(["Whisk the eggs and the flour.", "Fry the batter in a pan."]), mined)
    assert other == ('This recipe has little in common with "vegetables", so it is not compared.',)


def test_a_state_in_a_name_is_not_another_food() -> None:
    ways = ("Serve the potato.", "Serve the mashed potato.", "Plate the potatoes.")
    plans = [plan_of(["Boil the potato.", "Mash the potato.", way]) for way in ways]
    assert [step.name for step in mine(plans, "mash").steps][-1] == "serve the potato"


def test_too_little_is_refused(recipes: list[list[str]]) -> None:
    plans = [plan_of(recipes[0])] * 5
    with pytest.raises(InputError, match="at least 3 different recipes, not 1"):
        mine(plans, "x")
    different = [
        plan_of(["Slice the carrot.", "Fry the egg."]),
        plan_of(["Boil the potato.", "Mash the pumpkin."]),
        plan_of(["Whisk the cream.", "Grate the cheese."]),
    ]
    with pytest.raises(InputError, match="fewer than two steps in common"):
        mine(different, "x")


def test_the_file_gives_the_same_graph(mined: MinedGraph, tmp_path: Path) -> None:
    file = tmp_path / "graph.json"
    save_mined(file, mined)
    assert load_mined(file) == mined
    assert file.stat().st_size < 10_000


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schema_version": 2}, "version 2, not 1"),
        ({"schema_version": None}, "version None, not 1"),
        ({"recipes": "many"}, "damaged: recipes"),
        ({"recipes": 1}, "damaged"),
        ({"steps": []}, "0 key steps"),
        ({"steps": [{"name": "x"}]}, "damaged: steps.0"),
        ({"transitions": [{"before": "x", "after": "y", "probability": float("nan")}]}, "a share"),
        ({"orders": [{"before": "x", "after": "y", "in_order": 1, "together": 1}]}, "no key step 'x'"),
        ({"title": "a\nb"}, "line of text"),
    ],
)  # fmt: skip
def test_a_damaged_file_is_one_sentence(
    mined: MinedGraph, tmp_path: Path, change: dict, said: str
) -> None:
    file = tmp_path / "graph.json"
    file.write_text(json.dumps({**mined_to_json(mined), **change}))
    with pytest.raises(InputError, match=said) as raised:
        load_mined(file)
    assert "procvid graph mine" in raised.value.hint


def test_a_circle_is_refused(mined: MinedGraph, tmp_path: Path) -> None:
    first = mined.orders[0]
    back = UsualOrder(first.after, first.before, 1, 1)
    turned = replace(mined, orders=(*mined.orders, back))
    with pytest.raises(InputError, match="go in a circle"):
        mined_from_json(mined_to_json(turned))
    file = tmp_path / "graph.json"
    for text in ("", "[1]", "{", "[" * 100_000):
        file.write_text(text)
        with pytest.raises(InputError, match="not a mined graph"):
            load_mined(file)
    with pytest.raises(InputError, match="does not exist"):
        load_mined(tmp_path / "none.json")


def test_the_command(recipes: list[list[str]], tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "veg"
    folder.mkdir()
    for n, steps in enumerate(recipes[:20]):
        lines = [f"{at}. {step}" for at, step in enumerate(steps, start=1)]
        (folder / f"{n}.txt").write_text("\n".join([f"Dinner {n}", "", *lines]) + "\n")
    (folder / "odd.txt").write_text("?")
    assert main(["graph", "mine", str(folder)]) == 0
    said = capsys.readouterr().out
    assert "veg (20 recipes" in said and "   or instead bake the onion" in said
    assert "Note: 1 file is no recipe: odd.txt." in said
    assert load_mined(tmp_path / "veg.mined.json").title == "veg"
    assert main(["graph", "mine", str(folder), "--json", "--out", "g.json"]) == 0
    assert json.loads(capsys.readouterr().out)["recipes"] == 20
    assert main(["graph", "mine", str(folder), "--dish", "dinner 1"]) == 0
    assert capsys.readouterr().out.startswith("dinner 1 (11 recipes")
    assert (tmp_path / "dinner-1.mined.json").is_file()
    recipe = tmp_path / "mine"
    recipe.write_text("Dinner\n1. Fry the onion.\n2. Dice the onion.\n3. Slice the carrot.\n"
                      "4. Add the carrot.\n5. Serve the carrot.\n")  # fmt: skip
    assert main(["graph", "mine", "--mined", "g.json"]) == 0, "a recipe may be named mine"
    assert "dice the onion before step 1, not in step 2." in capsys.readouterr().out
    for wrong in (
        ["graph", str(recipe), str(folder)],
        ["graph", str(recipe), "--out", "x.json"],
        ["graph", str(recipe), "--dish", "dinner"],
        ["graph", "mine", str(folder), "--dish", "lunch"],
        ["graph", "mine", str(folder), "--shots"],
        ["graph", "mine", str(recipe)],
        ["graph", "mine", str(tmp_path)],
        ["graph", str(recipe), "--mined", "none.json"],
    ):
        assert main(wrong) == 2, wrong
        assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_curated_videos_are_mined(recipes: list[list[str]], tmp_path: Path, capsys) -> None:
    folder = tmp_path / "curated"
    folder.mkdir()
    sources = [{"video_id": f"v{n}", "title": f"Dinner {n}"} for n in range(12)]
    actions = [
        {"video_id": f"v{n}", "start_s": at * 9.0, "end_s": at * 9.0 + 5, "text": text}
        for n in range(12)
        for at, text in enumerate(recipes[n])
    ]
    for name, rows in (("sources", sources), ("actions", actions)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = tmp_path / "graph.json"
    assert main(["graph", "mine", str(folder), "--out", str(out)]) == 0
    assert load_mined(out).recipes == 12
    (folder / "actions.jsonl").write_text("{")
    assert main(["graph", "mine", str(folder), "--out", str(out)]) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_the_listed_options_are_ones_of_detour(mined, tmp_path, capsys) -> None:
    file, recipe = tmp_path / "vegetables.mined.json", tmp_path / "r.txt"
    save_mined(file, mined)
    steps = [SLICE[0], DICE[0], FRY[0], ADD[0], STIR[1], SERVE[0]]
    recipe.write_text("\n".join(["Vegetables", "", *(f"{n}. {s}" for n, s in enumerate(steps, 1))]))
    assert main(["detour", str(recipe), "--mined", str(file)]) == 0
    baked, unstirred = (line.partition(": ")[2] for line in capsys.readouterr().out.splitlines())
    for options, changed in (
        (baked, "+ 3. Bake the onion."),
        (unstirred, "- (5) Stir the carrot."),
    ):
        assert main(["detour", str(recipe), *shlex.split(options)]) == 0
        assert changed in capsys.readouterr().out
    assert main(["detour", str(recipe), "--mined", str(file), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["detours"]) == 2
    assert main(["detour", str(recipe), "--mined", str(file), "--skip", "1"]) == 2
    assert "--mined only lists changes" in capsys.readouterr().err
    assert main(["detour", str(recipe), "--mined", str(recipe)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
