"""Transcripts: cues with every fault, and the steps that rules find in speech."""

from __future__ import annotations

from pathlib import Path

import pytest

from procvid.data.subtitles import read_subtitles
from procvid.data.transcript import clean_cues
from procvid.errors import InputError
from procvid.plan.recipe.transcript import steps_said
from procvid.types import TimedText as Said


def test_cues_that_cannot_be_are_left_out_and_counted() -> None:
    cues = [
        Said(5, 8, "slice the carrot"),
        Said(9, 2, "backwards"),
        Said(1, 2, "   "),
        Said(1, 2, "[Music]"),
        Said(0, 36_000, "ten hours"),
        Said(float("nan"), 3, "never"),
        Said(-4, 3, "before the film"),
        Said(0, 2, "<i>hello</i>"),
    ]
    clean, counts = clean_cues(cues)
    assert [cue.text for cue in clean] == ["hello", "slice the carrot"]
    assert counts == {"empty": 2, "impossible time": 2, "reversed": 1, "too long": 1}


def test_overlapping_cues_end_where_the_next_begins() -> None:
    clean, counts = clean_cues([Said(0, 5, "one two"), Said(3, 8, "three four")])
    assert clean == (Said(0, 3, "one two"), Said(3, 8, "three four"))
    assert counts == {"overlapping": 1}


def test_rolling_captions_are_said_once() -> None:
    rolls = [
        Said(0, 2, "so now we slice"),
        Said(2, 4, "so now we slice the carrot into"),
        Said(4, 6, "the carrot into thin rounds"),
        Said(6, 7, "the carrot into thin rounds"),
    ]
    clean, counts = clean_cues(rolls)
    assert " ".join(cue.text for cue in clean) == "so now we slice the carrot into thin rounds"
    assert counts == {"repeated words": 3}


def test_a_word_said_twice_is_no_rolling_caption() -> None:
    clean, _ = clean_cues([Said(0, 2, "add the salt"), Said(2, 4, "salt is what it needs")])
    assert [cue.text for cue in clean] == ["add the salt", "salt is what it needs"]


def test_steps_in_speech() -> None:
    cues = [
        Said(0, 3, "hi everyone welcome back to my channel"),
        Said(3, 6, "so now we're gonna slice the"),
        Said(6, 9, "carrot into thin rounds on the board and"),
        Said(9, 12, "then add it to the hot pan"),
        Said(20, 24, "I love carrots my grandmother used to fry potatoes"),
        Said(24, 27, "don't forget to subscribe"),
        Said(27, 30, "Fry the onion in the skillet until golden."),
        Said(30, 33, "do not burn the onion"),
        Said(33, 36, "next time I'll fry the potatoes"),
        Said(36, 39, "you want to whisk the eggs in a bowl"),
    ]
    found = steps_said(cues)
    assert [step.text for step in found] == [
        "Slice the carrot into thin rounds on the board.",
        "Add it to the hot pan.",
        "Fry the onion in the skillet until golden.",
        "Whisk the eggs in a bowl.",
    ]
    # Times are those of the words within their cues.
    assert 4.5 < found[0].start_s < 6 and 8 < found[0].end_s < 9
    assert all(3 <= step.start_s < step.end_s <= 39 for step in found)


@pytest.mark.parametrize(
    ("said", "step"),
    [
        ("so now slice the carrot", "Slice the carrot."),
        ("okay so gently stir the soup in the pot", "Stir the soup in the pot."),
        ("all right fry the onion in the pan", "Fry the onion in the pan."),
        ("alright great dice the onion", "Dice the onion."),
        ("the onions are soft so add the garlic to the pan", "Add the garlic to the pan."),
        # These command nothing, or forbid it.
        ("so brown sugar is nice", ""),
        ("all right sliced carrots are here", ""),
        ("that's an okay roast carrot", ""),
        ("so don't burn the onion", ""),
    ],
)
def test_fillers_before_an_imperative(said: str, step: str) -> None:
    assert [found.text for found in steps_said([Said(0, 4, said)])] == [step] * bool(step)


