"""Questions about pairs, written by a model behind a local server, through the real client."""

from __future__ import annotations

import json

import pytest

from procvid.errors import InputError
from procvid.models.meter import Meter
from procvid.models.pair_writers.openai import OpenAIPairWriter
from procvid.models.pair_writers.rules import RulesPairWriter
from procvid.protocols import PairWriter
from procvid.settings.environment import Budget
from procvid.types.difference import ClipWords

GOOD = {
    "differences": [
        {
            "category": "tools",
            "text": "a plate instead of a board.",
            "severity": 2,
            "question": "Where is it cut?",
            "answer": "On a board, and on a plate.",
        }
    ],
    "which": [{"question": "Which video shows a plate?", "answer": 2}],
    "same_action": True,
}


def test_a_language_model_writes(client, server) -> None:
    writer = OpenAIPairWriter(client, Meter(Budget()))
    assert isinstance(writer, PairWriter) and isinstance(RulesPairWriter(), PairWriter)
    server.say(json.dumps({"description": "A person slices a carrot."}), json.dumps(GOOD))
    words = ClipWords("slice it", "a carrot on a board", ("carrot",))
    assert writer.describe(words) == "A person slices a carrot."
    assert server.asked[0].material["objects"] == ["carrot"]
    answers = writer.compare(words, words, ("A", "B"))
    assert server.asked[1].material == {"video_1": "A", "video_2": "B"}
    assert answers.differences[0].text == "a plate instead of a board"
    assert [each.answer for each in answers.questions][1:] == ["Video 2", "YES"]


@pytest.mark.parametrize(
    "bad",
    [
        "prose",
        json.dumps({**GOOD, "which": [{"question": "Which?", "answer": 3}]}),
        json.dumps({**GOOD, "differences": GOOD["differences"] * 4}),
        json.dumps({**GOOD, "differences": [{**GOOD["differences"][0], "severity": 9}]}),
        json.dumps({**GOOD, "differences": [{**GOOD["differences"][0], "text": " "}]}),
    ],
)
def test_a_bad_answer_is_an_error_of_its_pair(client, server, bad) -> None:
    writer = OpenAIPairWriter(client, Meter(Budget()))
    server.say(bad, bad)
    with pytest.raises(InputError):
        writer.compare(ClipWords("a"), ClipWords("b"), ("A", "B"))
