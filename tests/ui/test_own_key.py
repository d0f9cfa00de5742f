"""A visitor's own OpenAI key makes the plan and is not stored."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import gradio as gr
import pytest
from starlette.responses import JSONResponse

from procvid.ui.server.context import AppContext
from tests.models.conftest import Server, _running, server  # noqa: F401
from tests.ui.running import create_page

MINE = "sk-proj-MINE0123456789abcdef"


@pytest.fixture
def plan(context: AppContext) -> Callable[..., Any]:
    """Plan a recipe as the page does, and return the draft."""
    page, on, _ = create_page(context)
    return lambda *values: on["plan_recipe"](*values)[page.state.draft]


def test_a_visitor_s_key_makes_the_plan(
    server: Server,  # noqa: F811
    plan: Callable[..., Any],
    recipe: str,
    context: AppContext,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.DEBUG):
        draft = plan(recipe, f" {MINE} ")
    assert draft.plan.planner.startswith("openai")
    assert {asked.headers["authorization"] for asked in server.asked} == {f"Bearer {MINE}"}
    assert MINE not in caplog.text and MINE not in repr(draft) and MINE not in repr(context)
    assert plan(recipe).plan.planner.startswith("rules")


def test_a_refused_key_is_a_sentence_without_it(
    server: Server,  # noqa: F811
    plan: Callable[..., Any],
    recipe: str,
) -> None:
    body = {"error": {"message": f"Incorrect API key: {MINE}", "code": "invalid_api_key"}}
    server.replies += [lambda _: JSONResponse(body, 401)] * 9
    with pytest.raises(gr.Error) as error:
        plan(recipe, MINE)
    assert MINE not in str(error.value.message) and error.value.message[-1] == "."


@pytest.mark.parametrize("key", ["two words", "ключ", "x" * 301, "a\x00b"])
def test_an_invalid_key_is_not_sent(
    server: Server,  # noqa: F811
    plan: Callable[..., Any],
    recipe: str,
    key: str,
) -> None:
    with pytest.raises(gr.Error, match="not an OpenAI key"):
        plan(recipe, key)
    assert server.asked == []
