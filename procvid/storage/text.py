"""Clean text from other people for display."""

from __future__ import annotations


def printable(text: object) -> str:
    """Return the text on one line, without control characters.

    Stores, plans and lists come from other people. Their text must not steer a terminal or break
    the layout of a page.
    """
    return " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())
