"""Benchmarks of readers of differences: the codec, figures by hand, negatives, and the command."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from lab.planted import planted_pairs
from procvid.cli import diffbench, main
from procvid.errors import InputError
from procvid.evaluate.differences.annotations import (
    CaptionedPair,
    Choice,
    ClipSpan,
    Ranking,
    read_annotations,
)
from procvid.evaluate.differences.captions import as_annotated, caption_scores, cider
from procvid.evaluate.differences.choices import accuracies, questions, reader_fit, vlemb
from procvid.evaluate.differences.rankings import kendall_tau, ranking_taus, reader_severity
from procvid.evaluate.inputs import ClipInput
from procvid.media.video import write_clip
from procvid.toykitchen.render import FPS, render
from procvid.types.difference import ClipDifferences, Difference

CAP = {"reference": "a-b_1_2.5", "candidate": "c_d_3_4", "category": "Technique", "text": ["x"]}
MCQ = {
    "difference": "x",
    "category": "Ingredients",
    "options": [["a_1_2", "b_1_2"], ["c_1_2", "d_1_2"]],
    "answer": ["c_1_2", "d_1_2"],
}
RANK = {
    "reference": "a_1_2",
    "targets": ["b_1_2", "c_1_2"],
    "category": "Visuals",
    "scores": [5, 2],
}
OURS = {
    "reference": {"file": "a.mp4", "start_s": 1, "end_s": 2},
    "candidate": {"file": "b.mp4"},
    "step": "Slice it.",
    "differences": [{"category": "tools", "text": "x", "severity": 4}],
}


def written(tmp_path: Path, *rows: object) -> Path:
    file = tmp_path / "pairs.jsonl"
    file.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows))
    return file


def test_the_published_layout_and_ours_are_read(tmp_path) -> None:
    more = {**OURS, "candidate": {"file": "c.mp4"}, "differences": []}
    read = read_annotations(written(tmp_path, CAP, MCQ, "", RANK, OURS, more))
    published, ours = read.captions
    assert published.clips == (ClipSpan("a-b", 1.0, 2.5), ClipSpan("c_d", 3.0, 4.0))
    assert (published.category, ours.category) == ("techniques", "tools")
    assert read.choices[0].answer == 1
    # A published 5 is most similar, a severity of 5 most different.
    assert (read.rankings[0].category, read.rankings[0].severities) == ("looks", (1.0, 4.0))
    # The mean of five categories, one of which has severity 4.
    assert read.rankings[1].severities == (1.6, 1.0)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{", "it is not JSON"),
        ("[1]", "it is no pair"),
        ({**CAP, "candidate": "c"}, "candidate"),
        ({**CAP, "category": "Mood"}, "no category 'Mood'"),
        ({**CAP, "text": []}, "text"),
        ({**CAP, "candidate": "c_4_3"}, "ends before it starts"),
        ({**MCQ, "answer": ["a_1_2", "d_1_2"]}, "none of the options"),
        ({**RANK, "scores": [5]}, "2 targets have 1 scores"),
        ({**RANK, "scores": [5, 7]}, "scores.1"),
        (json.dumps(RANK).replace("[5, 2]", "[5, NaN]"), "JSON"),
        ({**OURS, "extra": 1}, "extra"),
        ({**OURS, "reference": {"file": "a", "start_s": 3, "end_s": 2}}, "ends before it starts"),
    ],
)
def test_a_damaged_line_is_one_sentence(tmp_path, line, why) -> None:
    with pytest.raises(InputError, match=r"Line 2 of pairs\.jsonl is damaged: ") as error:
        read_annotations(written(tmp_path, CAP, line))
    assert why in error.value.message and error.value.message.count("\n") == 0


def test_captions_by_hand() -> None:
    # One word of two agrees in the second pair. All n-grams occur once in two pairs: weight ln 2.
    assert cider(["red onion", "blue pan"], [["red onion"], ["green pan"]]) == pytest.approx(
        10 * ((1 + 1) / 4 + (1 / 2) / 4) / 2
    )
    # One word of two, so the lengths differ by one: exp(-1/72).
    short = math.exp(-1 / 72) / math.sqrt(2) / 4
    assert cider(["red", "pan"], [["red onion"], ["pan"]]) == pytest.approx(
        10 * (short + 1 / 4) / 2
    )
    scores = caption_scores(
        ["red onion instead of green one"], [["a", "Red onion instead of green one"]]
    )
    assert (scores["bleu_1"], scores["bleu_4"], scores["rouge_l"]) == pytest.approx((1, 1, 1))
    # Precision 1/2, and longer than the reference; recall 1: F is 2/3.
    scores = caption_scores(["red onion"], [["red"]])
    assert (scores["bleu_1"], scores["rouge_l"]) == pytest.approx((1 / 2, 2 / 3))


@pytest.mark.parametrize(
    ("said", "form"),
    [
        ("diced instead of sliced", "diced instead of sliced"),
        ("In Video 1, the person is slicing, while in Video 2, the person is dicing.",
         "the person is dicing instead of slicing"),
        ("The main difference in tools is that in Video 2, a pot is used, whereas in Video 1, a pan",
         "a pot is used instead of a pan"),
        ("a pot compared to a pan", "a pot instead of a pan"),
    ],
)  # fmt: skip
def test_answers_take_the_form_of_the_annotations(said, form) -> None:
    assert as_annotated(said) == form


def test_tau_by_hand() -> None:
    assert kendall_tau([1, 2, 3], [1, 3, 2]) == pytest.approx(1 / 3)
    assert kendall_tau([1, 1, 2], [1, 2, 3]) == pytest.approx(2 / math.sqrt(2 * 3))
    assert kendall_tau([1, 1], [1, 2]) is None
    spans = tuple(ClipSpan(str(k)) for k in range(3))
    rankings = [Ranking(ClipSpan("r"), spans, (1, 3, 5)), Ranking(ClipSpan("r"), spans, (2, 2, 2))]

    def reader(a: ClipSpan, b: ClipSpan, text: str) -> ClipDifferences:
        return ClipDifferences((Difference("looks", "x", 1 + int(b.file)),))

    assert ranking_taus(rankings, reader_severity(reader)) == [1.0]
    # One severity for all ranks nothing.
    assert ranking_taus(rankings, lambda ranking: [2.0] * 3) == [0.0]


def embed_texts(texts) -> np.ndarray:
    """Embed texts by their first letter: equal letters say the same."""
    return np.eye(26, dtype=np.float32)[[ord(text[0].lower()) - 97 for text in texts]]


def test_negatives_look_alike_and_do_not_share_the_difference() -> None:
    angles = {"r": 0.0, "c": 0.0, "s": 0.1, "d": 0.1, "t": 0.2, "e": 0.2, "u": 0.3, "f": 0.3}
    angles |= {"v": 0.4, "g": 0.4, "h": 0.0}

    def embed(clip: ClipSpan) -> np.ndarray:
        angle = angles[clip.file]
        return np.array([np.cos(angle), np.sin(angle)], np.float32)

    def pair(names: str, text: str) -> CaptionedPair:
        return CaptionedPair((ClipSpan(names[0]), ClipSpan(names[1])), "tools", (text,))

    pairs = [pair("rc", "a knife"), pair("sd", "another knife"), pair("te", "b"), pair("uf", "c")]
    pairs += [pair("vg", "d"), pair("rh", "e")]
    near = questions(pairs, "V1", embed, embed_texts).choices[0]
    assert near.options[near.answer] == pairs[0].clips
    assert set(near.options) == {p.clips for p in (pairs[0], pairs[2], pairs[3], pairs[4])}
    # V2 takes the pair that shares the reference, which is nearest.
    overlap = questions(pairs, "V2", embed, embed_texts).choices[0]
    assert set(overlap.options) == {p.clips for p in (pairs[0], pairs[5], pairs[2], pairs[3])}
    drawn = questions(pairs, "V3", embed, embed_texts).choices[0]
    assert all((a == pairs[0].clips[0]) != (b == pairs[0].clips[1]) for a, b in
               (o for o in drawn.options if o != pairs[0].clips))  # fmt: skip
    few = questions(pairs[:3], "V1", embed, embed_texts)
    assert few.choices == () and few.skipped == 3


def test_a_reader_chooses_by_its_differences_and_ties_share_the_credit() -> None:
    options = tuple((ClipSpan(f"a{k}"), ClipSpan(f"b{k}")) for k in range(4))
    choice = Choice("tools", "a pot instead of a pan", options, 2)

    def reader(a: ClipSpan, b: ClipSpan, text: str) -> ClipDifferences:
        texts = {"b2": "in a pot instead of a pan", "b1": "in a pan instead of a pot"}
        return ClipDifferences((Difference("tools", texts.get(b.file, "on a tray"), 2),))

    assert accuracies([choice], reader_fit(reader, embed_texts)) == [1.0]
    assert accuracies([choice], lambda _: [1, 0, 1, 0]) == [0.5]
    assert accuracies([choice], lambda _: [1, 0, 0, 0]) == [0.0]
    same = vlemb(lambda clip: np.eye(26, dtype=np.float32)[0], embed_texts)
    assert accuracies([choice], same) == [0.25]


class ByFile:
    """A reader whose severity is the number in the name of the second clip."""

    def compare(self, a: ClipInput, b: ClipInput, text: str = "") -> ClipDifferences:
        assert a.frames is not None and b.frames is not None and a.frames.shape == b.frames.shape
        return ClipDifferences((Difference("looks", "x", 2 + int(b.frames[0, 0, 0, 0] > 99)),))


def test_the_command(tmp_path, capsys, monkeypatch) -> None:
    rows = []
    for k, pair in enumerate(planted_pairs(1)[1:]):
        for name, clip in (("first", pair.a), (f"second{k}", pair.b)):
            if not (tmp_path / f"{name}.mp4").exists():
                frames = render(clip.scene, clip.kitchen).frames
                write_clip(tmp_path / f"{name}.mp4", frames, FPS, scale=4, ai_generated=True)
        found = [{"category": "looks", "text": f"{p.b} instead of {p.a}"} for p in pair.planted]
        found[0]["severity"] = 1 + k
        clips = {"reference": {"file": "first.mp4"}, "candidate": {"file": f"second{k}.mp4"}}
        rows.append({**clips, "differences": found})
    file = str(written(tmp_path, *rows))
    assert main(["diffbench", file, "--task", "cap", "--profile", "tiny", "--json"]) == 0
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {row["figure"] for row in printed} == {"bleu_1", "bleu_4", "rouge_l", "cider"}
    assert all((row["who"], row["n"], row["skipped"]) == ("reader", 4, 0) for row in printed)
    monkeypatch.setattr(diffbench, "build_comparer", lambda *_: ByFile())
    assert main(["diffbench", file, "--task", "rank"]) == 0
    assert "DiffRank    reader  tau" in capsys.readouterr().out
    assert main(["diffbench", file, "--task", "mcq", "--profile", "tiny"]) == 0
    assert "DiffMCQ V3  VLEmb   accuracy" in capsys.readouterr().out
    assert main(["diffbench", file, "--task", "cap", "--videos", str(tmp_path / "no")]) == 2
    assert "None of 4 pairs could be used." in capsys.readouterr().err
