"""Fréchet distance of two sets of feature vectors, and its bootstrap over clips.

The distance of two normal distributions with means m and covariances C is
|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)) (Dowson and Landau, 1982). Covariances are unbiased (n - 1),
as in torchmetrics and cd-fvd. With centred rows A and B, the last trace is the sum of the singular
values of A B^T, so no square root of a matrix of D x D is needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from procvid.protocols import Embedder, FrameEncoder
from procvid.types import Frames, ModelInfo, Vectors

RESAMPLES = 500
LEAST_RESAMPLES = 20
BUDGET_FLOP = 4e12
"""Arithmetic of a bootstrap. A set of thousands of clips gets fewer resamples."""

PARTS = 3
"""Parts of a clip that `EmbeddedClips` averages apart: beginning, middle and end."""


def frechet_distance(real: Vectors, made: Vectors) -> float:
    """Return the Fréchet distance of two sets of vectors, 0 or more.

    Args:
        real: float (N, D), N at least 2.
        made: float (M, D), M at least 2.

    Raises:
        ValueError: A set has fewer than two vectors.
    """
    if min(len(real), len(made)) < 2:
        raise ValueError(f"{len(real)} and {len(made)} vectors have no covariance.")
    (mean_a, a, trace_a), (mean_b, b, trace_b) = _moments(real), _moments(made)
    shared = float(np.linalg.svd(a @ b.T, compute_uv=False).sum())
    distance = float(((mean_a - mean_b) ** 2).sum()) + trace_a + trace_b - 2 * shared
    return max(0.0, distance)


def _moments(
    vectors: Vectors,
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Return the mean (D,), a factor F with F^T F the covariance, and the trace of the covariance."""
    rows = np.asarray(vectors, np.float64)
    mean = rows.mean(axis=0)
    factor = (rows - mean) / np.sqrt(len(rows) - 1)
    trace = float((factor**2).sum())
    if len(factor) > factor.shape[1]:
        factor = np.linalg.qr(factor, mode="r")
    return mean, factor, trace


def resampled_distances(
    real: Sequence[Vectors],
    made: Mapping[str, Sequence[Vectors]],
    groups: Sequence[str],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, NDArray[np.float64]]:
    """Return the distances of bootstrap samples, float64 (resamples,) for each set that was made.

    A sample draws whole groups with replacement, and the same clips for all sets: it is paired.
    Large sets get fewer samples, at least `LEAST_RESAMPLES`.

    Args:
        real: float (n, D) of each original clip.
        made: float (n, D) of each made clip, in the same order, by set.
        groups: Group of each clip; clips of one video are not independent.
        resamples: Number of samples.
        seed: Seed of the draws.
    """
    members: dict[str, list[int]] = {}
    for place, group in enumerate(groups):
        members.setdefault(group, []).append(place)
    chosen = list(members.values())
    num_rows, dim = sum(map(len, real)), real[0].shape[1]
    cost = 4.0 * len(made) * num_rows * dim * min(num_rows, dim)
    count = int(np.clip(BUDGET_FLOP / cost, min(LEAST_RESAMPLES, resamples), resamples))
    rng = np.random.default_rng(seed)
    found: dict[str, list[float]] = {name: [] for name in made}
    for _ in range(count):
        drawn = rng.integers(len(chosen), size=len(chosen))
        places = [place for group in drawn for place in chosen[group]]
        rows = np.concatenate([real[place] for place in places])
        for name, clips in made.items():
            sample = np.concatenate([clips[place] for place in places])
            enough = min(len(rows), len(sample)) >= 2
            found[name].append(frechet_distance(rows, sample) if enough else 0.0)
    return {name: np.array(values) for name, values in found.items()}


def interval_around(value: float, draws: NDArray[np.float64]) -> tuple[float, float]:
    """Return a 95 % interval: the value, with the spread of bootstrap samples around their mean.

    A sample repeats clips, which raises a Fréchet distance. The mean of the samples is therefore not
    the value, and their percentiles are moved to it.
    """
    low, high = np.percentile(draws - draws.mean(), [2.5, 97.5])
    return value + float(low), value + float(high)


class EncodedFrames:
    """Vectors of single frames by a frame encoder, as the features of a Fréchet distance.

    Args:
        encoder: The encoder.
    """

    num_frames = 8
    """Frames per clip, evenly spaced."""

    def __init__(self, encoder: FrameEncoder) -> None:
        self._encoder = encoder
        self.info: ModelInfo = encoder.info

    def features(self, frames: Frames) -> Vectors:
        """Return float32 (T, D) for uint8 (T, H, W, 3) RGB frames of one clip."""
        return self._encoder.embed_frames(list(frames))

    def distance(self, real: Vectors, made: Vectors) -> float:
        """Return the Fréchet distance of float32 (N, D) and (M, D), each of at least two rows."""
        return frechet_distance(real, made)


class EmbeddedClips:
    """One vector per clip: CLIP's mean vectors of its beginning, middle and end, joined.

    The order of the parts tells a clip from its reverse. Motion within a part is not seen.

    Args:
        embedder: The CLIP model.
    """

    num_frames = 15
    """Frames per clip, evenly spaced."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self.info: ModelInfo = embedder.info

    def features(self, frames: Frames) -> Vectors:
        """Return float32 (1, 3 D) for uint8 (T, H, W, 3) RGB frames of one clip, T at least 3."""
        vectors = self._embedder.embed_images(list(frames))
        parts = [part.mean(axis=0) for part in np.array_split(vectors, PARTS)]
        return np.concatenate(parts)[None].astype(np.float32)

    def distance(self, real: Vectors, made: Vectors) -> float:
        """Return the Fréchet distance of float32 (N, 3 D) and (M, 3 D), each of at least two rows."""
        return frechet_distance(real, made)
