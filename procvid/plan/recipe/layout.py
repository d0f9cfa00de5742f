"""Find title, ingredients and steps in plain text or Markdown.

Steps are marked (numbers, bullets, "Step 2:"), or are lines, or sentences of a paragraph.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from procvid.errors import RecipeError
from procvid.plan.language.lexicon import words
from procvid.plan.language.verbs import names_action, starts_with_action
from procvid.plan.recipe.clean import clean_text
from procvid.plan.recipe.lines import Line, read_lines
from procvid.plan.recipe.segment import AMOUNT, MEASURED, headings_of_steps, split_kinds, step_score

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
LITTER = re.compile(
    r"^(?:you (?:might|may|will) also (?:like|love|enjoy)|rate this|print(?: recipe)?(?: save| share|$)|"
    r"subscribe\b|sign up\b|share (?:this|on)\b|filed under|follow (?:us|me)\b|pin (?:it|this)|"
    r"jump to recipe|leave a (?:comment|reply|review)|did you make this|advertisement$|sponsored\b|"
    r"related (?:posts|recipes)|posted (?:in|on|by)\b|save (?:this )?recipe|tags?:)",
    re.I,
)
"""Lines of a page around its recipe."""
FACT = re.compile(
    r"^[(\[]?(?:(?:serves|servings?|makes|yields?)\s{0,4}(?::|=|\babout\b|\bfor\b)?\s{0,4}(?:about )?\d|"
    r"(?:prep(?:aration)?|cook(?:ing)?|total|rest(?:ing)?|bak(?:e|ing))(?: time\s{0,4}[:=]?|\s{0,4}[:=])"
    r"\s{0,4}(?:about )?\d|"
    r"(?:(?:prep|cook|cooking|preparation|total) time|yields?|difficulty|level|calories|author|source|"
    r"course|cuisine|category|keywords?|date|rating|url|link)\s{0,4}[:=]).{0,200}$|^https?://|^www\.", re.I
)  # fmt: skip
BYLINE = re.compile(r"^(?:[Bb]y|BY)(?: [A-Z][\w.'-]{0,20}){1,4}$")
FILLERS = frozenset(
    "and or the for of on a our your & recipe recipes tips tricks notes note facts information info "
    "cook's cooks chef's list needed storage ideas advice steps method directions instructions "
    "ingredients equipment tools nutrition video here".split()
)
"""Words beside a section's name that leave it a section's name: "Tips and tricks"."""

ASIDE = re.compile(r"^(?:note|tip|variation|video|substitution)\s?:", re.I)
"""A single aside, which ends with its line."""

DISH_NUMBER = re.compile(r"\d{1,3}[ -](?:minute|min|hour|ingredient|step|layer|day)", re.I)
LABEL = re.compile(r"^(?:to serve|serving|serve)\s?:\s", re.I)
TITLE_MARK = re.compile(r"^(?:title|recipe(?: name)?|name)\s*:\s*|^recipe for\s+", re.I)
SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+(?=[\"'(\[]?[A-Z0-9])")
JOINT = re.compile(r"\s?;\s|,?\s(?:and\s)?then,?\s(?=\w)")
ABBREVIATION = re.compile(
    r"(?:\b(?:approx|min|mins|hr|hrs|tbsp|tsp|oz|lb|lbs|no|dr|mr|mrs|st|vs|e\.g|i\.e|etc|deg|temp)\.)$",
    re.I,
)
MAX_TITLE_CHARS = 150
MAX_CHARS = 20_000
"""Longest text of instructions in a recipe's data."""

MAX_PARTS = 400
"""Largest number of steps and of ingredients that are read; a recipe has far fewer."""


@dataclass
class RecipeSections:
    """Sections of a recipe, the headings between its steps, and notes on the rest."""

    title: str = ""
    steps: list[str] = field(default_factory=list)
    ingredients: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    headings: list[str] = field(default_factory=list)


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
            if section == "other" and line.kind != "heading" and not _only_names_section(name):
                continue
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


def split_actions(text: str, *, clauses: bool = True) -> list[str]:
    """Return one part per sentence; with `clauses` also per action joined by ";" or "then"."""
    actions: list[str] = []
    for sentence in split_sentences(text):
        pieces = JOINT.split(sentence) if clauses else [sentence]
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
    groups = _group(lines, sections)
    for line in groups["other"]:
        _drop(sections, line.text)
    if any(line.text for line in groups["steps"]):
        _read_intro(groups[""], sections)
        sections.ingredients += [line.text for line in groups["ingredients"] if line.text]
        sections.steps = read_steps(groups["steps"], sections)
    else:
        _tell_apart(groups, sections)
    first = sections.steps[0] if len(sections.steps) > 1 and not sections.title else ""
    numbered = any(line.kind == "numbered" for line in lines)
    if first and not numbered and len(words(first)) <= 8 and not names_action(first):
        sections.title, sections.steps = first.rstrip(".!: "), sections.steps[1:]
    return sections


