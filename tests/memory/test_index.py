"""Exact nearest neighbours, selected rows, and index files that are not trusted."""

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
        # A byte that FAISS does not use may differ, but the vectors must be equal.
        assert index is None or np.array_equal(index.search(vectors[0], 3)[1][:1], [0])
    assert CropIndex.from_bytes(b"", vectors) is None


@pytest.fixture(scope="module")
def many() -> np.ndarray:
    """Vectors of things that are each seen a few times, as in a store."""
    rng = np.random.default_rng(3)
    things = rng.normal(size=(300, 16)).astype(np.float32)
    seen = np.repeat(things, 20, axis=0) + 0.15 * rng.normal(size=(6000, 16)).astype(np.float32)
    return seen / np.linalg.norm(seen, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def approximate(many: np.ndarray) -> CropIndex:
    """An approximate index of `many`, built once."""
    index = CropIndex(many, exact_up_to=5000)
    assert index.facts.kind == "ivfpq"
    return index


@pytest.mark.parametrize("spread", [1e-4, 0.15, 1.0])
def test_half_precision_hides_nothing(spread: float) -> None:
    """Half precision cannot distinguish the vectors at the first spread; search still must."""
    rng = np.random.default_rng(4)
    thing = rng.normal(size=24).astype(np.float32)
    seen = thing + spread * rng.normal(size=(9000, 24)).astype(np.float32)
    seen /= np.linalg.norm(seen, axis=1, keepdims=True)
    index = CropIndex(seen)
    among = np.sort(rng.choice(9000, 6000, replace=False))
    asked = thing / np.linalg.norm(thing) + 0.2 * rng.normal(size=(40, 24)).astype(np.float32)
    for query in asked / np.linalg.norm(asked, axis=1, keepdims=True):
        true = seen @ query
        for rows in (np.arange(9000), among):
            scores, found = index.search(query, 64, None if len(rows) == 9000 else rows)
            assert set(found.tolist()) <= set(rows.tolist()) and len(set(found.tolist())) == 64
            assert np.allclose(scores, np.sort(true[rows])[::-1][:64], rtol=0, atol=3e-7)


def test_of_many_equal_vectors_the_first_rows_come_first() -> None:
    same = np.tile(np.float32([0.6, 0.8, 0, 0]), (5000, 1))
    index = CropIndex(same)
    assert index.search(same[0], 5)[1].tolist() == [0, 1, 2, 3, 4]
    assert index.search(same[0], 3, np.arange(500, 5000))[1].tolist() == [500, 501, 502]


def test_above_the_limit_an_approximate_index_is_chosen_and_checked(
    many: np.ndarray, approximate: CropIndex
) -> None:
    index = approximate
    assert index.facts.kind == "ivfpq" and index.facts.recall_at_10 >= 0.99
    assert "recall@10" in index.facts.reason
    exact = CropIndex(many)
    assert exact.facts.kind == "exact"
    for row in range(0, 6000, 500):
        scores, rows = index.search(many[row], 10)
        true, _ = exact.search(many[row], 10)
        assert np.allclose(scores, many[rows] @ many[row]) and rows[0] == row
        assert (scores >= true[-1] - 1e-6).mean() >= 0.9
    among = np.arange(0, 6000, 3)
    assert (
        index.search(many[9], 5, among)[1].tolist() == exact.search(many[9], 5, among)[1].tolist()
    )


def test_where_it_finds_too_little_search_stays_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("procvid.memory.index.EFFORTS", (1,))
    monkeypatch.setattr("procvid.memory.index.SHORTLIST", 10)
    drawn = np.random.default_rng(0).normal(size=(2000, 32)).astype(np.float32)
    drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
    index = CropIndex(drawn, exact_up_to=1000)
    assert index.facts.kind == "exact" and "so search stays exact" in index.facts.reason
    true = np.argsort(-(drawn @ drawn[5]))[:10]
    assert index.search(drawn[5], 10)[1].tolist() == true.tolist()


def test_an_approximate_index_goes_to_bytes_and_grows(many: np.ndarray) -> None:
    index = CropIndex(many[:5800], exact_up_to=5000)
    data = index.to_bytes()
    back = CropIndex.from_bytes(data, many[:5800], exact_up_to=5000)
    assert back is not None and back.facts.kind == "ivfpq"
    assert back.search(many[4], 10)[1].tolist() == index.search(many[4], 10)[1].tolist()
    assert CropIndex.from_bytes(data, many[:5800]) is None, "so few crops need no such index"
    assert CropIndex.from_bytes(data, many[1:5801], exact_up_to=5000) is None
    mixed = np.random.default_rng(0).permutation(many[:5800])
    assert CropIndex.from_bytes(data, mixed, exact_up_to=5000) is None
    grown = index.grown(many)
    assert len(grown) == 6000 and grown.facts.kind == "ivfpq"
    assert grown.search(many[5990], 1)[1].tolist() == [5990]


def test_an_index_whose_ids_do_not_fit(many: np.ndarray, approximate: CropIndex) -> None:
    faiss.set_deserialization_vector_byte_limit(1 << 30)
    index = faiss.deserialize_index(np.frombuffer(approximate.to_bytes(), np.uint8))
    lists = index.invlists
    number = next(n for n in range(lists.nlist) if lists.list_size(n) > 1)
    ids = faiss.rev_swig_ptr(lists.get_ids(number), 2)
    for wrong in (10**9, -1, int(ids[1])):
        ids[0] = wrong
        data = faiss.serialize_index(index).tobytes()
        assert CropIndex.from_bytes(data, many, exact_up_to=5000) is None
