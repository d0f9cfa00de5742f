from __future__ import annotations

import inspect
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

import procvid
from procvid.errors import InputError, ProcvidError, RecipeError, UnavailableError
from procvid.ui.server.guard import ON_THE_PAGE, for_the_page, guarded, one_line, page_words

PACKAGE = Path(procvid.__file__).parent


def test_an_error_of_procvid_keeps_its_sentence_and_gets_a_title() -> None:
    @guarded
    def fail() -> None:
        raise RecipeError("The recipe is empty.", "Write one.")

    with pytest.raises(gr.Error) as error:
        fail()
    assert error.value.message == "The recipe is empty. Write one."
    assert error.value.title == "Cannot read this recipe"
    assert not error.value.print_exception


def test_an_unexpected_error_is_logged_by_the_id_that_the_caller_sees(
    caplog: pytest.LogCaptureFixture,
) -> None:
    @guarded
    def fail() -> None:
        raise ZeroDivisionError("/home/somebody/secret.key")

    with caplog.at_level(logging.ERROR), pytest.raises(gr.Error) as error:
        fail()
    number = caplog.records[0].args[0]  # type: ignore[index]
    assert str(number) in error.value.message
    assert "secret" not in error.value.message
    assert "ZeroDivisionError" in caplog.text


def test_a_generator_fails_after_its_values() -> None:
    @guarded
    def count() -> Iterator[int]:
        yield 1
        raise UnavailableError("No GPU.")

    values = count()
    assert next(values) == 1
    with pytest.raises(gr.Error, match="No GPU"):
        next(values)


def test_closing_a_generator_runs_its_end() -> None:
    ended = []

    @guarded
    def count() -> Iterator[int]:
        try:
            yield 1
        finally:
            ended.append(True)

    values = count()
    next(values)
    values.close()  # type: ignore[attr-defined]
    assert ended == [True]


def test_gradio_still_sees_the_signature() -> None:
    def call(recipe: str, seed: int = 0) -> dict[str, int]:
        return {recipe: seed}

    assert inspect.signature(guarded(call)) == inspect.signature(call)
    assert inspect.get_annotations(guarded(call)) == inspect.get_annotations(call)


@pytest.mark.parametrize("kind", [ProcvidError, *ProcvidError.__subclasses__()])
def test_every_error_of_procvid_has_a_title(kind: type[ProcvidError]) -> None:
    @guarded
    def fail() -> None:
        raise kind("Wrong.")

    with pytest.raises(gr.Error) as error:
        fail()
    assert error.value.title


def test_one_line_is_printable_and_short() -> None:
    assert one_line("a\n\x1b[31mb\x00 c") == "a [31mb c"
    assert one_line("x" * 1000) == "x" * 399 + "…"


@pytest.mark.parametrize("given", ["half \ud800", ["a", ("b", "\udfff")], {"\ud83d": 1}])
def test_half_a_character_is_refused_and_not_repeated(given: Any) -> None:
    with pytest.raises(gr.Error, match="half of a character") as refused:
        guarded(lambda text: text)(given)
    refused.value.message.encode()
    with pytest.raises(gr.Error, match="half of a character"):
        list(guarded(numbers)(given))
    assert guarded(lambda text: text)("whole 🍳") == "whole 🍳"


def numbers(upto: Any) -> Iterator[int]:
    yield from range(upto)


@pytest.mark.parametrize(
    ("hint", "shown"),
    [
        ("Use the whole photo (--whole).", "Use the whole photo."),
        ("Choose a smaller --size, or --profile tiny.", "Choose a smaller size, or profile tiny."),
        ("Run `procvid hub pull x --to DIR`.", "Run `procvid hub pull x --to DIR`."),
        ("Use --scene-reader rules. 5--6 g, a -- b", "Use scene reader rules. 5--6 g, a -- b"),
    ],
)
def test_a_page_has_no_options(hint: str, shown: str) -> None:
    assert for_the_page(InputError("Bad /srv/runs/x.", hint)) == f"Bad x. {shown}"


def test_a_page_names_its_own_buttons() -> None:
    remedy = "Give a clearer photo, or use the whole photo (--whole)."
    shown = for_the_page(InputError("No pan found in the photo.", remedy))
    assert shown.endswith("Give a clearer photo, or tick “Use the whole photo”.")
    assert page_words("`procvid memory search` lists the ids.") == "Choose another picture."


def test_the_remedies_that_a_page_replaces_are_still_in_use() -> None:
    sources = (file.read_text("utf-8") for file in PACKAGE.rglob("*.py") if file.name != "guard.py")
    words = re.sub(r'"\s*\n\s*f?"', "", "".join(sources))
    assert not [command for command in ON_THE_PAGE if command not in words]
