"""A recipe written by a model behind a local server, through the real client."""

from __future__ import annotations

import json

import pytest

from procvid.cli import main
from procvid.errors import InputError
from procvid.models.directors.openai import OpenAIDirector
from procvid.models.meter import Meter
from procvid.plan.director.goal import read_goal
from procvid.plan.recipe.parse import read_recipe
from procvid.settings.environment import Budget

STEPS = [
    "Mash the tuna in a bowl with a fork.",
    "Spread the tuna on the bread with a knife.",
    "Serve the sandwich on a plate.",
]


def dish(**changes) -> str:
    value = {
        "refusal": "",
        "title": "Tuna sandwich",
        "servings": 2,
        "ingredients": ["1 can tuna", "4 slices bread"],
    }
    return json.dumps({**value, **changes})


def steps(*texts: str) -> str:
    return json.dumps({"steps": list(texts or STEPS)})


@pytest.fixture
def director(client) -> OpenAIDirector:
    return OpenAIDirector(client, Meter(Budget()))


def test_each_stage_knows_the_one_before(director, server):
    server.say(dish(), steps())
    recipe = director.direct(read_goal("How to make a tuna sandwich"))
    assert recipe.title == "Tuna sandwich" and list(recipe.steps) == STEPS
    assert [asked.shape for asked in server.asked] == ["DirectedDishAnswer", "DirectedStepsAnswer"]
    assert server.asked[1].material["ingredients"] == ["1 can tuna", "4 slices bread"]


@pytest.mark.parametrize(
    ("goal", "replies", "problem"),
    [
        ("vegan sandwich", (dish(), dish(ingredients=["1 tomato", "bread"])), "tuna is not vegan"),
        (
            "tuna sandwich without onions",
            (dish(ingredients=["1 onion"]), dish()),
            "is without onions",
        ),
        ("tuna sandwich", (dish(servings=0), dish()), "servings must be from 1 to 12"),
        ("tuna sandwich", (dish(ingredients=[]), dish()), "1 to 15 ingredients"),
        ("tuna sandwich", (dish(), steps("Tuna."), steps()), "there must be 2 to 10 steps"),
    ],
)
def test_a_wrong_stage_is_asked_once_more(director, server, goal, replies, problem):
    server.say(*replies)
    if replies[-1] != steps():
        server.say(steps("Slice the tomato.", "Serve it on bread."))
    director.direct(read_goal(goal))
    assert problem in json.dumps([asked.body for asked in server.asked])


def test_a_refusal_is_passed_on(director, server):
    server.say(dish(refusal="A stone is no food.", title="", ingredients=[]))
    with pytest.raises(InputError, match="wrote no recipe: A stone is no food"):
        director.direct(read_goal("stone soup"))


def test_the_command_writes_it_with_a_warning(server, tmp_path, capsys):
    server.say(dish(), steps())
    out = tmp_path / "tuna.md"
    assert main(["direct", "How to make a tuna sandwich", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "Nobody has cooked it" in said and "Check: No step heats the tuna." in said
    assert list(read_recipe(out).steps) == STEPS
