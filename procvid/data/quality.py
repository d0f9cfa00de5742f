"""Which clips are good enough to learn from, and a sentence for each that is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from procvid.data.looks import FrameSample


@dataclass(frozen=True)
class QualityRules:
    """The thresholds; see `looks.FrameSample` for the measures.

    Attributes:
        min_side_px: Of the video's shorter side.
        min_brightness: Mean over a clip.
        max_brightness: Likewise.
        min_sharpness: Median over a clip.
        min_motion: Mean over a clip; below it nothing moves.
        max_border: Smallest over a clip: the share of the picture that black bars take.
        max_text: Median over a clip.
        max_logo: Share of a corner that stands still through the whole video.
    """

    min_side_px: int = 240
    min_brightness: float = 0.06
    max_brightness: float = 0.97
    min_sharpness: float = 20.0
    min_motion: float = 0.001
    max_border: float = 0.05
    max_text: float = 0.08
    max_logo: float = 0.03


@dataclass(frozen=True)
class Measures:
    """The samples of one clip summed up; None where there is no sample to say."""

    side_px: int
    brightness: float | None
    sharpness: float | None
    motion: float | None
    border: float | None
    text: float | None
    logo: float


def measure(
    samples: Sequence[FrameSample], start_s: float, end_s: float, side_px: int, logo: float
) -> Measures:
    """Sum up the samples within a span of a video whose shorter side is `side_px`."""
    inside = [sample for sample in samples if start_s <= sample.time_s < end_s]
    # The first sample of a clip differs from the one before by the cut and not by motion.
    moved = [sample.motion for sample in inside[1:]]
    return Measures(
        side_px=side_px,
        brightness=_mean([sample.brightness for sample in inside]),
        sharpness=_median([sample.sharpness for sample in inside]),
        motion=_mean(moved),
        border=min((sample.border for sample in inside), default=None),
        text=_median([sample.text for sample in inside]),
        logo=logo,
    )


def fault(clip: Measures, rules: QualityRules) -> str:
    """Why a clip is left out, or ""."""
    if clip.side_px < rules.min_side_px:
        return f"its shorter side has {clip.side_px} pixels, fewer than {rules.min_side_px}"
    for name, value, least, most in (
        ("brightness", clip.brightness, rules.min_brightness, rules.max_brightness),
        ("share of black borders", clip.border, None, rules.max_border),
        ("sharpness", clip.sharpness, rules.min_sharpness, None),
        ("motion", clip.motion, rules.min_motion, None),
        ("writing in the picture", clip.text, None, rules.max_text),
        ("still corner, as of a logo,", clip.logo, None, rules.max_logo),
    ):
        if value is not None and least is not None and value < least:
            return f"its {name} is {value:g}, under {least:g}"
        if value is not None and most is not None and value > most:
            return f"its {name} is {value:g}, over {most:g}"
    return ""


def _mean(values: Sequence[float]) -> float | None:
    return round(sum(values) / len(values), 4) if values else None


def _median(values: Sequence[float]) -> float | None:
    return sorted(values)[len(values) // 2] if values else None
