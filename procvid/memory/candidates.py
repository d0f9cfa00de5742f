"""Which crops of a store could serve a question, each with the parts of its score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from procvid.memory.catalogue import Catalogue
from procvid.memory.rules import RetrievalRules
from procvid.memory.store import CropStore
from procvid.memory.words import canonical, named, state_fit
from procvid.types import Crop, PlannedObject, Vectors

STALE_CONTENTS = 0.6
"""How well a vessel serves that shows food of the step in a state that is over."""


@dataclass(frozen=True, eq=False)
class Rival:
    """Another object of the step: its name, and the text vector of what it should look like."""

    name: str
    vector: Vectors


@dataclass(frozen=True, eq=False)
class Question:
    """What is looked for: the object in the state of a step.

    `over` are states of the object that are past; `stale` are contents ("onion: diced") that are
    past; `rivals` are the other objects of the step; `banned` are crops that a person refused.
    """

    item: PlannedObject
    state: str
    step: int
    vector: Vectors
    over: frozenset[str] = frozenset()
    stale: frozenset[str] = frozenset()
    rivals: tuple[Rival, ...] = ()
    banned: frozenset[str] = frozenset()

    @property
    def words(self) -> str:
        """The object in plain words, such as "sliced carrot"."""
        return named(self.item.name, self.item.role, self.state)


@dataclass(frozen=True, eq=False)
class Found:
    """A crop that could serve, by its row, and the parts of its score, 0 to 1 each."""

    store: CropStore
    row: int
    score: float
    parts: dict[str, float]

    @property
    def fact(self) -> Crop:
        """The crop without its picture."""
        return self.store.crops.facts[self.row]

    @property
    def look(self) -> Vectors:
        """The image vector of the crop, float32 (dim,)."""
        return np.asarray(self.store.image_vectors[self.row])


@dataclass
class Refused:
    """How many crops that were asked for were refused, by the reason."""

    counts: dict[str, int] = field(default_factory=dict)

    def note(self, reason: str) -> None:
        """One more."""
        self.counts[reason] = self.counts.get(reason, 0) + 1


def candidates(
    catalogue: Catalogue, question: Question, rules: RetrievalRules, source: float, refused: Refused
) -> list[Found]:
    """Crops of the right role and state that show what is asked for; of the name, or else like it.

    Args:
        catalogue: Of the store.
        question: What is looked for.
        rules: Thresholds and weights.
        source: 1.0 for the run's own crops, 0.0 for a shared store's.
        refused: Learns why crops of the right name were not taken.
    """
    item, store = question.item, catalogue.store
    rows = catalogue.rows(item.name, item.role, question.state if rules.state_aware else None)
    scores, rows = store.index.search(question.vector, rules.candidates, rows)
    enough = scores >= rules.min_similarity
    if not enough.any() and not catalogue.kinds(item.name):
        scores, rows = store.index.search(question.vector, rules.candidates)
        enough = scores >= rules.other_name_similarity
    scores, rows = scores[enough], rows[enough]
    looks = store.image_vectors[rows]
    fits = looks @ np.stack([question.vector, *(rival.vector for rival in question.rivals)]).T
    found = []
    for place, (score, row) in enumerate(zip(scores.tolist(), rows.tolist(), strict=True)):
        reason = _fault(store, row, question, rules) or _wrong_look(fits[place], question, rules)
        if reason:
            refused.note(reason)
            continue
        fact = store.crops.facts[row]
        fit = state_fit(item.role, question.state, fact.state) if rules.state_aware else 1.0
        if question.stale.intersection(fact.shows):
            fit *= STALE_CONTENTS
        parts = {
            "clip": min(1.0, max(0.0, score)),
            "shown": min(1.0, max(0.0, float(fits[place, 0]))),
            "name": float(canonical(fact.name) == canonical(item.name)),
            "state": fit,
            "source": source,
            "quality": fact.quality,
        }
        found.append(Found(store, row, 0.0, parts))
    return found


def with_score(found: Found, recency: float, rules: RetrievalRules) -> Found:
    """The candidate with the weighted sum of its parts."""
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


def of_different_things(ranked: Sequence[Found], rules: RetrievalRules) -> list[Found]:
    """Those that show something else than all before them, in the same order."""
    kept: list[Found] = []
    for found in ranked:
        if all(float(found.look @ other.look) < rules.same_thing for other in kept):
            kept.append(found)
    return kept


def _fault(store: CropStore, row: int, question: Question, rules: RetrievalRules) -> str:
    """Why a crop cannot serve, or ""."""
    fact, item = store.crops.facts[row], question.item
    if fact.banned or fact.id in question.banned:
        return "banned"
    if fact.role != item.role:
        return "of another role"
    if store.crops.pictures[row] is None:
        return "without a picture"
    if rules.state_aware:
        if item.role == "food" and canonical(fact.state) in question.over:
            return "in a state that is over"
        if state_fit(item.role, question.state, fact.state) == 0:
            return "in another state"
    return ""


def _wrong_look(fits: Vectors, question: Question, rules: RetrievalRules) -> str:
    """Why a picture cannot serve, or ""; `fits` are its cosines with the object and its rivals."""
    own = float(fits[0])
    if own < rules.min_shown:
        return f"not like a {question.words} to look at"
    for rival, fit in zip(question.rivals, fits[1:].tolist(), strict=True):
        if fit - own > rules.max_rival:
            return f"more like the {rival.name}"
    return ""
