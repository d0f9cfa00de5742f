"""Send random values to every endpoint: the answer is a sentence or nothing, and the server lives."""

from __future__ import annotations

import itertools
import json
import re
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from procvid.ui.server.context import AppContext

ENDPOINTS = (
    "plan",
    "retrieve",
    "generate",
    "regenerate_step",
    "run",
    "stop",
    "takes",
    "evaluate",
    "version",
    "library",
)
TEXTS = st.text(max_size=30) | st.sampled_from(
    ["", "..", "../../etc/passwd", "0" * 16, "\x00", "<script>", "1. Slice it", "9" * 400, "nan"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
INSIDE = re.compile(r"Traceback|site-packages|\.py\b|sk-[a-z]|Error\(|object at 0x")


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_no_internals_are_revealed(address: str, context: AppContext, endpoint: str) -> None:
    with httpx.Client(base_url=f"{address}gradio_api/call/", timeout=60) as http:

        @settings(
            max_examples=8,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(data=st.lists(JSON, max_size=9))
        def send(data: list[Any]) -> None:
            began = http.post(endpoint, json={"data": data})
            answer = began.text
            if began.status_code == 200:
                answer = http.get(f"{endpoint}/{began.json()['event_id']}").text
            assert not INSIDE.search(answer), answer[:400]
            assert str(context.runs_folder.parent) not in answer
            for message in errors_in(answer):
                assert "\n" not in message and len(message) <= 400 and message[-1] in ".…", message

        send()
        assert http.post("version", json={"data": []}).status_code == 200


def errors_in(answer: str) -> list[str]:
    """Return the error messages of a stream of server-sent events; Gradio's own have none."""
    lines = answer.splitlines()
    messages = []
    for line, following in itertools.pairwise(lines):
        if line == "event: error":
            body = json.loads(following.removeprefix("data: "))
            message = body.get("error") if isinstance(body, dict) else body
            messages += [message] if message else []
    return messages
