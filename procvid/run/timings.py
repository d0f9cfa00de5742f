"""Measure how long clips take on this machine, for the forecast of the next run.

One JSON file in the cache folder holds the last clips; forecasts use nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from statistics import median
from typing import Any, TypeGuard

from procvid.errors import OutputError
from procvid.events import ClipReady, Event, TakeReady
from procvid.storage.atomic import write_text
from procvid.types import Sampling

KEPT = 200
FILE = "throughput.json"


@dataclass(frozen=True)
class ClipSetting:
    """The values that determine the time of a clip."""

    profile: str
    device: str
    width: int
    height: int
    num_frames: int
    num_inference_steps: int
    shortcuts: str = ""
    precise: bool = False

    @classmethod
    def of(
        cls, profile: str, device: str, sampling: Sampling, precise: bool = False
    ) -> ClipSetting:
        """Return the setting of a run."""
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
class ClipSample:
    """Measured time of one clip.

    Attributes:
        setting: Setting of the clip.
        first: True for the first clip of its process, which includes loading the models.
        seconds: Wall time.
        size_bytes: Size of the step folder: clip, references, crops, records.
        peak_mib: Peak memory of the process so far; of the GPU if it ran there.
    """

    setting: ClipSetting
    first: bool
    seconds: float
    size_bytes: int
    peak_mib: float


@dataclass(frozen=True)
class Pattern:
    """Typical times for a setting: medians over the samples, and the largest memory.

    `scaled_from` is the measured number of denoising steps if it differs from the requested one.
    """

    first_clip_s: float
    clip_s: float
    clip_bytes: float
    peak_mib: float
    num_samples: int
    scaled_from: int | None = None


def read_samples(cache_folder: Path) -> list[ClipSample]:
    """Return the stored samples, oldest first; [] if there are none or the file is damaged."""
    try:
        rows = json.loads((cache_folder / FILE).read_text("utf-8"))
        return [_sample(row) for row in rows]
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return []


def _sample(row: dict[str, Any]) -> ClipSample:
    setting = ClipSetting(**row["setting"])
    sample = ClipSample(**{**row, "setting": setting})
    numbers = [getattr(sample, f.name) for f in fields(sample)[2:]]
    if not all(isinstance(n, (int, float)) and 0 <= n < 1e12 for n in numbers):
        raise ValueError("not a sample")
    return sample


def keep_samples(cache_folder: Path, new: Sequence[ClipSample]) -> None:
    """Add samples; do nothing if the file cannot be written."""
    kept = [*read_samples(cache_folder), *new][-KEPT:]
    try:
        write_text(cache_folder / FILE, json.dumps([asdict(sample) for sample in kept]))
    except OutputError:
        return


def pattern_of(samples: Sequence[ClipSample], wanted: ClipSetting) -> Pattern | None:
    """Return the times of a setting, scaled if measured with another number of denoising steps.

    None if no clip of this profile, machine, size and length was ever made.
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


def _pattern(samples: Sequence[ClipSample]) -> Pattern:
    firsts = [s.seconds for s in samples if s.first]
    others = [s.seconds for s in samples if not s.first]
    return Pattern(
        first_clip_s=median(firsts or others),
        clip_s=median(others or firsts),
        clip_bytes=median(s.size_bytes for s in samples),
        peak_mib=max(s.peak_mib for s in samples),
        num_samples=len(samples),
    )


def _is_made(event: Event, in_takes: Collection[int]) -> TypeGuard[ClipReady | TakeReady]:
    """Return True for a clip that was made now, counting each take of a step and not their sum."""
    if isinstance(event, ClipReady):
        return not event.reused and event.step not in in_takes
    return isinstance(event, TakeReady) and event.seconds > 0


def measured(
    events: Iterator[Event],
    run_folder: Path,
    setting: ClipSetting,
    cache_folder: Path,
    peak_mib: Callable[[], float],
    *,
    is_loaded: bool = False,
) -> Iterator[Event]:
    """Pass on a run's events, and store the time of each clip.

    Args:
        events: The events.
        run_folder: Folder of the run.
        setting: Setting of the clips.
        cache_folder: Folder of the stored times.
        peak_mib: Returns the peak memory.
        is_loaded: An earlier run of this process has loaded the models.
    """
    samples: list[ClipSample] = []
    in_takes: set[int] = set()
    try:
        with closing(events):  # type: ignore[type-var]  # the makers of events are generators
            for event in events:
                if isinstance(event, TakeReady):
                    in_takes.add(event.step)
                if _is_made(event, in_takes):
                    folder = (run_folder / event.file).parent
                    size = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())
                    first = not samples and not is_loaded
                    samples.append(ClipSample(setting, first, event.seconds, size, peak_mib()))
                yield event
    finally:
        if samples:
            keep_samples(cache_folder, samples)
