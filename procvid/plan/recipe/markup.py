"""Read HTML: its tree, and the readable text of an element.

libxml2 parses in linear time and stops at 2,048 nested tags; the walk below does not recurse.
lxml is imported when the first markup is read.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lxml.html import HtmlElement

TAG = re.compile(r"<(?:!--|!doctype|/?[a-zA-Z][a-zA-Z0-9:-]*(?:\s[^<>]*)?/?>)", re.IGNORECASE)
PAGE = re.compile(
    r"<(?:!doctype\s{1,9}html|html|head|body)\b|<script[^<>]{0,300}json|"
    r"<[a-z][^<>]{0,300}\b(?:itemtype|typeof)=[^<>]{0,60}Recipe|"
    r"<[a-z][^<>]{0,300}\bclass=[^<>]{0,60}\bh-?recipe\b",
    re.IGNORECASE,
)
"""What a web page or a marked recipe has, and text with a few tags has not."""

FLOWING = re.compile(r"<(?:html|body|p|div|li|article|section)\b", re.IGNORECASE)
"""Tags that show that line ends in the source are spaces."""
HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
PARAGRAPHS = frozenset(
    "p div section article header footer main ul ol dl table hr blockquote pre form body figure "
    "nav aside fieldset".split()
)
LINES = frozenset("br tr dt dd li option".split())
SILENT = frozenset(
    "script style template noscript svg iframe object head button select textarea".split()
)
SPACE = re.compile(r"\s+")


def is_page(text: str) -> bool:
    """Return True for a web page, False for text with a few tags."""
    return bool(PAGE.search(text))


def parse_html(text: str) -> HtmlElement:
    """Return the tree of a page or a piece of HTML; comments are left out."""
    from lxml.etree import ParserError
    from lxml.html import HTMLParser, document_fromstring

    parser = HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, huge_tree=True)
    try:
        return document_fromstring(text.encode("utf-8", "replace"), parser=parser)
    except ParserError:
        # Tags without any content.
        return document_fromstring("<p></p>")


def strip_markup(text: str) -> str:
    """Return the text of a piece of HTML with line breaks, headings and list marks."""
    return text_of(parse_html(text), flowing=bool(FLOWING.search(text)))


def text_of(element: HtmlElement, *, flowing: bool = True) -> str:
    """Return the readable text of an element in the manner of Markdown.

    Args:
        element: The element.
        flowing: Read line ends in the source as spaces, as a browser does.
    """
    from lxml.etree import iterwalk

    out = _Writer(flowing)
    lists: list[int | None] = []
    walk = iterwalk(element, events=("start", "end"))
    for event, node in walk:
        tag = node.tag if isinstance(node.tag, str) else "script"
        if event == "start":
            if tag in SILENT:
                walk.skip_subtree()
                continue
            out.open(tag, lists)
            out.write(node.text)
        else:
            if tag not in SILENT:
                out.close(tag, lists)
            if node is not element:
                out.write(node.tail)
    return "".join(out.parts)


class _Writer:
    """Text under construction; breaks and marks wait for the next word."""

    def __init__(self, flowing: bool) -> None:
        self.flowing = flowing
        self.parts: list[str] = []
        self.breaks = 0
        self.mark = ""

    def write(self, text: str | None) -> None:
        """Add text behind the breaks and the mark that wait."""
        if not text:
            return
        text = SPACE.sub(" ", text) if self.flowing else text
        if not text.strip():
            if not self.breaks and not self.mark:
                self.parts.append(text)
            elif not self.flowing:
                self.breaks = max(self.breaks, min(2, text.count("\n")))
            return
        waiting = "\n" * self.breaks if self.parts else ""
        self.parts += [waiting, self.mark, text.lstrip() if waiting or self.mark else text]
        self.breaks, self.mark = 0, ""

    def open(self, tag: str, lists: list[int | None]) -> None:
        """Begin an element."""
        self.separate(tag)
        if tag in HEADINGS:
            self.mark = self.mark or "#" * int(tag[1]) + " "
        elif tag in ("ul", "ol"):
            lists.append(0 if tag == "ol" else None)
        elif tag == "li":
            number = lists[-1] if lists else None
            if number is not None:
                number = lists[-1] = number + 1
            self.mark = "- " if number is None else f"{number}. "

    def close(self, tag: str, lists: list[int | None]) -> None:
        """End an element."""
        self.separate(tag)
        if tag == "li" or tag in HEADINGS:
            self.mark = ""
        elif tag in ("ul", "ol") and lists:
            lists.pop()

    def separate(self, tag: str) -> None:
        """Ask for the breaks of a block."""
        if tag in PARAGRAPHS or tag in HEADINGS:
            self.breaks = 2
        elif tag in LINES:
            self.breaks = max(self.breaks, 1)
        elif tag in ("td", "th") and not self.breaks:
            self.parts.append(" ")
