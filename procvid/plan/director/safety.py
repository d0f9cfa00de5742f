"""Name what a cook must check about food safety. Nothing here says that a recipe is safe."""

from __future__ import annotations

import re

from procvid.plan.language.lexicon import lexicon
from procvid.types import Plan, StepPlan

RISKY = frozenset({"meat", "poultry", "fish", "seafood", "egg"})
HEATING = frozenset("fry boil bake grill toast broil steam roast poach".split())
DEGREES = re.compile(r"\b\d{2,3} ?(?:°|º|degrees|[CF]\b)", re.IGNORECASE)


def safety_notes(plan: Plan) -> tuple[str, ...]:
    """Return a sentence for each meat, fish or egg that the plan cooks without a temperature, or not.

    Only foods of the lexicon are known.
    """
    names = dict.fromkeys(
        item.name for step in plan.steps for item in step.objects if item.role == "food"
    )
    found = []
    for name in names:
        entry = lexicon().look_up(name)
        if entry is None or entry.group not in RISKY:
            continue
        steps = [s for s in plan.steps if any(item.name == name for item in s.objects)]
        heated = [s for s in steps if s.action in HEATING or _on_the_stove(s)]
        if not heated:
            found.append(f"No step heats the {name}. Check that it is safe to eat so.")
        elif not any(DEGREES.search(step.text) for step in heated):
            found.append(
                f"No step names an inside temperature for the {name}. Check it with a "
                "food-safety agency before you cook."
            )
    return tuple(found)


def _on_the_stove(step: StepPlan) -> bool:
    vessels = (lexicon().look_up(item.name) for item in step.objects if item.role == "vessel")
    return any(entry is not None and entry.group in ("stove", "oven") for entry in vessels)