def _group(lines: list[Line], sections: RecipeSections) -> dict[str, list[Line]]:
    """Return the lines by the section heading above them; "" is before the first heading."""
    groups: dict[str, list[Line]] = {"": [], "ingredients": [], "steps": [], "other": []}
    section = resumed = ""
    numbers = 0
    for place, line in enumerate(lines):
        opened = section_of(line)
        if opened is not None:
            if (
                opened[0] == "other"
                and opened[1]
                and (ASIDE.match(line.text) or _goes_on(lines[place + 1 :], numbers))
            ):
                _drop(sections, line.text)
                continue
            section, rest = opened
            if rest:
                kind = "bullet" if section == "ingredients" else "plain"
                items = re.split(r"[,;]\s*", rest) if section == "ingredients" else [rest]
                groups[section] += [Line(kind, item, 0) for item in items]
        elif line.kind == "plain" and _is_fact(line.text):
            _drop(sections, line.text)
        elif line.kind == "heading" or is_subheading(line):
            skip_heading(line.text, sections)
            groups[section].append(Line("blank", "", 0))
        else:
            if section == "other" and line.number == numbers + 1 > 1:
                section = resumed
            if line.number and section != "other":
                numbers, resumed = line.number, section
            line = _without_label(line)
            groups[section].append(line)
    return groups


def _without_label(line: Line) -> Line:
    """Return "Serving: Spoon the rice." without its first word."""
    label = LABEL.match(line.text)
    if label and starts_with_action(line.text[label.end() :]):
        return replace(line, text=line.text[label.end() :])
    return line


def _tell_apart(groups: dict[str, list[Line]], sections: RecipeSections) -> None:
    """Find ingredients and steps by the form of their lines, where no heading opens the steps."""
    listed, steps = _by_form(groups["ingredients"], sections)
    if any(line.text for line in steps):
        _read_intro(groups[""], sections)
    else:
        first, steps = _by_form(groups[""], sections)
        listed = [*_without_intro(first, sections), *groups["ingredients"]]
    sections.ingredients += [line.text for line in listed if line.text]
    sections.steps = read_steps(steps, sections)


def _by_form(lines: list[Line], sections: RecipeSections) -> tuple[list[Line], list[Line]]:
    """Return the ingredients and the steps among lines; without any amount all are steps."""
    kinds = split_kinds(lines)
    if not any(kinds) and not any(AMOUNT.match(line.text) for line in lines):
        return [], lines
    heads = headings_of_steps(lines, kinds)
    for place in heads:
        skip_heading(lines[place].text, sections)
    kept = [
        (line, kind)
        for n, (line, kind) in enumerate(zip(lines, kinds, strict=True))
        if n not in heads
    ]
    return [line for line, kind in kept if not kind], [line for line, kind in kept if kind]


def _without_intro(listed: list[Line], sections: RecipeSections) -> list[Line]:
    """Drop the prose above the first ingredient, and take the title below it."""
    lines = [line for line in listed if line.text]
    while lines and _is_prose(lines[0]):
        _drop(sections, lines.pop(0).text)
    amounts = sum(bool(AMOUNT.match(line.text)) for line in lines[1:])
    if not sections.title and amounts > len(lines) // 2 and not AMOUNT.match(lines[0].text):
        sections.title = lines.pop(0).text
    return lines


def _is_prose(line: Line) -> bool:
    """Return True for a sentence, or a long line, without an amount."""
    sentence = len(words(line.text)) > 9 or line.text.endswith((".", "!"))
    return line.kind == "plain" and sentence and not AMOUNT.match(line.text)


def _is_fact(text: str) -> bool:
    """Return True for lines about the recipe: "Serves 4", "By Ann Lee", an address."""
    return bool(FACT.match(text) or BYLINE.match(text) or LITTER.match(text))


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


def _without_leading_blanks(lines: list[Line]) -> list[Line]:
    """Return the lines without leading blank lines."""
    while lines and lines[0].kind == "blank" and len(lines) > 1 and lines[1].kind == "blank":
        lines = lines[1:]
    return lines


def _take_title(lines: list[Line], sections: RecipeSections) -> list[Line]:
    """Take the first heading or line as title, unless it is a step."""
    filled = [i for i, line in enumerate(lines) if line.text or line.kind == "numbered"]
    while filled and lines[filled[0]].kind == "plain" and _is_fact(lines[filled[0]].text):
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
    """Return True if the first line names the dish; `alone` means a blank line follows."""
    if after is None or len(line.text) > MAX_TITLE_CHARS or line.text.endswith((";", ":")):
        return False
    if line.text.endswith(".") and not _is_capitalised(line.text):
        return False
    if _is_fact(line.text) or (MEASURED.match(line.text[:80]) and not _is_capitalised(line.text)):
        return False
    named = alone or _is_capitalised(line.text) or DISH_NUMBER.match(line.text)
    if AMOUNT.match(line.text) and not named:
        return False
    followed = after.kind in ("numbered", "bullet", "heading") or section_of(after) is not None
    listed = step_score(after) < -2 or len(words(after.text)) > 12 >= 2 * len(words(line.text))
    commands = starts_with_action(line.text)
    return followed or listed or not commands or (alone and len(words(line.text)) <= 5)


