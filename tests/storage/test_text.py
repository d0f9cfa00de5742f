"""Other people's text becomes one line without control characters."""

from procvid.storage.text import printable


def test_text_is_one_line_without_control_characters() -> None:
    assert printable("a\x1b[31m\tb\n\u2028c\u202e  d") == "a [31m b c d"
    assert printable("été ½") == "été ½" and printable(12) == "12"
