"""Text on images: lines that fit, and characters that no font here has."""

from __future__ import annotations

import numpy as np
from PIL import Image as Pillow

from procvid.media.lettering import drawable, fitted, undrawable


def test_characters_that_no_font_has_are_named_and_left_out() -> None:
    assert undrawable("Fry the carrot, 5 min at 180 °C – é.") == ()
    assert undrawable("🥕 Fry\n\u202e \U0010ffff🥕") == ("🥕",)
    assert drawable("🥕 Fry  it\n now\x07") == "Fry it now"


def test_text_fits_its_box_or_ends_with_an_ellipsis() -> None:
    short, long = fitted("Fry it", 300, 100, 30), fitted("carrot " * 99, 300, 100, 30)
    assert short.lines == ("Fry it",) and short.size == 30
    assert long.size == 10 and long.lines[-1].endswith("…")
    word = fitted("x" * 200, 300, 200, 30)
    for block in (short, long, word):
        assert block.width <= 300 and block.height <= 200
    canvas = Pillow.new("RGBA", (300, 100))
    short.draw(canvas, 0, 0, 300)
    columns = np.flatnonzero(np.asarray(canvas)[..., 3].any(0))
    assert abs(columns[0] - (299 - columns[-1])) <= 4
    assert fitted("", 300, 100, 30).lines == ()
