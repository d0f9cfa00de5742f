"""Retrieve crops by object and state: the anchor, then the shared stores, then the run's own crops.

The answer depends on the stores, the plan, the seed, the query, and the references and crops of
earlier steps, never on earlier queries. So a resumed run retrieves the same crops as an
uninterrupted one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from procvid.errors import InputError
from procvid.memory.anchors import Anchor, Anchors
from procvid.memory.candidates import (
    Candidate,
    Catalogue,
    CropQuery,
    RefusalCounts,
    Rival,
    candidate_of,
    candidates,
    of_different_things,
    with_score,
)
from procvid.memory.gate import Refusal
from procvid.memory.own_crops import only, over_budget, without
from procvid.memory.reasons import RUN, UPLOAD, step_of, why, why_none
from procvid.memory.retrieval_rules import DEFAULT_RULES, RetrievalRules
from procvid.memory.slots import origin_of
from procvid.memory.states import StateTable
from procvid.memory.store import CropStore, add_crops, check_embedder, empty_store, merged
from procvid.memory.words import canonical, crop_text, named
from procvid.protocols import Embedder
from procvid.types import Crop, Hit, PlannedObject, Retrieval, Slot, Vectors

__all__ = ["DEFAULT_RULES", "RUN", "Memory", "RetrievalRules", "step_of", "wanted_state"]


def wanted_state(item: PlannedObject) -> str:
    """Return the state a reference must show: the one before the step, where the clip begins."""
    return canonical(item.state_before or item.state_after)


def reference_states(item: PlannedObject) -> list[str]:
    """Return the states that a reference may show, the best first.

    A food that the step changes is shown as before the step. If no crop shows that, one that shows
    it as after the step is better than none (docs/memory.md has the measurement).
    """
    states = [wanted_state(item)]
    if item.role == "food" and item.state_after:
        states.append(canonical(item.state_after))
    return list(dict.fromkeys(states))


class Memory:
    """Read-only shared stores, and the run's own anchors and crops, which grow step by step."""

    def __init__(
        self,
        stores: Sequence[CropStore],
        embedder: Embedder,
        seed: int,
        rules: RetrievalRules = DEFAULT_RULES,
        states: StateTable | None = None,
    ) -> None:
        """Open a memory.

        Args:
            stores: The shared stores.
            embedder: Their embedder.
            seed: Decides between equally good sources; `start_memory` draws it from seed and recipe.
            rules: Thresholds and weights.
            states: The plan's state table, which defines past states.

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
        self.anchors = Anchors()
        self.run = empty_store(RUN, embedder)
        self._aside = empty_store(RUN, embedder)
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

        The anchor comes first, then the shared stores, then the run's own crops. A crop in a state
        that is over is never chosen.

        Args:
            obj: The object.
            step: The step's number, from 1.
            others: The objects of the step. A crop that fits another one better is refused.
            banned: Ids of crops that a person refused.
        """
        first, *others_states = self._questions(obj, step, others, banned)
        refused = RefusalCounts()
        for question in (first, *others_states):
            ranked = self._ranked(question, refused if question is first else RefusalCounts())
            if ranked:
                hit = _hit(question, ranked[0])
                return Retrieval(obj.name, question.state, hit, hit.reason)
        reason = why_none(first, (Catalogue(self.run), *self._catalogues), refused)
        return Retrieval(obj.name, first.state, None, reason)

    def choices(
        self,
        obj: PlannedObject,
        step: int,
        others: Sequence[PlannedObject] = (),
        limit: int = 8,
    ) -> list[Hit]:
        """Return the crops that fit an object at a step: different things, best first."""
        hits = []
        for question in self._questions(obj, step, others, ()):
            ranked = of_different_things(self._ranked(question, RefusalCounts()), self.rules)
            hits += [_hit(question, found) for found in ranked]
        return hits[:limit]

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
        for store in (self.run, self._aside, *self.stores):
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
                        origin=origin_of(store.name, fact.source_id),
                        licence=fact.licence or store.licence,
                        url=fact.url,
                        chosen=True,
                    )
        raise InputError(
            f"The memory has no crop {crop_id[:40]!r} with an image.",
            "`procvid memory search` lists the ids.",
        )

    def food_states(self) -> list[str]:
        """Return the states that foods have in the shared stores and in the plan."""
        rows = () if self.states is None else self.states.rows
        found = {state for r in rows if r.role == "food" for state in (r.before, r.after)}
        for catalogue in self._catalogues:
            found |= catalogue.food_states
        return sorted(found - {""})

    def keep(self, anchors: Iterable[Anchor], crops: Sequence[Crop] = ()) -> None:
        """Add the references of a finished step, and its crops: own ones and a person's images.

        An own crop over the budget is dropped; the first one of an object and its anchors stay.
        """
        for anchor in anchors:
            self.anchors.add(anchor)
        grown = add_crops(self.run, crops, self.embedder)
        gone = {one.crop_id for one in over_budget(grown, self.anchors.crop_ids)}
        self.run = without(grown, gone)
        if gone:
            # Retrieval does not see them, but a person may have chosen one (`slot_of`).
            self._aside = merged(self._aside, [only(grown, gone)])

    def surplus_with(self, new: CropStore, guides: Collection[str]) -> list[Refusal]:
        """Return the own crops, those of `new` included, that `keep` would drop, with the reason.

        `guides` are the ids of the crops that guided the clip of the new ones.
        """
        return over_budget(merged(self.run, [new]), {*self.anchors.crop_ids, *guides})

    def _vector(self, item: PlannedObject, state: str) -> Vectors:
        text = crop_text(item.name, item.role, item.description, state)
        if text not in self._texts:
            self._texts[text] = self.embedder.embed_texts([text])[0]
        return self._texts[text]

    def _questions(
        self,
        obj: PlannedObject,
        step: int,
        others: Sequence[PlannedObject],
        banned: Collection[str],
    ) -> list[CropQuery]:
        """Return the queries for an object, in the order of the states that serve best.

        A food that the step changes is shown as before the step. If no crop shows that, one that
        shows it as after the step is better than none (docs/memory.md has the measurement).
        """
        states = [wanted_state(obj)]
        if obj.role == "food" and obj.state_after:
            states.append(canonical(obj.state_after))
        return [self._question(obj, state, step, others, banned) for state in dict.fromkeys(states)]

    def _question(
        self,
        obj: PlannedObject,
        state: str,
        step: int,
        others: Sequence[PlannedObject],
        banned: Collection[str],
    ) -> CropQuery:
        rivals = tuple(
            Rival(other.name, self._vector(other, wanted_state(other)))
            for other in others
            if canonical(other.name) != canonical(obj.name)
        )
        over = self._over(obj.name, step) - {state}
        foods = [] if obj.role == "food" else [other for other in others if other.role == "food"]
        return CropQuery(
            obj,
            state,
            step,
            self._vector(obj, state),
            over,
            {canonical(food.name): canonical(food.state_before) for food in foods},
            frozenset(canonical(f.name) for f in foods if f.state_before != f.state_after),
            rivals,
            frozenset(banned),
        )

    def _over(self, name: str, step: int) -> frozenset[str]:
        return frozenset() if self.states is None else self.states.over(name, step)

    def _ranked(self, question: CropQuery, refused: RefusalCounts) -> list[Candidate]:
        """Return all candidates, best first."""
        shared, own = self._shared(question, refused), self._of_run(question, refused)
        other_names = [found for found in shared if not found.parts["name"]]
        named = [found for found in shared if found.parts["name"]]
        anchor = self._anchor(question)
        if anchor is None:
            ranked = [*named, *own, *other_names]
        else:
            # If the step must not show the anchor, our own crops of the same thing come next.
            ranked = [*self._anchored(anchor, question, refused), *own]
            if ranked or not anchor.by_person or anchor.crop_id in question.banned:
                ranked += [*named, *other_names]
        first: dict[str, Candidate] = {}
        for found in ranked:
            first.setdefault(found.fact.id, found)
        return list(first.values())

    def _anchor(self, question: CropQuery) -> Anchor | None:
        item = question.item
        return self.anchors.of(item.name, item.role, question.state, question.step)

    def _anchored(
        self, anchor: Anchor, question: CropQuery, refused: RefusalCounts
    ) -> list[Candidate]:
        """Return the anchor, unless this step must not show it."""
        for catalogue in (Catalogue(self.run), *self._catalogues):
            found = candidate_of(catalogue, anchor.crop_id, question, self.rules, refused)
            if found is not None:
                return [with_score(replace(found, anchor=anchor), 1.0, self.rules)]
        return []

    def _of_run(self, question: CropQuery, refused: RefusalCounts) -> list[Candidate]:
        """Return the run's own crops: of a lasting thing the first comes first, of food the last."""
        if not self.rules.write_back:
            return []
        earlier = [
            found
            for found in candidates(Catalogue(self.run), question, self.rules, 1.0, refused)
            if (step_of(found.fact.source_id) or 0) < question.step
            and not found.fact.source_id.startswith(f"{UPLOAD}/")
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


def _hit(question: CropQuery, found: Candidate) -> Hit:
    crop = found.store.crops[found.row]
    return Hit(
        crop=replace(crop, licence=crop.licence or found.store.licence),
        score=round(found.score, 6),
        parts={part: round(value, 6) for part, value in found.parts.items()},
        reason=why(question, found),
        store=found.store.name,
        anchor_step=found.anchor.step if found.anchor else 0,
    )
