"""Text of others on a terminal."""

from __future__ import annotations


def printable(text: str) -> str:
    """On one line, without what would steer a terminal: stores and lists come from others too."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
