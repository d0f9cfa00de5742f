"""Draw text on images: fonts, lines that fit a box, and characters that no installed font can draw."""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache
from math import ceil

from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

FONTS = (
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "LiberationSans-Regular.ttf",
    "Arial Unicode.ttf",
    "arial.ttf",
    "Arial.ttf",
    "NotoSansCJK-Regular.ttc",
    "NotoSansArabic-Regular.ttf",
    "NotoSansHebrew-Regular.ttf",
    "NotoSansDevanagari-Regular.ttf",
    "PingFang.ttc",
    "msyh.ttc",
    "malgun.ttf",
    "Nirmala.ttf",
)
"""Fonts of Linux, macOS and Windows that Pillow finds by name; its own font comes first."""

UNDRAWABLE = "\U0010fffe"
"""A character that no font has; a font draws its box for missing characters."""

LINE_HEIGHT = 1.3
Colour = tuple[int, int, int, int]
WHITE: Colour = (255, 255, 255, 255)


@dataclass(frozen=True)
class TextBlock:
    """Lines of text and the font that draws them, `size` px high."""

    lines: tuple[str, ...]
    font: ImageFont.FreeTypeFont
    size: int

    @property
    def width(self) -> int:
        """Width of the longest line in px."""
        return max((round(self.font.getlength(line)) for line in self.lines), default=0)

    @property
    def height(self) -> int:
        """Height of all lines in px."""
        return round(len(self.lines) * self.size * LINE_HEIGHT)

    def draw(
        self, canvas: Pillow.Image, left: int, top: int, width: int, colour: Colour = WHITE
    ) -> None:
        """Draw the lines centred in a box `width` px wide."""
        pen = ImageDraw.Draw(canvas)
        for number, line in enumerate(self.lines):
            middle = top + (number + 0.5) * self.size * LINE_HEIGHT
            pen.text((left + width / 2, middle), line, fill=colour, font=self.font, anchor="mm")


def fitted(
    text: str, width: int, height: int, largest: int, *, smallest: int = 10, like: str = ""
) -> TextBlock:
    """Return the text in the largest size at which its lines fit a box in px.

    Text that does not fit in the smallest size is cut, and ends with an ellipsis.

    Args:
        text: The text.
        width: Width of the box.
        height: Height of the box.
        largest: Size to begin with.
        smallest: Size to end with.
        like: All texts of a film, so that they share one font.
    """
    words = drawable(text)
    name = _font_name(_plain(like or text))
    if _missing(name, words):
        name = _font_name(words)
    size = largest
    while True:
        block = _wrapped(words, name, width, size)
        if block.height <= height or size <= smallest:
            break
        size = max(smallest, int(size * 0.92))
    room = max(1, int(height / (size * LINE_HEIGHT)))
    if len(block.lines) <= room:
        return _balanced(block, words, name, width)
    last = block.lines[room - 1]
    while last and block.font.getlength(last + "…") > width:
        last = last[:-1]
    return TextBlock((*block.lines[: room - 1], last.rstrip() + "…"), block.font, size)


def _balanced(block: TextBlock, text: str, name: str, width: int) -> TextBlock:
    """Return the block with lines of similar length, so that its last line is not a single word."""
    for percent in range(95, 45, -5):
        narrower = _wrapped(text, name, width * percent // 100, block.size)
        if len(narrower.lines) > len(block.lines):
            break
        block = narrower
    return block


def drawable(text: str) -> str:
    """Return the text on one line without the characters that its font would draw as boxes."""
    clean = _plain(text)
    missing = set(undrawable(clean))
    kept: list[str] = []
    is_lost = False
    for character in clean:
        # A combining mark goes with its letter.
        is_mark = unicodedata.category(character).startswith("M")
        is_lost = character in missing or (is_mark and is_lost)
        kept += [] if is_lost else [character]
    return " ".join("".join(kept).split())


def undrawable(text: str) -> tuple[str, ...]:
    """Return the characters of a text that no font here can draw, each once."""
    return _missing(_font_name(_plain(text)), _plain(text))


def _plain(text: str) -> str:
    """Return composed text on one line, without control characters and emoji selectors."""
    kept = (" " if c.isspace() else c for c in unicodedata.normalize("NFC", text))
    return "".join(c for c in kept if c.isprintable() or c in "\u200c\u200d")


def _wrapped(text: str, name: str, width: int, size: int) -> TextBlock:
    font = _font(name, size)
    lines: list[str] = []
    line = ""
    for word in text.split():
        tried = f"{line} {word}".strip()
        if font.getlength(tried) <= width:
            line = tried
            continue
        if line:
            lines.append(line)
        line = word
        # A word that is too long, or a script without spaces, breaks anywhere.
        while len(line) > 1 and font.getlength(line) > width:
            lengths = range(1, len(line))
            cut = max(1, bisect_right(lengths, width, key=lambda n: ceil(font.getlength(line[:n]))))
            lines.append(line[:cut])
            line = line[cut:]
    return TextBlock((*lines, line) if line else tuple(lines), font, size)


@lru_cache(maxsize=256)
def _font_name(text: str) -> str:
    """Return the first font that has all characters, or else the one that lacks the fewest."""
    best, fewest = "", len(_missing("", text))
    for name in FONTS:
        if not fewest:
            break
        if _is_installed(name) and len(_missing(name, text)) < fewest:
            best, fewest = name, len(_missing(name, text))
    return best


@lru_cache(maxsize=64)
def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    if name:
        return ImageFont.truetype(name, size)
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont), "Pillow is built with FreeType"
    return font


@lru_cache(maxsize=64)
def _is_installed(name: str) -> bool:
    try:
        _font(name, 16)
    except OSError:
        return False
    return True


@lru_cache(maxsize=512)
def _missing(name: str, text: str) -> tuple[str, ...]:
    font = _font(name, 16)
    box = bytes(font.getmask(UNDRAWABLE))
    found = []
    for character in dict.fromkeys(text):
        # Spaces, joiners and combining marks have no shape of their own.
        if unicodedata.category(character)[0] in "ZCM":
            continue
        if bytes(font.getmask(character)) == box:
            found.append(character)
    return tuple(found)
