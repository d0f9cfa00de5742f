"""The metrics of captions: by hand to 1e-5, and what happens without a caption, text or model."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from procvid.errors import InputError, UnavailableError
from procvid.evaluate.alignment import (
    MIN_CLIPS,
    chi_square,
    histogram,
    kl_divergence,
    smoothed,
    spread_of,
)
from procvid.evaluate.events import EvaluationWarned
from procvid.evaluate.evidence import (
    CAPTIONS,
    ENCODER,
    CaptionEvidence,
    RealAlignments,
    RunEvidence,
    Texts,
)
from procvid.evaluate.inputs import ClipInput, RunInput, real_clips
from procvid.evaluate.metrics.alignment_chi2 import AlignmentChi2
from procvid.evaluate.metrics.alignment_kl import AlignmentKl
from procvid.evaluate.metrics.caption_alignment import CaptionAlignment
from procvid.evaluate.metrics.goal_faithfulness import GoalFaithfulness
from procvid.evaluate.metrics.step_faithfulness import StepFaithfulness
from procvid.evaluate.parts import EvaluationParts
from procvid.evaluate.suite import evaluate
from procvid.media.video import write_clip
from procvid.models.captioners.tiny import TinyCaptioner
from procvid.protocols import Captioner, TextEncoder
from procvid.toykitchen.reading import Answered, FoodRead, SceneReading
from procvid.types import ModelInfo, Recipe

CLOSE = {"abs": 1e-5, "rel": 0}
BACKBONES = {CAPTIONS: "captioner 1", ENCODER: "encoder 1", "judge": "rules 1"}
SETS = (AlignmentKl, AlignmentChi2)


def rows(rng: np.random.Generator, count: int) -> np.ndarray:
    made = rng.normal(size=(count, 4))
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def captioned(clip):
    """Build a run whose captions have given cosines with their steps."""

    def make(cosines, **fields) -> RunEvidence:
        count = len(cosines)
        steps = np.zeros((count, 2), np.float32)
        steps[:, 0] = 1
        vectors = {
            number: np.array([c, math.sqrt(1 - c * c)], np.float32)
            for number, c in enumerate(cosines, start=1)
        }
        texts = Texts(tuple(f"Step {n}." for n in vectors), steps)
        clips = tuple(clip(number) for number in vectors)
        evidence = {"captions": CaptionEvidence(vectors, texts), "backbones": BACKBONES}
        return RunEvidence("run", clips, **{**evidence, **fields})

    return make


@pytest.mark.parametrize("seed", (1, 2, 3))
def test_alignment_and_faithfulness_by_hand(seed, clip, run):
    rng = np.random.default_rng(seed)
    captions, steps, dishes = rows(rng, 2), rows(rng, 4), rows(rng, 10)
    texts = ("Step 1.", "Step 2.", "c", "Step 1.")
    evidence = CaptionEvidence(
        dict(zip((1, 2), captions, strict=True)),
        Texts(texts, steps),
        Texts(tuple("abcdefghij"), dishes),
    )
    made = run(clip(1, caption="A carrot."), clip(2), captions=evidence, backbones=BACKBONES)

    def fit(caption, text) -> float:
        return 2.5 * max(0.0, sum(float(a) * float(b) for a, b in zip(caption, text, strict=True)))

    def share(caption, own, others) -> float:
        scores = [fit(caption, other) for other in others]
        wins = [1.0 if s < fit(caption, own) else 0.5 * (s == fit(caption, own)) for s in scores]
        return sum(wins) / len(wins)

    result = CaptionAlignment().update(made).compute()
    wanted = [fit(captions[k], steps[k]) for k in (0, 1)]
    assert result.value == pytest.approx(sum(wanted) / 2, **CLOSE)
    assert result.items[0].note == "A carrot." and result.backbone == "captioner 1 + encoder 1"
    # The fourth step has the text of the first, so it is not among the others of the first.
    steps_wanted = [
        share(captions[0], steps[0], steps[1:3]),
        share(captions[1], steps[1], steps[[0, 2, 3]]),
    ]
    result = StepFaithfulness().update(made).compute()
    assert result.value == pytest.approx(sum(steps_wanted) / 2, **CLOSE)
    assert result.parts["top1_chance"] == pytest.approx((1 / 3 + 1 / 4) / 2)
    margins = [
        wanted[0] - np.mean([fit(captions[0], s) for s in steps[1:3]]),
        wanted[1] - np.mean([fit(captions[1], s) for s in steps[[0, 2, 3]]]),
    ]
    assert result.parts["margin"] == pytest.approx(float(np.mean(margins)), **CLOSE)
    goals = [share(caption, dishes[0], dishes[1:]) for caption in captions]
    result = GoalFaithfulness().update(made).compute()
    assert result.value == pytest.approx(sum(goals) / 2, **CLOSE) and result.chance == 0.5


@pytest.mark.parametrize("metric", SETS)
def test_divergences_by_hand_over_all_runs_together(metric, captioned):
    rng = np.random.default_rng(4)
    first, second = rng.uniform(0.2, 0.9, 30), rng.uniform(0.2, 0.9, 40)
    real = RealAlignments(tuple(2.5 * rng.uniform(0.5, 1, 55)), {"the clip has no text": 3})
    both = metric()
    for cosines in (first, second):
        both.update(captioned(cosines, real_alignments=lambda: real))
    result = both.compute()
    p, q = ([0.5] * 25 for _ in range(2))
    for cosine in (*first, *second):
        p[min(24, int(2.5 * cosine / 0.1))] += 1
    for score in real.scores:
        q[min(24, int(score / 0.1))] += 1
    p, q = ([x / sum(each) for x in each] for each in (p, q))
    kl = sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
    chi2 = sum((a - b) ** 2 / (a + b) for a, b in zip(p, q, strict=True)) / 2
    assert result.value == pytest.approx(kl if metric is AlignmentKl else chi2, **CLOSE)
    assert result.n == 70 and result.parts["real_n"] == 55 and "run_coverage" not in result.parts
    assert 0 <= result.parts["low"] < result.value < result.parts["high"]
    assert result.parts["floor"] < result.value
    assert "3 real clips: the clip has no text" in result.items[0].note


def test_the_interval_narrows_and_equal_sets_are_at_the_floor():
    rng = np.random.default_rng(5)
    widths = []
    for count in (60, 600):
        made, real = (histogram(rng.uniform(1, 2.5, count)) for _ in range(2))
        spread = spread_of(made, real, kl_divergence)
        assert spread == spread_of(made, real, kl_divergence), "the same seed"
        assert spread.low <= spread.floor <= spread.high
        widths.append(spread.high - spread.low)
    assert widths[1] < widths[0] / 2
    same = smoothed(histogram([2.5, 0.0]))
    assert kl_divergence(same, same) == chi_square(same, same) == 0


@pytest.mark.parametrize("metric", SETS)
def test_few_clips_and_missing_models_give_the_reason(metric, captioned):
    enough, few = [0.5] * MIN_CLIPS, [0.5] * (MIN_CLIPS - 1)
    real = RealAlignments(tuple(enough))

    def state(cosines, **fields) -> str:
        result = metric().update(captioned(cosines, **fields)).compute()
        assert (result.value is None) == (result.state != "ok")
        return result.state

    assert state(enough, real_alignments=lambda: real) == "ok"
    assert "no real clips were given" in state(enough)
    words = state(few, real_alignments=lambda: real)
    assert words.startswith("not applicable: 50 are needed on each side, and there are 49 scores")
    few_real = RealAlignments(tuple(few))
    assert state(enough, real_alignments=lambda: few_real).startswith("not applicable: 50 are")
    gone = RealAlignments(unavailable="No key.")
    assert state(enough, real_alignments=lambda: gone) == "unavailable: No key."
    assert state(enough, missing={CAPTIONS: "No captioner."}) == "unavailable: No captioner."


class Words:
    """Test fixture: a text encoder that counts letters."""

    info = ModelInfo("words", "1")

    def __init__(self, error: str = "") -> None:
        self.error = error

    def embed_texts(self, texts):
        if self.error:
            raise UnavailableError(self.error)
        counts = np.array([[text.count(c) for c in "abcdefghij"] for text in texts], np.float32)
        return counts / np.maximum(np.linalg.norm(counts, axis=1, keepdims=True), 1e-9)


class Eyes:
    """Test fixture: a captioner that fails on dark clips."""

    info = ModelInfo("eyes", "1")

    def __init__(self) -> None:
        self.asked: list[tuple[int, str]] = []

    def caption(self, frames, action):
        self.asked.append((len(frames), action))
        if frames.max() < 40:
            raise InputError("The model gave no usable answer.")
        return "a big bad cabbage"

    def rate(self, frames, caption):
        return 6


def frames(value: int) -> np.ndarray:
    made = np.zeros((12, 16, 16, 3), np.uint8)
    made[:] = (value + np.arange(12))[:, None, None, None]
    return made


def run_of(*values: int) -> RunInput:
    clips = tuple(ClipInput(n, frames=frames(v), fps=6) for n, v in enumerate(values, start=1))
    texts = ("a bad cabbage", "a fig", "a bad cabbage head")
    return RunInput("run", clips, Recipe("Dish", texts[: len(values)]))


def parts_of(captioner, encoder) -> EvaluationParts:
    return EvaluationParts("none", *[None] * 6, captioner=captioner, text_encoder=encoder)


def test_a_captioner_that_fails_on_one_clip_loses_that_clip_only():
    eyes = Eyes()
    chosen = ["caption_alignment", "step_faithfulness", "alignment_kl"]
    real = [
        ClipInput(1, frames=frames(60), fps=6, text="a cabbage"),
        ClipInput(2, frames=frames(70)),
    ]
    *events, last = evaluate([run_of(100, 10, 120)], parts_of(eyes, Words()), chosen, real=real)
    metrics = last.scores["runs"][0]["metrics"]
    items = metrics["caption_alignment"]["items"]
    assert [item["value"] is None for item in items] == [False, True, False]
    assert items[1]["note"] == "The model gave no usable answer."
    assert metrics["caption_alignment"]["n"] == 2 and metrics["caption_alignment"]["value"] > 2
    notes = [event.message for event in events if isinstance(event, EvaluationWarned)]
    assert notes == ["clip 2 has no caption: The model gave no usable answer."]
    assert metrics["step_faithfulness"]["items"][1]["value"] is None
    state = metrics["alignment_kl"]["state"]
    assert "2 scores against 1 of real clips; 1 real clips: the clip has no text" in state
    assert eyes.asked == [(10, "")] * 4, "the captioner knows no step; a real clip needs a text"


def test_a_missing_encoder_is_noticed_before_the_captioner_works():
    eyes = Eyes()
    parts = parts_of(eyes, Words("No encoder here."))
    *_, last = evaluate([run_of(100)], parts, ["caption_alignment"])
    assert last.scores["summary"]["caption_alignment"]["state"] == "unavailable: No encoder here."
    assert eyes.asked == []
    *_, last = evaluate([run_of(100)], parts_of(None, Words()), ["caption_alignment"])
    assert last.scores["summary"]["caption_alignment"]["state"].startswith("unavailable: its")
    assert isinstance(eyes, Captioner) and isinstance(Words(), TextEncoder)


def test_one_step_has_no_other():
    *_, last = evaluate([run_of(100)], parts_of(Eyes(), Words()), ["step_faithfulness"])
    metric = last.scores["summary"]["step_faithfulness"]
    assert metric["state"].startswith("not applicable: no clip has a caption, a text and another")


def test_the_text_of_a_real_clip_is_beside_it(tmp_path):
    for name in ("a", "b"):
        write_clip(tmp_path / f"{name}.mp4", frames(90)[:2], 6)
    (tmp_path / "a.txt").write_text("Slice the\ncarrot. ", encoding="utf-8")
    assert [clip.text for clip in real_clips([tmp_path])] == ["Slice the carrot.", ""]
    (tmp_path / "b.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"The text 'b\.txt' of a real clip cannot be read"):
        real_clips([tmp_path])


def seen(name: str, before: str, after: str) -> FoodRead:
    return FoodRead(name, Answered(before, 1.0), Answered(after, 1.0), 1.0, False, 0.0, 0.0)


def test_the_tiny_captioner_writes_and_rates_what_it_reads():
    foods = (seen("carrot", "whole", "sliced"), seen("onion", "diced", "diced"))
    reading = SceneReading("slice", foods, "cutting board", "knife", 0.0, {}, {})
    captioner = TinyCaptioner(lambda frames, times_s: reading, ModelInfo("reader", "1"))
    assert isinstance(captioner, Captioner)
    caption = captioner.caption(frames(90), "Boil the egg.")
    assert caption == "Slice the whole carrot on the cutting board."
    assert captioner.rate(frames(90), caption) == 4, "neither the knife nor the onion"
    more = " With the knife, beside an onion."
    assert captioner.rate(frames(90), caption + more) == 6
    assert captioner.rate(frames(90), "A carrot.") == 1
    assert captioner.rate(frames(90), caption + " A whisk lies there.") == 2
    potato = replace(reading, foods=(seen("potato", "whole", "sliced"),))
    captioner = TinyCaptioner(lambda frames, times_s: potato, ModelInfo("reader", "1"))
    right = captioner.caption(frames(90), "")
    assert captioner.rate(frames(90), right) == 4, "a potato is no pot"
    assert captioner.rate(frames(90), right + " A pot is there.") == 2
