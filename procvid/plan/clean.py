"""Clean foreign text: remove markup, entities, emoji, control and direction characters."""

from __future__ import annotations

import html
import re
import unicodedata
from html.parser import HTMLParser

TAG = re.compile(r"<(?:!--|!doctype|/?[a-zA-Z][a-zA-Z0-9:-]*(?:\s[^<>]*)?/?>)", re.IGNORECASE)
TERMINAL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
"""Colour and cursor sequences of terminals: without the escape character their rest would stay."""
BLOCKS = frozenset(
    "p div section article header footer main ul ol table tr br hr h1 h2 h3 h4 h5 h6 blockquote "
    "pre dl dt dd form body html figure nav aside".split()
)
SILENT = frozenset("script style template noscript svg iframe object".split())
ENDLESS = frozenset({"script", "style"})
KEPT_SYMBOLS = frozenset("°½¼¾⅓⅔⅛")
QUIET_SYMBOLS = frozenset("©®™")
SPACES = {"\t": " ", "\v": "\n", "\f": "\n", "\x85": "\n", "\u2028": "\n", "\u2029": "\n"}


class _TextOfPage(HTMLParser):
    """Collector of the readable text of a page, with line breaks and list marks."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.silent: list[str] = []
        self.lists: list[int | None] = []
        self.title: list[str] = []
        self.in_title = self.has_headline = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in SILENT:
            self.silent.append(tag)
        elif tag == "title":
            self.in_title = True
        elif tag == "h1":
            self.has_headline = True
            self.parts.append("\n\n# ")
        elif tag in ("h2", "h3", "h4"):
            self.parts.append("\n\n## ")
        elif tag in ("ul", "ol"):
            self.lists.append(0 if tag == "ol" else None)
        elif tag == "li":
            self.parts.append(self._mark())
        elif tag in BLOCKS:
            self.parts.append("\n" if tag in ("br", "tr") else "\n\n")

    def _mark(self) -> str:
        if not self.lists or self.lists[-1] is None:
            return "\n- "
        self.lists[-1] += 1
        return f"\n{self.lists[-1]}. "

    def handle_endtag(self, tag: str) -> None:
        if tag == "title":
            self.in_title = False
        elif tag in self.silent:
            while self.silent and self.silent.pop() != tag:
                pass
        elif tag in ("ul", "ol") and self.lists:
            self.lists.pop()
            self.parts.append("\n\n")
        elif tag in BLOCKS:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if self.in_title:
            self.title.append(data)
        elif not self.silent:
            self.parts.append(data)

    def text(self) -> str:
        """Return the text; the page title comes first if there is no headline."""
        body, title = "".join(self.parts), " ".join("".join(self.title).split())
        return f"# {title}\n\n{body}" if title and not self.has_headline else body


def strip_markup(text: str) -> tuple[str, bool]:
    """Return the text without HTML, scripts and styles, and True if there was any."""
    if not TAG.search(text):
        return html.unescape(text), False
    page = _TextOfPage()
    page.feed(text)
    page.close()
    return html.unescape(page.text()), True


def clean_text(text: str) -> tuple[str, list[str]]:
    """Return readable text with `\\n` line ends, and notes on what was removed.

    Drops markup, control, direction and zero-width characters, emoji and other images; keeps
    letters of every script, signs and fractions.
    """
    notes: list[str] = []
    text, sequences = TERMINAL.subn("", text)
    text, had_markup = strip_markup(text.replace("\x00", ""))
    if had_markup:
        notes.append("Removed HTML tags.")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    kept: list[str] = []
    pictures, controls = 0, sequences
    for char in unicodedata.normalize("NFC", text):
        kind = unicodedata.category(char)
        if char == "\n" or char in SPACES:
            kept.append(SPACES.get(char, "\n"))
        elif kind == "Zs":
            kept.append(" ")
        elif kind in ("Cc", "Cf", "Cs", "Co", "Cn"):
            controls += kind in ("Cc", "Co", "Cs")
        elif (kind in ("So", "Sk") and char not in KEPT_SYMBOLS) or "\ufe00" <= char <= "\ufe0f":
            pictures += char not in QUIET_SYMBOLS and kind == "So"
            kept.append(" ")
        elif char == "\u20e3":
            pictures += 1
        else:
            kept.append(char)
    if pictures:
        notes.append(f"Removed emoji or picture signs ({pictures}).")
    if controls:
        notes.append(f"Removed control characters ({controls}).")
    lines = "".join(kept).split("\n")
    return "\n".join(_spaced(line) for line in lines).strip("\n"), notes


def _spaced(line: str) -> str:
    """Return the line with single spaces; keep the indent, which marks list items."""
    body = re.sub(r" +([.,;!?])", r"\1", line.lstrip(" "))
    indent = len(line) - len(line.lstrip(" "))
    return " " * min(indent, 8) + re.sub(r" {2,}", " ", body).rstrip()


def one_line(text: str) -> tuple[str, list[str]]:
    """Return `clean_text` of a single field, on one line."""
    cleaned, notes = clean_text(text)
    return " ".join(cleaned.split()), notes
