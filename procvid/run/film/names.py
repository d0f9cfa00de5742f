"""Name files after the title of a recipe, on every system."""

from __future__ import annotations

import re
import unicodedata

MAX_BYTES = 80
FALLBACK = "recipe"
RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])", re.IGNORECASE)
"""Names that Windows keeps for devices, with any suffix."""


def film_name(title: str, suffix: str) -> str:
    """Return a file name such as "carrot-omelette.mp4" for a title of any script and length.

    Letters, digits and their marks stay, in composed form and lower case; the rest becomes
    hyphens. The name has at most `MAX_BYTES` bytes in UTF-8 before its suffix.
    """
    composed = unicodedata.normalize("NFC", title).lower()
    # A lower case letter may need composing again.
    composed = unicodedata.normalize("NFC", composed)
    words = "".join(c if unicodedata.category(c)[0] in "LNM" else " " for c in composed).split()
    # A mark without its letter would stick to the hyphen before it.
    bare = (_without_leading_marks(word) for word in words)
    name = _cut("-".join(word for word in bare if word)).strip("-")
    if RESERVED.fullmatch(name):
        name = f"{name}-{FALLBACK}"
    return f"{name or FALLBACK}{suffix}"


def _without_leading_marks(word: str) -> str:
    while word and unicodedata.category(word[0]).startswith("M"):
        word = word[1:]
    return word


def _cut(name: str) -> str:
    """Return the name within `MAX_BYTES`, whole words if there is room for one."""
    if len(name.encode()) <= MAX_BYTES:
        return name
    short = name.encode()[: MAX_BYTES + 1].decode("utf-8", "ignore")
    if "-" in short:
        return short.rpartition("-")[0]
    short = name.encode()[:MAX_BYTES].decode("utf-8", "ignore")
    rest = name[len(short) :]
    # A letter that would lose its marks goes too.
    while short and rest and unicodedata.category(rest[0]).startswith("M"):
        short, rest = short[:-1], short[-1] + rest
    return short
