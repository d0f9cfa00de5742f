"""Crops on a plane: where they lie in CLIP space, as far as two axes can show it."""

from __future__ import annotations

import numpy as np

from procvid.types import Vectors


def on_a_plane(vectors: Vectors) -> Vectors:
    """float32 (N, 2): the two principal axes of float32 (N, dim), -1 to 1; signs are fixed."""
    if len(vectors) < 2:
        return np.zeros((len(vectors), 2), np.float32)
    centred = np.asarray(vectors, np.float64) - vectors.mean(axis=0, dtype=np.float64)
    # From the (dim, dim) covariance: a million crops cost no more memory than their vectors.
    values, axes = np.linalg.eigh(centred.T @ centred)
    two = axes[:, np.argsort(values)[::-1][:2]]
    two *= np.where(two[np.abs(two).argmax(axis=0), range(two.shape[1])] < 0, -1, 1)
    places = centred @ two
    return np.asarray(places / max(float(np.abs(places).max()), 1e-12), dtype=np.float32)
