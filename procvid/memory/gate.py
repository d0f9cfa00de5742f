"""Decide which crops of the run's own clips may guide later clips.

A crop of a generated clip is softer than a real one, and the clip may have failed to show the change
of the step. So a crop enters the memory only if it looks like its object in its state, agrees with the
clip's reference or other frames, is not much softer, and shows nothing of another state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from procvid.media.image import resize
from procvid.memory.candidates import shown_foods
from procvid.memory.clip_crops import sharpness
from procvid.memory.retrieval_rules import RetrievalRules
from procvid.memory.words import canonical, crop_text, state_fit, with_article
from procvid.protocols import Embedder
from procvid.types import Crop, Image, Vectors

MAX_GENERATION = 1
"""A crop of our own clip is generation 1. An object that such a crop guided gives no crop."""

SIDE_PX = 64
"""Longest side at which the sharpness of two images is compared."""


@dataclass(frozen=True)
class Refusal:
    """A crop that does not enter the memory, and the reason."""

    crop_id: str
    name: str
    reason: str


@dataclass(frozen=True, eq=False)
class Evidence:
    """What is known of an object in the clip that a crop was cut from.

    Attributes:
        state_before: State of the object before the step.
        reference: The image that guided the clip, or None.
        generation: Generation of that image: 0 for a store or a person's image, 1 for our own.
        views: The object in other frames of the clip.
        rivals: Names of the other foods of the step, if the object is a food.
        states: The states that foods can have, if the object is a food.
    """

    state_before: str
    reference: Image | None
    generation: int
    views: Sequence[Image]
    rivals: Sequence[str] = ()
    states: Sequence[str] = ()


def pass_gate(
    crops: Sequence[Crop],
    evidence: Mapping[str, Evidence],
    embedder: Embedder,
    rules: RetrievalRules,
) -> tuple[list[Crop], list[Refusal]]:
    """Return the crops of a clip that later clips may use, and the others with the reason.

    Args:
        crops: The crops of the clip, one per object.
        evidence: By canonical object name.
        embedder: The embedder of the memory.
        rules: Thresholds.
    """
    kept, refused = [], []
    wrong = {
        canonical(crop.name)
        for crop in crops
        if crop.role == "food"
        and _wrong_look(crop, evidence[canonical(crop.name)], embedder, rules)
    }
    for crop in crops:
        reason = _fault(crop, evidence[canonical(crop.name)], embedder, rules)
        inside = sorted(wrong.intersection(shown_foods(crop)))
        if not reason and crop.role == "vessel" and inside:
            reason = f"it shows {with_article(inside[0])} that does not look as planned"
        if reason:
            refused.append(Refusal(crop.id, crop.name, reason))
        else:
            kept.append(crop)
    return kept, refused


def _fault(crop: Crop, known: Evidence, embedder: Embedder, rules: RetrievalRules) -> str:
    """Return why a crop must not be used, or ""."""
    if crop.image is None:
        return "it has no image"
    if crop.detector_score < rules.min_detector_score:
        return f"the detector score is too low ({crop.detector_score:.2f})"
    if crop.quality < rules.min_quality:
        return f"the quality is too low ({crop.quality:.2f})"
    if known.generation >= MAX_GENERATION:
        return "a crop of this video guided it, so it would be a copy of a copy"
    reason = _wrong_look(crop, known, embedder, rules)
    if reason:
        return reason
    measures = measure(crop, known, embedder)
    if measures.same < rules.min_same:
        other = "its reference" if known.reference is not None else "other frames of the clip"
        return f"it differs from {other} (similarity {measures.same:.2f})"
    if measures.sharp < rules.min_sharp:
        return f"it is less sharp than its reference ({measures.sharp:.0%})"
    if measures.apart > rules.max_apart * measures.spread + rules.max_apart_slack:
        return "it looks unlike the other frames of the clip"
    return ""


def _wrong_look(crop: Crop, known: Evidence, embedder: Embedder, rules: RetrievalRules) -> str:
    """Return why a crop does not look like its object in its state, or ""."""
    if crop.image is None:
        return ""
    measures = measure(crop, known, embedder)
    if measures.past > rules.max_past:
        return f"it still looks {known.state_before}, not {crop.state}"
    if measures.shown < max(rules.min_shown, rules.min_own):
        return f"it does not look like its name (similarity {measures.shown:.2f})"
    if measures.rival > rules.max_rival:
        return "it looks more like another food of the step"
    if measures.clear < rules.min_clear:
        return f"it does not look clearly {crop.state}"
    return ""


@dataclass(frozen=True)
class GateMeasures:
    """What the gate measures of a crop.

    Attributes:
        shown: Cosine of the image and its words.
        past: How much more the image looks like the state before the step than after it.
        rival: How much more the image looks like another food of the step.
        clear: How much more the image looks like its state than like the closest other one.
        same: Cosine with the reference. Without one, or if the step changes the object, the median
            cosine with the other frames.
        sharp: Sharpness divided by the median of the images that `same` compares.
        apart: Median distance (1 - cosine) of a surface from the other frames of the clip. Zero for a
            vessel, which fills, a tool, which moves, and a food, which changes.
        spread: Median of the same distance for each of those frames from the others.
    """

    shown: float
    past: float
    rival: float
    clear: float
    same: float
    sharp: float
    apart: float = 0.0
    spread: float = 0.0


def measure(crop: Crop, known: Evidence, embedder: Embedder) -> GateMeasures:
    """Measure a crop with an image."""
    assert crop.image is not None
    before = canonical(known.state_before)
    changed = crop.role == "food" and before not in ("", canonical(crop.state))
    compared = list(known.views)
    apart, spread = 0.0, 0.0
    if crop.role == "surface":
        apart, spread = _apart(embedder.embed_images([crop.image, *compared]))
    if known.reference is not None and not changed:
        compared = [known.reference]
    looks = embedder.embed_images([crop.image, *compared])
    words = [crop_text(crop.name, crop.role, "", crop.state)]
    words += [crop_text(crop.name, crop.role, "", before)] if changed else []
    words += [crop_text(name, "food", "", crop.state) for name in known.rivals]
    states = [state for state in known.states if state_fit("food", crop.state, state) == 0]
    words += [crop_text(crop.name, crop.role, "", state) for state in states]
    fits = embedder.embed_texts(words) @ looks[0]
    own = float(fits[0])
    others = fits[1 + changed : len(fits) - len(states)]
    in_states = fits[len(fits) - len(states) :]
    return GateMeasures(
        shown=own,
        past=float(fits[1]) - own if changed else -1.0,
        rival=float(others.max()) - own if len(others) else -1.0,
        clear=own - float(in_states.max()) if states else 1.0,
        same=float(np.median(looks[1:] @ looks[0])) if len(looks) > 1 else 1.0,
        sharp=_sharp(crop.image) / float(np.median([_sharp(one) for one in compared]))
        if compared
        else 1.0,
        apart=apart,
        spread=spread,
    )


def _apart(looks: Vectors) -> tuple[float, float]:
    """Return the distances `apart` and `spread` of a crop (row 0) and two or more views, else zeros."""
    if len(looks) < 3:
        return 0.0, 0.0
    away = np.maximum(0.0, 1 - looks @ looks.T)
    others = [np.median(np.delete(row[1:], i)) for i, row in enumerate(away[1:])]
    return float(np.median(away[0, 1:])), float(np.median(others))


def _sharp(image: Image) -> float:
    """Return the sharpness at a common size, above 0."""
    share = SIDE_PX / max(image.shape[:2])
    width, height = (max(4, round(side * share)) for side in image.shape[1::-1])
    return max(1e-3, sharpness(resize(image, width, height)))


def views_of(rows: int, count: int, settled: float) -> list[int]:
    """Return the indices of `count` frames, spread over the clip from the share `settled` of it."""
    first = round(settled * (rows - 1))
    return [int(row) for row in np.unique(np.linspace(first, rows - 1, count).round())]
