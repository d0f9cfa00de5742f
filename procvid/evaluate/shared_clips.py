"""A generator that makes clips of the same input once, for settings that differ in few clips."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Generator
from typing import Any, cast

from procvid.protocols import ClipGenerator
from procvid.types import Clip, Conditioning, Denoised, Sampling

MAX_BYTES = 512 * 1024**2


class SharedClips:
    """The clips made so far, by everything that they depend on. The oldest are dropped first."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._clips: OrderedDict[str, Clip] = OrderedDict()
        self._max_bytes, self._bytes = max_bytes, 0
        self.reused = 0

    def around(self, generator: ClipGenerator) -> ClipGenerator:
        """Return the generator, which now looks for a clip before it makes one."""
        return cast(ClipGenerator, _Sharing(generator, self))

    def get(self, key: str) -> Clip | None:
        """Return a clip, or None."""
        clip = self._clips.get(key)
        self.reused += clip is not None
        return clip

    def put(self, key: str, clip: Clip) -> None:
        """Keep a clip."""
        self._clips[key] = clip
        self._bytes += clip.frames.nbytes
        while self._bytes > self._max_bytes and len(self._clips) > 1:
            _, oldest = self._clips.popitem(last=False)
            self._bytes -= oldest.frames.nbytes


class _Sharing:
    def __init__(self, generator: ClipGenerator, clips: SharedClips) -> None:
        self._generator, self._clips = generator, clips

    def __getattr__(self, name: str) -> Any:
        return getattr(self._generator, name)

    def generate(
        self, conditioning: Conditioning, sampling: Sampling
    ) -> Generator[Denoised, None, Clip]:
        key = self._key(conditioning, sampling)
        clip = self._clips.get(key)
        if clip is None:
            clip = yield from self._generator.generate(conditioning, sampling)
            self._clips.put(key, clip)
        return clip

    def _key(self, conditioning: Conditioning, sampling: Sampling) -> str:
        """Return a hash of all that a generator reads: model, prompt, images and sampling."""
        info = self._generator.info
        digest = hashlib.sha256(repr((info, conditioning.prompt, sampling)).encode())
        for slot in conditioning.slots:
            seen = repr((slot.image.shape, slot.strength)).encode()
            digest.update(seen + slot.image.tobytes())
        if conditioning.before is not None:
            digest.update(b"before" + conditioning.before.tobytes())
        return digest.hexdigest()