def _is_capitalised(text: str) -> bool:
    """Return True for a line in title case, of two words or more."""
    names = [word for word in re.findall(r"[^\W\d_]+", text) if len(word) > 3]
    return len(names) > 1 and all(name[0].isupper() for name in names)


def is_subheading(line: Line) -> bool:
    """Return True for "For the sauce:", which names a part of the recipe."""
    if not line.text.endswith(":") or len(words(line.text)) > 6:
        return False
    return line.text.lower().startswith("for ") or not starts_with_action(line.text)


def skip_heading(text: str, sections: RecipeSections) -> None:
    """Note a heading that is not a step."""
    sections.headings.append(text)
    _drop(sections, text, "heading")


def _drop(sections: RecipeSections, text: str, what: str = "line") -> None:
    if text:
        short = text if len(text) <= 60 else text[:57] + "..."
        sections.notes.append(f'Skipped {what}: "{short}"')


def _read_intro(lines: list[Line], sections: RecipeSections) -> None:
    """Read the lines before the sections: blocks of list items are ingredients, the rest prose."""
    for block in _blocks(lines):
        marked = [line for line in block if line.kind in ("bullet", "numbered")]
        amounts = [line for line in block if AMOUNT.match(line.text)]
        if 2 * len(amounts) >= len(block) or len(marked) == len(block):
            sections.ingredients += [line.text for line in block]
        else:
            for line in block:
                _drop(sections, line.text)


def _blocks(lines: Sequence[Line]) -> Iterator[list[Line]]:
    """Yield the lines between blank lines."""
    block: list[Line] = []
    for line in [*lines, Line("blank", "", 0)]:
        if line.text:
            block.append(line)
        elif block:
            yield block
            block = []


def read_steps(lines: list[Line], sections: RecipeSections, *, clauses: bool = True) -> list[str]:
    """Return the marked steps with the lines that continue them, else one step per line.

    A single paragraph becomes one step per sentence, and with `clauses` one per action.
    """
    mark = _mark_of(lines)
    if mark is None:
        blocks = _paragraphs(lines)
        return split_actions(blocks[0], clauses=clauses) if len(blocks) == 1 else blocks
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


def _mark_of(lines: Sequence[Line]) -> str | None:
    """Return the mark of the steps: "numbered", "bullet", or None if most lines bear none."""
    counts = {
        kind: sum(line.kind == kind for line in lines) for kind in ("numbered", "bullet", "plain")
    }
    if counts["numbered"] > 1 or (counts["numbered"] and counts["plain"] < 3):
        return "numbered"
    return "bullet" if counts["bullet"] and counts["bullet"] >= counts["plain"] else None


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


def same_words(text: str, other: str) -> bool:
    """Return True if two texts have the same words."""
    return [w.text for w in words(text)] == [w.text for w in words(other)]


def add_steps(text: str, sections: RecipeSections, *, whole: bool = True) -> None:
    """Add the steps of a text that is known to hold instructions.

    Args:
        text: One step, or several on lines, in numbers or in HTML.
        sections: Where the steps, and notes on headings, are added.
        whole: Keep a single paragraph whole; otherwise it becomes one step per sentence.

    Raises:
        RecipeError: There are more than 400 steps.
    """
    if len(text) > MAX_CHARS:
        sections.notes.append(f'Cut a text after {MAX_CHARS:,} characters: "{text[:40]}..."')
    cleaned, notes = clean_text(text[:MAX_CHARS])
    sections.notes += notes
    if len(sections.steps) + cleaned.count("\n") > MAX_PARTS:
        raise RecipeError(
            f"The recipe has more than {MAX_PARTS} steps.",
            "Join or remove some, or make several videos.",
        )
    lines = []
    for line in read_lines(cleaned, counted=False):
        if line.text and _heads_steps(line):
            skip_heading(line.text, sections)
        else:
            lines.append(line)
    filled = [line for line in lines if line.text]
    if whole and len(filled) == 1:
        sections.steps.append(filled[0].text)
    else:
        sections.steps += read_steps(lines, sections, clauses=False)


def _heads_steps(line: Line) -> bool:
    """Return True if a line among instructions only names a part: "For the sauce", "Method"."""
    if line.kind == "heading" or is_subheading(line) or _only_names_section(line.text):
        return True
    num_words = len(words(line.text))
    if num_words > 5 or line.text.endswith((".", "!")) or line.kind != "plain":
        return False
    return line.text.lower().startswith("for ") or not names_action(line.text)
