"""Read a recipe from text or a file: plain text, Markdown, JSON, JSON-LD or a web page.

A text that is not a recipe raises RecipeError. The notes of a recipe list what was skipped or guessed.
"""

from __future__ import annotations

import re
from pathlib import Path

from procvid.errors import RecipeError
from procvid.plan.language.english import check_english
from procvid.plan.language.lexicon import words
from procvid.plan.language.verbs import names_action, starts_with_action
from procvid.plan.recipe.clean import clean_text
from procvid.plan.recipe.layout import RecipeSections, lay_out, split_sentences
from procvid.plan.recipe.lines import split_numbers
from procvid.plan.recipe.markup import TAG, is_page
from procvid.plan.recipe.structured import recipe_of_json
from procvid.types import Recipe

MAX_TEXT_BYTES = 100_000
MAX_PAGE_BYTES = 4_000_000
"""A saved web page may be larger than a recipe."""
MAX_LINES = 800
MAX_LINE_CHARS = 20_000
MAX_WORDS = 10_000
"""A page that was copied whole, with its comments, may have that many; a recipe has fewer."""
MAX_INGREDIENT_CHARS = 400
MAX_STEPS = 40
MAX_SAMPLE_CHARS = 8_000
MAX_STEP_CHARS = 600
MAX_TITLE_CHARS = 120
LOOKS_LIKE_JSON = re.compile(r"^\s*(?:\{|\[\s*(?:[\"{\[\]]|$))")
SHAPE = "Write a title, an empty line, and one line per step, such as 'Slice the carrot.'"
ADDRESS = re.compile(r"^(?:https?://|www\.)[^\s<>]{3,2000}$", re.IGNORECASE)


LINK_PATH = re.compile(r"https?:/", re.IGNORECASE)


def read_recipe(path: Path) -> Recipe:
    """Read a recipe file (.txt, .md, .json, .html, UTF-8 or UTF-16).

    Raises:
        RecipeError: There is no such file, it is too large, binary, of another encoding, or no
            recipe.
    """
    return parse_recipe(read_text(path), name=path.stem)


def read_text(path: Path) -> str:
    """Return the text of a recipe file.

    Raises:
        RecipeError: There is no such file, it is too large, binary or of another encoding.
    """
    if LINK_PATH.match(str(path)):
        raise _link()
    try:
        size = path.stat().st_size
        if path.is_dir():
            raise RecipeError(f"{str(path)!r} is a folder, not a recipe file.", "Choose a file.")
        if not path.is_file():
            raise RecipeError(f"{str(path)!r} is not a regular file.", "Choose a recipe file.")
        if size > MAX_PAGE_BYTES:
            raise _too_large(size, MAX_TEXT_BYTES)
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise RecipeError(
            f"The recipe file {str(path)!r} does not exist.", "Check the path."
        ) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise RecipeError(f"The recipe file {str(path)!r} cannot be read: {reason}.") from error
    return decode(data, str(path))


def decode(data: bytes, name: str) -> str:
    """Return the text in the bytes of a recipe file: UTF-8 or UTF-16.

    Raises:
        RecipeError: They are binary or of another encoding.
    """
    try:
        text = data.decode(_encoding(data))
    except UnicodeDecodeError as error:
        if _is_binary(data):
            raise _binary(name) from error
        raise RecipeError(
            f"The recipe file {name!r} is not UTF-8 text (byte {error.start} is "
            f"0x{data[error.start]:02x}).",
            "Save it as UTF-8 and try again.",
        ) from error
    if _is_binary(text.encode("utf-8", "replace")):
        raise _binary(name)
    return text


