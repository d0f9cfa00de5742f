"""Find the crops of a store that fit a query, each with the parts of its score."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from procvid.memory.anchors import Anchor
from procvid.memory.index import Rows
from procvid.memory.retrieval_rules import RetrievalRules
from procvid.memory.store import CropStore
from procvid.memory.words import canonical, named, state_fit, with_article
from procvid.types import Crop, PlannedObject, Role, Vectors

CONTENTS = 0.9
"""Factor for a vessel that shows food, compared with an empty one."""

NOT_FOOD = ("in use", "clean")

STALE_CONTENTS = 0.6
"""Factor for a vessel that shows food of the step in another state than this step begins with."""


class Catalogue:
    """The rows of a store, grouped by (name, role, state)."""

    def __init__(self, store: CropStore) -> None:
        self.store = store
        groups: dict[tuple[str, Role, str], list[int]] = defaultdict(list)
        for row, crop in enumerate(store.crops.facts):
            groups[canonical(crop.name), crop.role, canonical(crop.state)].append(row)
        self._found: dict[tuple[str, Role, str | None], Rows] = {}
        self._by_id: dict[str, int] | None = None
        self._groups = {key: np.array(rows, dtype=np.int64) for key, rows in groups.items()}

    def rows(self, name: str, role: Role, wanted_state: str | None) -> Rows:
        """Return the rows of this exact name and role whose state fits, in order.

        With `wanted_state` None any state fits.
        """
        name = canonical(name)
        key = (name, role, wanted_state)
        if key not in self._found:
            self._found[key] = _joined(
                [
                    rows
                    for (its_name, its_role, state), rows in self._groups.items()
                    if its_name == name
                    and its_role == role
                    and (wanted_state is None or state_fit(role, wanted_state, state) > 0)
                ]
            )
        return self._found[key]

    @property
    def food_states(self) -> set[str]:
        """Return the states of the foods in the store."""
        return {state for _, role, state in self._groups if role == "food"}

    def row(self, crop_id: str) -> int | None:
        """Return the row of a crop, or None."""
        if self._by_id is None:
            self._by_id = {fact.id: row for row, fact in enumerate(self.store.crops.facts)}
        return self._by_id.get(crop_id)

    def kinds(self, name: str) -> list[tuple[Role, str]]:
        """Return the (role, state) pairs of the crops of this exact name."""
        return [(role, state) for own, role, state in self._groups if own == canonical(name)]

    def pictures(self, name: str) -> Iterator[bytes]:
        """Yield the images of the crops of this exact name."""
        for (own, _, _), rows in self._groups.items():
            if own == canonical(name):
                found = (self.store.crops.pictures[row] for row in rows.tolist())
                yield from (png for png in found if png is not None)


@dataclass(frozen=True, eq=False)
class Rival:
    """Another object of the step: its name and its text vector."""

    name: str
    vector: Vectors


@dataclass(frozen=True, eq=False)
class CropQuery:
    """A query: an object in the state of a step.

    Attributes:
        item: The object.
        state: The wanted state.
        step: The step's number, from 1.
        vector: The text vector, float32 (dim,).
        over: Past states of the object.
        contents: The foods of the step with their states before it; {} if the object is a food.
        changed: The foods that the step changes.
        rivals: The other objects of the step.
        banned: Ids of crops that a person refused.
    """

    item: PlannedObject
    state: str
    step: int
    vector: Vectors
    over: frozenset[str] = frozenset()
    contents: Mapping[str, str] = field(default_factory=dict)
    changed: frozenset[str] = frozenset()
    rivals: tuple[Rival, ...] = ()
    banned: frozenset[str] = frozenset()

    @property
    def words(self) -> str:
        """Return the object in plain words, such as "sliced carrot"."""
        return named(self.item.name, self.item.role, self.state)


@dataclass(frozen=True, eq=False)
class Candidate:
    """A crop that fits a query: its row, its score and the parts of the score, 0 to 1 each.

    `anchor` is set if the crop is the anchor of the object.
    """

    store: CropStore
    row: int
    score: float
    parts: dict[str, float]
    anchor: Anchor | None = None

    @property
    def fact(self) -> Crop:
        """Return the crop without its image."""
        return self.store.crops.facts[self.row]

    @property
    def look(self) -> Vectors:
        """Return the image vector of the crop, float32 (dim,)."""
        return np.asarray(self.store.image_vectors[self.row])


@dataclass
class RefusalCounts:
    """The number of refused crops by reason."""

    counts: dict[str, int] = field(default_factory=dict)

    def note(self, reason: str) -> None:
        """Count one more crop."""
        self.counts[reason] = self.counts.get(reason, 0) + 1


def candidates(
    catalogue: Catalogue,
    question: CropQuery,
    rules: RetrievalRules,
    source: float,
    refused: RefusalCounts,
) -> list[Candidate]:
    """Return the crops of the right role and state that show the object.

    If the store has no crop of the name, crops of very similar objects count.

    Args:
        catalogue: The catalogue of the store.
        question: The query.
        rules: Thresholds and weights.
        source: 1.0 for the run's own crops, 0.0 for those of a shared store.
        refused: Counts the crops that were refused, by reason.
    """
    item, store = question.item, catalogue.store
    rows = catalogue.rows(item.name, item.role, question.state if rules.state_aware else None)
    scores, rows = store.index.search(question.vector, rules.candidates, rows)
    enough = scores >= rules.min_similarity
    if not enough.any() and not catalogue.kinds(item.name):
        scores, rows = store.index.search(question.vector, rules.candidates)
        enough = scores >= rules.other_name_similarity
    scores, rows = scores[enough], rows[enough]
    found = []
    for score, row in zip(scores.tolist(), rows.tolist(), strict=True):
        fits = _fits(store, row, question)
        reason = _fault(store, row, question, rules) or _wrong_look(fits, question, rules)
        if not reason and store.crops.facts[row].quality < rules.min_quality:
            reason = "the image is too poor"
        if reason:
            refused.note(reason)
        else:
            parts = _parts(store.crops.facts[row], question, rules, score, float(fits[0]), source)
            found.append(Candidate(store, row, 0.0, parts))
    return found


def candidate_of(
    catalogue: Catalogue,
    crop_id: str,
    question: CropQuery,
    rules: RetrievalRules,
    refused: RefusalCounts,
) -> Candidate | None:
    """Return the crop of this id, or None if the store lacks it or the step must not show it.

    Its look is not checked: an earlier step checked it, or a person chose it.
    """
    store, row = catalogue.store, catalogue.row(crop_id)
    if row is None:
        return None
    reason = _fault(store, row, question, rules)
    if reason:
        refused.note(reason)
        return None
    fact, shown = store.crops.facts[row], float(_fits(store, row, question)[0])
    score = float(store.vectors[row] @ question.vector)
    return Candidate(store, row, 0.0, _parts(fact, question, rules, score, shown, 1.0))


def _fits(store: CropStore, row: int, question: CropQuery) -> Vectors:
    """Return the cosines of an image with the object and its rivals, in this order."""
    words = np.stack([question.vector, *(rival.vector for rival in question.rivals)])
    return np.asarray(words @ store.image_vectors[row])


def _parts(
    fact: Crop,
    question: CropQuery,
    rules: RetrievalRules,
    score: float,
    shown: float,
    source: float,
) -> dict[str, float]:
    role, name = question.item.role, canonical(question.item.name)
    fit = state_fit(role, question.state, fact.state) if rules.state_aware else 1.0
    if role == "vessel":
        fit *= _emptiness(fact, question)
    return {
        "clip": min(1.0, max(0.0, score)),
        "shown": min(1.0, max(0.0, shown)),
        "name": float(canonical(fact.name) == name),
        "state": fit,
        "source": source,
        "quality": fact.quality,
    }


def shown_foods(fact: Crop) -> dict[str, str]:
    """Return the things inside a crop with their states, "" if unknown."""
    pairs = (words.partition(": ") for words in fact.shows)
    return {canonical(name): canonical(state) for name, _, state in pairs}


def _emptiness(fact: Crop, question: CropQuery) -> float:
    """Return 1 for an empty vessel, less for one with food, least for food in another state."""
    inside = shown_foods(fact)
    if any(_other_state(question.contents[n], inside[n]) for n in inside if n in question.contents):
        return STALE_CONTENTS
    # Tools have no state of a food: "in use" and "clean" are theirs.
    return CONTENTS if any(state not in NOT_FOOD for state in inside.values()) else 1.0


def _other_state(wanted: str, held: str) -> bool:
    return state_fit("food", wanted, held) == 0


def with_score(found: Candidate, recency: float, rules: RetrievalRules) -> Candidate:
    """Return the candidate with the weighted sum of its parts as score."""
    parts = {**found.parts, "recency": recency}
    score = (
        rules.weight_clip * parts["clip"]
        + rules.weight_name * parts["name"]
        + rules.weight_state * parts["state"]
        + rules.weight_source * parts["source"]
        + rules.weight_recency * parts["recency"]
        + rules.weight_quality * parts["quality"]
    )
    return replace(found, score=score, parts=parts)


def of_different_things(ranked: Sequence[Candidate], rules: RetrievalRules) -> list[Candidate]:
    """Return the candidates that show another thing than all before them, in the same order."""
    kept: list[Candidate] = []
    for found in ranked:
        if all(float(found.look @ other.look) < rules.same_thing for other in kept):
            kept.append(found)
    return kept


def _fault(store: CropStore, row: int, question: CropQuery, rules: RetrievalRules) -> str:
    """Return why a crop does not fit, or ""."""
    fact, item = store.crops.facts[row], question.item
    if fact.banned or fact.id in question.banned:
        return "banned"
    if fact.role != item.role:
        return "another role"
    if store.crops.pictures[row] is None:
        return "no image"
    if item.role == "vessel":
        for name, state in shown_foods(fact).items():
            if name in question.changed and _other_state(question.contents[name], state):
                return f"shows {with_article(name)}, which this step changes"
    if rules.state_aware:
        if item.role == "food" and canonical(fact.state) in question.over:
            return "the state is over"
        if state_fit(item.role, question.state, fact.state) == 0:
            return "another state"
    return ""


def _wrong_look(fits: Vectors, question: CropQuery, rules: RetrievalRules) -> str:
    """Return why an image does not fit, or "".

    `fits` are its cosines with the object and its rivals.
    """
    own = float(fits[0])
    if own < rules.min_shown:
        return f"does not look like {with_article(question.words)}"
    for rival, fit in zip(question.rivals, fits[1:].tolist(), strict=True):
        if fit - own > rules.max_rival:
            return f"looks more like the {rival.name}"
    return ""


def _joined(groups: list[Rows]) -> Rows:
    return np.sort(np.concatenate(groups)) if groups else np.zeros(0, np.int64)