@pytest.mark.parametrize(
    "text",
    [
        "heute schneiden wir die Karotten in Scheiben und braten sie in der Pfanne",
        "今天我们切胡萝卜",
        "1 2 3 4",
    ],
)
def test_other_languages_are_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(InputError, match="does not seem to be English"):
        steps_said([Said(0, 3, text)])


def test_an_endless_transcript_takes_its_time_and_no_more() -> None:
    words = "I just just just so so so so now now we fry the onion and and slice it " * 20
    cues = [Said(n, n + 1, words) for n in range(60)]
    assert len(steps_said(cues)) > 100


VTT = """WEBVTT

00:00:02.000 --> 00:00:04.000 align:start
<c>slice</c> the<00:00:02.500><c> carrot</c>
"""
SRT = "1\n00:00:01,000 --> 00:00:02,500\nFry the onion\nin the pan\n\n2\n00:00:03,000 --> 00:00:01,000\nx\n"


def test_subtitle_files(tmp_path: Path) -> None:
    (tmp_path / "a.vtt").write_text(VTT)
    (tmp_path / "a.srt").write_bytes(b"\xef\xbb\xbf" + SRT.encode())
    (tmp_path / "b.srt").write_bytes("1\n00:00:01,000 --> 00:00:02,500\ncafé\n".encode("latin-1"))
    clean, _ = clean_cues(read_subtitles(tmp_path / "a.vtt"))
    assert clean == (Said(2.0, 4.0, "slice the carrot"),)
    cues = read_subtitles(tmp_path / "a.srt")
    assert [(cue.start_s, cue.end_s) for cue in cues] == [(1.0, 2.5), (3.0, 1.0)]
    assert read_subtitles(tmp_path / "b.srt")[0].text == "café"


UTF_16 = "1\n00:00:01 --> 00:00:06\nSlice the carr\u00f6t.\n"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig", "cp1252"])
def test_subtitles_in_any_encoding_and_without_milliseconds(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.srt").write_bytes(UTF_16.encode(encoding))
    assert read_subtitles(tmp_path / "a.srt") == (Said(1.0, 6.0, "Slice the carr\u00f6t."),)


def test_cues_with_unreadable_times_are_counted(tmp_path: Path) -> None:
    text = "{}\n\n1\n0:01.5 --> 0:02\none\n\n2\n00:0x:09,0 --> 00:10\ntwo\n\n3\n1:00:03,25-->1:00:04\nthree\n"
    for name, head in (("a.srt", ""), ("a.vtt", "WEBVTT\n\nNOTE 1 --> 2")):
        (tmp_path / name).write_text(text.format(head))
        clean, counts = clean_cues(read_subtitles(tmp_path / name))
        assert clean == (Said(1.5, 2.0, "one"), Said(3603.25, 3604.0, "three"))
        assert counts == {"impossible time": 1}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("&gt;&gt; Slice the carrot &amp; the&nbsp;onion.", "Slice the carrot & the onion."),
        ("[&nbsp;__&nbsp;] fry&#39;s &lrm;done", "fry's done"),
        ("salt &not pepper, M&M", "salt &not pepper, M&M"),
    ],
)
def test_entities_become_characters(text: str, words: str) -> None:
    assert clean_cues([Said(0, 2, text)])[0][0].text == words


@pytest.mark.parametrize("data", [b"", b"nonsense", b"\x00\xff" * 50, b"WEBVTT\n\nno cue"])
def test_files_that_are_none(tmp_path: Path, data: bytes) -> None:
    for suffix in (".vtt", ".srt"):
        file = tmp_path / f"a{suffix}"
        file.write_bytes(data)
        with pytest.raises(InputError, match=r"a\.(vtt|srt)"):
            read_subtitles(file)
