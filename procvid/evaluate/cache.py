"""Caches by content: equal requests to a backbone are answered once, and each clip is read once."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import numpy as np

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
    """Vectors of images and texts by model and request; `hits` and `misses` count the requests.

    A model rounds differently with other inputs in its batch. So a request is answered as a whole:
    its vectors do not depend on earlier requests, nor on which worker answers.
    """

    def __init__(self, max_vectors: int = MAX_VECTORS) -> None:
        self._answers: OrderedDict[str, Vectors] = OrderedDict()
        self._max, self._num_vectors = max_vectors, 0
        self.hits = 0
        self.misses = 0

    def vectors(
        self,
        info: ModelInfo,
        images: Sequence[Image],
        embed: Callable[[Sequence[Image]], Vectors],
    ) -> Vectors:
        """Return float32 (N, D): of an earlier request with the same images, or from `embed`."""
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
        rows = {key: row for row, key in enumerate(dict.fromkeys(keys))}
        request = hashlib.sha256("\1".join(rows).encode()).hexdigest()
        answer = self._answers.get(request)
        self.hits += answer is not None
        self.misses += answer is None
        if answer is None:
            answer = embed(list(dict(zip(keys, inputs, strict=True)).values()))
            self._answers[request] = answer
            self._num_vectors += len(answer)
            while self._num_vectors > self._max and len(self._answers) > 1:
                _, oldest = self._answers.popitem(last=False)
                self._num_vectors -= len(oldest)
        return answer[[rows[key] for key in keys]]


def _key(info: ModelInfo, image: Image) -> str:
    digest = hashlib.sha256(f"{info.id}\0{info.revision}\0{image.shape}".encode())
    digest.update(np.ascontiguousarray(image).tobytes())
    return digest.hexdigest()
