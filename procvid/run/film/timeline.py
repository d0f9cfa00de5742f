"""Lay out a film in time: how long each step lasts, when each phrase is spoken, which frame shows.

A step lasts as long as its clips, or as its words need for a learner, whichever is longer. Clips
are repeated from the start, because cooking that runs backwards would undo the step.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from procvid.media.sound import RATE_HZ
from procvid.run.film.narration import Phrase
from procvid.run.film.settings import FilmCue
from procvid.types import Samples

LEAD_S, GAP_S, TAIL_S = 0.4, 0.3, 1.0
"""Silence before the first phrase of a step, between its phrases, and after the last one."""

CHARS_PER_S = 14.0
"""Reading speed for captions that nobody speaks."""

MIN_READING_S = 1.5
MAX_SLOWER = 1.5
"""A clip is slowed by at most this factor to fill its time; then its last frame stays."""


@dataclass(frozen=True)
class StepTime:
    """When a step is shown: its frames and its captions.

    Attributes:
        first_frame: Number of its first frame in the film.
        num_frames: Frames of all its shots together.
        cues: Its captions, in seconds of the film.
    """

    first_frame: int
    num_frames: int
    cues: tuple[FilmCue, ...]


def lay_out(
    steps: Sequence[tuple[Sequence[Phrase], int]], fps: Fraction, *, reads: bool
) -> tuple[StepTime, ...]:
    """Return the times of steps that follow each other.

    Args:
        steps: The phrases of each step, and the frames of its clips.
        fps: Frames per second.
        reads: Give phrases without speech the time to be read.
    """
    times = []
    first = 0
    for phrases, num_frames in steps:
        start_s = float(first / fps)
        lengths = [_length_s(phrase, reads) for phrase in phrases]
        is_timed = any(lengths)
        needed_s = LEAD_S + sum(lengths) + GAP_S * (len(lengths) - 1) + TAIL_S if is_timed else 0.0
        count = max(num_frames, math.ceil(needed_s * fps))
        if not is_timed:
            lengths = _shares(phrases, float(count / fps))
        times.append(StepTime(first, count, _cues(phrases, lengths, start_s, is_timed)))
        first += count
    return tuple(times)


def sound_of(
    times: Sequence[StepTime], phrases: Sequence[Sequence[Phrase]], fps: Fraction
) -> Samples:
    """Return the sound of a film with each phrase at the start of its caption."""
    end = times[-1].first_frame + times[-1].num_frames
    sound = np.zeros(math.ceil(end / fps * RATE_HZ), np.float32)
    for time, spoken in zip(times, phrases, strict=True):
        for cue, phrase in zip(time.cues, spoken, strict=True):
            if phrase.samples is not None:
                at = round(cue.start_s * RATE_HZ)
                sound[at : at + len(phrase.samples)] += phrase.samples
    return sound


def filled(num_frames: int, wanted: int) -> list[int]:
    """Return which of a clip's frames to show so that it lasts `wanted` frames.

    The clip is repeated whole. Each repetition is slowed a little to fill the rest, and the last
    frame stays for what then remains.
    """
    if wanted <= num_frames:
        return list(range(wanted))
    repeats = wanted // num_frames
    length = min(wanted // repeats, math.floor(num_frames * MAX_SLOWER))
    once = [at * num_frames // length for at in range(length)]
    shown = once * repeats
    return shown + [num_frames - 1] * (wanted - len(shown))


def shared(num_frames: Sequence[int], wanted: int) -> list[int]:
    """Return the frames that each shot of a step gets, in proportion to its length."""
    ends = np.round(np.cumsum(num_frames) * wanted / sum(num_frames)).astype(int)
    return [int(n) for n in np.diff(ends, prepend=0)]


def _length_s(phrase: Phrase, reads: bool) -> float:
    if phrase.samples is not None or not reads:
        return phrase.duration_s
    return max(MIN_READING_S, len(phrase.text) / CHARS_PER_S)


def _shares(phrases: Sequence[Phrase], total_s: float) -> list[float]:
    """Return the share of a step's time for each of its captions, by their characters."""
    chars = sum(len(phrase.text) for phrase in phrases)
    return [total_s * len(phrase.text) / chars for phrase in phrases]


def _cues(
    phrases: Sequence[Phrase], lengths: Sequence[float], start_s: float, is_timed: bool
) -> tuple[FilmCue, ...]:
    at = start_s + (LEAD_S if is_timed else 0.0)
    cues = []
    for phrase, length in zip(phrases, lengths, strict=True):
        # A phrase without speech among spoken ones, such as an emoji, is shown in the gap.
        cues.append(FilmCue(at, at + max(length, GAP_S / 2), phrase.text))
        at += length + (GAP_S if is_timed else 0.0)
    return tuple(cues)
