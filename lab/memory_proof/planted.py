"""Plant bad crops in the memory of runs, and measure how many enter it and which references are right."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from lab.memory_proof.retrieval import without_half
from lab.pretrain.oracle import Oracle
from lab.quality.effect import identity_errors, look, rights
from procvid.evaluate.compare import paired_difference
from procvid.media.image import resize
from procvid.media.video import read_clip
from procvid.memory.gate import Evidence
from procvid.memory.retrieval_rules import DEFAULT_RULES, RetrievalRules
from procvid.memory.store import CropStore
from procvid.memory.words import canonical, state_fit
from procvid.run import step as step_module
from procvid.run.folder import RunFolder, read_run
from procvid.run.parts import Parts
from procvid.run.records import StepRecord
from procvid.run.story import make_video
from procvid.settings import TINY
from procvid.storage.files import read_json, write_json
from procvid.toykitchen.recipes import HELD_OUT, ToyRecipe, random_recipe
from procvid.toykitchen.render import NUM_FRAMES
from procvid.types import Crop, GenerateRequest, Image, Recipe

FIRST = 3000
"""First recipe after `HELD_OUT`, far from those that chose the thresholds."""

SHARE = 0.3
"""Share of the crops that are made bad."""

SKIN = (224, 172, 140)
KINDS = ("occluded", "blurred", "other", "state")
OFF = 2.0
"""The `max_apart_slack` that switches the comparison with the other frames off."""


@dataclass
class Planting:
    """Makes a share of the crops of a run bad, and notes which.

    Half of the faults are in the cut frame only, the others in all frames of the clip.

    Attributes:
        recipe: Number of the recipe. It decides which crops are bad.
        pictures: The crops from which another object or state is taken.
        bad: The fault by crop id.
    """

    recipe: int
    pictures: CropStore
    bad: dict[str, str] = field(default_factory=dict)
    _whole: dict[str, tuple[str, int]] = field(default_factory=dict)

    def crops(self, crops: Sequence[Crop]) -> list[Crop]:
        """Return the crops of a clip, some of them bad."""
        self._whole.clear()
        return [self._one(crop) for crop in crops]

    def _one(self, crop: Crop) -> Crop:
        step = crop.source_id.rpartition("/")[2]
        digest = hashlib.sha256(f"{self.recipe}/{step}/{crop.name}".encode()).digest()
        rng = np.random.default_rng(int.from_bytes(digest[:8], "little"))
        if rng.random() >= SHARE:
            return crop
        kind = KINDS[int(rng.integers(len(KINDS) if crop.role == "food" else 3))]
        seed, whole = int(rng.integers(2**32)), rng.random() < 0.5
        image = self.faulty(crop, kind, seed)
        if image is None:
            return crop
        self.bad[crop.id] = f"{kind}, {'clip' if whole else 'frame'}"
        if whole:
            self._whole[canonical(crop.name)] = (kind, seed)
        return replace(crop, image=image)

    def evidence(self, known: dict[str, Evidence], crops: Sequence[Crop]) -> dict[str, Evidence]:
        """Return the evidence with the faults that are in all frames of the clip."""
        for crop in crops:
            name = canonical(crop.name)
            if name in self._whole:
                kind, seed = self._whole[name]
                views = [self.faulty(replace(crop, image=v), kind, seed) for v in known[name].views]
                known[name] = replace(known[name], views=[v for v in views if v is not None])
        return known

    def faulty(self, crop: Crop, kind: str, seed: int) -> Image | None:
        """Return the image of a crop with a fault, or None if there is no image for it."""
        rng = np.random.default_rng(seed)
        assert crop.image is not None
        image = crop.image.copy()
        height, width = image.shape[:2]
        if kind == "blurred":
            return resize(resize(image, max(1, width // 8), max(1, height // 8)), width, height)
        if kind == "occluded":
            share, side = 0.5 + 0.25 * rng.random(), int(rng.integers(4))
            rows, columns = round(height * share), round(width * share)
            places = (np.s_[:rows], np.s_[-rows:], np.s_[:, :columns], np.s_[:, -columns:])
            image[places[side]] = SKIN
            return image
        fitting = [
            row
            for row, fact in enumerate(self.pictures.crops.facts)
            if (
                fact.role == ("vessel" if crop.role == "surface" else crop.role)
                and canonical(fact.name) != canonical(crop.name)
                if kind == "other"
                else canonical(fact.name) == canonical(crop.name)
                and state_fit("food", crop.state, fact.state) == 0
            )
        ]
        return (
            self.pictures.crops[fitting[int(rng.integers(len(fitting)))]].image if fitting else None
        )


@contextmanager
def planted(planting: Planting) -> Iterator[None]:
    """Let the steps that are made in this block cut bad crops."""
    cut, known = step_module._crops_of, step_module._evidence

    def crops_of(*given: Any) -> list[Crop]:
        return planting.crops(cut(*given))

    def evidence_of(*given: Any) -> dict[str, Evidence]:
        return planting.evidence(known(*given), given[2])

    with (
        patch.object(step_module, "_crops_of", crops_of),
        patch.object(step_module, "_evidence", evidence_of),
    ):
        yield


def parts_of(parts: Parts, case: str) -> Parts:
    """Return the models of a case: "none" has no store and no calibration, "gaps" half a store."""
    if case == "none":
        return replace(parts, stores=(), rules=DEFAULT_RULES)
    assert parts.stores
    return replace(parts, stores=(without_half(parts.stores[0], 0),))


def make_run(parts: Parts, folder: Path, number: int, faults: bool, pictures: CropStore) -> None:
    """Make the run of a recipe, unless it is on disk, with `bad.json` beside it."""
    if (folder / "bad.json").exists():
        return
    toy = random_recipe(HELD_OUT + FIRST + number)
    recipe = Recipe(toy.title, tuple(step.text for step in toy.steps))
    request = GenerateRequest(recipe, TINY.sampling, "tiny", seed=number, shots="one")
    planting = Planting(number, pictures)
    if faults:
        with planted(planting):
            list(make_video(request, parts, folder / "run"))
    else:
        list(make_video(request, parts, folder / "run"))
    write_json(folder / "bad.json", planting.bad)


def score_run(folder: Path, number: int, oracle: Oracle) -> dict[str, Any]:
    """Return the counts and figures of a run."""
    toy = random_recipe(HELD_OUT + FIRST + number)
    run = RunFolder(folder / "run", read_run(folder / "run"))
    bad: dict[str, str] = read_json(folder / "bad.json")
    records = [run.read_record(n) for n in range(1, len(toy.steps) + 1)]
    steps = [record for record in records if record is not None]
    clips = [
        read_clip(run.step_folder(n) / "clip.mp4", downscale=TINY.display_scale).frames[:NUM_FRAMES]
        for n in range(1, len(toy.steps) + 1)
    ]
    named = look(oracle, [step.scene.vessel for step in toy.steps], clips)
    right = rights(toy.steps, named)
    shown = _true_crops(toy, [clip.answer for clip in named])
    entered = {crop for record in steps for crop in record.crops}
    references = [one for record in steps for one in record.references]
    later = [r for r in _wanted_later(steps) if r[0] in ("vessel", "surface", "food")]
    good = [
        given is not None
        and given.crop_id not in bad
        and (given.origin != "run" or shown(given.source_id, given.object_name, given.state))
        for _, given in later
    ]
    return {
        "planted": _count(bad.values()),
        "entered": _count(bad[crop] for crop in bad if crop in entered),
        "used": sum(one.crop_id in bad for one in references),
        "references": len(references),
        "crops": len(entered - set(bad)),
        "refused_good": sum(
            "unlike the other frames" in one["reason"] for record in steps for one in record.refused
        ),
        "wanted": len(later),
        "right_references": float(np.mean(good)) if good else None,
        "without_reference": float(np.mean([g is None for _, g in later])) if later else None,
        "food": float(np.mean([food for _, food, _ in right])) if right else None,
        "state": float(np.mean([state for _, _, state in right])) if right else None,
        **identity_errors(named),
    }


def _count(kinds: Any) -> dict[str, int]:
    counts: dict[str, int] = defaultdict(int)
    for kind in kinds:
        counts[kind] += 1
    return dict(counts)


def _wanted_later(steps: Sequence[StepRecord]) -> Iterator[tuple[str, Any]]:
    """Yield role and reference, or None, of each object of a step that an earlier step showed."""
    roles: dict[str, str] = {}
    for record in steps:
        given = {one.object_name: one for one in record.references}
        known = {one["object"] for one in record.missing} | set(given)
        yield from ((roles[name], given.get(name)) for name in sorted(known & set(roles)))
        roles |= {one.name: one.role for one in record.anchors}


def _true_crops(toy: ToyRecipe, answers: Sequence[Mapping[str, str]]) -> Any:
    """Return a function that says whether the clip of a crop shows its object, by the oracle."""
    foods = {step.scene.food_name for step in toy.steps}
    vessels = {step.scene.vessel for step in toy.steps}

    def shows(source_id: str, name: str, state: str) -> bool:
        answer = answers[int(source_id.rpartition("/")[2]) - 1]
        if name in foods:
            return answer["food"] == name and answer["state"] == canonical(state)
        return name not in vessels or answer["vessel_shape"].endswith(f" {name}")

    return shows


FIGURES = (
    "right_references",
    "without_reference",
    "food",
    "state",
    "vessel_changed",
    "counter_changed",
)


def measure_planted(
    parts: Parts, oracle: Oracle, out: Path, recipes: int, cases: Sequence[str]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Make all runs and yield the number of recipes done with the figures so far."""
    assert parts.stores
    pictures = parts.stores[0]
    scores: dict[str, dict[str, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for number in range(recipes):
        for case in cases:
            own = parts_of(parts, case)
            ways: dict[str, RetrievalRules] = {
                "before": replace(own.rules, max_apart_slack=OFF),
                "after": own.rules,
            }
            for faults in (True, False):
                name = f"{case}, {'planted' if faults else 'clean'}"
                for way, rules in ways.items():
                    folder = out / name.replace(", ", "-") / f"{way}-{number:02d}"
                    make_run(replace(own, rules=rules), folder, number, faults, pictures)
                    scores[name][way].append(score_run(folder, number, oracle))
        yield number + 1, {name: _compared(found) for name, found in scores.items()}


def _compared(found: Mapping[str, Sequence[dict[str, Any]]]) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for way, rows in found.items():
        summed: dict[str, Any] = {}
        for key, first in rows[0].items():
            if isinstance(first, dict):
                kinds = sorted({kind for row in rows for kind in row[key]})
                summed[key] = {kind: sum(row[key].get(kind, 0) for row in rows) for kind in kinds}
            elif key in FIGURES:
                known = [row[key] for row in rows if row[key] is not None]
                summed[key] = round(float(np.mean(known)), 4) if known else None
            elif isinstance(first, int):
                summed[key] = sum(row[key] for row in rows)
        table[way] = summed
    for figure in FIGURES:
        before, after = ([row[figure] for row in found[way]] for way in ("before", "after"))
        if any(a is not None and b is not None for a, b in zip(before, after, strict=True)):
            moved = paired_difference(before, after)
            table[figure] = [round(float(v), 4) for v in (moved.mean, moved.low, moved.high)]
    return table


def write_planted(out: Path, found: Mapping[str, Any]) -> None:
    """Write the figures to `planted.json` and print them."""
    write_json(out / "planted.json", dict(found))
    print(json.dumps(found), flush=True)