def _encoding(data: bytes) -> str:
    """Return UTF-16 for its byte order mark or every second byte 0, else UTF-8."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    head = data[:200]
    for zeros, other, name in (
        (head[1::2], head[::2], "utf-16-le"),
        (head[::2], head[1::2], "utf-16-be"),
    ):
        if len(zeros) > 10 and zeros.count(0) > 0.8 * len(zeros) and not other.count(0):
            return name
    return "utf-8-sig"


def _link() -> RecipeError:
    return RecipeError("This is a link.", "Save the page and open the file, or paste the recipe.")


def _is_binary(data: bytes) -> bool:
    """Return True for more than a stray control byte in the first 4 kB."""
    head = data[:4096]
    odd = sum(byte < 32 and byte not in b"\t\n\v\f\r" for byte in head)
    return odd > max(4, len(head) // 20) or head[:5] in (b"%PDF-", b"PK\x03\x04\x14")


def _binary(name: str) -> RecipeError:
    return RecipeError(
        f"The file {name!r} is binary, not text.",
        "Use a .txt, .md, .json or .html file; copy the text out of PDF or Word files.",
    )


def _too_large(size: int, limit: int) -> RecipeError:
    return RecipeError(
        f"The recipe is {size / 1000:,.0f} kB long; the limit is {limit / 1000:.0f} kB.",
        "Paste only the title, the ingredients and the steps.",
    )


def parse_recipe(text: str, *, name: str = "recipe") -> Recipe:
    """Parse a recipe; `name` is its title when the text gives none.

    Raises:
        RecipeError: Empty, too long, more than 40 steps, not English, broken or foreign JSON, or
            a text without an instruction.
    """
    size = len(text.encode("utf-8", "replace"))
    page = size <= MAX_PAGE_BYTES and is_page(text)
    if size > (MAX_PAGE_BYTES if page else MAX_TEXT_BYTES):
        raise _too_large(size, MAX_TEXT_BYTES)
    plain = text.replace("\x00", "").replace("\ufeff", "")
    if not plain.strip():
        raise RecipeError("The recipe is empty.", SHAPE)
    if ADDRESS.match(plain.strip()):
        raise _link()
    _check_length(plain, page)
    parts = _read(plain, page)
    notes = list(parts.notes)
    steps = [step for step in parts.steps if any(c.isalpha() for c in step)]
    steps = [part for step in steps for part in _split_numbers(step)]
    steps = [short for step in steps for short in shorten(step, notes)]
    title, untitled = parts.title[:MAX_TITLE_CHARS].strip(), not parts.title.strip()
    if untitled:
        title = name.replace("_", " ").replace("-", " ").strip() or "recipe"
    _check_steps(title, untitled, steps)
    ingredients = [line[:MAX_INGREDIENT_CHARS] for line in parts.ingredients]
    return Recipe(title, tuple(steps), tuple(ingredients), tuple(dict.fromkeys(notes)))


def _split_numbers(step: str) -> list[str]:
    """Return the steps in "1. Slice it. 2. Fry it." without their numbers."""
    parts = split_numbers(step)
    return [step] if len(parts) < 2 else [part.lstrip("(0123456789.) ") for part in parts]


def _read(text: str, page: bool) -> RecipeSections:
    if LOOKS_LIKE_JSON.match(text):
        return recipe_of_json(text)
    if page and TAG.search(text):
        from procvid.plan.recipe.page import recipe_of_page

        return recipe_of_page(text)
    cleaned, notes = clean_text(text)
    if not cleaned.strip():
        what = "markup" if TAG.search(text) else "signs or emoji"
        raise RecipeError(f"The recipe contains no words, only {what}.", SHAPE)
    parts = lay_out(cleaned)
    parts.notes = [*notes, *parts.notes]
    return parts


def shorten(step: str, notes: list[str]) -> list[str]:
    """Split a long step at sentences, or cut it, to at most 600 characters; add a note."""
    if len(step) <= MAX_STEP_CHARS:
        return [step]
    chunks: list[str] = []
    for sentence in split_sentences(step):
        if len(sentence) > MAX_STEP_CHARS:
            sentence = sentence[:MAX_STEP_CHARS].rsplit(" ", 1)[0]
            notes.append(f'Cut a step after {MAX_STEP_CHARS} characters: "{sentence[:40]}..."')
        if chunks and len(chunks[-1]) + 1 + len(sentence) <= MAX_STEP_CHARS:
            chunks[-1] += " " + sentence
        else:
            chunks.append(sentence)
    if len(chunks) > 1:
        notes.append(f'Split a step of more than {MAX_STEP_CHARS} characters: "{step[:40]}..."')
    return chunks


def _check_length(text: str, page: bool) -> None:
    """Raise RecipeError for plain text of more lines, words or longer lines than a recipe has."""
    if page or LOOKS_LIKE_JSON.match(text):
        return
    for limit, name, count in (
        (MAX_LINES, "lines", sum(1 for line in text.splitlines() if line.strip())),
        (MAX_WORDS, "words", len(text.split())),
        (MAX_LINE_CHARS, "characters in one line", max(map(len, text.splitlines()))),
    ):
        if count > limit:
            raise RecipeError(
                f"The recipe has {count:,} {name}; the limit is {limit:,}.",
                "Paste only the title, the ingredients and the steps.",
            )


def _check_steps(title: str, untitled: bool, steps: list[str]) -> None:
    sample = "\n".join([*steps[:MAX_STEPS], *([] if untitled else [title])])
    check_english(sample[:MAX_SAMPLE_CHARS])
    if not steps:
        raise RecipeError(f"The recipe {title!r} has a title but no steps.", SHAPE)
    if len(steps) > MAX_STEPS:
        raise RecipeError(
            f"The recipe has {len(steps)} steps; the limit is {MAX_STEPS}.",
            "Join or remove some steps, or make two videos.",
        )
    commands = [step for step in steps if names_action(step)]
    if not commands or (untitled and len(steps) == 1 and not _is_instruction(steps[0])):
        raise RecipeError(
            f"No step contains an instruction: {steps[0][:60]!r}.",
            "Start each step with a verb, such as 'Slice the carrot.'",
        )


def _is_instruction(step: str) -> bool:
    """Return True if a lone line commands something; it could also be a title."""
    num_words = len(words(step))
    return (num_words >= 2 and starts_with_action(step)) or (num_words > 2 and names_action(step))
