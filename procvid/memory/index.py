"""Nearest vectors by inner product; the only module that knows FAISS.

An index is derived from the embeddings and never trusted: a file is read only when its bytes are
those of the manifest, its type, size and every vector in it are compared with the embeddings, and
whoever doubts builds it anew.
"""

from __future__ import annotations

from collections.abc import Sequence

import faiss
import numpy as np
from numpy.typing import NDArray

from procvid.types import Vectors

Rows = NDArray[np.int64]

TYPES = (faiss.IndexFlatIP,)
"""The index types that may come out of a file."""

HEADER_BYTES = 4096
LOOPS = 1_000_000


class CropIndex:
    """An exact inner-product index over the rows of `vectors`, float32 (N, dim)."""

    def __init__(self, vectors: Vectors) -> None:
        self._index: faiss.Index = faiss.IndexFlatIP(int(vectors.shape[1]))
        if len(vectors):
            self._index.add(np.ascontiguousarray(vectors, dtype=np.float32))

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def search(
        self, query: Vectors, k: int, rows: Sequence[int] | Rows | None = None
    ) -> tuple[NDArray[np.float32], Rows]:
        """The at most `k` rows nearest to one query, best first; equal scores in order of rows.

        Args:
            query: float32 (dim,), L2-normalised.
            k: How many at most.
            rows: Search among these rows alone; None searches all.

        Returns:
            Scores float32 (n,) and rows int64 (n,), n <= k.
        """
        among = len(self) if rows is None else len(rows)
        k = min(k, among)
        if k <= 0:
            return np.zeros(0, np.float32), np.zeros(0, np.int64)
        parameters = None
        if rows is not None:
            # A bitmap is asked once a vector; a set of ids costs more than the products saved.
            chosen = np.zeros(len(self), dtype=np.bool_)
            chosen[np.asarray(rows, dtype=np.int64)] = True
            bits = np.packbits(chosen, bitorder="little")
            parameters = faiss.SearchParameters()
            parameters.sel = faiss.IDSelectorBitmap(len(bits), faiss.swig_ptr(bits))
        asked = np.ascontiguousarray(query, dtype=np.float32).reshape(1, -1)
        scores, found = self._index.search(asked, k, params=parameters)
        order = np.lexsort((found[0], -scores[0]))
        return scores[0][order], found[0][order]

    def to_bytes(self) -> bytes:
        """The index as FAISS writes it."""
        return bytes(faiss.serialize_index(self._index).tobytes())

    @classmethod
    def from_bytes(cls, data: bytes, vectors: Vectors) -> CropIndex | None:
        """The index in `data`, or None when it is not exactly the index of `vectors`."""
        faiss.set_deserialization_vector_byte_limit(vectors.nbytes + HEADER_BYTES)
        faiss.set_deserialization_loop_limit(LOOPS)
        try:
            read = faiss.deserialize_index(np.frombuffer(data, dtype=np.uint8))
        except (RuntimeError, ValueError):
            return None
        if type(read) not in TYPES or (read.ntotal, read.d) != vectors.shape:
            return None
        if len(vectors) and not np.array_equal(read.reconstruct_n(0, len(vectors)), vectors):
            return None
        index = cls.__new__(cls)
        index._index = read
        return index
