"""Text of other people and other systems: to read it, to split it, to show it."""

from __future__ import annotations

import codecs
import io
import json
import sys

import pytest

from procvid.storage.text import decode_text, lines_of, printable, show_any_text


def test_text_is_one_line_without_control_characters() -> None:
    assert printable("a\x1b[31m\tb\n\u2028c\u202e  d") == "a [31m b c d"
    assert printable("été ½") == "été ½" and printable(12) == "12"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
def test_any_usual_encoding_is_read(encoding: str) -> None:
    assert (
        decode_text("na\u00efve caf\u00e9 \u2013 1".encode(encoding))
        == "na\u00efve caf\u00e9 \u2013 1"
    )


def test_marks_and_their_absence() -> None:
    assert decode_text(codecs.BOM_UTF16_BE + "a\u4e2d".encode("utf-16-be")) == "a\u4e2d"
    assert decode_text("slice it".encode("utf-16-le")) == "slice it"
    assert decode_text(b"") == "" and decode_text(b"a\x00b") == "a\x00b"


def test_lines_end_at_line_feeds_only() -> None:
    assert lines_of('\ufeff{"a": "\u2028\x85"}\r\n\n1') == ['{"a": "\u2028\x85"}', "", "1"]


@pytest.mark.parametrize(
    ("encoding", "line"),
    [("ascii", "a ? b ?"), ("cp1252", "a ? b \u00e9"), ("utf-8", "a \u2192 b \u00e9")],
)
def test_what_a_terminal_lacks_is_replaced(
    monkeypatch: pytest.MonkeyPatch, encoding: str, line: str
) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
    show_any_text()
    print("a \u2192 b \u00e9")
    row = {"text": "a \u2192 b \u00e9 \U0001f955"}
    print(json.dumps(row, ensure_ascii=False), flush=True)
    first, second = raw.getvalue().decode(encoding).splitlines()
    assert first == line and json.loads(second) == row
