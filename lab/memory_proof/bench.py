"""Measure the index on random vectors: build time, RAM, latency, and recall against exact search."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from procvid.errors import InputError
from procvid.memory.index import EXACT_UP_TO, CropIndex
from procvid.types import Vectors

MAX_BYTES = 8 * 1024**3
PER_CLUSTER = 200
CLUSTER_SPREAD = 0.6
QUERY_SPREAD = 0.3
CHUNK = 100_000
NEIGHBOURS = 10


@dataclass(frozen=True)
class IndexMeasures:
    """Figures for one number of vectors; times are of single queries in sequence, ms.

    `resident_mib` is the growth of the process while the index was built, without its vectors.
    """

    vectors: int
    dim: int
    kind: str
    reason: str
    build_s: float
    resident_mib: float
    file_mib: float
    recall_at_10: float
    median_ms: float
    p95_ms: float
    exact_median_ms: float


def drawn_vectors(count: int, dim: int, num_queries: int, seed: int = 0) -> tuple[Vectors, Vectors]:
    """Return unit vectors in clusters, as objects in their states form, and queries near some."""
    rng = np.random.default_rng(seed)
    centres = _unit(rng.standard_normal((max(1, count // PER_CLUSTER), dim), np.float32))
    member = rng.integers(0, len(centres), count)
    vectors = np.empty((count, dim), np.float32)
    for start in range(0, count, CHUNK):
        here = member[start : start + CHUNK]
        noise = rng.standard_normal((len(here), dim), np.float32)
        vectors[start : start + CHUNK] = _unit(
            centres[here] + CLUSTER_SPREAD / np.sqrt(dim, dtype=np.float32) * noise
        )
    near = vectors[rng.integers(0, count, num_queries)]
    noise = rng.standard_normal(near.shape, np.float32)
    return vectors, _unit(near + QUERY_SPREAD / np.sqrt(dim, dtype=np.float32) * noise)


def measure_index(count: int, dim: int, num_queries: int) -> Iterator[IndexMeasures]:
    """Measure 100,000 vectors (exact) and then `count`.

    Raises:
        InputError: The vectors do not fit, or a number is out of range.
    """
    if not (1 <= dim <= 4096 and 1 <= num_queries <= 10_000 and count >= 1000):
        raise InputError(
            f"{count:,} vectors of {dim} with {num_queries:,} queries cannot be measured.",
            "Choose 1,000 vectors or more, 1 to 4,096 dimensions and 1 to 10,000 queries.",
        )
    if count * dim * 4 > MAX_BYTES:
        raise InputError(f"{count:,} vectors of {dim} need more than 8 GiB.", "Choose fewer.")
    for number in dict.fromkeys((min(100_000, count), count)):
        yield _measure(number, dim, num_queries)


def _measure(count: int, dim: int, num_queries: int) -> IndexMeasures:
    vectors, queries = drawn_vectors(count, dim, num_queries)
    exact = CropIndex(vectors, exact_up_to=count)
    _warm(exact, queries)
    before, started_s = _resident_mib(), time.perf_counter()
    index = CropIndex(vectors, exact_up_to=EXACT_UP_TO)
    facts = index.facts
    build_s, grown = time.perf_counter() - started_s, _resident_mib() - before
    exact_times, index_times, found = [], [], 0
    k = min(NEIGHBOURS, count)
    for query in queries:
        # Both searches alternate, so that machine load affects them equally.
        started_s = time.perf_counter()
        true, _ = exact.search(query, k)
        exact_times.append(time.perf_counter() - started_s)
        started_s = time.perf_counter()
        scores, _ = index.search(query, k)
        index_times.append(time.perf_counter() - started_s)
        found += int((scores >= true[-1] - 1e-6).sum())
    return IndexMeasures(
        vectors=count,
        dim=dim,
        kind=facts.kind,
        reason=facts.reason,
        build_s=round(build_s, 1),
        resident_mib=round(grown, 1),
        file_mib=round(len(index.to_bytes()) / 2**20, 1),
        recall_at_10=round(found / (k * num_queries), 4),
        median_ms=round(1000 * float(np.median(index_times)), 2),
        p95_ms=round(1000 * float(np.quantile(index_times, 0.95)), 2),
        exact_median_ms=round(1000 * float(np.median(exact_times)), 2),
    )


def _warm(index: CropIndex, queries: Vectors) -> None:
    for query in queries[:5]:
        index.search(query, 1)


def _resident_mib() -> float:
    """Return the RAM of this process in MiB; 0 on systems other than Linux."""
    if not sys.platform.startswith("linux"):
        return 0.0
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * 4096 / 2**20


def _unit(vectors: Vectors) -> Vectors:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)
