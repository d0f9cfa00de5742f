"""A judge that is remembered, and one that answers nonsense."""

from __future__ import annotations

import pytest

from procvid import wiring
from procvid.errors import UnavailableError
from procvid.evaluate.judgements import Judgements
from procvid.plan.variants import read
from procvid.protocols import Judge
from procvid.settings import TINY
from procvid.types import ModelInfo, Recipe, StateChange, Verdict

STEP = "Slice the carrot on the cutting board."
RECIPE = Recipe(
    "Carrot", (STEP, "Fry the carrot in the frying pan.", "Serve the carrot on the plate.")
)


class Babbler:
    """Test fixture: a judge whose answers are given."""

    info = ModelInfo("babbler", "1")

    def __init__(self, said: object) -> None:
        self.said, self.asked = said, 0

    def hard_negatives(self, step, count):
        self.asked += 1
        return self.said

    def goal(self, recipe):
        return self.said

    def other_goals(self, recipe, count):
        return self.said

    def explains(self, change):
        return Verdict(self.said, "because")


def test_the_rules_vary_a_step_in_one_way_that_matters():
    judge = wiring.build_judge(TINY)
    assert isinstance(judge, Judge)
    said = judge.hard_negatives(STEP, 5)
    assert len(set(said)) == 5 and STEP not in said
    assert said == judge.hard_negatives(STEP, 5)
    own = read(STEP)
    for text in said:
        other = read(text)
        food = next(o for o in other.objects if o.role == "food")
        same_action, same_food = other.action == own.action, food.name == "carrot"
        assert not (same_action and same_food and food.state_before == "whole"), text
        assert same_action or same_food, text


def test_the_dish_and_nine_others():
    judge = wiring.build_judge(TINY)
    goal = judge.goal(RECIPE)
    assert goal == "Fried carrot on the plate."
    others = judge.other_goals(RECIPE, 9)
    assert len(set(others)) == 9 and not any("carrot" in other for other in others)


@pytest.mark.parametrize(
    ("before", "after", "step", "explained"),
    [
        ("whole", "sliced", STEP, True),
        ("sliced", "fried", "Fry it until golden.", True),
        ("sliced", "whole", "Serve the carrot on the plate.", False),
        ("whole", "sliced", "Slice the egg.", False),
        ("whole", "fried", STEP, False),
    ],
)
def test_the_rules_explain_what_the_step_does(before, after, step, explained):
    verdict = wiring.build_judge(TINY).explains(StateChange("carrot", before, after, step))
    assert verdict.explained is explained
    assert "carrot" in verdict.reason.lower() and after in verdict.reason


def test_an_answer_is_kept_across_evaluations(tmp_path):
    judge = Babbler(["a one", "a two", "a three", "a four", "a five"])
    first = Judgements(judge)
    said = first.hard_negatives(STEP)
    first.save(tmp_path / "judgements.json")
    judge.said = []
    again = Judgements.from_file(judge, tmp_path / "judgements.json")
    assert again.hard_negatives(STEP) == said == first.hard_negatives(STEP)
    assert judge.asked == 1


def test_a_damaged_file_of_answers_is_as_none(tmp_path):
    file = tmp_path / "judgements.json"
    for content in ("", "[]", '{"answers": 3}', "\x00"):
        file.write_text(content)
        assert Judgements.from_file(Babbler([]), file)._answers == {}


NONSENSE = [
    None,
    3,
    [],
    ["x" * 999] * 5,
    ["...", "!!", "1", "", " "],
    [STEP] * 5,
    ["a"] * 9,
    [None] * 5,
]


@pytest.mark.parametrize("said", NONSENSE)
def test_nonsense_is_no_answer(said):
    judgements = Judgements(Babbler(said if isinstance(said, list) else []))
    with pytest.raises(UnavailableError, match="of 5 usable"):
        judgements.hard_negatives(STEP)
    with pytest.raises(UnavailableError):
        Judgements(Babbler(said)).goal(RECIPE)
    with pytest.raises(UnavailableError, match="yes or no"):
        Judgements(Babbler("perhaps")).explains(StateChange("a", "b", "c", "d"))
