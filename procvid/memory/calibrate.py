"""Find retrieval thresholds on one half of a store's sources and measure them on the other half.

Each crop with its own words is a right pair. Wrong pairs are those that retrieval must refuse: an
image with the name of another thing, with the name of a thing seen beside it, or, for food, with
another state. A threshold keeps a share of the right pairs, for most `KEEP_SHARE`. The share of wrong
pairs that it refuses measures its quality.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from procvid.errors import InputError
from procvid.memory.retrieval_rules import Calibration
from procvid.memory.store import CropStore, check_embedder, embed_facts
from procvid.memory.words import canonical
from procvid.protocols import Embedder
from procvid.types import Vectors

KEEP_SHARE = 0.99
OWN_KEEP_SHARE = 0.9
"""Share of real crops that look like their name at least as much as a crop of a run must."""

CLEAR_SHARE = 0.5
"""Share of real food crops that show their state at least as clearly as a crop of a run must."""

MIN_PAIRS = 50
"""Minimum number of right pairs in each half."""

Scores = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Scores of right and wrong pairs (higher is better), and the half each pair belongs to."""

    right: Scores
    wrong: Scores
    right_half: NDArray[np.bool_]
    wrong_half: NDArray[np.bool_]


def calibrate(store: CropStore, embedder: Embedder, seed: int = 0) -> Calibration:
    """Find the thresholds of `RetrievalRules` for an embedder.

    Args:
        store: Crops of several sources with correct names and states.
        embedder: The store's embedder.
        seed: Seed of the random wrong pairs.

    Raises:
        StoreError: The store belongs to another embedder.
        InputError: The store has too few crops or names.
    """
    check_embedder(store, embedder)
    thresholds: dict[str, float] = {}
    measured: dict[str, dict[str, float]] = {}
    half = np.array([_second_half(crop.source_id) for crop in store.crops.facts])
    texts = _plain_texts(store, embedder)
    rng = np.random.default_rng(seed)
    things, states = _other_things(store, texts, half, rng), _other_states(store, embedder, half)
    for name, pairs, keep in (
        ("min_shown", things, KEEP_SHARE),
        ("max_rival", _things_beside(store, texts, half), KEEP_SHARE),
        ("max_past", states, KEEP_SHARE),
        ("min_own", things, OWN_KEEP_SHARE),
        ("min_clear", _clearest_other_state(store, embedder, half), CLEAR_SHARE),
    ):
        found = _threshold(pairs, keep)
        if found is None:
            continue
        # The score of a pair is own minus rival, but the two "max" rules limit rival minus own.
        thresholds[name] = round(-found if name.startswith("max") else found, 4)
        measured[name] = _measure(pairs, found)
    if "min_shown" not in thresholds:
        raise InputError(
            f"The store {store.name} has too few crops for a calibration.",
            f"Use a store with at least {2 * MIN_PAIRS} crops of several names and sources.",
        )
    info = store.embedder
    return Calibration(info.id, info.revision, thresholds, measured, store.name)


def _second_half(source_id: str) -> bool:
    return hashlib.sha256(source_id.encode()).digest()[0] % 2 == 1


def _plain_texts(store: CropStore, embedder: Embedder) -> Vectors:
    """Return the text vectors by name and state only, as a planner queries them."""
    plain = [replace(crop, description=crop.name) for crop in store.crops.facts]
    return embed_facts(plain, embedder)


def _other_things(
    store: CropStore, texts: Vectors, half: NDArray[np.bool_], rng: np.random.Generator
) -> _Pairs:
    names = np.array([canonical(crop.name) for crop in store.crops.facts])
    own = np.einsum("nd,nd->n", store.image_vectors, texts).astype(np.float64)
    drawn = rng.integers(0, max(1, len(store)), len(store))
    other = np.einsum("nd,nd->n", store.image_vectors, texts[drawn]).astype(np.float64)
    wrong = names != names[drawn]
    return _Pairs(own, other[wrong], half, half[wrong])


