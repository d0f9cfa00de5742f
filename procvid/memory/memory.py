"""Retrieval by (object, state): the run's own crops, then the shared stores', or a reason why not.

The answer depends on the stores, the run's crops of earlier steps, the plan, the seed and the
question, never on what was asked before: a resumed run finds what an uninterrupted one finds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from procvid.errors import InputError
from procvid.memory.candidates import (
    Found,
    Question,
    Refused,
    Rival,
    candidates,
    of_different_things,
    with_score,
)
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
from procvid.memory.reasons import RUN, step_of, why, why_none
from procvid.memory.rules import DEFAULT_RULES, RetrievalRules
from procvid.memory.states import StateTable
from procvid.memory.words import canonical, crop_text, named
from procvid.protocols import Embedder
from procvid.types import Crop, Hit, PlannedObject, Retrieval, Slot, Vectors

__all__ = ["DEFAULT_RULES", "RUN", "Memory", "Refusal", "RetrievalRules", "step_of", "wanted_state"]


@dataclass(frozen=True)
class Refusal:
    """A crop that was not written back, and why."""

    crop_id: str
    name: str
    reason: str


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
        states: StateTable | None = None,
    ) -> None:
        """`states` is the plan's table, by which a state that is over is known.

        Raises:
            StoreError: a store was made with another embedder.
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
        """The crop that shows `obj` as `step` needs it, or an abstention with its reason.

        Crops of the run's own clips count when their step is before `step`; any of them goes
        before all shared crops. The first appearance of a lasting thing is preferred, of food the
        latest one in the wanted state. A crop in a state that is over is never taken.

        Args:
            obj: What is looked for.
            step: The step's number, from 1.
            others: The objects of the step: a crop that fits another one better is refused.
            banned: Ids of crops that a person does not want.
        """
        question = self._question(obj, step, others, banned)
        refused = Refused()
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
        """What could be swapped in for an object at a step: different things, best first."""
        question = self._question(obj, step, others, ())
        ranked = of_different_things(self._ranked(question, Refused()), self.rules)
        return [_hit(question, found) for found in ranked[:limit]]

    def retrieve_all(
        self, objects: Sequence[PlannedObject], step: int, banned: Collection[str] = ()
    ) -> list[Retrieval]:
        """The answers for all objects of a step, in their order; no crop stands for two of them.

        Where two want the same crop, the one it fits better keeps it, and the other gets its next.
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
        """The slot in which a crop that a person chose stands for an object.

        Raises:
            InputError: no store here has such a crop, or it has no picture.
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
            f"The memory has no crop {crop_id[:40]!r} with a picture.",
            "`procvid memory search` tells the ids.",
        )

    def write_back(self, crops: Sequence[Crop]) -> tuple[Refusal, ...]:
        """Take crops of a clip just made into the run's memory; those below the gate are refused.

        Nothing is ever pushed out, so the first appearance of an object stays for ever.
        """
        if not self.rules.write_back:
            return tuple(Refusal(c.id, c.name, "nothing is written back here") for c in crops)
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
    ) -> Question:
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
        return Question(obj, state, step, vector, over, frozenset(stale), rivals, frozenset(banned))

    def _over(self, name: str, step: int) -> frozenset[str]:
        return frozenset() if self.states is None else self.states.over(name, step)

    def _ranked(self, question: Question, refused: Refused) -> list[Found]:
        """All that could serve, the one to take first."""
        return self._of_run(question, refused) or self._shared(question, refused)

    def _of_run(self, question: Question, refused: Refused) -> list[Found]:
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
        # Recency decides between the run's own crops: identity must not wander with similarity.
        scored.sort(key=lambda f: (f.parts["state"], f.parts["recency"], f.score, f.fact.id))
        return scored[::-1]

    def _shared(self, question: Question, refused: Refused) -> list[Found]:
        found = [
            with_score(each, 0.0, self.rules)
            for catalogue in self._catalogues
            for each in candidates(catalogue, question, self.rules, 0.0, refused)
        ]
        if not found:
            return []
        fit = max(each.parts["state"] for each in found)
        best = max(each.score for each in found if each.parts["state"] == fit)

        def rank(each: Found) -> tuple[bool, str, float, str]:
            drawn = each.parts["state"] == fit and each.score >= best - self.rules.near
            # By source and not by crop: things that were seen together are chosen together.
            lot = self._lot(each.fact.source_id) if drawn else ""
            return not drawn, lot, -each.score, each.fact.id

        return sorted(found, key=rank)

    def _lot(self, source_id: str) -> str:
        return hashlib.sha256(f"{self.seed}\0{source_id}".encode()).hexdigest()

    def _fault(self, crop: Crop) -> str:
        if crop.image is None:
            return "it has no picture"
        if crop.detector_score < self.rules.min_detector_score:
            return f"the detector is unsure of it ({crop.detector_score:.2f})"
        if crop.quality < self.rules.min_quality:
            return f"its quality is too low ({crop.quality:.2f})"
        return self._looks_past(crop)

    def _looks_past(self, crop: Crop) -> str:
        """A clip may fail to show the change that its step asks for."""
        step = step_of(crop.source_id)
        row = None if self.states is None or step is None else self.states.row(crop.name, step)
        if row is None or row.role != "food" or crop.image is None or row.before == row.after:
            return ""
        look = self.embedder.embed_images([crop.image])[0]
        words = [crop_text(crop.name, crop.role, "", state) for state in (row.before, row.after)]
        before, after = self.embedder.embed_texts(words) @ look
        if before - after > self.rules.max_past:
            return f"it still looks {row.before} and not {row.after}"
        return ""


def _hit(question: Question, found: Found) -> Hit:
    crop = found.store.crops[found.row]
    return Hit(
        crop=replace(crop, licence=crop.licence or found.store.licence),
        score=round(found.score, 6),
        parts={part: round(value, 6) for part, value in found.parts.items()},
        reason=why(question, found),
        store=found.store.name,
    )
