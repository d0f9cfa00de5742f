"""Caches by content: each image goes through a backbone once, and each clip is read once."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from procvid.types import Image, ModelInfo, Vectors

MAX_VECTORS = 50_000
"""About 75 MB at 384 dimensions. The oldest are dropped first."""

MAX_CLIPS = 500

Value = TypeVar("Value")
Input = TypeVar("Input")


class Recent(Generic[Value]):
    """The latest values by key; the oldest are dropped first."""

    def __init__(self, size: int) -> None:
        self._values: OrderedDict[str, Value] = OrderedDict()
        self._size = size

    def get(self, key: str) -> Value | None:
        """Return the value, or None."""
        return self._values.get(key)

    def put(self, key: str, value: Value) -> None:
        """Store a value."""
        self._values[key] = value
        while len(self._values) > self._size:
            self._values.popitem(last=False)


class VectorCache:
    """Vectors by model and image or text; `hits` and `misses` count the requests."""

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
        """Return float32 (N, D): cached vectors, and the others from one call of `embed`."""
        return self._cached([_key(info, image) for image in images], images, embed)

    def text_vectors(
        self,
        info: ModelInfo,
        texts: Sequence[str],
        embed: Callable[[Sequence[str]], Vectors],
    ) -> Vectors:
        """Return float32 (N, D) of texts, like `vectors`."""
        return self._cached([f"{info.id}\0{info.revision}\0{text}" for text in texts], texts, embed)

    def _cached(
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
