"""Clean captions: sort the cues, and remove repeats and impossible times."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterable

from procvid.media.captions import CONTROL
from procvid.types import TimedText

MAX_CUE_S = 60.0
"""Longest cue. A longer one is an error in its file."""

MAX_CUES = 50_000
MAX_CHARS = 2_000
TAG = re.compile(r"<[^<>]{0,200}>")
SOUND = re.compile(r"\[[^\[\]]{0,80}\]|\([^()]{0,80}\)|[♪♫]")
"""Sounds that are not speech, such as [Music] or (applause)."""

ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]\w{1,31});")
"""Entities of WebVTT and HTML, such as &amp; and &nbsp;."""

SPEAKER = re.compile(r">{2,}|[\u00ad\u200b-\u200f\u2060\ufeff]")
"""The mark of a new speaker in captions, and characters without a width."""


def clean_cues(cues: Iterable[TimedText]) -> tuple[tuple[TimedText, ...], dict[str, int]]:
    """Return the usable cues in order of time, and the number of corrections by reason.

    In live captions each cue repeats words of the previous one. Repeated words are removed, and a
    cue that overlaps the next one ends where that one starts.
    """
    counts: Counter[str] = Counter()
    usable: list[TimedText] = []
    for cue in cues:
        text = _spoken(cue.text)
        length_s = cue.end_s - cue.start_s
        if not any(c.isalnum() for c in text):
            counts["empty"] += 1
        elif not (0 <= cue.start_s < float("inf") and length_s == length_s):
            counts["impossible time"] += 1
        elif length_s <= 0:
            counts["reversed"] += 1
        elif length_s > MAX_CUE_S:
            counts["too long"] += 1
        elif len(usable) >= MAX_CUES:
            counts["too many"] += 1
        else:
            usable.append(TimedText(cue.start_s, cue.end_s, text[:MAX_CHARS]))
    usable.sort(key=lambda cue: (cue.start_s, cue.end_s, cue.text))
    return tuple(_unrolled(usable, counts)), dict(sorted(counts.items()))


def _spoken(text: str) -> str:
    """Return the words of a cue on one line, without tags, entities and sounds."""
    plain = ENTITY.sub(lambda entity: html.unescape(entity.group()), TAG.sub("", text))
    return " ".join(CONTROL.sub(" ", SOUND.sub(" ", SPEAKER.sub("", plain))).split())


def _unrolled(cues: list[TimedText], counts: Counter[str]) -> list[TimedText]:
    kept: list[TimedText] = []
    spoken = ""
    for cue in cues:
        text = _without_repeat(spoken, cue.text)
        spoken = cue.text
        if text != cue.text:
            counts["repeated words"] += 1
            if not text:
                continue
        start_s = cue.start_s
        if kept and start_s < kept[-1].end_s:
            counts["overlapping"] += 1
            last = kept[-1]
            if start_s > last.start_s:
                kept[-1] = TimedText(last.start_s, start_s, last.text)
            else:
                start_s = min(last.end_s, cue.end_s - 1e-3)
        kept.append(TimedText(round(start_s, 3), round(cue.end_s, 3), text))
    return kept


def _without_repeat(before: str, text: str) -> str:
    """Remove the first words of a cue that repeat the end of the previous cue.

    At least two words, or the whole cue, must repeat.
    """
    previous, words = before.split(), text.split()
    for count in range(min(len(previous), len(words)), 0, -1):
        if previous[-count:] == words[:count] and (count >= 2 or count == len(words)):
            return " ".join(words[count:])
    return text
