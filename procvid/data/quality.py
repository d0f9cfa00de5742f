"""The quality filter: which clips are good enough to train on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from procvid.data.looks import FrameSample


@dataclass(frozen=True)
class QualityRules:
    """The thresholds. `looks.FrameSample` explains the measures.

    Attributes:
        min_side_px: Minimum shorter side of the video.
        min_brightness: Minimum mean over a clip.
        max_brightness: Largest mean over a clip.
        min_sharpness: Minimum median over a clip.
        min_motion: Minimum mean over a clip. Below it nothing moves.
        max_border: Largest minimum over a clip.
        max_text: Largest median over a clip.
        max_logo: Largest share of a corner that is constant through the whole video.
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
    """The aggregated samples of one clip. None means that the clip has no sample."""

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
    """Aggregate the samples in a span of a video whose shorter side is `side_px`."""
    inside = [sample for sample in samples if start_s <= sample.time_s < end_s]
    # The first sample of a clip differs from the previous one by the cut, not by motion.
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
    """Return why a clip is left out, or ""."""
    if clip.side_px < rules.min_side_px:
        return f"shorter side {clip.side_px} pixels, below {rules.min_side_px}"
    for name, value, least, most in (
        ("brightness", clip.brightness, rules.min_brightness, rules.max_brightness),
        ("share of black borders", clip.border, None, rules.max_border),
        ("sharpness", clip.sharpness, rules.min_sharpness, None),
        ("motion", clip.motion, rules.min_motion, None),
        ("text in the picture", clip.text, None, rules.max_text),
        ("constant corner (logo)", clip.logo, None, rules.max_logo),
    ):
        if value is not None and least is not None and value < least:
            return f"{name} {value:g}, below {least:g}"
        if value is not None and most is not None and value > most:
            return f"{name} {value:g}, above {most:g}"
    return ""


def _mean(values: Sequence[float]) -> float | None:
    return round(sum(values) / len(values), 4) if values else None


def _median(values: Sequence[float]) -> float | None:
    return sorted(values)[len(values) // 2] if values else None
