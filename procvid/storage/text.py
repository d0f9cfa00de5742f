"""Text from other people: read it in any encoding, and clean it for display."""

from __future__ import annotations

import codecs
import io
import sys

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
"""Byte order marks; UTF-32 comes first because its mark begins with that of UTF-16."""


_REPLACE = "procvid-replace"


def printable(text: object) -> str:
    """Return the text on one line, without control characters.

    Stores, plans and lists come from other people. Their text must not steer a terminal or break
    the layout of a page.
    """
    return " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())


def decode_text(data: bytes) -> str:
    """Return the text of a file without its byte order mark.

    The encoding is the one that a byte order mark names. Without a mark it is UTF-16 if every other
    byte of the beginning is zero, else UTF-8, else Windows-1252.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace")
    head = data[:4096]
    for encoding, zeros in (("utf-16-le", head[1::2]), ("utf-16-be", head[::2])):
        if len(head) >= 4 and zeros.count(0) > 0.4 * len(head):
            return data.decode(encoding, "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def lines_of(text: str) -> list[str]:
    """Return the lines of JSON lines or a table, without a byte order mark.

    `str.splitlines` also splits at characters such as U+2028, which a JSON string may contain.
    """
    return [line.removesuffix("\r") for line in text.removeprefix("\ufeff").split("\n")]


def show_any_text() -> None:
    """Let stdout and stderr replace characters that their encoding lacks, instead of failing."""
    codecs.register_error(_REPLACE, _replaced)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_REPLACE)


def _replaced(error: UnicodeError) -> tuple[str, int]:
    """Return what stands for characters that cannot be written: JSON escapes in JSON, else "?"."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    wrong = error.object[error.start : error.end]
    if error.object.startswith(("{", "[")):
        units = wrong.encode("utf-16-be", "surrogatepass").hex()
        escapes = (f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
        return "".join(escapes), error.end
    return "?" * len(wrong), error.end
