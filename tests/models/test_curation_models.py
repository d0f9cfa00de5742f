"""The models of curation behind a local server, through the real client."""

from __future__ import annotations

import json

import numpy as np
import pytest

from procvid.data.curate import Curation
from procvid.data.readers.choose import Collection
from procvid.data.stages import Rules, Tools
from procvid.errors import InputError, ServiceError
from procvid.machine.spread import Spread
from procvid.models.captioners.openai_vision import OpenAICaptioner
from procvid.models.meter import Meter
from procvid.models.step_finders.openai_transcripts import CUES_AT_ONCE, OpenAIStepFinder
from procvid.settings.environment import Budget
from procvid.types import TimedText
from procvid.wiring import curation as wiring_curation
from tests.data.conftest import DifferenceDetector, make_tools, write_video

CUES = tuple(TimedText(2.0 * n, 2.0 * n + 1.5, f"word {n}") for n in range(6))
FRAMES = np.stack([np.full((60, 90, 3), 10 * shade, np.uint8) for shade in range(20)])


@pytest.fixture
def finder(client) -> OpenAIStepFinder:
    return OpenAIStepFinder(client, Meter(Budget()))


@pytest.fixture
def captioner(client) -> OpenAICaptioner:
    return OpenAICaptioner(client, Meter(Budget()))


def steps(*rows: tuple[int, int, str]) -> str:
    return json.dumps({"steps": [{"first": a, "last": b, "step": text} for a, b, text in rows]})


def test_steps_have_the_times_of_their_cues(finder, server):
    server.say(steps((2, 4, "Slice the <b>carrot</b>."), (5, 5, "Fry it.")))
    found = finder.find("Carrots", CUES)
    assert found == (TimedText(2.0, 7.5, "Slice the carrot."), TimedText(8.0, 9.5, "Fry it."))
    material = server.asked[0].material
    assert material["title"] == "Carrots" and material["cues"]["6"] == "word 5"
    assert finder.find("Carrots", CUES) == found and len(server.asked) == 1


@pytest.mark.parametrize(
    "answer",
    [
        steps((0, 2, "Slice it.")),
        steps((5, 7, "Slice it.")),
        steps((4, 3, "Slice it.")),
        steps((1, 3, "Slice it."), (3, 4, "Fry it.")),
        steps((1, 2, "!!")),
        "[1, 2",
        "",
        json.dumps({"steps": "none"}),
    ],
)
def test_nonsense_is_asked_for_once_more_and_is_then_that_videos_own_fault(finder, server, answer):
    server.say(answer, steps((1, 1, "Slice it.")))
    assert len(finder.find("", CUES)) == 1
    server.say(answer, answer)
    with pytest.raises(InputError, match="no usable answer"):
        finder.find("another", CUES)


def test_a_long_transcript_is_asked_in_parts(finder, server):
    cues = tuple(TimedText(n, n + 1, f"w{n}") for n in range(CUES_AT_ONCE + 2))
    server.say(steps((1, 1, "Slice it.")), steps((2, 2, "Fry it.")))
    assert [step.start_s for step in finder.find("", cues)] == [0, CUES_AT_ONCE + 1]
    assert len(server.asked[1].material["cues"]) == 2


def test_captions_see_ten_frames_and_have_at_most_eighty_words(captioner, server):
    def said(caption: str) -> str:
        return json.dumps({"seen": "a pan", "caption": caption})

    server.say(said("A hand slices a carrot."))
    assert captioner.caption(FRAMES, "Slice the carrot.") == "A hand slices a carrot."
    assert len(server.asked[0].contents) == 11
    for bad, problem in (
        ("word " * 81, "81 words"),
        ("In the first frame a hand.", "speaks of frames"),
        ("...", "no words"),
    ):
        server.say(said(bad), said("A pan."))
        assert captioner.caption(FRAMES[:5], bad) == "A pan."
        assert problem in json.dumps(server.asked[-1].body)


def test_ratings_are_zero_to_six(captioner, server):
    def said(rating: object) -> str:
        return json.dumps({"explanation": "good", "rating": rating})

    server.say(said(7), said(5))
    assert captioner.rate(FRAMES, "A pan.") == 5
    server.say(said("six"), said(-1))
    with pytest.raises(InputError, match="no usable answer"):
        captioner.rate(FRAMES, "A pot.")


def test_the_budget_holds(client, server):
    captioner = OpenAICaptioner(client, Meter(Budget(max_images=15)))
    server.say(json.dumps({"seen": "a pan", "caption": "A pan."}))
    captioner.caption(FRAMES, "one")
    with pytest.raises(ServiceError, match="budget of 15 images"):
        captioner.caption(FRAMES, "two")
    assert len(server.asked) == 1


def test_a_curation_with_captions_and_ratings(server, tmp_path):
    (tmp_path / "videos").mkdir()
    write_video(tmp_path / "videos", "v", 3)

    def tools() -> Tools:
        finder = wiring_curation.build_step_finder("openai")
        return Tools(finder, DifferenceDetector(), wiring_curation.build_captioner("openai"))

    collection = Collection(tmp_path / "videos")
    curation = Curation(
        collection, tmp_path / "out", Rules(min_rating=3), tools, Spread(make_tools)
    )
    list(curation.run())
    rows = [json.loads(line) for line in (tmp_path / "out" / "ratings.jsonl").open()]
    assert [(row["caption"], row["rating"]) for row in rows] == [
        ("A hand. slice the carrot on the board.", 6),
        ("A hand. boil the egg in the pot.", 6),
    ]
    (reject,) = [json.loads(line) for line in (tmp_path / "out" / "rejects.jsonl").open()]
    assert (reject["stage"], reject["reason"]) == ("ratings", "The caption rating 2 is below 3.")
    asked = len(server.asked)
    assert asked == 7, "one transcript, three captions, three ratings"
    list(curation.run())
    assert len(server.asked) == asked
