"""The state table: states at each step, how they are known, and past states."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from procvid.memory.memory import Memory
from procvid.memory.states import StateTable
from procvid.protocols import Embedder
from procvid.types import Crop, Plan, PlannedObject, StepPlan

Make = Callable[..., Crop]
Planned = Callable[..., PlannedObject]


@pytest.fixture
def plan(planned: Planned) -> Plan:
    """A carrot is sliced and fried, and then a whole one appears again."""
    steps = [
        ("Cut the carrot.", planned("carrot", "whole", "sliced")),
        ("Add it to the pan.", planned("carrot", "sliced")),
        ("Fry until fried.", planned("carrot", "sliced", "fried")),
        ("Take a whole carrot.", planned("carrot", "whole")),
    ]
    return Plan(
        "Carrots",
        tuple(
            StepPlan(number, text, "act", (item, planned("pot", "clean")), text)
            for number, (text, item) in enumerate(steps, start=1)
        ),
        "test",
    )


def test_the_table_says_what_and_how_it_is_known(plan: Plan) -> None:
    rows = [row for row in StateTable(plan) if row.name == "carrot"]
    assert [(r.step, r.before, r.after, r.known, r.since_step) for r in rows] == [
        (1, "whole", "sliced", "by the action", 1),
        (2, "sliced", "sliced", "as before", 1),
        (3, "sliced", "fried", "named", 1),
        (4, "whole", "whole", "named", 4),
    ]
    assert StateTable(plan).row("Pot", 2) is not None
    assert StateTable(plan).row("knife", 2) is None


def test_a_state_is_over_until_the_recipe_goes_back_to_it(plan: Plan) -> None:
    table = StateTable(plan)
    over = [sorted(table.over("carrot", step)) for step in (1, 2, 3, 4, 9)]
    assert over == [[], ["whole"], ["whole"], ["fried", "sliced"], ["fried", "sliced"]]
    assert table.over("pot", 3) == frozenset(), "a vessel stays itself in any state"
    assert table.over("knife", 3) == frozenset()


def test_a_crop_of_a_state_that_is_over_is_never_used(
    plan: Plan, store_of: Callable[..., object], crop: Make, embedder: Embedder
) -> None:
    memory = Memory([store_of(crop("carrot", "whole"))], embedder, 0, states=StateTable(plan))  # type: ignore[list-item]
    carrots = [step.objects[0] for step in plan.steps]
    assert memory.retrieve(carrots[0], 1).hit is not None
    late = memory.retrieve(carrots[1], 2)
    assert late.hit is None and "only whole" in late.reason
    again = memory.retrieve(carrots[3], 4).hit
    assert again is not None and again.crop.state == "whole"


def test_not_even_under_a_name_that_means_nearly_the_same(
    planned: Planned, store_of: Callable[..., object], crop: Make, embedder: Embedder
) -> None:
    """ "Chopped" fits "diced", but here it is a past state."""
    steps = tuple(
        StepPlan(n, "", "", (planned("carrot", state),), "")
        for n, state in enumerate(("chopped", "diced"), start=1)
    )
    memory = Memory(
        [store_of(crop("carrot", "chopped"))],  # type: ignore[list-item]
        embedder,
        0,
        states=StateTable(Plan("", steps, "")),
    )
    assert Memory(memory.stores, embedder, 0).retrieve(planned("carrot", "diced"), 2).hit
    answer = memory.retrieve(planned("carrot", "diced"), 2)
    assert answer.hit is None and "the state is over" in answer.reason


def test_an_unknown_wish_does_not_bring_back_the_past(
    plan: Plan, planned: Planned, store_of: Callable[..., object], crop: Make, embedder: Embedder
) -> None:
    memory = Memory([store_of(crop("carrot", "whole"))], embedder, 0, states=StateTable(plan))  # type: ignore[list-item]
    assert memory.retrieve(planned("carrot", "", ""), 2).hit is None
