"""Retrieval by (object, state): the run's own crops, then the shared stores', or a reason why not.

The answer depends on the stores, the run's crops of earlier steps, the seed and the question, never
on what was asked before: a resumed run finds what an uninterrupted one finds.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from procvid.memory.catalogue import Catalogue
from procvid.memory.crops import (
    CropStore,
    add_crops,
    check_embedder,
    empty_store,
    load_store,
    save_store,
    without_source,
)
from procvid.memory.words import canonical, named, state_fit, told, with_article
from procvid.protocols import Embedder
from procvid.types import Crop, Hit, PlannedObject, Retrieval, Vectors

RUN = "run"
"""The name of the store that holds the run's own crops."""


@dataclass(frozen=True)
class RetrievalRules:
    """What a crop must reach, and how much each part of the score weighs (the weights sum to 1).

    Args:
        min_similarity: Least cosine of the question's text vector and the crop's fused vector.
        other_name_similarity: From this cosine on, a crop of another name counts as the same thing.
        near: Shared crops whose scores differ by at most this are a draw that the seed decides.
        candidates: How many nearest crops of a store are looked at.
        min_quality: Least quality of a crop that is written back.
        min_detector_score: Least detector score of a crop that is written back.
    """

    min_similarity: float = 0.2
    other_name_similarity: float = 0.95
    near: float = 0.05
    candidates: int = 64
    min_quality: float = 0.25
    min_detector_score: float = 0.3
    weight_clip: float = 0.45
    weight_name: float = 0.2
    weight_state: float = 0.1
    weight_source: float = 0.1
    weight_recency: float = 0.05
    weight_quality: float = 0.1


DEFAULT_RULES = RetrievalRules()


@dataclass(frozen=True)
class Refusal:
    """A crop that was not written back, and why."""

    crop_id: str
    name: str
    reason: str


@dataclass(frozen=True)
class _Question:
    item: PlannedObject
    state: str
    step: int
    vector: Vectors

    @property
    def words(self) -> str:
        return named(self.item.name, self.item.role, self.state)


@dataclass(frozen=True)
class _Found:
    store: CropStore
    row: int
    score: float
    parts: dict[str, float]

    @property
    def fact(self) -> Crop:
        return self.store.crops.facts[self.row]


def step_of(source_id: str) -> int | None:
    """The step number in a `run/step` source id, or None when it names no step."""
    match = re.search(r"/(\d+)$", source_id)
    return int(match.group(1)) if match else None


def wanted_state(item: PlannedObject) -> str:
    """The state a reference must show: the one before the step, since the clip begins with it."""
    return canonical(item.state_before or item.state_after)


