"""Cues as a person would read them: in order, once, without those whose times cannot be."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from procvid.media.captions import CONTROL
from procvid.types import TimedText

MAX_CUE_S = 60.0
"""Nobody speaks one caption for longer; a cue of hours is a fault of its file."""

MAX_CUES = 50_000
MAX_CHARS = 2_000
TAG = re.compile(r"<[^<>]{0,200}>")
SOUND = re.compile(r"\[[^\[\]]{0,80}\]|\([^()]{0,80}\)|[♪♫]")
"""[Music], (applause) and the like: heard, not said."""


def clean_cues(cues: Iterable[TimedText]) -> tuple[tuple[TimedText, ...], dict[str, int]]:
    """The usable cues in the order of time, and how many were mended or left out, by reason.

    Live captions roll: each cue repeats the words of the one before. What a cue repeats is taken
    off it, and a cue that reaches into the next one ends where that begins.
    """
    told: Counter[str] = Counter()
    usable: list[TimedText] = []
    for cue in cues:
        text = " ".join(CONTROL.sub(" ", SOUND.sub(" ", TAG.sub("", cue.text))).split())
        length_s = cue.end_s - cue.start_s
        if not any(c.isalnum() for c in text):
            told["empty"] += 1
        elif not (0 <= cue.start_s < float("inf") and length_s == length_s):
            told["impossible time"] += 1
        elif length_s <= 0:
            told["reversed"] += 1
        elif length_s > MAX_CUE_S:
            told["too long"] += 1
        elif len(usable) >= MAX_CUES:
            told["too many"] += 1
        else:
            usable.append(TimedText(cue.start_s, cue.end_s, text[:MAX_CHARS]))
    usable.sort(key=lambda cue: (cue.start_s, cue.end_s, cue.text))
    return tuple(_unrolled(usable, told)), dict(sorted(told.items()))


def _unrolled(cues: list[TimedText], told: Counter[str]) -> list[TimedText]:
    kept: list[TimedText] = []
    spoken = ""
    for cue in cues:
        text = _without_repeat(spoken, cue.text)
        spoken = cue.text
        if text != cue.text:
            told["repeated words"] += 1
            if not text:
                continue
        start_s = cue.start_s
        if kept and start_s < kept[-1].end_s:
            told["overlapping"] += 1
            last = kept[-1]
            if start_s > last.start_s:
                kept[-1] = TimedText(last.start_s, start_s, last.text)
            else:
                start_s = min(last.end_s, cue.end_s - 1e-3)
        kept.append(TimedText(round(start_s, 3), round(cue.end_s, 3), text))
    return kept


def _without_repeat(before: str, text: str) -> str:
    """A cue without the words at its beginning that end the cue before (two words or more, or all)."""
    said, words = before.split(), text.split()
    for count in range(min(len(said), len(words)), 0, -1):
        if said[-count:] == words[:count] and (count >= 2 or count == len(words)):
            return " ".join(words[count:])
    return text