def _things_beside(store: CropStore, texts: Vectors, half: NDArray[np.bool_]) -> _Pairs:
    """Return own scores minus the best rival of the same source, and the same with names swapped."""
    by_source: dict[str, list[int]] = defaultdict(list)
    for row, crop in enumerate(store.crops.facts):
        by_source[crop.source_id].append(row)
    right: list[float] = []
    wrong: list[float] = []
    right_half: list[bool] = []
    wrong_half: list[bool] = []
    for rows in by_source.values():
        names = [canonical(store.crops.facts[row].name) for row in rows]
        fits = store.image_vectors[rows] @ texts[rows].T
        for place, row in enumerate(rows):
            rivals = [other for other, name in enumerate(names) if name != names[place]]
            if not rivals:
                continue
            best = rivals[int(np.argmax(fits[place, rivals]))]
            right.append(float(fits[place, place] - fits[place, best]))
            right_half.append(bool(half[row]))
            # With the rival's name, the image's own name becomes the rival.
            wrong.append(float(fits[place, best] - fits[place, place]))
            wrong_half.append(bool(half[row]))
    return _Pairs(*map(np.array, (right, wrong, right_half, wrong_half)))


def _other_states(store: CropStore, embedder: Embedder, half: NDArray[np.bool_]) -> _Pairs:
    """Return own states minus other states of the same food, and the same with states swapped."""
    scores: list[float] = []
    halves: list[bool] = []
    for row, own, others in _state_texts(store, embedder):
        fits = np.stack([own, *others]) @ store.image_vectors[row]
        scores += (fits[0] - fits[1:]).tolist()
        halves += [bool(half[row])] * len(others)
    right, in_half = np.array(scores, np.float64), np.array(halves, np.bool_)
    return _Pairs(right, -right, in_half, in_half)


def _clearest_other_state(store: CropStore, embedder: Embedder, half: NDArray[np.bool_]) -> _Pairs:
    """Return own states minus the best other state of the same food, and the reverse as wrong."""
    scores: list[float] = []
    halves: list[bool] = []
    for row, own, others in _state_texts(store, embedder):
        fits = np.stack([own, *others]) @ store.image_vectors[row]
        scores.append(float(fits[0] - fits[1:].max()))
        halves.append(bool(half[row]))
    right, in_half = np.array(scores, np.float64), np.array(halves, np.bool_)
    return _Pairs(right, -right, in_half, in_half)


def _state_texts(
    store: CropStore, embedder: Embedder
) -> Iterator[tuple[int, Vectors, Sequence[Vectors]]]:
    """Yield the row of each food crop with the vectors of its own state and of its other states."""
    states: dict[str, set[str]] = defaultdict(set)
    for crop in store.crops.facts:
        if crop.role == "food" and crop.state:
            states[canonical(crop.name)].add(canonical(crop.state))
    known: dict[tuple[str, str], Vectors] = {}
    for row, crop in enumerate(store.crops.facts):
        name, state = canonical(crop.name), canonical(crop.state)
        others = sorted(states[name] - {state}) if crop.role == "food" and state else []
        for each in (state, *others):
            if others and (name, each) not in known:
                plain = replace(crop, description=name, state=each)
                known[name, each] = embed_facts([plain], embedder)[0]
        if others:
            yield row, known[name, state], [known[name, each] for each in others]


def _threshold(pairs: _Pairs, keep: float) -> float | None:
    """Return the score that this share of the right pairs of the first half reach."""
    first = pairs.right[~pairs.right_half] if len(pairs.right) else pairs.right
    second = len(pairs.right) - len(first)
    if min(len(first), second) < MIN_PAIRS:
        return None
    return float(np.quantile(first, 1 - keep))


def _measure(pairs: _Pairs, threshold: float) -> dict[str, float]:
    right = pairs.right[pairs.right_half]
    wrong = pairs.wrong[pairs.wrong_half]
    return {
        "right_pairs": len(right),
        "right_kept": round(float((right >= threshold).mean()), 4),
        "wrong_pairs": len(wrong),
        "wrong_refused": round(float((wrong < threshold).mean()), 4) if len(wrong) else 0.0,
    }
