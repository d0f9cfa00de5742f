"""Retrieve crops by object and state, from the run's own crops and then from the shared stores.

The answer depends on the stores, the run's crops of earlier steps, the plan, the seed and the query,
never on earlier queries. So a resumed run retrieves the same crops as an uninterrupted one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from procvid.errors import InputError
from procvid.memory.candidates import (
    Candidate,
    Catalogue,
    CropQuery,
    RefusalCounts,
    Rival,
    candidates,
    of_different_things,
    with_score,
)
from procvid.memory.reasons import RUN, step_of, why, why_none
from procvid.memory.retrieval_rules import DEFAULT_RULES, RetrievalRules
from procvid.memory.states import StateTable
from procvid.memory.store import CropStore, add_crops, check_embedder, empty_store
from procvid.memory.words import canonical, crop_text, named
from procvid.protocols import Embedder
from procvid.types import Crop, Hit, PlannedObject, Retrieval, Slot, Vectors

__all__ = ["DEFAULT_RULES", "RUN", "Memory", "Refusal", "RetrievalRules", "step_of", "wanted_state"]


@dataclass(frozen=True)
class Refusal:
    """A crop that was not written back, and the reason."""

    crop_id: str
    name: str
    reason: str


def wanted_state(item: PlannedObject) -> str:
    """Return the state a reference must show: the one before the step, where the clip begins."""
    return canonical(item.state_before or item.state_after)


class Memory:
    """Read-only shared stores, and the run's own store, which grows clip by clip."""

    def __init__(
        self,
        stores: Sequence[CropStore],
        embedder: Embedder,
        seed: int,
        rules: RetrievalRules = DEFAULT_RULES,
        states: StateTable | None = None,
    ) -> None:
        """Open a memory. `states` is the plan's state table, which defines past states.

        Raises:
            StoreError: A store was made with another embedder.
        """
        for store in stores:
            check_embedder(store, embedder)
        self.stores = tuple(stores)
        self.embedder = embedder
        self.seed = seed
        self.rules = rules
        self.states = states
        self.run = empty_store(RUN, embedder)
        self._catalogues = tuple(Catalogue(store) for store in stores)
        self._texts: dict[str, Vectors] = {}

    def retrieve(
        self,
        obj: PlannedObject,
        step: int,
        others: Sequence[PlannedObject] = (),
        banned: Collection[str] = (),
    ) -> Retrieval:
        """Return the crop that shows `obj` as `step` needs it, or no crop and the reason.

        Crops of the run's own earlier steps come before all shared crops. For a lasting thing the
        first appearance is preferred, for food the latest one in the wanted state. A crop in a
        state that is over is never chosen.

        Args:
            obj: The object.
            step: The step's number, from 1.
            others: The objects of the step. A crop that fits another one better is refused.
            banned: Ids of crops that a person refused.
        """
        question = self._question(obj, step, others, banned)
        refused = RefusalCounts()
        ranked = self._ranked(question, refused)
        if not ranked:
            reason = why_none(question, (Catalogue(self.run), *self._catalogues), refused)
            return Retrieval(obj.name, question.state, None, reason)
        hit = _hit(question, ranked[0])
        return Retrieval(obj.name, question.state, hit, hit.reason)

    def choices(
        self,
        obj: PlannedObject,
        step: int,
        others: Sequence[PlannedObject] = (),
        limit: int = 8,
    ) -> list[Hit]:
        """Return the crops that fit an object at a step: different things, best first."""
        question = self._question(obj, step, others, ())
        ranked = of_different_things(self._ranked(question, RefusalCounts()), self.rules)
        return [_hit(question, found) for found in ranked[:limit]]

    def retrieve_all(
        self, objects: Sequence[PlannedObject], step: int, banned: Collection[str] = ()
    ) -> list[Retrieval]:
        """Return the answers for all objects of a step, in their order. No two objects share a crop.

        If two objects match the same crop, the better fit keeps it and the other gets its next one.
        """
        refused_to: dict[str, set[str]] = {item.name: set() for item in objects}
        while True:
            answers = [
                self.retrieve(item, step, objects, {*banned, *refused_to[item.name]})
                for item in objects
            ]
            owners: dict[str, Retrieval] = {}
            for answer in answers:
                if answer.hit is None:
                    continue
                rival = owners.setdefault(answer.hit.crop.id, answer)
                if rival is answer or rival.hit is None:
                    continue
                loser = min((rival, answer), key=lambda a: a.hit.score if a.hit else 0.0)
                refused_to[loser.object_name].add(answer.hit.crop.id)
                break
            else:
                return answers

    def slot_of(self, crop_id: str, item: PlannedObject, number: int) -> Slot:
        """Return the slot for a crop that a person chose for an object.

        Raises:
            InputError: No store has this crop, or it has no image.
        """
        for store in (self.run, *self.stores):
            for row, fact in enumerate(store.crops.facts):
                image = store.crops[row].image if fact.id == crop_id else None
                if image is not None:
                    return Slot(
                        number=number,
                        object_name=item.name,
                        words=named(item.name, item.role, fact.state),
                        image=image,
                        crop_id=fact.id,
                        source_id=fact.source_id,
                        state=fact.state,
                        box_xyxy=fact.box_xyxy,
                        score=1.0,
                        origin="run" if store is self.run else "memory",
                        licence=fact.licence or store.licence,
                        url=fact.url,
                        chosen=True,
                    )
        raise InputError(
            f"The memory has no crop {crop_id[:40]!r} with an image.",
            "`procvid memory search` lists the ids.",
        )

    def write_back(self, crops: Sequence[Crop]) -> tuple[Refusal, ...]:
        """Add the crops of a new clip to the run's own store, and return those that were refused.

        No crop is ever removed, so the first appearance of an object stays.
        """
        if not self.rules.write_back:
            return tuple(Refusal(c.id, c.name, "write-back is off") for c in crops)
        kept, refused = [], []
        for crop in crops:
            reason = self._fault(crop)
            if reason:
                refused.append(Refusal(crop.id, crop.name, reason))
            else:
                kept.append(crop)
        self.run = add_crops(self.run, kept, self.embedder)
        return tuple(refused)

    def _vector(self, item: PlannedObject, state: str) -> Vectors:
        text = crop_text(item.name, item.role, item.description, state)
        if text not in self._texts:
            self._texts[text] = self.embedder.embed_texts([text])[0]
        return self._texts[text]

    def _question(
        self,
        obj: PlannedObject,
        step: int,
        others: Sequence[PlannedObject],
        banned: Collection[str],
    ) -> CropQuery:
        state = wanted_state(obj)
        rivals = tuple(
            Rival(other.name, self._vector(other, wanted_state(other)))
            for other in others
            if canonical(other.name) != canonical(obj.name)
        )
        over = self._over(obj.name, step) - {state}
        stale = {
            f"{canonical(other.name)}: {past}"
            for other in others
            if other.role == "food" and obj.role != "food"
            for past in self._over(other.name, step)
        }
        vector = self._vector(obj, state)
        return CropQuery(
            obj, state, step, vector, over, frozenset(stale), rivals, frozenset(banned)
        )

    def _over(self, name: str, step: int) -> frozenset[str]:
        return frozenset() if self.states is None else self.states.over(name, step)

    def _ranked(self, question: CropQuery, refused: RefusalCounts) -> list[Candidate]:
        """Return all candidates, best first."""
        return self._of_run(question, refused) or self._shared(question, refused)

    def _of_run(self, question: CropQuery, refused: RefusalCounts) -> list[Candidate]:
        earlier = [
            found
            for found in candidates(Catalogue(self.run), question, self.rules, 1.0, refused)
            if (step_of(found.fact.source_id) or 0) < question.step
        ]
        lasting = question.item.role != "food"
        oldest_first = sorted(earlier, key=lambda f: step_of(f.fact.source_id) or 0)
        scored = []
        for rank, found in enumerate(oldest_first):
            place = rank if lasting else len(earlier) - 1 - rank
            scored.append(with_score(found, 1 / (1 + place), self.rules))
        # Recency ranks the run's own crops: identity must not change with similarity.
        scored.sort(key=lambda f: (f.parts["state"], f.parts["recency"], f.score, f.fact.id))
        return scored[::-1]

    def _shared(self, question: CropQuery, refused: RefusalCounts) -> list[Candidate]:
        found = [
            with_score(each, 0.0, self.rules)
            for catalogue in self._catalogues
            for each in candidates(catalogue, question, self.rules, 0.0, refused)
        ]
        if not found:
            return []
        fit = max(each.parts["state"] for each in found)
        best = max(each.score for each in found if each.parts["state"] == fit)

        def rank(each: Candidate) -> tuple[bool, str, float, str]:
            drawn = each.parts["state"] == fit and each.score >= best - self.rules.near
            # Draw by source and not by crop, so that things seen together are chosen together.
            lot = self._lot(each.fact.source_id) if drawn else ""
            return not drawn, lot, -each.score, each.fact.id

        return sorted(found, key=rank)

    def _lot(self, source_id: str) -> str:
        return hashlib.sha256(f"{self.seed}\0{source_id}".encode()).hexdigest()

    def _fault(self, crop: Crop) -> str:
        if crop.image is None:
            return "it has no image"
        if crop.detector_score < self.rules.min_detector_score:
            return f"the detector score is too low ({crop.detector_score:.2f})"
        if crop.quality < self.rules.min_quality:
            return f"the quality is too low ({crop.quality:.2f})"
        return self._looks_past(crop)

    def _looks_past(self, crop: Crop) -> str:
        """Return why a crop looks as before its step, or "". A clip may fail to show the change."""
        step = step_of(crop.source_id)
        row = None if self.states is None or step is None else self.states.row(crop.name, step)
        if row is None or row.role != "food" or crop.image is None or row.before == row.after:
            return ""
        look = self.embedder.embed_images([crop.image])[0]
        words = [crop_text(crop.name, crop.role, "", state) for state in (row.before, row.after)]
        before, after = self.embedder.embed_texts(words) @ look
        if before - after > self.rules.max_past:
            return f"it still looks {row.before}, not {row.after}"
        return ""


def _hit(question: CropQuery, found: Candidate) -> Hit:
    crop = found.store.crops[found.row]
    return Hit(
        crop=replace(crop, licence=crop.licence or found.store.licence),
        score=round(found.score, 6),
        parts={part: round(value, 6) for part, value in found.parts.items()},
        reason=why(question, found),
        store=found.store.name,
    )
