"""Find the nearest vectors by inner product. This is the only module that imports FAISS.

Up to `EXACT_UP_TO` crops the index is exact. Above, an approximate index is built and compared with
exact search on the store's own vectors. If its recall is below `MIN_RECALL`, search stays exact, and
`facts` reports that. Rows from the approximate index are scored again with the exact vectors.

The cost of an exact query is reading the vectors. So a copy in half precision, which is half as much
to read, proposes rows that are then scored exactly. Rounding changes a score by at most `HALF_ERROR`.
If that could hide a better row, all rows are scored.

An index is derived from the embeddings and never trusted. A file is read only if its bytes match the
manifest. Its type, size and ids are compared with the embeddings, and a mismatch rebuilds it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import faiss
import numpy as np
from numpy.typing import NDArray

from procvid.types import Vectors

Rows = NDArray[np.int64]
Kind = Literal["exact", "ivfpq"]

EXACT_UP_TO = 200_000
MIN_RECALL = 0.99
NEIGHBOURS = 10
PROBES = 200
"""Number of queries for a comparison with exact search."""

LISTS_PER_ROOT = 4
"""Inverted lists for each square root of the number of vectors, as FAISS advises."""

POINTS_PER_LIST = 40
EFFORTS = (16, 32, 64, 128, 256)
"""Numbers of lists a query visits. The first one that reaches `MIN_RECALL` is used."""

SHORTLIST = 400
"""Number of rows per query to score exactly."""

BYTES_A_CODE = 4
"""A vector of dim floats becomes dim / 4 bytes."""

HALF_ERROR = 2.0**-10
"""Largest error of a score in half precision, for unit vectors: 2**-11 for the rounding of the
components, and as much again for float32 sums of up to 4,096 dimensions."""

GATHER_UP_TO = 4_000
"""Up to this many rows, scoring them directly is faster than the half-precision copy."""

GATHERED = 8
"""Up to this share (1/8) of the rows, gathering them is faster than multiplying all rows."""

CHUNK = 100_000
HEADER_BYTES = 4096
TABLE_BYTES = 256 * 4
LOOPS = 1_000_000


@dataclass(frozen=True)
class IndexFacts:
    """The kind of index, the reason for it, and its recall (1.0 if exact)."""

    kind: Kind
    recall_at_10: float
    reason: str


class CropIndex:
    """An inner-product index over the rows of `vectors`, float32 (N, dim), built at first use.

    Args:
        vectors: L2-normalised vectors, kept by reference.
        probes: Typical queries to measure recall with, float32 (N, dim), such as the text vectors
            of the crops. Default: `vectors`.
        exact_up_to: Above this number of rows an approximate index is tried.
    """

    def __init__(
        self, vectors: Vectors, probes: Vectors | None = None, exact_up_to: int = EXACT_UP_TO
    ) -> None:
        self._vectors = np.ascontiguousarray(vectors, dtype=np.float32)
        self._probes = self._vectors if probes is None else probes
        self._exact_up_to = exact_up_to
        self._index: faiss.Index | None = None
        self._facts: IndexFacts | None = None

    def __len__(self) -> int:
        return len(self._vectors)

    @property
    def facts(self) -> IndexFacts:
        """Return the facts of the index, and build it if needed."""
        self._built()
        assert self._facts is not None
        return self._facts

    def search(
        self, query: Vectors, k: int, rows: Sequence[int] | Rows | None = None
    ) -> tuple[NDArray[np.float32], Rows]:
        """Return the `k` rows nearest to a query, best first, equal scores in row order.

        Args:
            query: float32 (dim,), L2-normalised.
            k: Largest number of rows.
            rows: Search only these rows, exactly. None searches all.

        Returns:
            Scores float32 (n,) and rows int64 (n,), n <= k.
        """
        k = min(k, len(self) if rows is None else len(rows))
        if k <= 0:
            return np.zeros(0, np.float32), np.zeros(0, np.int64)
        asked = np.ascontiguousarray(query, dtype=np.float32)
        chosen = None if rows is None else np.asarray(rows, dtype=np.int64)
        if chosen is not None and len(chosen) <= GATHER_UP_TO:
            return self._among(asked, k, chosen)
        index = self._built()
        if type(index) is faiss.IndexScalarQuantizer:
            return self._proposed_by_half(index, asked, k, chosen)
        if chosen is not None:
            return self._scored(asked, k, chosen)
        if self.facts.kind == "exact":
            scores, found = index.search(asked.reshape(1, -1), k)
            return _ordered(scores[0], found[0], k)
        _, proposed = index.search(asked.reshape(1, -1), max(SHORTLIST, 4 * k))
        return self._among(asked, k, proposed[0][proposed[0] >= 0])

    def grown(self, vectors: Vectors, probes: Vectors | None = None) -> CropIndex:
        """Return an index of `vectors`, which start with the rows of this one.

        An approximate index adds the new rows and is measured again. It is rebuilt if its recall is
        too low, or if there are as many new rows as old ones.
        """
        other = CropIndex(vectors, probes, self._exact_up_to)
        if self._index is None or self.facts.kind == "exact" or len(vectors) > 2 * len(self):
            return other
        index: faiss.Index = faiss.clone_index(self._index)
        index.add(other._vectors[len(self) :])
        recall = other._recall(index)
        if recall >= MIN_RECALL:
            other._index, other._facts = index, _approximate(recall, index)
        return other

    def to_bytes(self) -> bytes:
        """Return the index in the format of FAISS."""
        # An exact index is always written as plain vectors, whichever index searches them.
        index = self._flat() if self.facts.kind == "exact" else self._built()
        return bytes(faiss.serialize_index(index).tobytes())

    @classmethod
    def from_bytes(
        cls,
        data: bytes,
        vectors: Vectors,
        probes: Vectors | None = None,
        exact_up_to: int = EXACT_UP_TO,
    ) -> CropIndex | None:
        """Return the index in `data`, or None if it is not an index of `vectors`."""
        lists, parts = _lists_and_parts(*vectors.shape)
        # The most that FAISS may allocate: the vectors or codes, and a table for each list.
        limit = vectors.nbytes + lists * parts * TABLE_BYTES + HEADER_BYTES
        faiss.set_deserialization_vector_byte_limit(limit)
        faiss.set_deserialization_loop_limit(LOOPS)
        try:
            read = faiss.deserialize_index(np.frombuffer(data, dtype=np.uint8))
        except (RuntimeError, ValueError):
            return None
        if (read.ntotal, read.d) != vectors.shape or read.metric_type != faiss.METRIC_INNER_PRODUCT:
            return None
        index = cls(vectors, probes, exact_up_to)
        if type(read) is faiss.IndexFlatIP:
            if len(vectors) and not np.array_equal(read.reconstruct_n(0, len(vectors)), vectors):
                return None
            index._facts = index._exact_facts()
        elif type(read) is faiss.IndexIVFPQ and len(vectors) > exact_up_to:
            recall = index._recall(read) if _holds_each_row_once(read) else 0.0
            if recall < MIN_RECALL:
                return None
            index._index, index._facts = read, _approximate(recall, read)
        else:
            return None
        return index

    def _built(self) -> faiss.Index:
        if self._facts is None and len(self) > self._exact_up_to:
            self._index, self._facts = self._build_approximate()
        if self._index is None:
            self._facts = self._facts or self._exact_facts()
            self._index = _on_gpu(self._flat()) if _has_gpu() else self._in_half_precision()
        return self._index

    def _flat(self) -> faiss.Index:
        return self._filled(faiss.IndexFlatIP(int(self._vectors.shape[1])))

    def _in_half_precision(self) -> faiss.Index:
        dim, kind = int(self._vectors.shape[1]), faiss.ScalarQuantizer.QT_fp16
        return self._filled(faiss.IndexScalarQuantizer(dim, kind, faiss.METRIC_INNER_PRODUCT))

    def _filled(self, index: faiss.Index) -> faiss.Index:
        if len(self):
            index.add(self._vectors)
        return index

    def _exact_facts(self) -> IndexFacts:
        return IndexFacts("exact", 1.0, f"{len(self):,} crops are few enough for exact search")

    def _build_approximate(self) -> tuple[faiss.Index | None, IndexFacts]:
        count, dim = self._vectors.shape
        lists, parts = _lists_and_parts(count, dim)
        coarse = faiss.IndexFlatIP(dim)
        index = faiss.IndexIVFPQ(coarse, dim, lists, parts, 8, faiss.METRIC_INNER_PRODUCT)
        index.cp.seed = index.pq.cp.seed = 1
        index.cp.niter = 10
        rng = np.random.default_rng(0)
        sample = rng.choice(count, min(count, POINTS_PER_LIST * lists), replace=False)
        index.train(self._vectors[np.sort(sample)])
        for start in range(0, count, CHUNK):
            index.add(self._vectors[start : start + CHUNK])
        recall = 0.0
        for effort in EFFORTS:
            index.nprobe = min(effort, lists)
            recall = self._recall(index)
            if recall >= MIN_RECALL:
                return index, _approximate(recall, index)
        reason = (
            f"the approximate index found {recall:.3f} of the nearest {NEIGHBOURS} where "
            f"{MIN_RECALL} is asked, so search stays exact"
        )
        return None, IndexFacts("exact", 1.0, reason)

    def _recall(self, index: faiss.Index) -> float:
        """Return the share of the exact `NEIGHBOURS` that `index` finds, on the store's own vectors."""
        rng = np.random.default_rng(1)
        half = [
            source[rng.choice(len(source), min(len(source), PROBES // 2), replace=False)]
            for source in (self._vectors, self._probes)
            if len(source)
        ]
        asked = np.ascontiguousarray(np.concatenate(half), dtype=np.float32)
        k = min(NEIGHBOURS, len(self))
        true = _exact_scores(self._vectors, asked, k)
        _, proposed = index.search(asked, max(SHORTLIST, k))
        found = 0
        for query, best, rows in zip(asked, true, proposed, strict=True):
            scores, _ = self._among(query, k, rows[rows >= 0])
            # Compare scores and not rows, because equal vectors are interchangeable.
            found += int((scores >= best[k - 1] - 1e-6).sum())
        return found / (k * len(asked))

    def _proposed_by_half(
        self, half: faiss.IndexScalarQuantizer, query: Vectors, k: int, rows: Rows | None
    ) -> tuple[NDArray[np.float32], Rows]:
        """Return the exact best `k` of the rows (None: all rows)."""
        parameters, total = None, len(self)
        if rows is not None:
            wanted, total = np.zeros(len(self), np.bool_), len(rows)
            wanted[rows] = True
            bits = np.packbits(wanted, bitorder="little")
            # The type stubs have the C++ signatures.
            chosen = faiss.IDSelectorBitmap(bits)  # type: ignore[call-arg, arg-type]
            parameters = faiss.SearchParameters(sel=chosen)  # type: ignore[call-arg]
        asked, number = query.reshape(1, -1), min(max(SHORTLIST, 4 * k), total)
        coarse, proposed = half.search(asked, number, params=parameters)
        scores, found = self._among(query, k, proposed[0][proposed[0] >= 0])
        off = HALF_ERROR * float(np.linalg.norm(query)) * self._longest
        if number < total and scores[-1] <= coarse[0, -1] + off:
            return self._scored(query, k, rows)
        return scores, found

    @cached_property
    def _longest(self) -> float:
        """Return the length of the longest vector. It should be 1."""
        return float(np.sqrt(np.einsum("nd,nd->n", self._vectors, self._vectors).max(initial=0.0)))

    def _scored(
        self, query: Vectors, k: int, rows: Rows | None
    ) -> tuple[NDArray[np.float32], Rows]:
        """Return the best `k` of the rows (None: all rows) by scoring every row."""
        if rows is None:
            return _ordered(self._vectors @ query, np.arange(len(self)), k)
        if GATHERED * len(rows) > len(self):
            return _ordered((self._vectors @ query)[rows], rows, k)
        return self._among(query, k, rows)

    def _among(self, query: Vectors, k: int, rows: Rows) -> tuple[NDArray[np.float32], Rows]:
        """Return the exact scores of the best `k` of these rows."""
        scores = [
            self._vectors[rows[start : start + CHUNK]] @ query
            for start in range(0, len(rows), CHUNK)
        ]
        return _ordered(np.concatenate([np.zeros(0, np.float32), *scores]), rows, k)


def _lists_and_parts(count: int, dim: int) -> tuple[int, int]:
    """Return the number of inverted lists and the bytes per vector of an approximate index."""
    parts = next((n for n in (dim // BYTES_A_CODE, dim // 8) if n > 0 and dim % n == 0), 1)
    return max(1, int(LISTS_PER_ROOT * np.sqrt(count))), parts


def _ordered(scores: NDArray[np.float32], rows: Rows, k: int) -> tuple[NDArray[np.float32], Rows]:
    if len(rows) > 4 * k:
        # Keep all rows that reach the k-th best score, so that row order still decides ties.
        least = np.partition(scores, len(scores) - k)[len(scores) - k]
        scores, rows = scores[scores >= least], rows[scores >= least]
    order = np.lexsort((rows, -scores))[:k]
    return scores[order], rows[order]


def _exact_scores(vectors: Vectors, asked: Vectors, k: int) -> NDArray[np.float32]:
    """Return the `k` best scores of each query in descending order, computed in chunks."""
    best = np.full((len(asked), k), -np.inf, np.float32)
    for start in range(0, len(vectors), CHUNK):
        both = np.concatenate([best, asked @ vectors[start : start + CHUNK].T], axis=1)
        best = np.partition(both, both.shape[1] - k, axis=1)[:, -k:]
    return -np.sort(-best, axis=1)


def _approximate(recall: float, index: Any) -> IndexFacts:
    reason = (
        f"{index.ntotal:,} crops in {index.nlist:,} lists, {index.nprobe} of them visited; "
        f"recall@{NEIGHBOURS} {recall:.3f} against exact search"
    )
    return IndexFacts("ivfpq", round(recall, 4), reason)


def _holds_each_row_once(index: faiss.IndexIVFPQ) -> bool:
    """Return True if the ids in the lists are the rows 0 to N - 1, each once."""
    lists = index.invlists
    if lists is None or lists.nlist != index.nlist or index.nprobe < 1:
        return False
    seen = np.zeros(int(index.ntotal), dtype=np.bool_)
    total = 0
    for number in range(lists.nlist):
        size = lists.list_size(number)
        ids = faiss.rev_swig_ptr(lists.get_ids(number), size) if size else np.zeros(0, np.int64)
        if ((ids < 0) | (ids >= len(seen))).any():
            return False
        seen[ids] = True
        total += size
    return total == len(seen) and bool(seen.all())


def _has_gpu() -> bool:
    """Return True if faiss-gpu is installed instead of faiss-cpu and finds a GPU."""
    return hasattr(faiss, "StandardGpuResources") and faiss.get_num_gpus() > 0


def _on_gpu(index: faiss.Index) -> faiss.Index:
    """Return the exact index on the first GPU."""
    return faiss.index_cpu_to_gpu(faiss.StandardGpuResources(), 0, index)
