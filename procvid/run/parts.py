"""The models of a run, with its memory, notes and hashes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from procvid.memory.memory import Memory
from procvid.memory.retrieval_rules import DEFAULT_RULES, RetrievalRules
from procvid.memory.states import StateTable
from procvid.memory.store import CropStore
from procvid.protocols import (
    ClipGenerator,
    Detector,
    Embedder,
    Planner,
    SceneReader,
    StatePredictor,
)
from procvid.run.records import MEMORY_RULE
from procvid.run.stand_ins import NO_STAND_INS, StandIns
from procvid.settings import Profile
from procvid.types import Plan, PlannedObject


@dataclass(frozen=True, eq=False)
class Parts:
    """Models of a run, built by `procvid.wiring.run.build`.

    Attributes:
        profile: The set of models.
        profile_reason: A sentence with the reason for this profile.
        planner: Makes the plan.
        generator: Makes the clips.
        embedder: CLIP, for the memory.
        detector: Finds the objects in the clips, for the memory.
        scene_reader: Names the objects of other people's clips, when a store is built.
        stores: Crop stores to search; None turns the memory off, also for the run's own clips.
        rules: Thresholds and weights of the memory, as calibrated for the embedder.
        versions: Versions of the libraries that affect the pixels.
        stand_ins: What the models draw and find for things that they were not trained on.
        predictor: Predicts the look of clips, or None.
    """

    profile: Profile
    profile_reason: str
    planner: Planner
    generator: ClipGenerator
    embedder: Embedder
    detector: Detector
    scene_reader: SceneReader
    stores: tuple[CropStore, ...] | None
    versions: Mapping[str, str] = field(default_factory=dict)
    rules: RetrievalRules = DEFAULT_RULES
    stand_ins: StandIns = NO_STAND_INS
    predictor: StatePredictor | None = None

    @property
    def memory_rule(self) -> str:
        """Return how the memory chooses references, "" without a memory."""
        return "" if self.stores is None else MEMORY_RULE

    def models(self) -> dict[str, str]:
        """Return id and revision of every model that affects the pixels, by part."""
        known = {"generator": self.generator.info}
        if self.stores is not None:
            known |= {"embedder": self.embedder.info, "detector": self.detector.info}
        return {part: f"{info.id} {info.revision}".strip() for part, info in known.items()}

    def store_hashes(self) -> dict[str, str]:
        """Return the sha256 of each store by name; {} without a memory."""
        return {store.name: store_sha256(store) for store in self.stores or ()}


def store_sha256(store: CropStore) -> str:
    """Return the sha256 of the vectors, facts and images of a store."""
    digest = hashlib.sha256(store.vectors.tobytes())
    for fact, picture in zip(store.crops.facts, store.crops.pictures, strict=True):
        digest.update(repr(fact).encode())
        digest.update(picture or b"")
    return digest.hexdigest()


def start_memory(parts: Parts, seed: int, plan: Plan, drawn: int | None = None) -> Memory | None:
    """Return the memory before the first step, with the shared stores alone, or None.

    `drawn` is the `memory_seed`; None for that of the plan.
    """
    if parts.stores is None:
        return None
    if drawn is None:
        drawn = memory_seed(seed, plan)
    return Memory(parts.stores, parts.embedder, drawn, parts.rules, StateTable(plan))


def memory_seed(seed: int, plan: Plan) -> int:
    """Return the seed of a memory. Recipes differ in their kitchens, also with the same seed."""
    texts = "\0".join([str(seed), plan.title, *(step.text for step in plan.steps)])
    return int(hashlib.sha256(texts.encode()).hexdigest()[:8], 16)


def memory_notes(parts: Parts) -> tuple[str, ...]:
    """Return notes for the user about the run's memory."""
    if parts.stores is None:
        return ()
    notes = [note for store in parts.stores for note in store.notes]
    notes += [
        f"The store {store.name} has no images, so it guides no clip. "
        "`procvid memory rebuild` cuts them out of the sources again."
        for store in parts.stores
        if len(store) and not any(store.crops.pictures)
    ]
    notes += [
        f"No image of the store {store.name} passes the checks of quality and name, so it guides no "
        "clip. `procvid memory search` shows its images."
        for store in parts.stores
        if any(store.crops.pictures) and not _any_passes(store, parts.rules)
    ]
    if not parts.stores:
        notes.append(
            f"The {parts.profile.name} profile comes without a crop store, so only this run's own "
            "clips guide it. Add a store with --memory STORE."
        )
    if not parts.rules.calibrated:
        notes.append(
            f"The memory is not calibrated for {parts.embedder.info.id}, so it does not check whether "
            "a crop looks like its name. `procvid memory calibrate STORE` sets this threshold."
        )
    return tuple(notes)


def _any_passes(store: CropStore, rules: RetrievalRules) -> bool:
    """Return True if any crop with an image may guide a clip that needs what it is named."""
    shown = np.einsum("nd,nd->n", store.image_vectors, store.text_vectors)
    return any(
        picture is not None
        and not fact.banned
        and fact.quality >= rules.min_quality
        and fit >= rules.min_shown
        for fact, picture, fit in zip(
            store.crops.facts, store.crops.pictures, shown.tolist(), strict=True
        )
    )


def undrawable_names(parts: Parts, objects: Iterable[PlannedObject]) -> tuple[str, ...]:
    """Return the objects that the generator was not trained on and that have no stand-in.

    The counter is never one.
    """
    names = dict.fromkeys(item.name for item in objects if item.role != "surface")
    known = parts.stand_ins.names
    return tuple(parts.generator.undrawable([name for name in names if name not in known]))


def stand_in_note(parts: Parts, objects: Iterable[PlannedObject]) -> str:
    """Return a sentence with the stand-ins of these objects, or "" if none has one."""
    used = parts.stand_ins.used(objects)
    listed = ", ".join(f"{name} as {known}" for name, known in used.items())
    return f"The {parts.profile.name} model draws similar things instead: {listed}." if used else ""
