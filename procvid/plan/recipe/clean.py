"""Clean foreign text: remove markup, entities, emoji, control and direction characters."""

from __future__ import annotations

import html
import re
import unicodedata

from procvid.plan.recipe.markup import TAG, strip_markup

TERMINAL = re.compile(r"\x1b\[[0-9;?]{0,20}[ -/]{0,4}[@-~]")
"""Colour and cursor sequences of terminals: without the escape character their rest would stay."""

KEYCAP = re.compile(r"(\d)\ufe0f?\u20e3")
SIGN_BULLETS = frozenset("●○■□▪▫◆◇►▶▸▹⦁✓✔☐☑✅❖➤➢➔→★☆∙・◦‣•◉❑❒")
"""Signs that mark an item when a line begins with one."""

KEPT_SYMBOLS = frozenset("°½¼¾⅓⅔⅛℃℉")
QUIET_SYMBOLS = frozenset("©®™")
BLANKS = re.compile(r"\n{4,}")
SPACES = {"\t": " ", "\v": "\n", "\f": "\n", "\x85": "\n", "\u2028": "\n", "\u2029": "\n"}
FULL_WIDTH = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
CIRCLED = {
    ord(sign): f"{int(unicodedata.numeric(sign))}. "
    for sign in "①②③④⑤⑥⑦⑧⑨⑩⑪⑫⑬⑭⑮⑯⑰⑱⑲⑳❶❷❸❹❺❻❼❽❾❿➊➋➌➍➎➏➐➑➒➓"
}


def clean_text(text: str) -> tuple[str, list[str]]:
    """Return readable text with `\\n` line ends, and notes on what was removed.

    Drops markup, control, direction and zero-width characters, emoji and other images; keeps
    letters of every script, signs and fractions. Digits of every script become 0 to 9, and signs
    that mark an item become bullets.
    """
    text = text.replace("\x00", "")
    if not TAG.search(text):
        text = html.unescape(html.unescape(text))
    if TAG.search(text):
        cleaned, notes = clean_plain(html.unescape(html.unescape(strip_markup(text))))
        return cleaned, ["Removed HTML tags.", *notes]
    return clean_plain(text)


def clean_plain(text: str) -> tuple[str, list[str]]:
    """Return `clean_text` of a text without markup, in which "<" is a sign."""
    notes: list[str] = []
    text, sequences = TERMINAL.subn("", text)
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = KEYCAP.sub(r"\1. ", text).translate(FULL_WIDTH).translate(CIRCLED)
    kept: list[str] = []
    pictures, controls, at_start = 0, sequences, True
    for char in unicodedata.normalize("NFC", text):
        kind = unicodedata.category(char)
        if char in SIGN_BULLETS and at_start:
            kept.append("\u2022 ")
        elif char == "\n" or char in SPACES:
            kept.append(SPACES.get(char, "\n"))
        elif kind == "Zs":
            kept.append(" ")
        elif kind == "Nd":
            kept.append(str(unicodedata.decimal(char)))
        elif kind in ("Cc", "Cf", "Cs", "Co", "Cn"):
            controls += kind in ("Cc", "Co", "Cs")
            continue
        elif (kind in ("So", "Sk") and char not in KEPT_SYMBOLS) or "\ufe00" <= char <= "\ufe0f":
            pictures += char not in QUIET_SYMBOLS and kind == "So"
            kept.append(" ")
        elif char == "\u20e3":
            pictures += 1
        else:
            kept.append(char)
        at_start = kept[-1].endswith("\n") or (at_start and kept[-1] == " ") if kept else True
    if pictures:
        notes.append(f"Removed emoji or picture signs ({pictures}).")
    if controls:
        notes.append(f"Removed control characters ({controls}).")
    lines = BLANKS.sub("\n\n\n", "".join(kept)).split("\n")
    return "\n".join(_spaced(line) for line in lines).strip("\n"), notes


def _spaced(line: str) -> str:
    """Return the line with single spaces; keep the indent, which marks list items."""
    body = " ".join(part for part in line.split(" ") if part)
    for sign in ".,;!?":
        body = body.replace(f" {sign}", sign)
    indent = len(line) - len(line.lstrip(" "))
    return " " * min(indent, 8) + body if body else ""


def one_line(text: str) -> tuple[str, list[str]]:
    """Return `clean_text` of a single field, on one line."""
    cleaned, notes = clean_text(text)
    return " ".join(cleaned.split()), notes
