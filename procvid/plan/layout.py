"""Find title, ingredients and steps in plain text or Markdown.

Steps are marked (numbers, bullets, "Step 2:"), or are lines, or sentences of a paragraph.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from procvid.plan.lexicon import words
from procvid.plan.verbs import names_action, starts_with_action

NUMBERED = re.compile(
    r"^\s*(\*\*)?(?:step\s*)?(\d{1,3})\s*(?:[.):\u2013\u2014-](?!\d)|(?=\*\*)|$)(?(1)\s*(?:\*\*)?)\s*",
    re.I,
)
BULLET = re.compile(r"^\s*(?:[-*+\u2022\u2023\u25aa\u25e6\u2043\u00b7]\s+(?:\[[ xX]?\]\s*)?)")
LETTERED = re.compile(r"^\s*[a-h][.)]\s+")
HEADING = re.compile(r"^\s{0,3}(#{1,6})\s+(.*?)\s*#*$")
TABLE_ROW = re.compile(r"^\s*\|(.+\|.*)\|\s*$")
RULE = re.compile(r"^\s*(?:[-*_=~]\s*){3,}$")
SECTIONS = {
    "ingredients": re.compile(
        r"^(?:the\s+)?(?:ingredients?(?: list)?|(?:yo)?u(?:'ll| will)? need|what you(?:'ll)? need|"
        r"shopping list)\b", re.I
    ),
    "steps": re.compile(
        r"^(?:the\s+)?(?:directions?|instructions?|method|steps?|preparation|procedure|"
        r"how to(?: make| cook| prepare)?|"
        r"cooking (?:steps|instructions|directions)|what to do|let's cook)\b", re.I
    ),
    "other": re.compile(
        r"^(?:notes?|tips?|nutrition\w*|equipment|tools|storage|variations?|about|description|introduction|"
        r"serving suggestions?|substitutions?|comments?|reviews?|video|recipe notes|"
        r"cook'?s notes?|faq)\b", re.I
    ),
}  # fmt: skip
FACT = re.compile(
    r"^[(\[]?(?:serves|servings?|makes|yields?|prep(?:aration)?(?: time)?|cook(?:ing)? time|"
    r"total(?: time)?|"
    r"difficulty|level|calories|author|source|course|cuisine|category|keywords?|date|time|rating|"
    r"url|link)\s*(?::|=|\d|\bfor\b|\babout\b)|^by [A-Z]|^https?://|^www\.", re.I
)  # fmt: skip
FILLERS = frozenset(
    "and or the for of on a our your & recipe recipes tips tricks notes note facts information info "
    "cook's cooks chef's list needed storage ideas advice steps method directions instructions "
    "ingredients equipment tools nutrition video here".split()
)
"""Words beside a section's name that leave it a section's name: "Tips and tricks"."""

TITLE_MARK = re.compile(r"^(?:title|recipe(?: name)?|name)\s*:\s*|^recipe for\s+", re.I)
AMOUNT = re.compile(
    r"^\s*(?:\d|[½¼¾⅓⅔⅛]|a (?:pinch|handful|bunch|knob|dash|cup|few|splash|clove) )", re.I
)
SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+(?=[\"'(\[]?[A-Z0-9])")
ABBREVIATION = re.compile(
    r"(?:\b(?:approx|min|mins|hr|hrs|tbsp|tsp|oz|lb|lbs|no|dr|mr|mrs|st|vs|e\.g|i\.e|etc|deg|temp)\.)$",
    re.I,
)
MAX_TITLE_CHARS = 100


@dataclass
class RecipeSections:
    """Sections of a recipe, and notes on the rest."""

    title: str = ""
    steps: list[str] = field(default_factory=list)
    ingredients: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Line:
    """A line and its kind: numbered, bullet, heading, blank or plain.

    `number` is that of a numbered line, else 0.
    """

    kind: str
    text: str
    indent: int
    number: int = 0


def read_lines(text: str) -> list[Line]:
    """Return the lines of a text without Markdown marks; a rule below a line makes it a heading."""
    lines: list[Line] = []
    for raw in text.split("\n"):
        indent = len(raw) - len(raw.lstrip())
        if RULE.match(raw):
            underlines = set(raw.strip()) <= {"=", "-"} and lines and lines[-1].kind == "plain"
            if underlines and (len(lines) == 1 or lines[-2].kind == "blank"):
                lines[-1] = Line("heading", lines[-1].text, 0)
            else:
                lines.append(Line("blank", "", 0))
            continue
        row = TABLE_ROW.match(raw)
        if row:
            lines.append(_table_line([undress(cell) for cell in row.group(1).split("|")]))
            continue
        heading = HEADING.match(raw)
        if heading:
            lines.append(Line("heading", undress(heading.group(2)), 0))
            continue
        raw = re.sub(r"^\s*>\s?", "", raw)
        numbered, bullet = NUMBERED.match(raw), BULLET.match(raw) or LETTERED.match(raw)
        if numbered:
            words_after = undress(raw[numbered.end() :])
            lines.append(Line("numbered", words_after, indent, int(numbered.group(2))))
        elif bullet:
            lines.append(Line("bullet", undress(raw[bullet.end() :]), indent))
        else:
            plain = undress(raw)
            lines.append(Line("plain" if plain else "blank", plain, indent))
    return lines


def _table_line(cells: list[str]) -> Line:
    """Return a table row as a line: numbered rows are steps, heads and rules are blank."""
    rest = " ".join(cell for cell in cells[1:] if cell)
    if cells[0].isdigit() and len(cells[0]) <= 3:
        return Line("numbered", rest, 0, int(cells[0]))
    if cells[0].lower().rstrip(".") in ("step", "steps", "no", "number", "") and len(cells) > 1:
        return Line("blank", "", 0)
    ruled = all(not cell.strip(" :-") for cell in cells)
    return Line("blank" if ruled else "plain", "" if ruled else " ".join(filter(None, cells)), 0)


def undress(text: str) -> str:
    """Return the words of Markdown emphasis, code, images, tables and links."""
    text = re.sub(r"!\[[^\]]*\]\([^)]*\)", "", text)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"(\*\*|__|~~|`)(.+?)\1", r"\2", text)
    text = re.sub(r"(?<![\w*])[*_](\S(?:.*?\S)?)[*_](?![\w*])", r"\1", text)
    return " ".join(text.strip().strip("|").split())


def section_of(line: Line) -> tuple[str, str] | None:
    """Return the section that a line opens, and the rest of the line: "Ingredients: 2 eggs"."""
    if line.kind not in ("heading", "plain"):
        return None
    head, colon, rest = line.text.partition(":")
    name = head if colon else line.text
    if not colon and line.kind != "heading" and len(words(name)) > 3:
        return None
    if len(name) > 40:
        return None
    for section, pattern in SECTIONS.items():
        if pattern.match(name.strip()) and (line.kind == "heading" or colon or _stands_alone(name)):
            return section, rest.strip()
    return None


def _only_names_section(name: str) -> bool:
    """Return True for "Notes and tips", but not for "Tips and fries"."""
    for pattern in SECTIONS.values():
        found = pattern.match(name.strip())
        if found:
            rest = name.strip()[found.end() :].lower()
            return all(word in FILLERS for word in re.findall(r"[^\s:,.!]+", rest))
    return False


def _stands_alone(name: str) -> bool:
    return len(words(name)) <= 3 and not name.rstrip().endswith(".")


def split_sentences(text: str) -> list[str]:
    """Return the sentences of a text; keep "approx. 5 min. more" whole."""
    out: list[str] = []
    for piece in SENTENCE_END.split(text):
        if out and ABBREVIATION.search(out[-1]) and not starts_with_action(piece):
            out[-1] += " " + piece
        else:
            out.append(piece)
    return [sentence.strip() for sentence in out if sentence.strip()]


def split_actions(text: str) -> list[str]:
    """Return one part per sentence or per action joined by ";" or "then"."""
    actions: list[str] = []
    for sentence in split_sentences(text):
        pieces = re.split(r"\s*;\s+|,?\s+(?:and\s+)?then,?\s+(?=\w)", sentence)
        whole = all(starts_with_action(piece) for piece in pieces)
        for piece in pieces if whole else [sentence]:
            if actions and not names_action(piece):
                actions[-1] += " " + piece
            else:
                actions.append(piece[:1].upper() + piece[1:])
    return actions


def lay_out(text: str) -> RecipeSections:
    """Find title, ingredients and steps in cleaned text, without judging them."""
    sections = RecipeSections()
    lines = _without_leading_blanks(read_lines(text))
    lines = _take_title(lines, sections)
    groups: dict[str, list[Line]] = {"": [], "ingredients": [], "steps": [], "other": []}
    section = resumed = ""
    numbers = 0
    for place, line in enumerate(lines):
        opened = section_of(line)
        if opened is not None:
            if opened[0] == "other" and opened[1] and _goes_on(lines[place + 1 :], numbers):
                _drop(sections, line.text)
                continue
            section, rest = opened
            if rest:
                kind = "bullet" if section == "ingredients" else "plain"
                items = re.split(r"[,;]\s*", rest) if section == "ingredients" else [rest]
                groups[section] += [Line(kind, item, 0) for item in items]
        elif line.kind == "plain" and FACT.match(line.text):
            _drop(sections, line.text)
        elif line.kind == "heading" or _is_subheading(line):
            _drop(sections, line.text, "heading")
            groups[section].append(Line("blank", "", 0))
        else:
            if section == "ingredients" and _begins_steps(line):
                section = "steps"
            if section == "other" and line.number == numbers + 1 > 1:
                section = resumed
            if line.number and section != "other":
                numbers, resumed = line.number, section
            groups[section].append(line)
    sections.ingredients = [line.text for line in groups["ingredients"] if line.text]
    for line in groups["other"]:
        _drop(sections, line.text)
    if any(line.text for line in groups["steps"]):
        _read_intro(groups[""], sections)
        sections.steps = read_steps(groups["steps"], sections)
    else:
        sections.steps = read_steps(_take_ingredients(groups[""], sections), sections)
    first = sections.steps[0] if len(sections.steps) > 1 and not sections.title else ""
    if first and len(words(first)) <= 8 and not names_action(first):
        sections.title, sections.steps = first.rstrip(".!: "), sections.steps[1:]
    return sections


def _goes_on(lines: list[Line], numbers: int) -> bool:
    """Return True if the steps continue after an aside such as "Tip: keep the peel.".

    Numbered ones do when the next number comes; others when the very next line is a command.
    """
    if numbers:
        return any(line.number == numbers + 1 for line in lines)
    if any(line.number for line in lines):
        return next(line.number for line in lines if line.number) == 1
    after = next((line for line in lines if line.text), None)
    return after is not None and section_of(after) is None and starts_with_action(after.text)


def _begins_steps(line: Line) -> bool:
    """Return True if a line below the ingredients is a step without a heading."""
    if line.kind == "blank" or AMOUNT.match(line.text):
        return False
    commands = starts_with_action(line.text) and len(words(line.text)) >= 3
    return commands or (line.text.endswith(".") and names_action(line.text))


def _without_leading_blanks(lines: list[Line]) -> list[Line]:
    """Return the lines without leading blank lines."""
    while lines and lines[0].kind == "blank" and len(lines) > 1 and lines[1].kind == "blank":
        lines = lines[1:]
    return lines


def _take_title(lines: list[Line], sections: RecipeSections) -> list[Line]:
    """Take the first heading or line as title, unless it is a step."""
    filled = [i for i, line in enumerate(lines) if line.text or line.kind == "numbered"]
    while filled and lines[filled[0]].kind == "plain" and FACT.match(lines[filled[0]].text):
        _drop(sections, lines[filled[0]].text)
        lines, filled = lines[filled[0] + 1 :], [i - filled[0] - 1 for i in filled[1:]]
    if not filled:
        return lines
    first = lines[filled[0]]
    marked = TITLE_MARK.match(first.text)
    opened = section_of(first)
    names_dish = opened is not None and not opened[1] and not _only_names_section(first.text)
    if first.kind in ("heading", "plain") and (opened is None or names_dish):
        after = lines[filled[1]] if len(filled) > 1 else None
        alone = len(filled) > 1 and filled[1] > filled[0] + 1
        if marked or first.kind == "heading" or _is_title(first, after, alone):
            sections.title = first.text[marked.end() :] if marked else first.text
            return lines[filled[0] + 1 :]
    return lines


def _is_title(line: Line, after: Line | None, alone: bool) -> bool:
    if after is None or len(line.text) > MAX_TITLE_CHARS or line.text.endswith((".", ";", ":")):
        return False
    if FACT.match(line.text) or (AMOUNT.match(line.text) and names_action(line.text)):
        return False
    followed = after.kind in ("numbered", "bullet", "heading") or section_of(after) is not None
    return followed or not starts_with_action(line.text) or (alone and len(words(line.text)) <= 5)


def _is_subheading(line: Line) -> bool:
    """Return True for "For the sauce:", which names a part of the recipe."""
    if not line.text.endswith(":") or len(words(line.text)) > 6:
        return False
    return line.text.lower().startswith("for ") or not starts_with_action(line.text)


def _drop(sections: RecipeSections, text: str, what: str = "line") -> None:
    if text:
        short = text if len(text) <= 60 else text[:57] + "..."
        sections.notes.append(f'Skipped {what}: "{short}"')


def _read_intro(lines: list[Line], sections: RecipeSections) -> None:
    """Read the lines before the sections: list items are ingredients, the rest is introduction."""
    for line in lines:
        if line.kind in ("bullet", "numbered") or (
            line.kind == "plain" and AMOUNT.match(line.text)
        ):
            sections.ingredients.append(line.text)
        else:
            _drop(sections, line.text)


def _take_ingredients(lines: list[Line], sections: RecipeSections) -> list[Line]:
    """Take bullets before the first number and amounts before the first step."""
    numbers = [i for i, line in enumerate(lines) if line.kind == "numbered" and line.text]
    rest: list[Line] = []
    for index, line in enumerate(lines):
        early = bool(numbers) and index < numbers[0]
        amount = AMOUNT.match(line.text) and not names_action(line.text) and not rest_has_step(rest)
        if (line.kind == "bullet" and early) or (line.kind in ("plain", "bullet") and amount):
            sections.ingredients.append(line.text)
        else:
            rest.append(line)
    return rest


def rest_has_step(lines: list[Line]) -> bool:
    """Return True if one of the lines is a step."""
    return any(line.text and names_action(line.text) for line in lines)


def read_steps(lines: list[Line], sections: RecipeSections) -> list[str]:
    """Return the marked steps with the lines that continue them, else one step per sentence."""
    mark = next((k for k in ("numbered", "bullet") if any(line.kind == k for line in lines)), None)
    if mark is None:
        return [step for block in _paragraphs(lines) for step in split_actions(block)]
    steps: list[str] = []
    begun = fresh = False
    for line in lines:
        if line.kind == mark:
            steps.append(line.text)
            begun = True
        elif line.text and begun:
            steps[-1] = f"{steps[-1]} {line.text}".strip()
        elif line.text and starts_with_action(line.text):
            steps.append(line.text)
        else:
            _drop(sections, line.text)
        fresh = line.kind == "blank"
    return [step for step in steps if step] if not fresh or steps else []


def _paragraphs(lines: list[Line]) -> list[str]:
    """Join lines that only wrap a sentence."""
    blocks: list[str] = []
    open_block = False
    for line in lines:
        if not line.text:
            open_block = False
            continue
        wrapped = (
            open_block and line.text[:1].islower() and not blocks[-1].endswith((".", "!", "?", ":"))
        )
        if wrapped and not starts_with_action(line.text):
            blocks[-1] += " " + line.text
        else:
            blocks.append(line.text)
        open_block = True
    return blocks
