"""A clip generator whose GPU is lent for one clip at a time, as on ZeroGPU.

There the decorated function runs in a process forked for it: the weights are what this process had
loaded before, arguments and results are pickled, and what the function changes is lost. So one call is
one clip, and all that it tells, its end and our own errors included, are values that it yields.
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

Answer = Denoised | Clip | ProcvidError
Lend = Callable[..., Callable[[Callable[..., Iterator[Answer]]], Callable[..., Iterator[Answer]]]]
"""The form of `spaces.GPU`: called with `duration=`, it gives a decorator."""

LONGEST_S = 300
"""The longest that ZeroGPU lends a GPU for one call, about, as its documentation said in 2026."""
BESIDE_S = 25
"""Asked for beside the denoising: weights on their way to the GPU, encoding and decoding. An
allowance, measured nowhere yet."""
MARGIN = 1.25
"""Asked for over the expected time of the denoising: a call that takes longer may be cut off."""


class LentGpuGenerator:
    """Makes clips as `inner` does, each in a call of its own that a GPU is lent for.

    Closed between two denoising steps, the other process ends with the step that it is in, and one more
    at most that it had begun meanwhile; then the GPU goes back.

    Args:
        inner: Makes the clips, wherever it is called; its weights are loaded already.
        lend: `spaces.GPU`.
        expected_s: About how long the denoising of such a clip with so many references takes there.
    """

    def __init__(
        self,
        inner: ClipGenerator,
        lend: Lend,
        expected_s: Callable[[Sampling, int], float],
    ) -> None:
        self._inner = inner
        self._expected_s = expected_s
        self.info = inner.info
        self.default_sampling = inner.default_sampling

        def one_clip(conditioning: Conditioning, sampling: Sampling) -> Iterator[Answer]:
            try:
                yield (yield from inner.generate(conditioning, sampling))
            except ProcvidError as error:
                # What is raised there arrives as the name of its class alone.
                yield error

        def duration_s(conditioning: Conditioning, sampling: Sampling) -> int:
            return self.duration_s(sampling, len(conditioning.slots))

        self._one_clip = lend(duration=duration_s)(one_clip)

    def duration_s(self, sampling: Sampling, num_references: int = MAX_REFERENCES) -> int:
        """Seconds that a GPU is asked for, for such a clip."""
        return math.ceil(BESIDE_S + MARGIN * self._expected_s(sampling, num_references))

    def check(self, sampling: Sampling) -> None:
        """Raise InputError when this model cannot make such a clip, or not in the time of a call."""
        self._inner.check(sampling)
        asked_s = self.duration_s(sampling)
        if asked_s > LONGEST_S:
            raise InputError(
                f"Such a clip would take about {asked_s} s, and ZeroGPU lends its GPU for "
                f"{LONGEST_S} s at most.",
                "Choose fewer denoising steps, or a Space with a GPU of its own.",
            )

    def release(self) -> None:
        """Nothing: what was loaded at the start is all that ever reaches the lent GPU."""

    def undrawable(self, conditioning_words: Sequence[str]) -> tuple[str, ...]:
        """Those of the given object names that this model was never taught."""
        return self._inner.undrawable(conditioning_words)

    def notes(self, sampling: Sampling) -> tuple[str, ...]:
        """What the inner one says, and for how long a GPU will be asked for."""
        lent = f"each clip asks ZeroGPU for {self.duration_s(sampling)} s of its GPU at most"
        return (*self._inner.notes(sampling), lent)

    def generate(
        self, conditioning: Conditioning, sampling: Sampling
    ) -> Generator[Denoised, None, Clip]:
        """Yield after every denoising step; return the clip.

        Raises:
            ProcvidError: As the inner one does.
            UnavailableError: The GPU was taken back before the clip was there.
        """
        self.check(sampling)
        clip: Clip | None = None
        # The crops that were looked at and not taken need not travel.
        calls: Any = self._one_clip(replace(conditioning, retrievals=()), sampling)
        with closing(calls):
            for told in calls:
                if isinstance(told, ProcvidError):
                    raise told
                if isinstance(told, Clip):
                    # To the end of the call: only then is its process ready for the next one.
                    clip = told
                else:
                    yield told
        if clip is None:
            raise UnavailableError(
                "The GPU was taken back before the clip was there.", "Go on: the rest is made then."
            )
        return clip
