"""A clip generator whose GPU is lent for one clip at a time, as on ZeroGPU.

The decorated function runs in a process forked for the call. That process has the weights that this
one had loaded before; arguments and results are pickled, and its changes are lost. So one call makes
one clip and yields everything as values: progress, the clip, and our own errors.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

from procvid.errors import InputError, ProcvidError, UnavailableError
from procvid.protocols import ClipGenerator
from procvid.settings import MAX_REFERENCES
from procvid.types import Clip, Conditioning, Denoised, Sampling

Item = Denoised | Clip | ProcvidError
Lend = Callable[..., Callable[[Callable[..., Iterator[Item]]], Callable[..., Iterator[Item]]]]
"""The form of `spaces.GPU`: called with `duration=`, it returns a decorator."""

LONGEST_S = 300
"""About the longest loan of ZeroGPU for one call, by its documentation of 2026."""
OVERHEAD_S = 25
"""Requested beside the denoising: moving weights to the GPU, encoding, decoding. An estimate, not
measured yet."""
MARGIN = 1.25
"""Factor on the expected time of the denoising: a call that takes longer may be cut off."""


class LentGpuGenerator:
    """Makes clips as `inner` does, each in its own call with a lent GPU.

    If it is closed between two denoising steps, the other process ends with its current step, or with
    the next one if that has begun. Then the GPU is returned.

    Args:
        inner: Makes the clips in any process; its weights are loaded already.
        lend: `spaces.GPU`.
        expected_s: About how many seconds the denoising of a clip takes, by its sampling and number
            of references.
        max_references: Maximum number of references of a clip.
    """

    def __init__(
        self,
        inner: ClipGenerator,
        lend: Lend,
        expected_s: Callable[[Sampling, int], float],
        max_references: int = MAX_REFERENCES,
    ) -> None:
        self._inner = inner
        self._expected_s = expected_s
        self._max_references = max_references
        self.info = inner.info
        self.default_sampling = inner.default_sampling

        def one_clip(conditioning: Conditioning, sampling: Sampling) -> Iterator[Item]:
            try:
                yield (yield from inner.generate(conditioning, sampling))
            except ProcvidError as error:
                # A raised error would arrive as the name of its class alone.
                yield error

        def duration_s(conditioning: Conditioning, sampling: Sampling) -> int:
            return self.duration_s(sampling, len(conditioning.slots))

        self._one_clip = lend(duration=duration_s)(one_clip)

    def duration_s(self, sampling: Sampling, num_references: int | None = None) -> int:
        """Return the seconds of GPU time to request for a clip; by default with all references."""
        references = self._max_references if num_references is None else num_references
        return math.ceil(OVERHEAD_S + MARGIN * self._expected_s(sampling, references))

    def check(self, sampling: Sampling) -> None:
        """Raise InputError if this model cannot make such a clip, or not within one loan."""
        self._inner.check(sampling)
        requested_s = self.duration_s(sampling)
        if requested_s > LONGEST_S:
            raise InputError(
                f"Such a clip would take about {requested_s} s, and ZeroGPU lends its GPU for "
                f"{LONGEST_S} s at most.",
                "Choose fewer denoising steps, or a Space with its own GPU.",
            )

    def prepare(self) -> None:
        """Load the weights now; they must be loaded before the first loan."""
        self._inner.prepare()

    def release(self) -> None:
        """Do nothing: only weights that were loaded at the start ever reach the lent GPU."""

    def tflop(self, sampling: Sampling, num_references: int) -> float:
        """Return the operations of a clip, in 10^12."""
        return self._inner.tflop(sampling, num_references)

    def undrawable(self, conditioning_words: Sequence[str]) -> tuple[str, ...]:
        """Return the object names that this model was not trained on."""
        return self._inner.undrawable(conditioning_words)

    def notes(self, sampling: Sampling) -> tuple[str, ...]:
        """Return the inner generator's notes and the length of a loan."""
        loan = f"each clip requests at most {self.duration_s(sampling)} s of GPU time from ZeroGPU"
        return (*self._inner.notes(sampling), loan)

    def generate(
        self, conditioning: Conditioning, sampling: Sampling
    ) -> Generator[Denoised, None, Clip]:
        """Yield after every denoising step; return the clip.

        Raises:
            ProcvidError: As the inner generator does.
            UnavailableError: The GPU was taken back before the clip was finished.
        """
        self.check(sampling)
        clip: Clip | None = None
        # The retrieval results are not needed there, so they are not pickled.
        calls: Any = self._one_clip(replace(conditioning, retrievals=()), sampling)
        with closing(calls):
            for item in calls:
                if isinstance(item, ProcvidError):
                    raise item
                if isinstance(item, Clip):
                    # Read on to the end of the call: only then its process takes the next one.
                    clip = item
                else:
                    yield item
        if clip is None:
            raise UnavailableError(
                "The GPU was taken back before the clip was finished.",
                "Resume the run to make the remaining clips.",
            )
        return clip
