"""Find how many a recipe serves."""

from __future__ import annotations

import re
from collections.abc import Iterable

SERVES = re.compile(
    r"\b(?:serves|servings?|yields?|makes|portions?)\b\D{0,12}(\d{1,3})"
    r"|(\d{1,3})\s*(?:servings|portions|people)",
    re.IGNORECASE,
)


def servings_in(lines: Iterable[str]) -> int:
    """Return how many a recipe serves by one of these lines, such as "Serves 4"; 0 if none says it."""
    for line in lines:
        found = SERVES.search(line)
        if found:
            return int(found[1] or found[2])
    return 0


def serves(count: int) -> str:
    """Return the line that names the servings."""
    return f"Serves {count}"


def other_notes(notes: Iterable[str]) -> list[str]:
    """Return the notes of a recipe without the line that names the servings."""
    return [note for note in notes if not re.fullmatch(r"Serves \d{1,3}", note)]
