"""The proof of detours: its table. The runs themselves are those of `tests/run/test_detour.py`."""

from __future__ import annotations

from lab.detours import DETOURS, EXAMPLES, table
from procvid.plan.detour.detour import make_detour
from procvid.plan.detour.wishes import wishes_of
from procvid.plan.recipe.parse import read_recipe
from procvid.plan.rules import plan_recipe
from procvid.plan.shots import cut_into_shots, with_recipe_steps


def test_there_are_fifteen_detours_that_change_something():
    made = []
    for name, all_wishes in DETOURS.items():
        recipe = cut_into_shots(read_recipe(EXAMPLES / name))
        plan = with_recipe_steps(plan_recipe(recipe), recipe)
        made += [make_detour(recipe, plan, wishes_of(**wishes)) for wishes in all_wishes]
    assert len(made) == 15 and sum("dropped" in one.summary for one in made) == 3


def test_the_table_sums_up():
    row = {
        "recipe": "Soup",
        "wishes": {"skip": ["1"]},
        "steps": 4,
        "needed": 1,
        "made": 1,
        "other_bytes": [3],
        "pairs": 2,
        "same_vessel": 1,
        "source": (5, 4),
    }
    text = table([row, {**row, "other_bytes": []}])
    assert '| Soup | `--skip "1"` | 4 | 1 | 1 | 2 | 1 of 2 |' in text
    assert "| all | | 8 | 2 | 2 | 5 | 2 of 4 |" in text and "4 of 5 pairs" in text
