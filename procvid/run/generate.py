"""Generate the clip of a step: seeds, progress and the remaining time."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Generator
from contextlib import closing

from procvid.events import Progress, Warned
from procvid.protocols import ClipGenerator
from procvid.types import Clip, Conditioning, Sampling


def step_seed(seed: int, step: int, attempt: int = 0) -> int:
    """Return the seed of one step, 0 to 2**63 - 1, derived from the seed of the run.

    It is the first eight bytes, big-endian, of the sha256 of "seed:step", without the sign bit. A
    redone step uses "seed:step:attempt". The seed of a step does not depend on other steps.
    """
    text = f"{seed}:{step}" if attempt == 0 else f"{seed}:{step}:{attempt}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") & (2**63 - 1)


class Pace:
    """Time per clip, for the estimate of the remaining time.

    Args:
        num_clips: Number of clips to generate.
    """

    def __init__(self, num_clips: int) -> None:
        self._clips_left = num_clips
        self._clip_start_s = time.monotonic()
        self._seconds_per_clip: float | None = None

    def clip_begins(self) -> None:
        """Start the clock of a clip."""
        self._clip_start_s = time.monotonic()

    def clip_ends(self) -> float:
        """Return the seconds that the clip took."""
        self._seconds_per_clip = time.monotonic() - self._clip_start_s
        self._clips_left = max(0, self._clips_left - 1)
        return self._seconds_per_clip

    def expect(self, clips: int) -> None:
        """Add clips to those that are left; a negative number takes some away."""
        self._clips_left = max(0, self._clips_left + clips)

    def eta_s(self, done: int, total: int) -> float | None:
        """Return the seconds until the last clip, after `done` of `total` denoising steps."""
        spent_s = time.monotonic() - self._clip_start_s
        if self._seconds_per_clip is None:
            if done == 0:
                return None
            clip_s = spent_s * total / done
        else:
            clip_s = max(self._seconds_per_clip, spent_s)
        left = self._clips_left - done / total
        return max(0.0, clip_s * left)


def generate(
    generator: ClipGenerator, conditioning: Conditioning, sampling: Sampling, pace: Pace
) -> Generator[Progress | Warned, None, Clip]:
    """Generate one clip; yield the progress after every denoising step, and notes as warnings.

    Closing it frees the device. The same conditioning and sampling give the same frames.
    """
    steps = generator.generate(conditioning, sampling)
    with closing(steps):
        while True:
            try:
                denoised = next(steps)
            except StopIteration as end:
                clip: Clip = end.value
                return clip
            if denoised.note:
                yield Warned(denoised.note, conditioning.step)
            yield Progress(
                step=conditioning.step,
                done=denoised.step,
                total=denoised.total,
                eta_s=pace.eta_s(denoised.step, denoised.total),
                preview=denoised.preview,
            )
