"""Kept by content: the same picture goes through a backbone once, and the same clip is read once."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from procvid.types import Image, ModelInfo, Vectors

MAX_VECTORS = 50_000
"""About 75 MB at 384 dimensions; the oldest go first."""


MAX_CLIPS = 500

Kept = TypeVar("Kept")
Input = TypeVar("Input")


class Recent(Generic[Kept]):
    """The last values by key; the oldest go first."""

    def __init__(self, size: int) -> None:
        self._values: OrderedDict[str, Kept] = OrderedDict()
        self._size = size

    def get(self, key: str) -> Kept | None:
        """The value, or None."""
        return self._values.get(key)

    def put(self, key: str, value: Kept) -> None:
        """Keep a value."""
        self._values[key] = value
        while len(self._values) > self._size:
            self._values.popitem(last=False)


class VectorCache:
    """Vectors by model and picture or text; `hits` and `misses` count them."""

    def __init__(self, max_vectors: int = MAX_VECTORS) -> None:
        self._vectors: OrderedDict[str, NDArray[np.float32]] = OrderedDict()
        self._max = max_vectors
        self.hits = 0
        self.misses = 0

    def vectors(
        self,
        info: ModelInfo,
        images: Sequence[Image],
        embed: Callable[[Sequence[Image]], Vectors],
    ) -> Vectors:
        """float32 (N, D): those known from before, the others from one call of `embed`."""
        return self._kept([_key(info, image) for image in images], images, embed)

    def text_vectors(
        self,
        info: ModelInfo,
        texts: Sequence[str],
        embed: Callable[[Sequence[str]], Vectors],
    ) -> Vectors:
        """The same of texts."""
        return self._kept([f"{info.id}\0{info.revision}\0{text}" for text in texts], texts, embed)

    def _kept(
        self,
        keys: Sequence[str],
        inputs: Sequence[Input],
        embed: Callable[[Sequence[Input]], Vectors],
    ) -> Vectors:
        new = {key: i for i, key in enumerate(keys) if key not in self._vectors}
        found = {key: self._vectors[key] for key in keys if key in self._vectors}
        self.hits += len(inputs) - len(new)
        self.misses += len(new)
        if new:
            made = embed([inputs[i] for i in new.values()])
            found |= dict(zip(new, made, strict=True))
        for key in new:
            self._vectors[key] = found[key]
        while len(self._vectors) > self._max:
            self._vectors.popitem(last=False)
        return np.stack([found[key] for key in keys])


def _key(info: ModelInfo, image: Image) -> str:
    digest = hashlib.sha256(f"{info.id}\0{info.revision}\0{image.shape}".encode())
    digest.update(np.ascontiguousarray(image).tobytes())
    return digest.hexdigest()
