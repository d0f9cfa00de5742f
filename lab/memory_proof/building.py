"""Score a store built from toy-kitchen video: precision and recall against the ground truth."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from lab.memory_proof.videos import Truth, VisibleObject
from procvid.memory.store import CropStore
from procvid.memory.words import canonical
from procvid.toykitchen.render import NUM_FRAMES
from procvid.types import Crop


@dataclass(frozen=True)
class BuildingScores:
    """Correctness and completeness of a store.

    Attributes:
        crops: Crops in the store.
        right: Crops whose box shows the object they name, in the state they name.
        things: Distinct (object, state, identity) in the videos that do not change in their clip.
        found: Things with a right crop.
        wrong: Labels of wrong crops with their counts, most frequent first.
    """

    crops: int
    right: int
    things: int
    found: int
    wrong: tuple[tuple[str, int], ...]

    @property
    def precision(self) -> float:
        """Share of crops or things, 0 to 1, higher is better."""
        return self.right / self.crops if self.crops else 0.0

    @property
    def recall(self) -> float:
        """Share of crops or things, 0 to 1, higher is better."""
        return self.found / self.things if self.things else 0.0


def is_right(crop: Crop, shown: VisibleObject | None) -> bool:
    """Return True if a crop shows its label; states count for food only, as in retrieval."""
    return shown is not None and (shown.role != "food" or shown.state == canonical(crop.state))


def score_building(store: CropStore, truth: Truth) -> BuildingScores:
    """Compare a store built from the videos of `truth.recipes` with their ground truth."""
    found: set[tuple[str, str, str]] = set()
    right, wrong = 0, Counter[str]()
    for crop in store.crops.facts:
        shown = truth.of_crop(crop)
        if shown is not None and is_right(crop, shown):
            found.add(shown.thing)
            right += 1
        else:
            wrong[f"{crop.name} ({crop.state})"] += 1
    things = {
        shown.thing
        for recipe in truth.recipes.values()
        for number, step in enumerate(recipe.steps, start=1)
        for frame in (NUM_FRAMES // 2, NUM_FRAMES - 1)
        for shown in truth.shown(recipe, number, frame)
        if shown.role != "food" or step.scene.state_before == step.scene.state_after
    }
    return BuildingScores(
        len(store), right, len(things), len(found & things), tuple(wrong.most_common(8))
    )
