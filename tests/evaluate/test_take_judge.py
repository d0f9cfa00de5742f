"""The judge of takes on rendered clips: parts of the score, and contradictions to the plan."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from procvid.evaluate.take_judge import EvidenceTakeJudge, PlanChecks, WeighedScore
from procvid.settings import TINY
from procvid.toykitchen.recipes import HELD_OUT, random_recipe
from procvid.types import PlannedObject, StepPlan
from procvid.wiring.evaluation import build_evaluation
from procvid.wiring.takes import build_take_judge

RECIPE = random_recipe(HELD_OUT)
"""Its first step dices a cheese on the cutting board."""


@pytest.fixture(scope="module")
def parts():
    return build_evaluation(TINY, "rules")


@pytest.fixture(scope="module")
def judge(parts):
    return build_take_judge(TINY, parts)


@pytest.fixture(scope="module")
def rendered():
    return RECIPE.render(1)


def plan(
    vessel: str = "cutting board",
    food: str = "cheese",
    after: str = "diced",
    mentioned: bool = True,
) -> StepPlan:
    objects = (
        PlannedObject(vessel, "vessel", vessel, "in use", "in use", "highly_likely", 0.9),
        PlannedObject(food, "food", food, "whole", after, "likely", 0.8, mentioned),
    )
    return StepPlan(1, f"Dice the {food} on the {vessel}.", "dice", objects, "")


def test_a_clip_as_planned_contradicts_nothing(judge, rendered):
    verdict = judge.judge(rendered.frames, plan(), {})
    assert verdict.contradictions == () and list(verdict.parts) == ["object_state"]
    assert verdict.value == verdict.parts["object_state"] > 0.9


@pytest.mark.parametrize(
    ("planned", "message"),
    [
        (plan(vessel="pot"), "no pot is seen"),
        (plan(food="carrot"), "no carrot is seen"),
        (plan(after="fried"), "the cheese ends diced instead of fried"),
    ],
)
def test_each_contradiction_is_named(judge, rendered, planned, message):
    assert judge.judge(rendered.frames, planned, {}).contradictions == (message,)


def test_what_cannot_be_read_contradicts_nothing(judge, parts, rendered):
    # The scene reader has no word for this state, and the step does not name this food.
    for planned in (plan(after="grated"), plan(food="carrot", mentioned=False)):
        assert judge.judge(rendered.frames, planned, {}).contradictions == ()
    blind = EvidenceTakeJudge(replace(parts, scene_reader=None), PlanChecks(frozenset({"fried"})))
    assert blind.judge(rendered.frames, plan(after="fried"), {}).contradictions == ()


def test_a_still_contradicts_the_plan(judge, rendered):
    verdict = judge.judge(np.repeat(rendered.frames[:1], 17, axis=0), plan(), {})
    assert verdict.value == 0.0
    assert verdict.contradictions == ("frozen: nothing moves in the clip",)


def test_a_reference_of_another_look_lowers_the_likeness(parts, rendered):
    red = np.full((40, 60, 3), (200, 30, 30), np.uint8)
    strict = EvidenceTakeJudge(parts, PlanChecks(frozenset({"diced"}), least_likeness=0.99))
    verdict = strict.judge(rendered.frames, plan(), {"cutting board": red})
    assert list(verdict.parts) == ["likeness", "states"] and verdict.parts["likeness"] < 0.99
    assert verdict.contradictions == ("the likeness to the references is below 0.99",)


def test_scores_of_the_profile_are_weighed(parts, rendered):
    scores = [
        WeighedScore("one", 3.0, lambda frames, step, references: 0.2),
        WeighedScore("two", 1.0, lambda frames, step, references: 1.0),
        WeighedScore("none", 9.0, lambda frames, step, references: None),
    ]
    verdict = EvidenceTakeJudge(parts, PlanChecks(), scores).judge(rendered.frames, plan(), {})
    assert verdict.parts == {"one": 0.2, "two": 1.0} and verdict.value == 0.4
    assert verdict.reason == "One 0.20; two 1.00."


def test_a_wrong_state_of_a_food_that_stays_is_named(judge):
    recipe = random_recipe(HELD_OUT + 1)
    number, step = next(
        (k, s) for k, s in enumerate(recipe.steps, start=1) if s.scene.action == "serve"
    )
    food, state = step.scene.food_name, step.scene.state_after
    objects = (PlannedObject(food, "food", food, "whole", "whole", "likely", 0.8),)
    planned = StepPlan(1, f"Serve the {food}.", "serve", objects, "")
    found = judge.judge(recipe.render(number).frames, planned, {}).contradictions
    assert found == (f"the {food} ends {state} instead of whole",)
