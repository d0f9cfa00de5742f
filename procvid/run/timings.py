"""How long clips took on this machine, kept so that the next run can be foretold.

One JSON file in the cache folder holds the last clips that were made; no number in a forecast comes
from anywhere else.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from statistics import median
from typing import Any

from procvid.errors import OutputError
from procvid.events import ClipReady, Event
from procvid.storage.atomic import write_text
from procvid.types import Sampling

KEPT = 200
FILE = "throughput.json"


@dataclass(frozen=True)
class Setting:
    """What the time of a clip depends on."""

    profile: str
    device: str
    width: int
    height: int
    num_frames: int
    num_inference_steps: int
    shortcuts: str = ""
    precise: bool = False

    @classmethod
    def of(cls, profile: str, device: str, sampling: Sampling, precise: bool = False) -> Setting:
        """The setting of a run."""
        return cls(
            profile,
            device,
            sampling.width,
            sampling.height,
            sampling.num_frames,
            sampling.num_inference_steps,
            sampling.shortcuts.summary,
            precise,
        )


@dataclass(frozen=True)
class Sample:
    """One clip that was made.

    Attributes:
        setting: How.
        first: Whether it was the first of its process, so that loading the models counts.
        seconds: Wall time.
        size_bytes: Of its step folder: clip, references, crops, records.
        peak_mib: The most memory that the process had used by then, of the GPU where it ran there.
    """

    setting: Setting
    first: bool
    seconds: float
    size_bytes: int
    peak_mib: float


@dataclass(frozen=True)
class Pattern:
    """What clips of a setting took: medians over the samples, but the largest memory.

    `scaled_from` is the number of denoising steps that was measured when it is another than asked.
    """

    first_clip_s: float
    clip_s: float
    clip_bytes: float
    peak_mib: float
    num_samples: int
    scaled_from: int | None = None


def read_samples(cache_folder: Path) -> list[Sample]:
    """The kept samples, oldest first; [] when there are none or the file is damaged."""
    try:
        rows = json.loads((cache_folder / FILE).read_text("utf-8"))
        return [_sample(row) for row in rows]
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return []


def _sample(row: dict[str, Any]) -> Sample:
    setting = Setting(**row["setting"])
    sample = Sample(**{**row, "setting": setting})
    numbers = [getattr(sample, f.name) for f in fields(sample)[2:]]
    if not all(isinstance(n, (int, float)) and 0 <= n < 1e12 for n in numbers):
        raise ValueError("not a sample")
    return sample


def keep_samples(cache_folder: Path, new: Sequence[Sample]) -> None:
    """Add samples; where nothing can be written the next forecast just knows less."""
    kept = [*read_samples(cache_folder), *new][-KEPT:]
    try:
        write_text(cache_folder / FILE, json.dumps([asdict(sample) for sample in kept]))
    except OutputError:
        return


def pattern_of(samples: Sequence[Sample], wanted: Setting) -> Pattern | None:
    """What was measured for a setting; for another number of denoising steps in proportion.

    None when no clip of this profile, machine, size and length was ever made.
    """
    exact = [s for s in samples if s.setting == wanted]
    if exact:
        return _pattern(exact)
    near = [
        s
        for s in samples
        if replace(s.setting, num_inference_steps=wanted.num_inference_steps) == wanted
    ]
    if not near:
        return None
    steps = near[-1].setting.num_inference_steps
    pattern = _pattern([s for s in near if s.setting.num_inference_steps == steps])
    ratio = wanted.num_inference_steps / steps
    loading_s = max(0.0, pattern.first_clip_s - pattern.clip_s)
    clip_s = pattern.clip_s * ratio
    return replace(pattern, clip_s=clip_s, first_clip_s=loading_s + clip_s, scaled_from=steps)


def _pattern(samples: Sequence[Sample]) -> Pattern:
    firsts = [s.seconds for s in samples if s.first]
    others = [s.seconds for s in samples if not s.first]
    return Pattern(
        first_clip_s=median(firsts or others),
        clip_s=median(others or firsts),
        clip_bytes=median(s.size_bytes for s in samples),
        peak_mib=max(s.peak_mib for s in samples),
        num_samples=len(samples),
    )


def measured(
    events: Iterator[Event],
    run_folder: Path,
    setting: Setting,
    cache_folder: Path,
    peak_mib: Callable[[], float],
) -> Iterator[Event]:
    """Pass a run's events on, and keep what its clips took, however it ends."""
    samples: list[Sample] = []
    try:
        with closing(events):  # type: ignore[type-var]  # the makers of events are generators
            for event in events:
                if isinstance(event, ClipReady) and not event.reused:
                    folder = (run_folder / event.file).parent
                    size = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())
                    first = not samples
                    samples.append(Sample(setting, first, event.seconds, size, peak_mib()))
                yield event
    finally:
        if samples:
            keep_samples(cache_folder, samples)
