"""A vision model that compares clips, behind a local server, through the real client."""

from __future__ import annotations

import json

import numpy as np
import pytest

from procvid.cli import main
from procvid.errors import InputError
from procvid.models.coaches.openai_vision import OpenAICoach
from procvid.models.difference_readers.openai_vision import UNCHECKED, OpenAIDifferenceReader
from procvid.models.meter import Meter
from procvid.plan.rules import plan_recipe
from procvid.settings.environment import Budget
from procvid.types import Recipe
from procvid.types.difference import ClipView

WATCHED = {
    "action": "A knife cuts a carrot.",
    "objects": [
        {"name": "carrot", "look": "orange, in rounds"},
        {"name": "jalapeno", "look": "green"},
    ],
}
CUT = {
    "category": "techniques",
    "subject": "carrot",
    "in_first": "sliced",
    "in_second": "diced",
    "text": "diced instead of sliced.",
    "severity": 2,
    "moment": 3,
}
PAN = {
    "category": "tools",
    "subject": "pan",
    "in_first": "steel pan",
    "in_second": "iron pan",
    "text": "in an iron pan instead of a steel pan",
    "severity": 2,
    "moment": 0,
}


def turned(each):
    return {**each, "in_first": each["in_second"], "in_second": each["in_first"]}


def said(*differences, alike=("carrot",)):
    return json.dumps({"differences": differences, "alike": alike})


def view(shade, length=9):
    frames = np.full((length, 8, 8, 3), shade, np.uint8)
    frames[:, 0, 0, 0] = np.arange(length)
    return ClipView(frames, tuple(k / 4 for k in range(length)))


A, B = view(40), view(200, 5)


@pytest.fixture
def reader(client) -> OpenAIDifferenceReader:
    def found(image, names):
        return [name for name in names if name != "jalapeno"]

    return OpenAIDifferenceReader(client, Meter(Budget()), found)


def test_a_difference_counts_if_both_directions_have_it(reader, server):
    watched = json.dumps(WATCHED)
    back = said({**turned(CUT), "severity": 4}, {**PAN, "text": "the same side again"})
    server.say(watched, watched, said(CUT, PAN), back)
    found = reader.differences(A, B, "Cut the carrot.")
    (cut,) = found.found
    assert (cut.text, cut.severity, cut.a, cut.b) == (
        "diced instead of sliced",
        3,
        "sliced",
        "diced",
    )
    assert cut.a_s == A.spread(4).times_s[2] and cut.b_s == B.spread(4).times_s[2]
    # The pan was said the wrong way round: once in each answer.
    assert found.dropped == 2 and "2 differences were dropped" in found.notes[0]
    assert found.alike == ("carrot",) and found.severity == (1 + 1 + 3 + 1 + 1) / 5


def test_objects_that_the_detector_does_not_find_are_left_out(reader, client, server):
    watched = json.dumps(WATCHED)
    server.say(watched, watched, said(), said())
    found = reader.differences(A, B, "")
    material = server.asked[2].material
    assert material["first"]["objects"] == {"carrot": "orange, in rounds"}
    assert "not found by the detector: jalapeno" in found.notes and not found.found
    server.say(watched, watched, said(), said())
    unchecked = OpenAIDifferenceReader(client, Meter(Budget()), lambda image, names: None)
    assert UNCHECKED in unchecked.differences(A, view(90), "").notes


def test_the_pictures_of_both_clips_are_sent_in_turns(reader, server):
    watched = json.dumps(WATCHED)
    server.say(watched, watched, said(), said())
    reader.differences(A, B, "")
    sent = [[part["image_url"] for part in asked.contents[1:]] for asked in server.asked]
    assert [len(images) for images in sent] == [4, 4, 8, 8]
    assert sent[2][::2] == sent[0] and sent[2][1::2] == sent[1]
    assert sent[3][::2] == sent[1] and sent[3][1::2] == sent[0]


BAD = {
    "empty": "",
    "prose": "The second clip uses a knife.",
    "cut off": said(CUT)[:60],
    "html": "<html>hello</html>",
    "list": json.dumps([CUT]),
    "deep": "[" * 100_000,
    "huge": said({**CUT, "text": "x" * 500_000}),
    "null": "null",
    "no list": json.dumps({"differences": CUT, "alike": []}),
    "no alike": json.dumps({"differences": []}),
    "more": json.dumps({"differences": [], "alike": [], "key": "sk-1"}),
    "forty differences": said(*[CUT] * 40),
    "severity 0": said({**CUT, "severity": 0}),
    "severity 9": said({**CUT, "severity": 9}),
    "severity in words": said({**CUT, "severity": "high"}),
    "another category": said({**CUT, "category": "music"}),
    "no words": said({**CUT, "text": "  "}),
    "both sides the same": said({**CUT, "in_second": "sliced"}),
    "a field left out": said({key: CUT[key] for key in CUT if key != "moment"}),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_a_bad_answer_is_asked_again_once(reader, server, bad):
    watched = json.dumps(WATCHED)
    server.say(watched, watched, bad, said(CUT), said(turned(CUT)))
    assert [each.text for each in reader.differences(A, B, "").found] == ["diced instead of sliced"]
    assert len(server.asked) == 5
    server.say(watched, watched, bad, bad)
    with pytest.raises(InputError, match="no usable answer, asked twice") as error:
        reader.differences(view(3), view(7), "")
    assert len(str(error.value)) < 300


def test_the_coach_finds_the_step_and_compares_with_its_clip(reader, client, server):
    plan = plan_recipe(Recipe("Carrot", ("Slice the carrot.", "Fry the carrot.")))
    coach = OpenAICoach(client, Meter(Budget()), reader)
    fits = [{"number": 2, "fit": 1}, {"number": 1, "fit": 8}]
    server.say(
        json.dumps({"seen": "", "fits": fits[:1]}), json.dumps({"seen": "rounds", "fits": fits})
    )
    assert coach.fits(plan, B) == (0.8, 0.1)
    assert "every step once" in json.dumps(server.asked[1].body)
    watched = json.dumps(WATCHED)
    server.say(watched, watched, said(CUT), said(turned(CUT)))
    assert coach.against(plan.steps[0], B, A).found[0].b == "diced"


def test_no_key_is_one_sentence(capsys, monkeypatch, tmp_path):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).write_bytes(b"")
    argv = ["diff", str(tmp_path / "a.mp4"), str(tmp_path / "b.mp4"), "--reader", "openai"]
    assert main(argv) != 0
    assert "reader needs a key" in capsys.readouterr().err
