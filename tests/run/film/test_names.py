"""File names after titles."""

from __future__ import annotations

import unicodedata

import pytest

from procvid.run.film.names import MAX_BYTES, film_name


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Carrot omelette", "carrot-omelette.mp4"),
        ("Crème brûlée (à l'orange)!", "crème-brûlée-à-l-orange.mp4"),
        ("Cre\u0300me", "crème.mp4"),
        ("", "recipe.mp4"),
        ("...", "recipe.mp4"),
        ("🥕🍳", "recipe.mp4"),
        ("../../etc/passwd", "etc-passwd.mp4"),
        ("a\\b:c*d?", "a-b-c-d.mp4"),
        ("CON", "con-recipe.mp4"),
        ("lpt1", "lpt1-recipe.mp4"),
        ("חביתת גזר", "חביתת-גזר.mp4"),
        ("胡萝卜煎蛋", "胡萝卜煎蛋.mp4"),
        ("गाजर आमलेट", "गाजर-आमलेट.mp4"),
        ("\u202egnp.exe", "gnp-exe.mp4"),
        ("-rf", "rf.mp4"),
    ],
)
def test_a_title_becomes_a_safe_name(title: str, name: str) -> None:
    assert film_name(title, ".mp4") == name


@pytest.mark.parametrize("title", ["word " * 60, "x" * 300, "胡" * 300, "e\u0323\u0301" * 150])
def test_a_long_title_keeps_whole_characters(title: str) -> None:
    name = film_name(title, "")
    assert 0 < len(name.encode()) <= MAX_BYTES
    assert unicodedata.normalize("NFC", name) == name and not name.endswith("-")
