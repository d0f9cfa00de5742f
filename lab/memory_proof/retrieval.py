"""Score retrieval step by step on recipes that the store has never seen, with write-back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from lab.memory_proof.building import is_right
from lab.memory_proof.videos import SCALE, Truth, iou
from procvid.memory.anchors import Anchor
from procvid.memory.clip_crops import crops_of_clip
from procvid.memory.gate import Evidence, pass_gate
from procvid.memory.memory import Memory, step_of, wanted_state
from procvid.memory.retrieval_rules import RetrievalRules
from procvid.memory.states import StateTable
from procvid.memory.store import CropStore, embed_facts, of_rows, with_rows
from procvid.memory.words import canonical, state_fit
from procvid.protocols import Detector, Embedder
from procvid.run.step import EVERY_LIKELIHOOD, PlannedScene
from procvid.toykitchen.recipes import ToyRecipe
from procvid.toykitchen.render import FPS
from procvid.toykitchen.scene import TOOL_OF
from procvid.types import Crop, Hit, Plan, PlannedObject, Retrieval, Role, StepPlan

Thing = tuple[str, str]
"""A name and, for food, a state."""


@dataclass
class RetrievalScores:
    """Counts over all queries.

    Attributes:
        queries: Number of queries.
        hits: Queries answered with a crop.
        right: Hits that show the object in the wanted state.
        over: Hits that show, or are labelled with, a past state.
        abstained: Queries without an answer.
        rightly: Abstentions where the store had no fitting crop.
        absent: Queries for which the store had no fitting crop.
        from_run: Hits from the run's own crops.
        written: Crops written back to the run's memory.
        refused: Crops refused by write-back.
        wrong: Descriptions of wrong hits.
    """

    queries: int = 0
    hits: int = 0
    right: int = 0
    over: int = 0
    abstained: int = 0
    rightly: int = 0
    absent: int = 0
    from_run: int = 0
    written: int = 0
    refused: int = 0
    wrong: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, float | int | None]:
        """Return counts and shares; a share of zero queries is None."""
        return {
            "queries": self.queries,
            "right_of_hits": round(self.right / max(1, self.hits), 4),
            "hits": self.hits,
            "from_run": self.from_run,
            "state_over": self.over,
            "abstained": self.abstained,
            "absent": self.absent,
            "abstention_precision": _share(self.rightly, self.abstained),
            "abstention_recall": _share(self.rightly, self.absent),
            "written_back": self.written,
            "not_written_back": self.refused,
        }


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def true_plan(recipe: ToyRecipe) -> Plan:
    """Return the ground-truth plan of a recipe, so that only the memory is measured."""
    steps = []
    for number, step in enumerate(recipe.steps, start=1):
        scene = step.scene
        objects = [
            _planned(scene.vessel, "vessel", "in use", "in use", 0.9),
            _planned("counter", "surface", "clean", "clean", 0.6),
        ]
        if scene.food:
            objects.append(
                _planned(scene.food_name, "food", scene.state_before, scene.state_after, 0.8)
            )
        if scene.action in TOOL_OF:
            objects.append(_planned(TOOL_OF[scene.action], "tool", "in use", "in use", 0.4))
        steps.append(StepPlan(number, step.text, scene.action, tuple(objects), step.text))
    return Plan(recipe.title, tuple(steps), "truth")


def _planned(name: str, role: Role, before: str, after: str, importance: float) -> PlannedObject:
    changes = before != after
    return PlannedObject(
        name, role, name, before, after, "unlikely" if changes else "likely", importance
    )


def thin_out(store: CropStore, share: float, seed: int) -> CropStore:
    """Return the store without a share of its (food, state) pairs and without one vessel."""
    rng = np.random.default_rng(seed)
    foods = sorted({(c.name, c.state) for c in store.crops.facts if c.role == "food"})
    vessels = sorted({c.name for c in store.crops.facts if c.role == "vessel"})
    gone = {foods[i] for i in rng.choice(len(foods), int(share * len(foods)), replace=False)}
    vessel = vessels[int(rng.integers(len(vessels)))] if vessels else ""
    return of_rows(
        store,
        [
            row
            for row, c in enumerate(store.crops.facts)
            if (c.name, c.state) not in gone and c.name != vessel
        ],
    )


def without_half(store: CropStore, seed: int) -> CropStore:
    """Return the store without half of its objects: of the foods in a state, and of other things."""
    kinds = sorted({kind_of(crop) for crop in store.crops.facts})
    rng = np.random.default_rng(seed)
    gone = {kinds[i] for i in rng.choice(len(kinds), len(kinds) // 2, replace=False)}
    rows = [row for row, crop in enumerate(store.crops.facts) if kind_of(crop) not in gone]
    return replace(of_rows(store, rows), name=f"{store.name} without half, seed {seed}")


def kind_of(crop: Crop) -> Thing:
    """Return what a crop shows: a food in a state, or a thing of another role."""
    return canonical(crop.name), canonical(crop.state) if crop.role == "food" else ""


def mislabel(
    store: CropStore, kinds: CropStore, share: float, embedder: Embedder, seed: int
) -> CropStore:
    """Return the store with a share of its crops relabelled as random crops of `kinds`."""
    rng = np.random.default_rng(seed)
    facts = list(store.crops.facts)
    for row in rng.choice(len(facts), int(share * len(facts)), replace=False):
        others = [c for c in kinds.crops.facts if c.role == facts[row].role]
        other = others[int(rng.integers(len(others)))]
        facts[row] = replace(
            facts[row], name=other.name, state=other.state, description=other.description
        )
    texts = embed_facts(facts, embedder)
    return with_rows(store, facts, store.crops.pictures, store.image_vectors, texts)


def score_retrieval(
    store: CropStore,
    truth: Truth,
    recipes: Iterable[ToyRecipe],
    embedder: Embedder,
    detector: Detector,
    rules: RetrievalRules,
) -> RetrievalScores:
    """Query all objects of all steps as a run does; rendered clips stand in for generated ones.

    Args:
        store: The shared store.
        truth: Ground truth of the store's videos.
        recipes: Recipes that query; the store has not seen them.
        embedder: Embedder of the store.
        detector: Finds the crops to write back.
        rules: Thresholds; with `write_back` False the run's own crops are not used.
    """
    scores = RetrievalScores()
    shown = [truth.of_crop(crop) for crop in store.crops.facts]
    present = {
        (s.name, s.state)
        for s, png in zip(shown, store.crops.pictures, strict=True)
        if s is not None and png is not None
    }
    for seed, recipe in enumerate(recipes):
        plan = true_plan(recipe)
        memory = Memory([store], embedder, seed, rules, StateTable(plan))
        own = Truth({})
        known = set(present)
        for step in plan.steps:
            answers = memory.retrieve_all(step.objects, step.number)
            for answer, item in zip(answers, step.objects, strict=True):
                _count(scores, answer.hit, item, recipe, step.number, truth, own, memory, known)
            memory.keep(_anchors(answers, step))
            if rules.write_back:
                _write_back(scores, memory, recipe, step, detector, known)
    return scores


def _count(
    scores: RetrievalScores,
    hit: Hit | None,
    item: PlannedObject,
    recipe: ToyRecipe,
    number: int,
    truth: Truth,
    own: Truth,
    memory: Memory,
    known: set[Thing],
) -> None:
    wanted = wanted_state(item) if item.role == "food" else ""
    scores.queries += 1
    absent = not any(
        name == item.name and (item.role != "food" or state_fit("food", wanted, state) > 0)
        for name, state in known
    )
    scores.absent += absent
    if hit is None:
        scores.abstained += 1
        scores.rightly += absent
        return
    scores.hits += 1
    step = step_of(hit.crop.source_id) if hit.store == "run" else None
    if step is None:
        sight = truth.of_crop(hit.crop)
    else:
        scores.from_run += 1
        sights = own.shown(recipe, step, round(hit.crop.time_s * FPS))
        sight = next((s for s in sights if s.name == item.name), None)
        if sight is not None and iou(sight.box_xyxy, _scaled(hit.crop)) < 0.5:
            sight = None
    right = (
        sight is not None
        and sight.name == item.name
        and is_right(replace(hit.crop, state=wanted), sight)
    )
    scores.right += right
    past = memory.states.over(item.name, number) - {wanted} if memory.states else frozenset()
    label = canonical(hit.crop.state) if item.role == "food" else ""
    scores.over += label in past or (sight is not None and sight.state in past)
    if not right:
        is_now = "something else" if sight is None else sight.state or sight.name
        scores.wrong.append(f"{item.name} ({wanted}): {hit.store} crop shows {is_now}")


def _scaled(crop: Crop) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = crop.box_xyxy
    return SCALE * x0, SCALE * y0, SCALE * x1, SCALE * y1


def _anchors(answers: Sequence[Retrieval], step: StepPlan) -> list[Anchor]:
    """Return the crops that become anchors. Only their ids matter here, not their pixels."""
    roles = {item.name: item.role for item in step.objects}
    return [
        Anchor(
            a.object_name, roles[a.object_name], hit.crop.state, hit.crop.id, "", step.number, False
        )
        for a in answers
        if (hit := a.hit) is not None and not hit.anchor_step
    ]


def _write_back(
    scores: RetrievalScores,
    memory: Memory,
    recipe: ToyRecipe,
    step: StepPlan,
    detector: Detector,
    known: set[Thing],
) -> None:
    frames = recipe.render(step.number).frames
    crops: Sequence[Crop] = crops_of_clip(
        frames,
        FPS,
        step.text,
        f"run/{step.number:02d}",
        scene_reader=PlannedScene(step, {}),
        detector=detector,
        keep=EVERY_LIKELIHOOD,
    )
    states = memory.food_states()
    evidence = {
        canonical(i.name): Evidence(
            i.state_before, None, 0, (), (), states if i.role == "food" else ()
        )
        for i in step.objects
    }
    kept, refused = pass_gate(crops, evidence, memory.embedder, memory.rules)
    memory.keep((), kept)
    scores.written += len(kept)
    scores.refused += len(refused)
    gone = {refusal.crop_id for refusal in refused}
    foods = {item.name for item in step.objects if item.role == "food"}
    known |= {(c.name, c.state if c.name in foods else "") for c in crops if c.id not in gone}
