"""Read the lines of plain text or Markdown: numbered, bullet, heading, blank or plain.

Every pattern is anchored or bounded, so a line is read in time linear in its length.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

NUMBERED = re.compile(
    r"^\s{0,40}(\*\*)?(?:step\s{0,4})?(\d{1,3})\s{0,4}"
    r"(?:[.)](?!\d)|[:\u2013\u2014-](?=\s|\*|$)(?!\s{0,4}\d)|(?=\*\*)|$)(?(1)\s{0,4}(?:\*\*)?)",
    re.I,
)
STEP_WORD = re.compile(r"^\s{0,40}step\s{1,4}(\d{1,3})\s+(?=[A-Z])", re.I)
ROMAN = re.compile(
    r"^\s{0,40}((?=[IVX])X{0,2}(?:IX|IV|V?I{0,3}))[.)]\s+|^\s{0,40}([ivx]{1,5})\)\s+"
)
BULLET = re.compile(
    r"^\s{0,40}(?:[-*+\u2022\u2023\u25e6\u2043\u00b7\u2013\u2014]\s+|\u2022)(?:\[[ xX]?\]\s{0,4})?"
)
LETTERED = re.compile(r"^\s{0,40}[a-h][.)]\s+")
TIME_STAMP = re.compile(
    r"^\s{0,40}(?:[\[(](?:\d{1,2}:)?\d{1,2}:\d{2}[\])]|(?:\d{1,2}:)?\d{1,2}:\d{2})"
    r"\s{0,4}(?:[-\u2013\u2014]\s{0,4})?(?=[^\W\d_])"
)
HEADING = re.compile(r"^\s{0,3}(#{1,6})\s+(\S.*)$")
TABLE_ROW = re.compile(r"^\s{0,40}\|(.+\|.*)\|\s{0,40}$")
COOKLANG_FACT = re.compile(r"^>>\s{0,4}[^:]{1,40}:")
COOKLANG = re.compile(r"[@#~]([^@#~{}\n]{0,60})\{([^{}\n]{0,40})\}|(?<!\w)[@#](\w{1,40})")
COOKLANG_MARK = re.compile(r"[@#~][^@#~{}\n]{0,60}\{[^{}\n]{0,40}\}")
FACT_LINE = re.compile(r"^\s{0,8}[\w -]{1,40}:|^\s{0,8}- |^\s*$")
MAX_FACTS = 40
MAX_CELLS = 20
BETWEEN = re.compile(r"\s\u2022\s")
ENUMERATED = re.compile(
    r"(?<![\w,/])(?<!\d[.])(?:\(?(\d{1,2})[.)]|[Ss]tep\s(\d{1,2})\s?[.:)])\s{0,2}(?=[A-Z])"
)
ROMAN_VALUES = {"I": 1, "V": 5, "X": 10}


@dataclass(frozen=True)
class Line:
    """A line and its kind: numbered, bullet, heading, blank or plain.

    `number` is that of a numbered line, else 0; `raw` is a numbered line with its number, for
    numbers that turn out to be amounts.
    """

    kind: str
    text: str
    indent: int
    number: int = 0
    raw: str = ""


def read_lines(text: str, *, counted: bool = True) -> list[Line]:
    """Return the lines of a text without Markdown marks; a rule below a line makes it a heading.

    Args:
        text: The text.
        counted: Take a number for a mark only if the number before or after it marks a line too.
    """
    lines: list[Line] = []
    for raw in _cooklang(text).split("\n"):
        if is_rule(raw):
            underlines = set(raw.strip()) <= {"=", "-"} and lines and lines[-1].kind == "plain"
            if underlines and (len(lines) == 1 or lines[-2].kind == "blank"):
                lines[-1] = Line("heading", lines[-1].text, 0)
            else:
                lines.append(Line("blank", "", 0))
            continue
        for part in split_numbers(raw):
            lines += [_line(piece) for piece in _split_bullets(part)]
    return _without_false_numbers(lines) if counted else lines


def _line(raw: str) -> Line:
    """Return one line."""
    indent = min(8, len(raw) - len(raw.lstrip()))
    row = TABLE_ROW.match(raw)
    if row:
        return _table_line([undress(cell) for cell in row.group(1).split("|", MAX_CELLS)])
    heading = HEADING.match(raw)
    if heading:
        return Line("heading", undress(heading.group(2).rstrip("# ")), 0)
    raw = raw.lstrip()
    raw = raw[1:].lstrip() if raw.startswith(">") else raw
    numbered = NUMBERED.match(raw) or STEP_WORD.match(raw)
    if numbered:
        number = int(numbered.group(numbered.re.groups))
        return Line("numbered", undress(raw[numbered.end() :]), indent, number, undress(raw))
    roman = ROMAN.match(raw)
    if roman:
        number = roman_value(roman.group(1) or roman.group(2))
        return Line("numbered", undress(raw[roman.end() :]), indent, number, undress(raw))
    bullet = BULLET.match(raw)
    if bullet and NUMBERED.match(raw[bullet.end() :]):
        return _line(raw[bullet.end() :])
    marked = bullet or LETTERED.match(raw) or TIME_STAMP.match(raw)
    if marked:
        return Line("bullet", undress(raw[marked.end() :]), indent)
    plain = undress(raw)
    return Line("plain" if plain else "blank", plain, indent)


def is_rule(raw: str) -> bool:
    """Return True for a line of at least three equal marks: "---", "* * *", "====="."""
    marks = raw.replace(" ", "")
    return len(marks) >= 3 and set(marks) <= set("-*_=~") and not raw.strip().startswith("- [")


def roman_value(numeral: str) -> int:
    """Return the value of a roman numeral: "XIV" is 14."""
    values = [ROMAN_VALUES[sign] for sign in numeral.upper()]
    pairs = zip(values, [*values[1:], 0], strict=True)
    return sum(-a if a < b else a for a, b in pairs)


def _table_line(cells: list[str]) -> Line:
    """Return a table row as a line: numbered rows are steps, heads and rules are blank."""
    rest = " ".join(cell for cell in cells[1:] if cell)
    if cells[0].isdecimal() and len(cells[0]) <= 3:
        return Line("numbered", rest, 0, int(cells[0]), " ".join(cells))
    if cells[0].lower().rstrip(".") in ("step", "steps", "no", "number", "") and len(cells) > 1:
        return Line("blank", "", 0)
    ruled = all(not cell.strip(" :-") for cell in cells)
    return Line("blank" if ruled else "plain", "" if ruled else " ".join(filter(None, cells)), 0)


def _without_false_numbers(lines: list[Line]) -> list[Line]:
    """Make numbered lines plain that do not count: "20. Juni", "3) eggs" without a 1 or a 2."""
    numbers = {line.number for line in lines if line.kind == "numbered"}
    return [
        replace(line, kind="plain", text=line.raw, number=0)
        if line.kind == "numbered" and line.text and not _counts(line.number, numbers)
        else line
        for line in lines
    ]


def _counts(number: int, numbers: set[int]) -> bool:
    return number <= 1 or number - 1 in numbers or number + 1 in numbers


def split_numbers(text: str) -> list[str]:
    """Split "1. Slice it. 2. Fry it." before each number; the numbers must count from 1 or on."""
    cuts: list[int] = []
    wanted = 0
    for found in ENUMERATED.finditer(text):
        number = int(found.group(1) or found.group(2))
        if not wanted and number > 1:
            continue
        if not wanted or number == wanted:
            cuts.append(found.start())
            wanted = number + 1
    if len(cuts) < 2:
        return [text]
    ends = [*cuts[1:], len(text)]
    parts = [text[start:end] for start, end in zip(cuts, ends, strict=True)]
    return [part for part in [text[: cuts[0]], *parts] if part.strip()]


def _split_bullets(text: str) -> list[str]:
    """Split a line that holds several bullets: "• 1 egg • 2 carrots"."""
    parts = BETWEEN.split(text)
    marked = text.lstrip().startswith("\u2022")
    if len(parts) < (2 if marked else 3):
        return [text]
    return [
        part if i == 0 and not marked else f"\u2022 {part.lstrip(' •')}"
        for i, part in enumerate(parts)
    ]


def _cooklang(text: str) -> str:
    """Return Cooklang as plain text: its metadata left out, "@carrot{2}" as "carrot"."""
    text = _without_front_matter(text)
    if not COOKLANG_MARK.search(text):
        return text
    kept = [line for line in text.split("\n") if not COOKLANG_FACT.match(line)]
    return "\n".join(COOKLANG.sub(_cooklang_word, line) for line in kept)


def _without_front_matter(text: str) -> str:
    """Return the text without "---", facts and "---" at its start; a title stays."""
    head = text.lstrip().split("\n", MAX_FACTS)
    if head[0].strip() != "---" or "---" not in head[1:MAX_FACTS]:
        return text
    end = head.index("---", 1)
    if not all(FACT_LINE.match(line) for line in head[1:end]):
        return text
    titles = [line for line in head[1:end] if line.lower().startswith("title:")]
    return "\n".join([*titles[:1], "", *head[end + 1 :]])


def _cooklang_word(found: re.Match[str]) -> str:
    if found.group(3) is not None:
        return found.group(3)
    return found.group(1) or found.group(2).replace("%", " ")


LINK = re.compile(r"!?\[([^\[\]\n]{0,300})\]\([^()\s]{0,500}(?:\s[^()]{0,100})?\)")
STRONG = re.compile(r"(\*\*|__|~~|`)(?=\S)([^*_~`\n]{1,600})\1")
EMPHASIS = re.compile(r"(?<![\w*_])([*_])(?=\S)([^*_\n]{1,600})(?<=\S)\1(?![\w*_])")


def undress(text: str) -> str:
    """Return the words of Markdown emphasis, code, images, tables and links."""
    if "](" in text:
        text = LINK.sub(lambda m: "" if m.group().startswith("!") else m.group(1), text)
    text = STRONG.sub(r"\2", text)
    text = EMPHASIS.sub(r"\2", text)
    return " ".join(text.strip().strip("|").split())
