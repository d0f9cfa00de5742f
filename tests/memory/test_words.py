"""Object names, and states that fit each other."""

from __future__ import annotations

import pytest

from procvid.memory.words import crop_text, named, state_fit, with_article
from procvid.types import Role


@pytest.mark.parametrize(
    ("name", "role", "state", "words"),
    [
        ("frying pan", "vessel", "in use", "frying pan"),
        ("Carrot", "food", "sliced", "sliced carrot"),
        ("carrot", "food", "whole", "carrot"),
        ("egg", "food", "", "egg"),
        ("counter", "surface", "", "counter"),
    ],
)
def test_named(name: str, role: Role, state: str, words: str) -> None:
    assert named(name, role, state) == words


def test_reported_says_nothing_twice() -> None:
    assert crop_text("carrot", "food", "carrot", "whole") == "carrot"
    assert crop_text("carrot", "food", "Thin  orange coins", "sliced") == (
        "sliced carrot, thin orange coins"
    )
    assert crop_text("pot", "vessel", "", "in use") == "pot"
    history = "potato, diced in step 1, boiled in step 2, with skin"
    assert crop_text("potato", "food", history, "boiled") == "boiled potato, with skin"


@pytest.mark.parametrize(
    ("role", "wanted", "held", "fit"),
    [
        ("food", "sliced", "sliced", 1.0),
        ("food", "Sliced", "sliced", 1.0),
        ("food", "sliced", "whole", 0.0),
        ("food", "whole", "sliced", 0.0),
        ("food", "sliced", "", 0.0),
        ("food", "", "sliced", 0.5),
        ("food", "whole", "raw", 0.7),
        ("food", "sliced", "diced", 0.0),
        ("vessel", "clean", "in use", 1.0),
        ("tool", "", "dirty", 1.0),
    ],
)
def test_state_fit(role: Role, wanted: str, held: str, fit: float) -> None:
    assert state_fit(role, wanted, held) == fit


def test_articles() -> None:
    assert [with_article(w) for w in ("carrot", "onion", "egg")] == [
        "a carrot",
        "an onion",
        "an egg",
    ]
