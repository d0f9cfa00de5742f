"""Exact nearest neighbours, among chosen rows, and index files that are not believed."""

from __future__ import annotations

import faiss
import numpy as np
import pytest

from procvid.memory.index import CropIndex


@pytest.fixture
def vectors() -> np.ndarray:
    drawn = np.random.default_rng(0).normal(size=(200, 16)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def test_search_is_exact_and_ordered(vectors: np.ndarray) -> None:
    scores, rows = CropIndex(vectors).search(vectors[7], 10)
    true = vectors @ vectors[7]
    assert rows.tolist() == np.argsort(-true)[:10].tolist()
    assert np.allclose(scores, true[rows], atol=1e-6)


def test_search_among_rows(vectors: np.ndarray) -> None:
    among = [3, 50, 7, 199]
    _, rows = CropIndex(vectors).search(vectors[7], 10, among)
    assert rows[0] == 7 and sorted(rows.tolist()) == sorted(among)
    assert len(CropIndex(vectors).search(vectors[7], 10, [])[1]) == 0


def test_equal_scores_keep_the_order_of_rows() -> None:
    same = np.ones((5, 4), np.float32) / 2
    assert CropIndex(same).search(same[0], 5)[1].tolist() == [0, 1, 2, 3, 4]


def test_an_empty_index() -> None:
    index = CropIndex(np.zeros((0, 8), np.float32))
    scores, rows = index.search(np.ones(8, np.float32), 5)
    assert len(index) == len(scores) == len(rows) == 0
    assert CropIndex.from_bytes(index.to_bytes(), np.zeros((0, 8), np.float32)) is not None


def test_bytes_round_trip(vectors: np.ndarray) -> None:
    index = CropIndex(vectors)
    again = CropIndex.from_bytes(index.to_bytes(), vectors)
    assert again is not None and again.to_bytes() == index.to_bytes()
    assert again.search(vectors[0], 5)[1].tolist() == index.search(vectors[0], 5)[1].tolist()


def test_an_index_of_other_vectors_is_not_believed(vectors: np.ndarray) -> None:
    data = CropIndex(vectors).to_bytes()
    changed = vectors.copy()
    changed[100, 3] += 1e-4
    for other in (changed, vectors[:-1], vectors[:, :-1]):
        assert CropIndex.from_bytes(data, np.ascontiguousarray(other)) is None


@pytest.mark.parametrize("recipe", ["HNSW8", "PQ4x4", "IVF4,Flat", "SQ8"])
def test_other_index_types_are_not_believed(vectors: np.ndarray, recipe: str) -> None:
    index = faiss.index_factory(16, recipe, faiss.METRIC_INNER_PRODUCT)
    index.train(vectors)
    index.add(vectors)
    assert CropIndex.from_bytes(faiss.serialize_index(index).tobytes(), vectors) is None


def test_mutated_bytes_are_not_believed(vectors: np.ndarray) -> None:
    whole = CropIndex(vectors).to_bytes()
    rng = np.random.default_rng(0)
    for _ in range(100):
        data = bytearray(whole)
        place = int(rng.integers(0, min(len(data), 120)))
        data[place] ^= int(rng.integers(1, 256))
        index = CropIndex.from_bytes(bytes(data), vectors)
        # A byte that FAISS itself does not use may differ: then the vectors must be those.
        assert index is None or np.array_equal(index.search(vectors[0], 3)[1][:1], [0])
    assert CropIndex.from_bytes(b"", vectors) is None
