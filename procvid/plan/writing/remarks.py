"""Find shots that describe and instruct nothing, and give them a still picture."""

from __future__ import annotations

import re
from collections.abc import Sequence

from procvid.plan.language.lexicon import words
from procvid.plan.language.side_clauses import gap, starts_sentence
from procvid.plan.writing.wording import as_sentence, place, seen_foods, spoken_name, verbs_of
from procvid.types import PlannedObject

SUBJECTS = frozenset("the this these that those it it's they there your all some".split())
MODALS = frozenset(
    "is are was were will would should can could may might must has have keeps keep tastes becomes".split()
)
RECIPE_LINK = re.compile(r"[A-Z][^.!?:;\n]{0,80}\bRecipes?$")
"""The title of another recipe, which pages list below their own."""
DIAL = re.compile(
    r"(?:turn|switch) (?:it |the (?:mixer|speed|machine) )?(?:up |down )?"
    r"(?:to (?:high|low|medium|full)|on|off)\b[^.,]{0,20}\.?$",
    re.I,
)
"""An order to a machine alone: "Turn to high"."""
HEADING = re.compile(r"(?:to )?(?:assemble|finish)(?:,? (?:and|&) (?:serve|enjoy))?[\s.:!]*$", re.I)
"""A heading that names no food: "Assemble and serve"."""
MAX_SUBJECT_WORDS = 8
MAX_STILL = 4
JOINERS = frozenset({"and", "then", "or"})


def is_statement(text: str) -> bool:
    """Return True for "The cream should have stiff peaks", which asks for no action."""
    if any(known.match(text.strip()) for known in (RECIPE_LINK, DIAL, HEADING)):
        return True
    tokens = words(text)
    if not tokens or tokens[0].text not in SUBJECTS:
        return False
    modal = next(
        (i for i, t in enumerate(tokens[1:MAX_SUBJECT_WORDS], 1) if t.text in MODALS), None
    )
    if modal is None or any(starts_sentence(text, tokens, i) for i in range(1, modal + 1)):
        return False
    return not any(
        starts_sentence(text, tokens, verb.start)
        or "," in gap(text, tokens, verb.start)
        or tokens[verb.start - 1].text in JOINERS
        for verb in verbs_of(text)
        if verb.start > 0 and not verb.weak
    )


def still_sentence(foods: Sequence[PlannedObject], vessels: Sequence[PlannedObject]) -> str:
    """Return the picture of things that nobody touches: "Close-up of the cream in the bowl"."""
    seen = seen_foods(foods, MAX_STILL)
    where = place(spoken_name(vessels[0], "")) if vessels else ""
    if not seen:
        where = f"the {spoken_name(vessels[0], '')}" if vessels else "the ingredients"
    return as_sentence("Close-up of", seen, where)
