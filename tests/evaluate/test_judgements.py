"""Stored answers of the judge, nonsense answers, and the stand-in."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from procvid.errors import InputError, ServiceError, UnavailableError
from procvid.evaluate.judgements import Judgements, read_answers
from procvid.plan.variants import read
from procvid.protocols import Judge
from procvid.settings import TINY
from procvid.types import ModelInfo, Recipe, StateChange, Verdict
from procvid.wiring import evaluation as wiring_evaluation

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


def test_the_rules_change_one_relevant_detail_of_a_step():
    judge = wiring_evaluation.build_judge(TINY)
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
    judge = wiring_evaluation.build_judge(TINY)
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
    verdict = wiring_evaluation.build_judge(TINY).explains(
        StateChange("carrot", before, after, step)
    )
    assert verdict.explained is explained
    assert "carrot" in verdict.reason.lower() and after in verdict.reason


def test_an_answer_is_stored_across_evaluations(tmp_path):
    judge = Babbler(["a one", "a two", "a three", "a four", "a five"])
    first = Judgements(judge)
    said = first.hard_negatives(STEP)
    first.save(tmp_path / "judgements.json")
    judge.said = []
    again = Judgements(judge, read_answers(tmp_path / "judgements.json"))
    assert again.hard_negatives(STEP) == said == first.hard_negatives(STEP)
    assert judge.asked == 1


def test_a_damaged_file_of_answers_is_ignored(tmp_path):
    file = tmp_path / "judgements.json"
    for content in ("", "[]", '{"answers": 3}', '{"answers": {"a": 1}}', "\x00", "[" * 9999):
        file.write_text(content)
        assert read_answers(file) == {}


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
def test_nonsense_is_not_an_answer(said):
    judgements = Judgements(Babbler(said if isinstance(said, list) else []))
    with pytest.raises(UnavailableError, match="of 5 usable"):
        judgements.hard_negatives(STEP)
    with pytest.raises(UnavailableError):
        Judgements(Babbler(said if isinstance(said, list) else [])).dishes(RECIPE)
    with pytest.raises(UnavailableError, match="yes or no"):
        Judgements(Babbler("perhaps")).explains(StateChange("a", "b", "c", "d"))


CHANGE = StateChange("carrot", "whole", "sliced", STEP)


@pytest.mark.parametrize("said", NONSENSE)
def test_the_stand_in_answers_for_a_judge_that_answers_nonsense(said, tmp_path):
    rules = wiring_evaluation.build_judge(TINY)
    judgements = Judgements(Babbler(said if isinstance(said, list) else []), stand_in=rules)
    assert judgements.hard_negatives(STEP) == rules.hard_negatives(STEP, 5)
    assert judgements.dishes(RECIPE) == (rules.goal(RECIPE), *rules.other_goals(RECIPE, 9))
    assert judgements.explains(CHANGE).explained
    note = judgements.take_note()
    assert note.startswith("rules 1 answered 3 questions for the judge, because the judge ")
    assert judgements.take_note() == ""

    judgements.save(tmp_path / "judgements.json")
    kept = json.loads((tmp_path / "judgements.json").read_text())["answers"].values()
    assert {each["by"] for each in kept} == {"rules 1"}
    assert ["hard negatives", STEP] in [each["question"] for each in kept]
    judgements.save(tmp_path / "own.json", stand_ins=False)
    assert json.loads((tmp_path / "own.json").read_text())["answers"] == {}


def test_an_answer_of_the_stand_in_is_reused_and_noted_again(tmp_path):
    rules, judge = wiring_evaluation.build_judge(TINY), Babbler([])
    first = Judgements(judge, stand_in=rules)
    said = first.hard_negatives(STEP)
    first.save(tmp_path / "judgements.json")
    judge.said = ["a one", "a two", "a three", "a four", "a five"]
    again = Judgements(judge, read_answers(tmp_path / "judgements.json"), rules)
    assert again.hard_negatives(STEP) == said and judge.asked == 1
    assert "gave no usable answer before" in again.take_note()


class Failing(Babbler):
    """Test fixture: a judge whose service fails."""

    def __init__(self, error: Callable[[], Exception]) -> None:
        super().__init__([])
        self.error = error

    def hard_negatives(self, step, count):
        self.asked += 1
        raise self.error()


def test_a_failed_service_is_asked_once():
    rules = wiring_evaluation.build_judge(TINY)
    judge = Failing(lambda: ServiceError("The service cannot be reached.", "Try later."))
    judgements = Judgements(judge, stand_in=rules)
    for step in RECIPE.steps:
        assert len(judgements.hard_negatives(step)) == 5
    assert judge.asked == 1
    assert judgements.take_note() == (
        "rules 1 answered 3 questions for the judge, because the service cannot be reached"
    )


def test_after_a_bad_answer_the_judge_is_asked_again():
    judge = Failing(lambda: InputError("It gave no usable answer."))
    judgements = Judgements(judge, stand_in=wiring_evaluation.build_judge(TINY))
    for step in RECIPE.steps:
        judgements.hard_negatives(step)
    assert judge.asked == 3


def test_a_wrong_key_is_an_error_only_if_the_judge_is_required():
    rules = wiring_evaluation.build_judge(TINY)
    judge = Failing(lambda: ServiceError("That is not a key.", "Set one.", lasting=True))
    assert len(Judgements(judge, stand_in=rules).hard_negatives(STEP)) == 5
    with pytest.raises(ServiceError, match="not a key"):
        Judgements(judge, stand_in=rules, strict=True).hard_negatives(STEP)
