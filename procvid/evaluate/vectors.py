"""Arithmetic on embeddings that several metrics share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from procvid.types import Vectors


def video_vector(frame_vectors: Vectors) -> NDArray[np.float32]:
    """Return the L2-normalised mean of float32 (K, D), as float32 (D,)."""
    return unit(frame_vectors.mean(axis=0))


def unit(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a vector (D,) or rows (N, D) scaled to length 1; a zero vector stays zero."""
    length = np.linalg.norm(vector, axis=-1, keepdims=True)
    return np.asarray(vector / np.maximum(length, 1e-12), np.float32)


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return probabilities that sum to 1, float64 (N,)."""
    raised = np.exp(np.asarray(logits, np.float64) - float(np.max(logits)))
    return np.asarray(raised / raised.sum())


def rank_of_first(scores: NDArray[np.float32]) -> int:
    """Return the rank of the first score, from 1; a tie counts against it."""
    return 1 + int(np.sum(scores[1:] >= scores[0]))
