"""WebVTT: times, escaping, and no text that ends a cue or starts a tag."""

from __future__ import annotations

from pathlib import Path

import pytest

from procvid.errors import InputError, OutputError
from procvid.media.captions import cue_text, timestamp, vtt, write_vtt


def test_timestamps() -> None:
    assert timestamp(0) == "00:00:00.000"
    assert timestamp(3661.0005) in ("01:01:01.000", "01:01:01.001")
    assert timestamp(59.9996) == "00:01:00.000"


def test_a_document(tmp_path: Path) -> None:
    write_vtt(tmp_path / "a.vtt", [(0, 1.5, "Schäle die Möhre 🥕"), (1.5, 3, "Fry.")])
    assert (tmp_path / "a.vtt").read_text(encoding="utf-8") == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nSchäle die Möhre 🥕\n\n"
        "00:00:01.500 --> 00:00:03.000\nFry.\n"
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("salt & pepper", "salt &amp; pepper"),
        ("a --> b", "a --&gt; b"),
        ("one\r\n\r\n\r\ntwo", "one\ntwo"),
        ("a\x00b\x1bc\u2028d", "a b c d"),
        ("  wide \t space ", "wide space"),
    ],
)
def test_text_is_shown_literally(text: str, shown: str) -> None:
    assert cue_text(text) == shown


def test_a_cue_cannot_smuggle_in_another() -> None:
    document = vtt([(0, 1, "a\n\n00:00:05.000 --> 00:00:06.000\nb")])
    assert document.count(" --> ") == 1 and document.count("\n\n") == 1


def test_empty_cues_are_left_out() -> None:
    assert vtt([(0, 1, " \n ")]) == "WEBVTT\n"


@pytest.mark.parametrize("span", [(1, 1), (2, 1), (-1, 1), (float("nan"), 1)])
def test_times_that_cannot_be(span: tuple[float, float]) -> None:
    with pytest.raises(InputError, match="caption"):
        vtt([(*span, "x")])


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        write_vtt(tmp_path / "file" / "a.vtt", [])
