"""Buttons and fields in HTML, and what their events may contain."""

from __future__ import annotations

from typing import Any

import gradio as gr
import pytest

from procvid.errors import InputError
from procvid.ui.pressed import MAX_CHARS, button, read_press


def press(data: Any) -> gr.EventData:
    return gr.EventData(None, data)


def test_a_press_has_its_act_its_values_and_the_value_of_a_field() -> None:
    read = read_press(press({"act": "state", "step": "2", "value": "sliced"}))
    assert (read.act, read.number("step"), read.value) == ("state", 2, "sliced")


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        "keep",
        {},
        {"value": "x"},
        {"act": 3},
        {"act": "a", "value": "x" * (MAX_CHARS + 1)},
        {str(n): "x" for n in range(99)},
    ],
)
def test_anything_else_is_refused(data: Any) -> None:
    with pytest.raises(InputError):
        read_press(press(data))


@pytest.mark.parametrize("text", ["", "two", "-1", "٣", "9" * 20])
def test_a_number_is_a_number(text: str) -> None:
    with pytest.raises(InputError):
        read_press(press({"act": "keep", "take": text})).number("take")


def test_the_text_of_a_button_is_escaped() -> None:
    shown = button("keep", "<b>", hint='"x"', take='1"')
    assert "<b>" not in shown and 'data-take="1&quot;"' in shown and "&quot;x&quot;" in shown