class Memory:
    """Shared stores, which are only read, and the run's own store, which grows clip by clip."""

    def __init__(
        self,
        stores: Sequence[CropStore],
        embedder: Embedder,
        seed: int,
        rules: RetrievalRules = DEFAULT_RULES,
    ) -> None:
        """Raises StoreError when a store was made with another embedder."""
        for store in stores:
            check_embedder(store, embedder)
        self.stores = tuple(stores)
        self.embedder = embedder
        self.seed = seed
        self.rules = rules
        self.run = empty_store(RUN, embedder)
        self._catalogues = tuple(Catalogue(store) for store in stores)

    def retrieve(self, obj: PlannedObject, step: int) -> Retrieval:
        """The crop that shows `obj` as `step` needs it, or an abstention with its reason.

        Crops of the run's own clips count when their step is before `step`; any of them goes
        before all shared crops. The first appearance of a lasting thing is preferred, of food the
        latest one in the wanted state.
        """
        question = self._question(obj, step)
        found = self._best_of_run(question) or self._best_shared(question)
        if found is None:
            reason = self._reason_for_none(question)
            return Retrieval(obj.name, question.state, None, reason)
        reason = _reason(question, found)
        hit = Hit(
            crop=found.store.crops[found.row],
            score=round(found.score, 6),
            parts={part: round(value, 6) for part, value in found.parts.items()},
            reason=reason,
            store=found.store.name,
        )
        return Retrieval(obj.name, question.state, hit, reason)

    def write_back(self, crops: Sequence[Crop]) -> tuple[Refusal, ...]:
        """Take crops of a clip just made into the run's memory; those below the gate are refused.

        Nothing is ever pushed out, so the first appearance of an object stays for ever.
        """
        kept, refused = [], []
        for crop in crops:
            reason = self._fault(crop)
            if reason:
                refused.append(Refusal(crop.id, crop.name, reason))
            else:
                kept.append(crop)
        self.run = add_crops(self.run, kept, self.embedder)
        return tuple(refused)

    def drop(self, source_id: str) -> None:
        """Forget the crops of one of the run's clips, because it is made again."""
        self.run = without_source(self.run, source_id)

    def save_run(self, path: Path) -> None:
        """Write the run's own crops as a store. Raises OutputError."""
        save_store(self.run, path)

    def load_run(self, path: Path) -> None:
        """Take the run's own crops from a store that `save_run` wrote. Raises StoreError."""
        self.run = replace(load_store(path, self.embedder), name=RUN)

    def _question(self, obj: PlannedObject, step: int) -> _Question:
        state = wanted_state(obj)
        text = told(obj.name, obj.role, obj.description, state)
        return _Question(obj, state, step, self.embedder.embed_texts([text])[0])

    def _best_of_run(self, question: _Question) -> _Found | None:
        earlier = [
            found
            for found in self._candidates(Catalogue(self.run), question)
            if (step_of(found.fact.source_id) or 0) < question.step
        ]
        if not earlier:
            return None
        lasting = question.item.role != "food"
        oldest_first = sorted(earlier, key=lambda f: step_of(f.fact.source_id) or 0)
        scored = []
        for rank, found in enumerate(oldest_first):
            place = rank if lasting else len(earlier) - 1 - rank
            scored.append(self._with(found, recency=1 / (1 + place)))
        # Recency decides between the run's own crops: identity must not wander with similarity.
        return max(scored, key=lambda f: (f.parts["state"], f.parts["recency"], f.score, f.fact.id))

    def _best_shared(self, question: _Question) -> _Found | None:
        found = [
            self._with(each, recency=0.0)
            for catalogue in self._catalogues
            for each in self._candidates(catalogue, question)
        ]
        if not found:
            return None
        best = max(each.score for each in found)
        draw = [each for each in found if each.score >= best - self.rules.near]
        # By source and not by crop: things that were seen together are chosen together.
        return min(draw, key=lambda f: (self._lot(f.fact.source_id), -f.score, f.fact.id))

    def _lot(self, source_id: str) -> str:
        return hashlib.sha256(f"{self.seed}\0{source_id}".encode()).hexdigest()

    def _candidates(self, catalogue: Catalogue, question: _Question) -> list[_Found]:
        """Crops of the right role and state that are like enough; of the name, or else like it."""
        item, rules, store = question.item, self.rules, catalogue.store
        exact = catalogue.rows(item.name, item.role, question.state)
        scores, rows = store.index.search(question.vector, rules.candidates, exact)
        enough = scores >= rules.min_similarity
        if not enough.any() and not catalogue.kinds(item.name):
            scores, rows = store.index.search(question.vector, rules.candidates)
            enough = scores >= rules.other_name_similarity
        found = []
        for score, row in zip(scores[enough].tolist(), rows[enough].tolist(), strict=True):
            fact = store.crops.facts[row]
            fit = state_fit(item.role, question.state, fact.state)
            if fact.role != item.role or fit == 0 or store.crops.pictures[row] is None:
                continue
            parts = {
                "clip": float(np.clip(score, 0, 1)),
                "name": float(canonical(fact.name) == canonical(item.name)),
                "state": fit,
                "source": float(store is self.run),
                "quality": fact.quality,
            }
            found.append(_Found(store, row, 0.0, parts))
        return found

    def _with(self, found: _Found, recency: float) -> _Found:
        rules, parts = self.rules, {**found.parts, "recency": recency}
        score = (
            rules.weight_clip * parts["clip"]
            + rules.weight_name * parts["name"]
            + rules.weight_state * parts["state"]
            + rules.weight_source * parts["source"]
            + rules.weight_recency * parts["recency"]
            + rules.weight_quality * parts["quality"]
        )
        return replace(found, score=score, parts=parts)

    def _fault(self, crop: Crop) -> str:
        if crop.image is None:
            return "it has no picture"
        if crop.detector_score < self.rules.min_detector_score:
            return f"the detector is unsure of it ({crop.detector_score:.2f})"
        if crop.quality < self.rules.min_quality:
            return f"its quality is too low ({crop.quality:.2f})"
        return ""

    def _reason_for_none(self, question: _Question) -> str:
        item = question.item
        wanted = f"No crop of {with_article(question.words)}"
        catalogues = (Catalogue(self.run), *self._catalogues)
        if not any(len(catalogue.store) for catalogue in catalogues):
            return f"{wanted}: the memory is empty."
        kinds = [kind for catalogue in catalogues for kind in catalogue.kinds(item.name)]
        if not kinds:
            return f"{wanted}: the memory has none."
        states = sorted({state or "unnamed" for role, state in kinds if role == item.role})
        if not states:
            return f"{wanted}: the memory knows it as {kinds[0][0]} and not as {item.role}."
        if not any(state_fit(item.role, question.state, state) for state in states):
            return f"{wanted}: the memory has only {_listed(states)} ones."
        if not any(picture for c in catalogues for picture in c.pictures(item.name)):
            return f"{wanted}: the store was published without pictures."
        return f"{wanted}: none is like enough to what the step describes or from an earlier step."


def _reason(question: _Question, found: _Found) -> str:
    fact, clip = found.fact, found.parts["clip"]
    words = named(fact.name, fact.role, fact.state)
    if found.store.name == RUN:
        step = step_of(fact.source_id)
        seen = "an earlier step" if step is None else f"step {step}"
        return f"The {words} as {seen} of this video showed it (similarity {clip:.2f})."
    called = "" if found.parts["name"] else f" for the {question.words}"
    return f"A {words}{called} from {fact.source_id} (similarity {clip:.2f})."


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
